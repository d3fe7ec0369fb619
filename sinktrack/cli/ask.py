"""`sinktrack ask`: one question, all methods, answers that grow."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sinktrack.cli.given import read_messages, read_passage
from sinktrack.cli.options import (
    Choice,
    Context,
    Device,
    FourBit,
    Loading,
    Mask,
    MethodTexts,
    ModelName,
    Sinks,
    Weights,
    Window,
    cache_of,
    start,
    tell,
)
from sinktrack.core.errors import MethodError, OutputError, PromptError
from sinktrack.core.files import check_writable, whole_file
from sinktrack.core.names import exists
from sinktrack.terminal import Growing, is_terminal, write_answers

if TYPE_CHECKING:
    from sinktrack.core.cache import Cache
    from sinktrack.core.comparison import Comparison
    from sinktrack.core.decoding import Decoding
    from sinktrack.report.replay import Replay

_ASKED, _DECODING, _OUTPUT = "What is asked", "Decoding", "Output"

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="IMAGE|QUESTION",
        help="Pictures, in order, and then the question; - in their place beside a passage.",
    ),
]
Images = Annotated[
    list[str] | None,
    typer.Option("--image", metavar="FILE", help="One more picture.", rich_help_panel=_ASKED),
]
Video = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="A video: MP4, WebM or AVI.", rich_help_panel=_ASKED),
]
Passage = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="A text that the question is about; - reads the standard input.",
        rich_help_panel=_ASKED,
    ),
]
System = Annotated[
    str | None, typer.Option(metavar="TEXT", help="The system prompt.", rich_help_panel=_ASKED)
]
Messages = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="A conversation in the chat format, as JSON, whose pictures lie beside it; a question "
        "is one more turn.",
        rich_help_panel=_ASKED,
    ),
]
ReplayFile = Annotated[
    str | None,
    typer.Option(
        "--replay",
        metavar="FILE",
        help="Ask what a saved comparison asked, in the same way.",
        rich_help_panel=_ASKED,
    ),
]
MaxNewTokens = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="The longest answer; by default 128.", rich_help_panel=_DECODING
    ),
]
Sample = Annotated[
    bool,
    typer.Option(
        "--sample",
        help="Sample instead of taking the likeliest token.",
        rich_help_panel=_DECODING,
    ),
]
Temperature = Annotated[
    float | None,
    typer.Option(metavar="T", help="By default the checkpoint's own.", rich_help_panel=_DECODING),
]
TopP = Annotated[
    float | None,
    typer.Option(metavar="P", help="By default the checkpoint's own.", rich_help_panel=_DECODING),
]
Seed = Annotated[
    int | None,
    typer.Option(metavar="N", help="Of sampling; by default 0.", rich_help_panel=_DECODING),
]
Report = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="Write one HTML file that opens offline.", rich_help_panel=_OUTPUT
    ),
]
Save = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="Write a file that --replay can run again.", rich_help_panel=_OUTPUT
    ),
]
AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print the answers as JSON.", rich_help_panel=_OUTPUT),
]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question before there is a model.

    Args:
        messages: The conversation in the chat format, its pictures read.
        methods: What answers.
        decoding: How.
        cache: What stays in view.
        saved: The comparison that is asked again; None for a new question.
    """

    messages: list[dict[str, Any]]
    methods: "Choice | Mapping[str, Any]"
    decoding: "Decoding"
    cache: "Cache"
    saved: "Replay | None" = None


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where answers go besides the terminal: a report, a file to replay, JSON."""

    report: str | None
    save: str | None
    as_json: bool

    def check(self, *read: str | None) -> None:
        """Refuse files that cannot be written, or that are read or written for something else."""
        for what, path in (("The report", self.report), ("The comparison", self.save)):
            if path:
                check_writable(path, what)
        written = [Path(path).resolve() for path in (self.report, self.save) if path]
        sources = {Path(path).resolve() for path in read if path and exists(path)}
        if len(set(written)) < len(written) or sources & set(written):
            raise OutputError(
                "Two of --report, --save and the files to read name the same file: choose another."
            )

    def write_files(self, comparison: "Comparison") -> None:
        """Write what was asked for, and say where it is."""
        if self.report:
            from sinktrack.report.html import write_report

            write_report(comparison, self.report)
            tell(f"the report is in {self.report}")
        if self.save:
            from sinktrack.report.replay import record

            with whole_file(self.save, "The comparison") as part:
                part.write_text(json.dumps(record(comparison)), "utf-8")
            tell(f"the comparison is in {self.save}")


def ask(
    ctx: typer.Context,
    words: Words = None,
    image: Images = None,
    video: Video = None,
    passage: Passage = None,
    system: System = None,
    messages: Messages = None,
    replay: ReplayFile = None,
    model: ModelName = None,
    device: Device = None,
    dtype: Weights = None,
    four_bit: FourBit = False,
    method: MethodTexts = None,
    context: Context = None,
    causal: Mask = None,
    window: Window = None,
    sinks: Sinks = None,
    max_new_tokens: MaxNewTokens = None,
    sample: Sample = False,
    temperature: Temperature = None,
    top_p: TopP = None,
    seed: Seed = None,
    report: Report = None,
    save: Save = None,
    as_json: AsJson = False,
) -> None:
    """Answer one question with several methods at once, and watch the answers grow."""
    # What can be refused is refused before a model is loaded, which may take minutes.
    output = Output(report=report, save=save, as_json=as_json)
    files = [*(words or [])[:-1], *(image or []), video, passage, messages, replay]
    output.check(*files)
    loading = Loading(name=model, device=device, dtype=dtype, four_bit=four_bit)
    if replay is not None:
        asked = _asked_again(replay, _given_beside_replay(ctx))
    else:
        _check_sampling(sample, {"temperature": temperature, "top_p": top_p, "seed": seed})
        pictures, question = _words(words or [], image or [], messages is not None)
        turns = None if messages is None else read_messages(messages)
        text = None if passage is None else read_passage(passage)
        asked = Asked(
            cache=cache_of(window, sinks),
            methods=Choice.of(method, context, causal),
            decoding=_decoding(max_new_tokens, sample, temperature, top_p, seed),
            messages=_conversation(question, pictures, video, text, system, turns),
        )
    _answer(asked, loading, output)


def _answer(asked: Asked, loading: Loading, output: Output) -> None:
    """Print the answers as they grow, and write the files."""
    from sinktrack.api import stream_prompt
    from sinktrack.core.models import remarks
    from sinktrack.core.prompt import build_prompt
    from sinktrack.core.text_tokens import tokenizer_of
    from sinktrack.report.replay import answers_as_json

    model, processor = loading.model(None if asked.saved is None else asked.saved.model_name)
    prompt = build_prompt(
        model, processor, messages=asked.messages, answer_tokens=asked.decoding.max_new_tokens
    )
    methods = asked.methods
    if isinstance(methods, Choice):
        methods = methods.for_prompt(model, prompt)
    shown = sys.stdout if is_terminal("stdout") and not output.as_json else sys.stderr
    with Growing(shown, list(methods)) as growing:
        for step in stream_prompt(
            model,
            tokenizer_of(processor),
            prompt,
            methods=methods,
            decoding=asked.decoding,
            cache=asked.cache,
            beginnings=None if asked.saved is None else asked.saved.beginnings,
        ):
            growing.show(step.texts)
    comparison = step.comparison
    assert comparison is not None  # the last step of a stream carries it
    try:
        if output.as_json:
            print(json.dumps(answers_as_json(comparison), indent=2))
        else:
            write_answers(sys.stdout, {name: each.text for name, each in comparison.items()})
        sys.stdout.flush()
    finally:  # even if nobody reads the answers
        for notice in (*remarks(model, processor), *comparison.notices):
            tell(notice)
        output.write_files(comparison)
    if asked.saved is not None:
        differing = asked.saved.differing(comparison)
        tell(f"answered differently: {', '.join(differing)}" if differing else "the same answers")


def _given_beside_replay(ctx: typer.Context) -> list[str]:
    """Return what was given of that which a saved comparison settles."""
    free = {"replay", "model", "device", "dtype", "four_bit", "report", "save", "as_json"}

    def given(name: str | None) -> bool:
        if name is None or name in free or ctx.params.get(name) in (None, [], ()):
            return False
        source = ctx.get_parameter_source(name)
        return source is not None and source.name == "COMMANDLINE"

    return [
        "IMAGE or QUESTION" if each.name == "words" else each.opts[0]
        for each in ctx.command.params
        if given(each.name)
    ]


def _asked_again(replay: str, beside: Sequence[str]) -> Asked:
    """Return what a saved comparison asked; refuse what it settles already."""
    if beside:
        raise PromptError(
            f"--replay settles {', '.join(beside)} already: leave out one or the other."
        )
    start()
    from sinktrack.report.replay import read_replay

    saved = read_replay(replay)
    return Asked(
        messages=list(saved.messages),
        methods=saved.methods,
        decoding=saved.decoding,
        cache=saved.cache,
        saved=saved,
    )


def _words(
    words: Sequence[str], images: Sequence[str], turns: bool
) -> tuple[list[str], str | None]:
    """Return pictures and question of the words; `turns` can stand in for a question."""
    if not words and not turns:
        raise PromptError(
            "There is nothing to ask: give a QUESTION, --messages FILE or --replay FILE."
        )
    pictures, question = [*words[:-1], *images], words[-1] if words else None
    if question is not None and _is_file(question):
        raise PromptError(
            f"There is nothing to ask: {question[:200]} is a file, and the question stands last."
        )
    return [each for each in pictures if each != "-"], question


def _is_file(word: str) -> bool:
    named = re.fullmatch(r"\S+\.(png|jpe?g|gif|webp|avif|bmp|tiff?|heic)", word, re.IGNORECASE)
    return word == "-" or named is not None or (exists(word) and Path(word).is_file())


def _conversation(
    question: str | None,
    pictures: Sequence[str],
    video: str | None,
    passage: str | None,
    system: str | None,
    messages: list[Any] | None,
) -> list[dict[str, Any]]:
    """Read pictures and video and check every text, so that nothing is left for later."""
    start()
    from sinktrack.core.messages import as_messages, conversation

    return as_messages(
        conversation(
            question=question,
            images=pictures,
            video=video,
            passage=passage,
            messages=messages,
            system=system,
        )
    )


def _check_sampling(sample: bool, values: Mapping[str, float | None]) -> None:
    unused = [name for name, value in values.items() if value is not None]
    if unused and not sample:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in unused)
        raise MethodError(f"{flags} is for sampling alone: add --sample, or leave it out.")


def _decoding(
    max_new_tokens: int | None,
    sample: bool,
    temperature: float | None,
    top_p: float | None,
    seed: int | None,
) -> "Decoding":
    start()
    from sinktrack.core.decoding import Decoding

    return Decoding(
        max_new_tokens=128 if max_new_tokens is None else max_new_tokens,
        do_sample=sample,
        temperature=temperature,
        top_p=top_p,
        seed=seed or 0,
    )
