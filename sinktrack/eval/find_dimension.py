r"""Find the dimension that `position-scale` needs: `python -m sinktrack.methods.find_dimension M`.

Averages hidden states over texts, takes the dimensions that rise or fall smoothly with the
position, and chooses among them by the loss of key-value retrieval with each of them scaled. It
goes on where it was interrupted.

    python -m sinktrack.methods.find_dimension Qwen/Qwen2.5-Coder-0.5B-Instruct --count 60

The public code reads 200 random strings of 1,000 tokens, judges by 60 samples of 50 pairs with the
answer at a quarter, half or three quarters, and prints the best three dimensions. Here any texts
will do, the answer stands at ten places, and the best dimension is named with how sure that is.
"""

import argparse
import ast
import hashlib
import json
import sysconfig
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from tqdm import tqdm

from sinktrack.core.errors import MethodError, OutputError, PromptError, SinkTrackError, reason
from sinktrack.core.files import check_usable, finished_lines, json_lines, read_text, whole_file
from sinktrack.core.models import load, model_name
from sinktrack.core.prompt import build_prompt
from sinktrack.core.text_tokens import tokenizer_of
from sinktrack.eval.manifest import check_settings
from sinktrack.eval.positional import SKIPPED, AnswerJudge, Candidate, HiddenSums, candidates
from sinktrack.eval.statistics import Pair, interval, paired_p
from sinktrack.eval.task import Item
from sinktrack.eval.tasks.key_value import independent_items
from sinktrack.methods.position_scale import PositionScale
from sinktrack.version import VERSION

_SAVED_EVERY = 60.0  # seconds
_CHARACTERS = 100_000  # that are made tokens at once

Judgements = dict[tuple[str, int | None], dict[str, Any]]
"""Loss, and whether the answer was right, by item and dimension; None for the plain model."""


def read_texts(path: Path | None) -> Iterator[str]:
    """Yield the pieces of a text file or of JSON Lines; by default Python's own documentation.

    Args:
        path: A line of JSON Lines (.jsonl) is a string, or an object with "text".

    Raises:
        PromptError: If the file cannot be read.
    """
    if path is None:
        yield from _documentation()
        return
    try:
        text = read_text(path)
        if path.suffix == ".jsonl":
            said = [json.loads(line) for line in json_lines(text) if line.strip()]
            said = [each if isinstance(each, str) else each["text"] for each in said]
            text = "".join(each + "\n\n" for each in said)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PromptError(
            f"{path} cannot be read as texts ({type(error).__name__}: {error}): give plain text, "
            'or JSON Lines of strings or of objects with "text".'
        ) from error
    for start in range(0, len(text), _CHARACTERS):
        yield text[start : start + _CHARACTERS]


def _documentation() -> Iterator[str]:
    """Yield the docstrings of Python's standard library, which is always there."""
    places = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py")):
        if {"site-packages", "dist-packages", "test", "tests"} & set(path.relative_to(root).parts):
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            continue  # a file that shows what is no Python
        found = (ast.get_docstring(each) for each in ast.walk(tree) if isinstance(each, places))
        yield "".join(each + "\n\n" for each in found if each)


def cut(tokenizer: Any, texts: Iterable[str], tokens: int, count: int) -> list[list[int]]:
    """Return the first `count` stretches of texts, each of so many tokens and no special ones.

    Raises:
        PromptError: If there are not that many.
    """
    ids: list[int] = []
    for each in texts:
        ids += tokenizer(each, add_special_tokens=False, verbose=False)["input_ids"]
        if len(ids) >= tokens * count:
            break
    if len(ids) < tokens * count:
        raise PromptError(
            f"The texts have {len(ids):,} tokens, but {count} texts of {tokens:,} tokens need "
            f"{tokens * count:,}: give more text, or a smaller --count."
        )
    return [ids[at : at + tokens] for at in range(0, tokens * count, tokens)]


def add_up(model: Any, texts: Sequence[list[int]], path: Path) -> HiddenSums:
    """Return the summed hidden states of texts; those in the file are not read again."""
    sums = HiddenSums(model, len(texts[0]))
    if path.exists():
        try:
            with safe_open(path, "pt") as file:
                sums.texts = int(file.metadata()["texts"])
                sums.sums = [file.get_tensor(f"layer {at}") for at in range(len(sums.sums))]
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise OutputError(
                f"{path} is not a file of this program ({reason(error)}): delete it, or choose "
                "another --cache."
            ) from error
    saved = time.monotonic()
    bar = tqdm(total=len(texts), initial=min(sums.texts, len(texts)), unit="text")
    with bar:
        for each in texts[sums.texts :]:
            sums.add(each)
            bar.update()
            if time.monotonic() - saved > _SAVED_EVERY or sums.texts == len(texts):
                with whole_file(path, "The sums") as part:
                    layers = {f"layer {at}": total for at, total in enumerate(sums.sums)}
                    save_file(layers, part, {"texts": str(sums.texts)})
                saved = time.monotonic()
    return sums


