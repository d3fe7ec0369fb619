"""What comes of broken pictures and strange texts in the intake that page and library share."""

import gc
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from mutated import mutated_bytes, whole_pictures
from strange_texts import methods, numbers, texts

from app.shared.engine import Engine
from app.shared.request import cache_for
from sinktrack.core.errors import SinkTrackError
from sinktrack.core.prompt import build_prompt


def fuzz_pictures(engine: Engine, folder: Path, count: int, start: int = 0) -> dict[str, Any]:
    """Ask about so many broken pictures, as the page does with what was uploaded.

    Args:
        engine: Reads them.
        folder: Where they are written.
        count: How many.
        start: The seed.

    Returns:
        How many were "read" and "refused", the "formats" and the seconds of the "slowest".

    Raises:
        Exception: Whatever comes out that is no `SinkTrackError`; the file stays in the folder.
    """
    rng = random.Random(start)
    whole = whole_pictures(rng)
    kinds, file = list(whole), folder / "broken.png"
    came: Counter[str] = Counter()
    slowest = 0.0
    for number in range(count):
        kind = kinds[number % len(kinds)]
        file.write_bytes(mutated_bytes(rng, whole[kind], list(whole.values())))
        began = time.perf_counter()
        try:
            request = engine.request("Where is it?", pictures=[str(file)])
            came["read" if request.visuals else "nothing"] += 1
        except SinkTrackError as error:
            assert str(folder) not in str(error), error
            came["refused"] += 1
        slowest = max(slowest, time.perf_counter() - began)
    return {**came, "formats": len(kinds), "slowest": slowest}


def fuzz_questions(engine: Engine, picture: str, count: int, first: int = 0) -> dict[str, Any]:
    """Ask so many strange questions, and see that no text of them became a control token.

    Args:
        engine: Is asked.
        picture: A file.
        count: How many.
        first: The seed.

    Returns:
        How many were "read" and "refused", and the seconds of the "slowest".

    Raises:
        Exception: Whatever comes out that is no `SinkTrackError`.
    """
    processor = engine._processor
    special = set(processor.tokenizer.all_special_ids)
    came: Counter[str] = Counter()
    slowest = 0.0

    def controls(question: str, passage: str | None, system: str | None) -> int:
        parts = {"passage": passage, "system": system}
        prompt = build_prompt(engine._model, processor, question, [picture], **parts)
        return sum(token in special for token in prompt.inputs["input_ids"][0].tolist())

    plain = {
        (bool(passage), bool(system)): controls("Hi", passage, system)
        for passage in (None, "A text.")
        for system in (None, "Be brief.")
    }
    text = texts(sorted(processor.tokenizer.all_special_tokens))

    @seed(first)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(text, text, text, methods(), numbers(), numbers(), numbers())
    def ask(
        question: Any,
        passage: Any,
        system: Any,
        asked: Any,
        most: Any,
        temperature: Any,
        start: Any,
    ) -> None:
        nonlocal slowest
        turn = came.total()
        try:
            length, noise, heat = int(most), int(start), float(temperature)
        except (ValueError, OverflowError):  # which the page says itself
            length, noise, heat = 4, 0, 1.0
        began = time.perf_counter()
        try:
            request = engine.request(
                question,
                pictures=[picture] if turn % 5 else [],
                passage=passage,
                system=system,
                methods=asked if turn % 6 == 0 else ("baseline", "sinktrack"),
                max_new_tokens=length if turn % 7 == 0 else 4,
                do_sample=turn % 8 == 0,
                temperature=heat,
                seed=noise,
                cache=cache_for(length, noise) if turn % 9 == 0 else "full",
            )
            given = request.asked.passage, request.system
            found = controls(request.asked.question, *given)
            assert found == plain[tuple(map(bool, given))], (question, passage, system)
            came["read"] += 1
        except SinkTrackError:
            came["refused"] += 1
        slowest = max(slowest, time.perf_counter() - began)

    gc.unfreeze()  # what a program's start has frozen: Hypothesis asks there who holds its numbers
    ask()
    return {**came, "slowest": slowest}
