"""What the owner sees of the measures, as HTML. Knows nothing about pages."""

import statistics
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape

from app.shared.measures import MINUTES, Labels, Measures

_MIB = 2**20
_LATE = 3600.0  # seconds that the typical times are taken from


def overview(measures: Measures) -> str:
    """Return how the page does."""
    values, minutes = measures.values(), measures.minutes()
    now = time.time()
    return "".join(
        (
            f"<p>{escape(_in_short(values, measures))}</p>",
            f"<dl>{''.join(_figures(values, measures, minutes, now))}</dl>",
            _bars(minutes),
            _table(
                "How requests ended, since the start",
                ("request", "how", "count"),
                [
                    (dict(labels)["event"], dict(labels)["outcome"], f"{count:.0f}")
                    for (name, labels), count in sorted(values.items())
                    if name == "sinktrack_requests_total"
                ],
                "None has ended.",
            ),
            _table(
                "Turned away",
                ("limit", "count"),
                [
                    (dict(labels)["limit"], f"{count:.0f}")
                    for (name, labels), count in sorted(values.items())
                    if name == "sinktrack_turned_away_total"
                ],
                "Nobody has met a limit.",
            ),
            _table(
                "Last errors",
                ("when (UTC)", "id in the log", "request", "class"),
                [
                    (_time(each.when), each.id, each.event, each.kind)
                    for each in reversed(measures.errors)
                ],
                "There was none.",
            ),
        )
    )


def _in_short(values: dict[tuple[str, Labels], float], measures: Measures) -> str:
    ready = values.get(("sinktrack_model_ready", ()))
    model = "" if ready is None else f"The model is {'loaded' if ready else 'still loading'}. "
    began = time.strftime("%Y-%m-%d %H:%M", time.gmtime(measures.began))
    return f"{model}Running since {began} UTC. This was measured at {_time(time.time())} UTC."


def _figures(
    values: dict[tuple[str, Labels], float],
    measures: Measures,
    minutes: Sequence[Counter[str]],
    now: float,
) -> Iterable[str]:
    """Yield each figure with its name."""

    def value(name: str, **labels: str) -> float | None:
        return values.get((name, tuple(labels.items())))

    waiting, places = value("sinktrack_queue_waiting"), value("sinktrack_queue_places")
    if waiting is not None:
        served = "and one is answered" if value("sinktrack_queue_served") else "none is answered"
        yield _figure("Waiting", f"{waiting:.0f} of {places:.0f}", served)
        addresses = value("sinktrack_queue_addresses") or 0
        yield _figure("Addresses in the queue", f"{addresses:.0f}", "")
    asked = [sum(minute.values()) for minute in minutes]
    yield _figure("Asked in 5 minutes", str(sum(asked[-5:])), f"{sum(asked)} in an hour")
    answered = [seconds for when, seconds in measures.answered if when > now - _LATE]
    yield _figure("An answer takes", *_typical(answered))
    waited = [seconds for when, seconds in measures.waited if when > now - _LATE]
    yield _figure("Waiting for a turn", *_typical(waited))
    tokens = value("sinktrack_tokens_total") or 0
    yield _figure("Tokens written", f"{tokens:,.0f}", "since the start")
    memory = value("process_resident_memory_bytes")
    if memory is not None:
        yield _figure("Memory", f"{memory / _MIB:,.0f} MiB", "of the process")
    taken = value("sinktrack_gpu_memory_bytes", state="taken")
    if taken is not None:
        free = value("sinktrack_gpu_memory_bytes", state="free") or 0
        yield _figure("GPU memory", f"{taken / _MIB:,.0f} MiB", f"{free / _MIB:,.0f} MiB are free")


def _figure(name: str, value: str, beside: str) -> str:
    small = f"<small>{escape(beside)}</small>" if beside else ""
    return f"<div><dt>{escape(name)}</dt><dd>{escape(value)}{small}</dd></div>"


def _typical(seconds: Sequence[float]) -> tuple[str, str]:
    """Return the middle one, and what one in twenty exceeds."""
    if not seconds:
        return "–", "in the last hour"
    late = sorted(seconds)[min(len(seconds) - 1, int(0.95 * len(seconds)))]
    return f"{statistics.median(seconds):.1f} s", f"19 of 20 within {late:.1f} s"


def _bars(minutes: Sequence[Counter[str]]) -> str:
    """Draw how many requests ended in each minute: those that were answered, and above the rest."""
    most = max(1, *(sum(minute.values()) for minute in minutes))
    drawn = []
    for at, minute in enumerate(minutes):
        good, all_of_it = minute["answered"] + minute["done"], sum(minute.values())
        for kind, low, high in (("good", 0, good), ("other", good, all_of_it)):
            if high > low:
                top, height = 60 - 60 * high / most, 60 * (high - low) / most
                drawn.append(
                    f'<rect class="so-{kind}" x="{10 * at + 1}" y="{top:.1f}" width="8" '
                    f'height="{height:.1f}"/>'
                )
    total = sum(sum(minute.values()) for minute in minutes)
    about = f"{total} requests to the model in {MINUTES} minutes, at most {most} in one"
    return (
        f'<h2>The last hour, minute by minute</h2><svg viewBox="0 0 {10 * MINUTES} 60" role="img" '
        f'aria-label="{about}" preserveAspectRatio="none">{"".join(drawn)}</svg>'
        f'<p class="so-key"><span class="so-good">answered</span> <span class="so-other">stopped, '
        f"refused, failed, gone</span> {about if total else 'Nobody has asked'}.</p>"
    )


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], none: str) -> str:
    if not rows:
        return f"<h2>{escape(title)}</h2><p>{escape(none)}</p>"
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return (
        f"<h2>{escape(title)}</h2><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def _time(when: float) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(when))
