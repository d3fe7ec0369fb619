"""What the page tells of the bundled model: what it knows, what it was taught, and what it is not.

All figures are those of the checkpoint's card.json, which `benchmarks/answers.py` measures.
"""

import html
import json
from pathlib import Path
from typing import Any

_LOWEST = 0.5
_LEFT, _WIDTH, _LINE, _TOP = 118, 300, 17, 26


def model_card(folder: Path | None, anchored: bool) -> str:
    """Return the card of a bundled checkpoint as HTML; "" where there is none.

    Args:
        folder: Of the checkpoint.
        anchored: Whether it was trained to read what SinkTrack writes.
    """
    try:
        return (
            ""
            if folder is None
            else _card(json.loads((folder / "card.json").read_text()), anchored)
        )
    except (OSError, ValueError, KeyError, TypeError):  # none, or one of another version
        return ""


def _card(told: dict[str, Any], anchored: bool) -> str:
    random, adversarial = (told["existence"][each] for each in ("random", "adversarial"))
    learned = (
        "It was trained to read what SinkTrack writes into its first token. Large models were not,"
        f" so it shows how the method works. {_remembered(told)}"
        if anchored
        else "It was never trained with SinkTrack, so what the method does to it, it does"
        " training-free."
    )
    said = (
        "<strong>It knows</strong> pictures of up to six coloured shapes on a grid of five by five,"
        f" in {len(told['words'])} kinds of questions. To everything else it says one honest"
        f" sentence: in {_percent(told['outside'])} of cases that are of kinds it never met. It"
        f" wrongly says it in {_percent(told['refused'])} of questions that it could answer.",
        "<strong>It has a habit</strong>, as large models do: it learned that certain shapes go"
        f" together. Asked for any shape it is right in {_percent(random)}, and in"
        f" {_percent(adversarial)} where an absent shape’s usual companion is there.",
        f"<strong>What it was taught.</strong> {learned}",
        "<strong>It says nothing</strong> about how much a method helps a large model.",
    )
    return (
        f'<div class="st-card">{"".join(f"<p>{each}</p>" for each in said)}'
        f"{_figure(told['words'])}</div>"
    )


def _remembered(told: dict[str, Any]) -> str:
    """Say what it remembers when only its first token and the last 24 are left."""
    parts = [
        f"{html.escape(what)} {_percent(sinktrack)} (plain {_percent(plain)})"
        for what, (plain, sinktrack) in told["remembered"].items()
    ]
    return (
        f"When its first token and the last 24 alone are left, it still tells {', '.join(parts)}."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _figure(words: dict[str, dict[str, float]]) -> str:
    """Draw the share of right answers by kind of question, in trained words and in others."""

    def x(share: float) -> float:
        return _LEFT + _WIDTH * (max(share, _LOWEST) - _LOWEST) / (1 - _LOWEST)

    height = _TOP + _LINE * len(words) + 6
    parts = []
    for share in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
        parts.append(
            f'<line class="st-rule" x1="{x(share):g}" x2="{x(share):g}" y1="20" y2="{height}"/>'
            f'<text class="st-tick" x="{x(share):g}" y="13">{100 * share:.0f} %</text>'
        )
    for number, (kind, shares) in enumerate(words.items()):
        trained, held_out = shares["trained"], shares["held out"]
        y = _TOP + _LINE * number + _LINE / 2
        parts.append(
            f"<g><title>{html.escape(kind)}: {_percent(trained)} in trained words,"
            f" {_percent(held_out)} in others</title>"
            f'<text class="st-kind" x="{_LEFT - 10}" y="{y + 4:g}">{html.escape(kind)}</text>'
            f'<line class="st-gap" x1="{x(trained):g}" x2="{x(held_out):g}" y1="{y:g}" y2="{y:g}"/>'
            f'<circle class="st-trained" cx="{x(trained):g}" cy="{y:g}" r="4"/>'
            f'<circle class="st-held-out" cx="{x(held_out):g}" cy="{y:g}" r="4"/></g>'
        )
    return (
        f'<figure><svg viewBox="0 0 {_LEFT + _WIDTH + 24} {height}" role="img"'
        ' aria-label="Right answers by kind of question">'
        f"{''.join(parts)}</svg><figcaption>Right answers by kind of question, 200 each:"
        ' <span class="st-held-out-word">● in words that it never met</span>,'
        " ○ in words that it was trained on.</figcaption></figure>"
    )