def judge(
    model: Any,
    processor: Any,
    items: Sequence[Item],
    methods: dict[int | None, PositionScale | None],
    path: Path,
) -> Judgements:
    """Return how likely each answer is with each method; add what is new to the file."""
    done: Judgements = {}
    for number, line in enumerate(finished_lines(path), start=1):
        try:
            said = json.loads(line) if line.strip() else None
            if said is not None:
                kept = {"loss": float(said["loss"]), "right": bool(said["right"])}
                done[said["item"], said["dimension"]] = kept
        except (ValueError, KeyError, TypeError) as error:
            raise OutputError(
                f"{path}, line {number} is not a record of this program: take it out, or choose "
                "another --cache."
            ) from error
    layers = {at for method in methods.values() if method for at in method.layers or ()}
    with path.open("a", encoding="utf-8") as file:
        for item in tqdm(items, unit="sample"):
            missing = [each for each in methods if (item.id, each) not in done]
            if not missing:
                continue
            prompt = build_prompt(
                model, processor, item.question, passage=item.passage, needs_picture=False
            )
            ids = tokenizer_of(processor)(item.answer, add_special_tokens=False)["input_ids"]
            judging = AnswerJudge(model, prompt.inputs["input_ids"][0], ids, layers)
            found = judging.judge([methods[each] for each in missing])
            for each, judged in zip(missing, found, strict=True):
                said = {"item": item.id, "dimension": each} | asdict(judged)
                done[item.id, each] = said
                file.write(json.dumps(said) + "\n")
            file.flush()
    return done


def summary(
    found: Sequence[Candidate], items: Sequence[Item], judged: Judgements
) -> dict[str, Any]:
    """Return loss, differences and intervals of the plain model and of every candidate.

    The candidates come in the order of their losses.
    """

    def losses(dimension: int | None) -> list[Pair]:
        return [(judged[item.id, dimension]["loss"], 1.0) for item in items]

    def about(dimension: int | None, beside: int | None) -> dict[str, Any]:
        own, other = losses(dimension), losses(beside)
        apart = [(a[0] - b[0], 1.0) for a, b in zip(own, other, strict=True)]
        right = sum(judged[item.id, dimension]["right"] for item in items)
        said = {"loss": _mean(own), "interval": interval(own), "right": right / len(items)}
        if dimension != beside:
            said |= {"difference": _mean(apart), "difference_interval": interval(apart)}
            said |= {"p": paired_p(other, own)}
        return said

    told = [asdict(each) | about(each.dimension, None) for each in found]
    told.sort(key=lambda each: float(each["loss"]))
    best = told[0]["dimension"]
    if len(told) > 1:
        second = about(told[1]["dimension"], best)
        told[1]["beside_the_best"] = {
            name: second[name] for name in ("difference", "difference_interval", "p")
        }
    return {"plain": about(None, None), "candidates": told, "chosen": best}


def _mean(pairs: Sequence[Pair]) -> float:
    return sum(value for value, _ in pairs) / len(pairs)


def table(results: dict[str, Any]) -> str:
    """Return results as a Markdown table, and in words how sure the choice is."""
    plain = results["plain"]
    lines = [
        "| dimension | smoothness | monotone layers | loss | less than plain | p | right |",
        "|---" * 7 + "|",
        f"| plain | | | {_number(plain['loss'], plain['interval'])} | | | {plain['right']:.0%} |",
    ]
    for each in results["candidates"]:
        low, high = each["difference_interval"]
        lines.append(
            f"| {each['dimension']} | {each['smoothness']:.2e} | {each['monotone']:.0%} "
            f"| {_number(each['loss'], each['interval'])} "
            f"| {_number(-each['difference'], (-high, -low))} | {each['p']:.4f} "
            f"| {each['right']:.0%} |"
        )
    return "\n".join([*lines, "", *_in_words(results)]) + "\n"


