"""The command line: `sinktrack ask`, `sinktrack eval`, `sinktrack study` and `sinktrack bench`.

Bad input ends with one sentence on the error stream and exit status 2.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from sinktrack.core.errors import (
    MethodError,
    ModelError,
    OutputError,
    PromptError,
    SinkTrackError,
    StudyError,
    reason,
)
from sinktrack.core.files import check_usable, check_writable, whole_file
from sinktrack.core.names import BUNDLED, check_name, check_study_folder, exists
from sinktrack.eval.tasks import available, find
from sinktrack.machine import nowhere, settle_threads, tolerate_any_text
from sinktrack.methods.sinktrack import Causal, Context, SinkTrack

if TYPE_CHECKING:
    from sinktrack.core.cache import Cache
    from sinktrack.core.decoding import Decoding

# Each command imports what it needs once its arguments are known to be right: torch takes seconds.


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The words after `sinktrack`; by default those of the process.

    Returns:
        0, or 2 after bad input.
    """
    tolerate_any_text()
    options = _parser().parse_args(arguments)
    try:
        if getattr(options, "model", None) is not None:
            options.model = _known(options.model)
            check_name(options.model)
        options.run(options)
        sys.stdout.flush()
    except SinkTrackError as error:
        print(f"sinktrack: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # who read the output has read enough
        sys.stdout = nowhere()
        return 0
    except OSError as error:  # a full disk behind the output, a name that cannot be
        print(f"sinktrack: {reason(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sinktrack",
        description="Answer questions about pictures twice: the plain model beside SinkTrack.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    ask = commands.add_parser("ask", help="answer one question about one picture")
    ask.set_defaults(run=_ask)
    ask.add_argument(
        "image", metavar="IMAGE", nargs="?", help="a picture file; - for a text-only model"
    )
    ask.add_argument("question", metavar="QUESTION", nargs="?")
    ask.add_argument(
        "--replay", metavar="FILE", help="ask what a saved comparison asked, in the same way"
    )
    ask.add_argument("--save", metavar="FILE", help="write a file that --replay can run again")
    _add_model(ask)
    ask.add_argument("--report", metavar="FILE", help="write one HTML file that opens offline")
    ask.add_argument("--json", action="store_true", help="print the answers as JSON")
    ask.add_argument("--max-new-tokens", type=int, default=128, metavar="N", help="default: 128")
    _add_method(ask)
    ask.add_argument("--sample", action="store_true", help="sample instead of the likeliest token")
    ask.add_argument("--temperature", type=float, metavar="T", help="default: the checkpoint's")
    ask.add_argument("--top-p", type=float, metavar="P", help="default: the checkpoint's")
    ask.add_argument("--seed", type=int, metavar="N", help="of sampling; default: 0")

    evaluation = commands.add_parser("eval", help="measure lanes over a set of questions")
    evaluation.set_defaults(run=_eval)
    evaluation.add_argument("task", metavar="TASK", help=f"one of {', '.join(available())}")
    _add_model(evaluation)
    _add_method(evaluation)
    evaluation.add_argument("--lanes", default="baseline,sinktrack", help="default: both")
    evaluation.add_argument("--limit", type=int, default=2000, metavar="N", help="items a task")
    evaluation.add_argument("--out", required=True, metavar="DIR", help="resumes what lies there")
    evaluation.add_argument("--split", choices=("validation", "test"), default="test")
    evaluation.add_argument("--batch", type=int, default=50, metavar="N", help="items at once")

    study = commands.add_parser("study", help="answer a study's items beforehand, for annotators")
    study.set_defaults(run=_study)
    study.add_argument("words", nargs="+", metavar="[prepare] DIR", help="resumes what lies there")
    _add_model(study)
    study.add_argument("--batch", type=int, default=8, metavar="N", help="items at once; default 8")

    bench = commands.add_parser("bench", help="measure what SinkTrack and recording cost here")
    bench.set_defaults(run=_bench)
    _add_model(bench)
    bench.add_argument("--rounds", type=int, default=3, metavar="N", help="default: 3")
    return parser


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        metavar="M",
        help="a hub name or local folder; default: the small checkpoint that comes along",
    )
    parser.add_argument("--device", metavar="D", help="cpu, cuda, cuda:1, mps; default: the best")
    parser.add_argument("--four-bit", action="store_true", help="4-bit weights, on a CUDA GPU")


def _add_method(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--context", choices=get_args(Context), help="what SinkTrack writes")
    parser.add_argument("--causal", choices=get_args(Causal), default="corrected")
    parser.add_argument("--window", type=int, metavar="W", help="keep the last W tokens alone")
    parser.add_argument("--sinks", type=int, metavar="N", help="and the first N; default: 1")


def _methods(model: Any, options: argparse.Namespace) -> dict[str, SinkTrack | None]:
    """Return the lanes that can be asked for."""
    changes = {"causal": options.causal} | ({"context": options.context} if options.context else {})
    return {"baseline": None, "sinktrack": SinkTrack.for_model(model, **changes)}


def _cache(options: argparse.Namespace) -> "Cache":
    from sinktrack.core.cache import SinkWindow

    if options.window is None:
        if options.sinks is not None:
            raise MethodError("--sinks is for a window alone: add --window, or leave it out.")
        return "full"
    return SinkWindow(window=options.window, sinks=1 if options.sinks is None else options.sinks)


def _known(name: str) -> str:
    """Return where a model of this name is: beside the one that comes along, or on the hub."""
    folder = BUNDLED.parent / name
    return str(folder) if exists(folder) and folder.is_dir() else name


def _load(options: argparse.Namespace) -> tuple[Any, Any]:
    if options.model is None and not BUNDLED.is_dir():
        raise ModelError(
            "The small checkpoint comes with a checkout alone: choose one with --model."
        )
    return _loaded(options.model or BUNDLED, options)


def _loaded(name: Any, options: argparse.Namespace) -> tuple[Any, Any]:
    from sinktrack.core.models import load

    model, processor = load(name, device=options.device, four_bit=options.four_bit)
    settle_threads(model)
    return model, processor


def _ask(options: argparse.Namespace) -> None:
    """Print the answers as they grow."""
    # What can be refused is refused before a model is loaded, which may take minutes.
    for what, path in (("The report", options.report), ("The comparison", options.save)):
        if path:
            check_writable(path, what)
    written = [Path(path).resolve() for path in (options.report, options.save) if path]
    read = {Path(path).resolve() for path in (options.image, options.replay) if path}
    if len(set(written)) < len(written) or read & set(written):
        raise OutputError(
            "Two of --report, --save, --replay and IMAGE name the same file: choose another."
        )
    if options.replay:
        _refuse_beside_replay(options)
    elif options.image is None or options.question is None:
        raise PromptError("There is nothing to ask: give IMAGE and QUESTION, or --replay FILE.")
    from sinktrack.api import stream_prompt
    from sinktrack.core.images import load_picture
    from sinktrack.core.prompt import build_prompt, clean_question, tokenizer_of
    from sinktrack.report.html import write_report
    from sinktrack.report.replay import answers_as_json, read_replay, record
    from sinktrack.terminal import Answers

    saved = read_replay(options.replay) if options.replay else None
    methods = None
    if saved is None:
        pictures = [] if options.image == "-" else [load_picture(options.image)]
        question = clean_question(options.question)
        decoding, cache = _decoding(options), _cache(options)
    else:
        pictures, question = list(saved.pictures), saved.question
        decoding, cache, methods = saved.decoding, saved.cache, saved.methods
        options.model = options.model or _known(saved.model_name)
    for notice in (notice for picture in pictures for notice in picture.notices):
        print(f"sinktrack: {notice}", file=sys.stderr)
    model, processor = _load(options)
    prompt = build_prompt(model, processor, question, pictures)
    tokenizer = tokenizer_of(processor)
    methods = methods or _methods(model, options)
    with Answers(sys.stderr if options.json else sys.stdout, list(methods)) as shown:
        for step in stream_prompt(
            model, tokenizer, prompt, methods=methods, decoding=decoding, cache=cache
        ):
            shown.show(step.texts, final=step.comparison is not None and not options.json)
    comparison = step.comparison
    assert comparison is not None  # the last step of a stream carries it
    if options.report:
        write_report(comparison, options.report)
        print(f"sinktrack: the report is in {options.report}", file=sys.stderr)
    if options.save:
        with whole_file(options.save, "The comparison") as part:
            part.write_text(json.dumps(record(comparison)), "utf-8")
        print(f"sinktrack: the comparison is in {options.save}", file=sys.stderr)
    if options.json:
        print(json.dumps(answers_as_json(comparison), indent=2))
    if saved is not None:
        differing = saved.differing(comparison)
        same = f"answered differently: {', '.join(differing)}" if differing else "the same answers"
        print(f"sinktrack: {same}", file=sys.stderr)


def _refuse_beside_replay(options: argparse.Namespace) -> None:
    """Refuse what a saved comparison settles already."""
    settled = [
        *("image", "question", "context", "causal", "window", "sinks"),
        *("max_new_tokens", "sample", "temperature", "top_p", "seed"),
    ]
    defaults = _parser().parse_args(["ask"])
    given = [name for name in settled if getattr(options, name) != getattr(defaults, name)]
    if given:
        words = ", ".join(
            name.upper() if name in ("image", "question") else f"--{name.replace('_', '-')}"
            for name in given
        )
        raise PromptError(f"--replay settles {words} already: leave out one or the other.")


def _decoding(options: argparse.Namespace) -> "Decoding":
    unused = [name for name in ("temperature", "top_p") if getattr(options, name) is not None]
    unused += ["seed"] * (options.seed is not None)
    if unused and not options.sample:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in unused)
        raise MethodError(f"{flags} is for sampling alone: add --sample, or leave it out.")
    from sinktrack.core.decoding import Decoding

    return Decoding(
        max_new_tokens=options.max_new_tokens,
        do_sample=options.sample,
        temperature=options.temperature,
        top_p=options.top_p,
        seed=options.seed or 0,
    )


def _eval(options: argparse.Namespace) -> None:
    """Ask all lanes, with a progress bar, and print the table."""
    check_usable(options.out, "Results")
    from sinktrack.eval.runner import Run, evaluate, table

    tasks = find(options.task)
    for name in ("limit", "batch"):
        if getattr(options, name) < 1:
            raise MethodError(f"{name} is {getattr(options, name)}, but must be at least 1.")
    cache = _cache(options)
    lanes = [lane.strip() for lane in options.lanes.split(",")]
    unknown = [lane for lane in lanes if lane not in ("baseline", "sinktrack")]
    if len(set(lanes)) < len(lanes):
        raise MethodError(f"A lane is named twice in {options.lanes!r}: name each once.")
    if unknown:
        raise MethodError(f"There is no lane {unknown[0]!r}: choose from baseline and sinktrack.")
    model, processor = _load(options)
    methods = _methods(model, options)
    run = Run(
        tasks=tasks,
        methods={lane: methods[lane] for lane in lanes},
        split=options.split,
        limit=options.limit,
        cache=cache,
        batch=options.batch,
    )
    print(table(evaluate(model, processor, run, options.out)), end="")


def _study(options: argparse.Namespace) -> None:
    """Make the answers that are missing, with a progress bar."""
    folder = options.words[-1]
    if options.words[:-1] not in ([], ["prepare"]):
        raise StudyError("There is one study at a time: sinktrack study prepare DIR.")
    if options.batch < 1:
        raise StudyError(f"batch is {options.batch}, but must be at least 1.")
    check_study_folder(folder)
    check_usable(folder, "Answers")
    from sinktrack.study.folder import read_study
    from sinktrack.study.prepare import prepare

    study = read_study(folder)
    model, processor = _loaded(options.model or study.model, options)
    made = prepare(study, model, processor, batch=options.batch)
    print(
        f"sinktrack: {made} of {len(study.items)} items were answered, the others had been. "
        f"Open the study: python app.py --study {folder}"
    )


def _bench(options: argparse.Namespace) -> None:
    """Print a table of ratios."""
    if options.rounds < 1:
        raise MethodError(f"rounds is {options.rounds}, but must be at least 1.")
    from sinktrack.bench import bench_checkpoint

    print(bench_checkpoint(*_load(options), rounds=options.rounds))


if __name__ == "__main__":
    sys.exit(main())
