"""Makes a study's answers and their attention beforehand, so that annotators never wait."""

import hashlib
import json
from typing import Any

from tqdm import tqdm

from sinktrack.core.batch import Methods, filled
from sinktrack.core.cache import cache_as_json
from sinktrack.core.comparison import Comparison
from sinktrack.core.decoding import Decoding
from sinktrack.core.errors import StudyError
from sinktrack.core.files import whole_file
from sinktrack.core.generate import Generator
from sinktrack.core.models import model_name
from sinktrack.core.prompt import build_prompt
from sinktrack.core.text_tokens import tokenizer_of
from sinktrack.methods import published
from sinktrack.report.payload import payload
from sinktrack.study.folder import Study, StudyItem

_FORMAT = 2
"""Part of the digest, so that a change of the files' format makes all answers anew."""


def prepare(study: Study, model: Any, processor: Any, *, batch: int = 16) -> int:
    """Answer every item whose answers are missing or outdated, and write each at once.

    Args:
        study: The study.
        model: Of `study.model`.
        processor: Its processor.
        batch: How many rows are answered at once, an item taking one or more a lane.

    Returns:
        How many items were answered.

    Raises:
        SinkTrackError: If a picture, question or method cannot be used, the disk is full, or the
            answers were made elsewhere.
    """
    check_prepared_here(study)
    methods = {lane: published(changes, model) for lane, changes in study.lanes.items()}
    sources = {item: _digest(study, item, model, methods) for item in study.items}
    unanswered = [item for item in study.items if _stored_digest(study, item) != sources[item]]
    study.prepared(study.items[0]).parent.mkdir(exist_ok=True)
    decoding = Decoding(max_new_tokens=study.max_new_tokens)
    prompts = (
        build_prompt(model, processor, **_asked(item), answer_tokens=study.max_new_tokens)
        for item in unanswered
    )
    left = iter(unanswered)
    with tqdm(
        total=len(study.items), initial=len(study.items) - len(unanswered), unit="item"
    ) as bar:
        for together in filled(prompts, methods, batch):
            generator = Generator(
                model,
                tokenizer_of(processor),
                together,
                methods,
                decoding=decoding,
                cache=study.cache,
            )
            generator.run()
            for comparison in generator.comparisons():
                item = next(left)
                _write_answers(study, item, comparison, sources[item])
                bar.update()
    return len(unanswered)


def check_prepared_here(study: Study) -> None:
    """Refuse a study that no model is to answer.

    Raises:
        StudyError: If its answers were made elsewhere.
    """
    if study.imported:
        raise StudyError(
            f"The answers of {study.folder} were made elsewhere, so no model answers its items: "
            "serve it as it is, or import other answers into a new folder."
        )


def _asked(item: StudyItem) -> dict[str, Any]:
    """Return what a model is asked, as `build_prompt` takes it.

    After earlier turns pictures and passage stand in the first of them, as where somebody goes on
    on the page that compares.
    """
    if not item.earlier:
        passage = item.passage or None
        return {"question": item.question, "pictures": item.images, "passage": passage}
    content: list[dict[str, Any]] = [{"type": "image", "image": each} for each in item.images]
    if item.passage:
        content.append({"type": "text", "text": item.passage, "part": "passage"})
    messages: list[dict[str, Any]] = [
        {"role": turn["role"], "content": [{"type": "text", "text": turn["text"]}]}
        for turn in item.turns
    ]
    messages[0]["content"] = content + messages[0]["content"]
    return {"question": item.question, "messages": messages}


def _digest(study: Study, item: StudyItem, model: Any, methods: Methods) -> str:
    """Return a digest of everything that determines an item's answers."""
    said = {
        "format": _FORMAT,
        "model": model_name(model),
        "pictures": [hashlib.sha256(image.read_bytes()).hexdigest() for image in item.images],
        "passage": item.passage,
        "question": item.question,
        "methods": {
            lane: None if method is None else method.as_dict() for lane, method in methods.items()
        },
        "max_new_tokens": study.max_new_tokens,
        "cache": cache_as_json(study.cache),
    }
    if item.earlier:
        said["earlier"] = item.earlier
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _stored_digest(study: Study, item: StudyItem) -> str | None:
    """Return the digest stored with an item's answers; None if an answer or a trace is missing."""
    try:
        made_from = json.loads(study.prepared(item).read_text("utf-8"))["made_from"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    whole = all(study.trace(item, lane).is_file() for lane in study.lanes)
    return made_from if whole and isinstance(made_from, str) else None


def _write_answers(study: Study, item: StudyItem, comparison: Comparison, source: str) -> None:
    for lane, answer in comparison.items():
        assert answer.trace is not None  # made with a recording
        answer.trace.save(study.trace(item, lane))
    # last, because it says that all is there
    with whole_file(study.prepared(item), "The answers") as part:
        text = json.dumps(payload(comparison) | {"made_from": source}, allow_nan=False)
        part.write_text(text + "\n", "utf-8")