def _in_words(results: dict[str, Any]) -> list[str]:
    best, *others = results["candidates"]
    words = [
        f"{results['texts']} texts of {results['tokens']:,} tokens, {results['samples']} samples "
        f"of {results['pairs']} pairs, factor {results['factor']:g}; 95 % intervals. The p are "
        f"those of {len(results['candidates'])} tests on the same samples, not corrected.",
        f"The least loss has dimension {best['dimension']}.",
    ]
    low, high = best["difference_interval"]
    if high < 0:
        words.append("Its loss is less than the plain model's on these samples.")
    elif low > 0:
        words.append("Its loss is more than the plain model's: leave the model as it is.")
    else:
        words.append("Whether it helps this model is not sure: its interval holds 0.")
    if others:
        apart = others[0]["beside_the_best"]
        words.append(
            f"The second, {others[0]['dimension']}, has "
            f"{_number(apart['difference'], apart['difference_interval'])} more loss "
            f"(p = {apart['p']:.4f})."
        )
    return words


def _number(value: float, bounds: Sequence[float]) -> str:
    return f"{value:.3f} ({bounds[0]:.3f} to {bounds[1]:.3f})"


def _check_numbers(options: argparse.Namespace) -> None:
    least = {"count": 1, "tokens": SKIPPED + 100, "samples": 2, "pairs": 10}
    for name, bound in least.items():
        if getattr(options, name) < bound:
            raise MethodError(f"--{name} is {getattr(options, name)}, but must be {bound} or more.")
    PositionScale(factor=options.factor)


def find(model: Any, processor: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Search, keep what was found in the folder, and return it.

    Raises:
        MethodError: If no dimension tells positions.
        PromptError: If there is too little text.
        OutputError: If the folder holds another search, or cannot be written.
    """
    folder = options.cache or Path("runs/find-dimension") / Path(model_name(model)).name
    check_usable(folder, "What was found")
    read = read_texts(options.texts)
    texts = cut(tokenizer_of(processor), read, options.tokens, options.count)
    settings = {"model": model_name(model), "dtype": str(model.dtype), "sinktrack": VERSION}
    first = hashlib.sha256(json.dumps(texts[0]).encode())  # more texts may follow another time
    settings |= {"first_text": first.hexdigest()[:16]}
    settings |= {name: getattr(options, name) for name in ("tokens", "pairs", "factor")}
    check_settings(folder, settings)
    sums = add_up(model, texts, folder / "sums.safetensors")
    found = candidates(sums)
    if not found:
        raise MethodError(
            f"No hidden dimension rises or falls with the position in more than a quarter of the "
            f"layers over {sums.texts} texts: position-scale has nothing to scale in this model."
        )
    methods: dict[int | None, PositionScale | None] = {None: None}
    for each in found:
        scaling = PositionScale.for_model(model, dimension=each.dimension, factor=options.factor)
        methods[each.dimension] = scaling
    items = independent_items(options.pairs, "validation", options.samples)
    judged = judge(model, processor, items, methods, folder / "losses.jsonl")
    results = settings | {"texts": sums.texts, "samples": len(items), "torch": torch.__version__}
    results |= summary(found, items, judged)
    with whole_file(folder / "result.json", "The result") as part:
        part.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return results


def main(words: Sequence[str] | None = None) -> None:
    """Search and print one table."""
    parser = argparse.ArgumentParser(
        prog="python -m sinktrack.methods.find_dimension",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="a folder or a hub name")
    add("--texts", type=Path, help="plain text or .jsonl; by default Python's docstrings")
    add("--count", type=int, default=200, help="texts (%(default)s)")
    add("--tokens", type=int, default=1000, help="of each text (%(default)s)")
    add("--samples", type=int, default=60, help="key-value samples to choose by (%(default)s)")
    add("--pairs", type=int, default=50, help="of a sample (%(default)s)")
    add("--factor", type=float, default=0.0, help="as of position-scale (%(default)g)")
    add("--dtype", choices=("float32", "bfloat16", "float16"))
    add("--device")
    add("--cache", type=Path, help="folder to go on in; also for result.json (runs/find-dimension)")
    options = parser.parse_args(words)
    try:
        _check_numbers(options)  # before a model is loaded, which may take minutes
        dtype = getattr(torch, options.dtype) if options.dtype else None
        model, processor = load(options.model, device=options.device, dtype=dtype)
        results = find(model, processor, options)
    except SinkTrackError as error:
        parser.exit(2, f"find_dimension: {error}\n")
    print(table(results))
    print(f"Use it: --method position-scale:dimension={results['chosen']}", end="")
    print(f",factor={options.factor:g}" if options.factor else "")


if __name__ == "__main__":
    main()
