"""Draws methods by strength, with intervals, as SVG that stands in a page and in a paper."""

import math
from html import escape

from app.study.ranking import Ranking

_LINE, _TOP, _BOTTOM, _WIDTH = 30, 8, 44, 430
_LETTER = 8.0
"""The width of a letter, with something to spare."""


def ranking_figure(ranking: Ranking) -> str:
    """Draw a dot a method at its strength, with a line over its 95 % interval.

    Text has the colour of its surroundings: black, where the file stands alone.

    Args:
        ranking: The strongest method is drawn first.

    Returns:
        SVG; empty where nothing is ranked.
    """
    if not ranking.strengths:
        return ""
    left = 20 + _LETTER * max(len(each.lane) for each in ranking.strengths)
    ends = [end for each in ranking.strengths for end in (*each.interval, each.value)]
    step = _step(max(ends) - min(ends))
    low, high = math.floor(min(ends) / step), math.ceil(max(ends) / step)

    def x(value: float) -> str:
        return f"{left + _WIDTH * (value / step - low) / (high - low):.1f}"

    floor = _TOP + _LINE * len(ranking.strengths)
    parts = []
    for tick in range(low, high + 1):
        at = x(tick * step)
        parts.append(
            f'<line x1="{at}" x2="{at}" y1="{_TOP}" y2="{floor}" stroke="currentColor" '
            f'stroke-opacity="{0.45 if tick == 0 else 0.15}"/>'
            f'<text x="{at}" y="{floor + 16}" text-anchor="middle">{tick * step:g}</text>'
        )
    for number, each in enumerate(ranking.strengths):
        y = _TOP + _LINE * (number + 0.5)
        start, end = map(x, each.interval)
        told = f"{each.lane}: {each.value:.2f} ({each.interval[0]:.2f} to {each.interval[1]:.2f})"
        parts.append(
            f"<g><title>{escape(told)}</title>"
            f'<text x="{left - 12:g}" y="{y + 4.5:g}" text-anchor="end">{escape(each.lane)}</text>'
            f'<line x1="{start}" x2="{end}" y1="{y:g}" y2="{y:g}" stroke="#1f8a7d" '
            'stroke-width="2.5"/>'
            f'<circle cx="{x(each.value)}" cy="{y:g}" r="5" fill="#1f8a7d"/></g>'
        )
    parts.append(
        f'<text x="{left + _WIDTH / 2:g}" y="{floor + 36}" text-anchor="middle">strength (log '
        "scale, mean 0), 95 % interval</text>"
    )
    width, height = left + _WIDTH + 24, floor + _BOTTOM
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" '
        f'width="{width:g}" role="img" aria-label="Methods by strength" fill="currentColor" '
        'font-family="system-ui, -apple-system, sans-serif" font-size="14" '
        f'style="max-width: 100%; height: auto">{"".join(parts)}</svg>'
    )


def _step(span: float) -> float:
    """Return a round distance of ticks, so that a span has 4 to 10."""
    span = max(span, 0.1)
    power = float(10.0 ** math.floor(math.log10(span / 4)))
    return next(power * each for each in (5, 2, 1) if span / (power * each) >= 4)
