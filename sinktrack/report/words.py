"""What parts of a prompt, methods and their effects are called for people."""

from collections.abc import Iterable, Mapping, Sequence

from sinktrack.core.intervention import KINDS, Intervention
from sinktrack.core.parts import GENERATED, SINK, kind_of

_PARTS = {
    SINK: "BOS",
    "system": "System prompt",
    "history": "Earlier turns",
    "passage": "Passage",
    "instruction": "Question",
    "image": "Picture",
    "video": "Video",
    "rest": "Rest of the prompt",
    "other": "Other sinks",
    GENERATED: "Own words",
}

_MOVED = {
    "attention": "moved up to {share} of a token’s attention",
    "output": "changed an attention output by up to {length}",
    "values": "changed a cached value by up to {length}",
    "residual": "changed the residual stream by up to {length}",
    "mlp": "changed an MLP’s output by up to {length}",
    "prompt": "wrote {share} of its prompt",
    "logits": "moved up to {share} of the next token’s probability",
}
"""What `sinktrack.core.running.MOVED` measures, as something that a method did."""


_MEASURED = {
    "kl": ("next word (KL)", "nats"),
    "logits": ("next word", "share"),
    "attention": ("attention", "share"),
    "output": ("attention output", "length"),
    "values": ("cached values", "length"),
    "residual": ("residual stream", "length"),
    "mlp": ("MLP output", "length"),
}
"""What each of `sinktrack.core.running.MOVED` is called beside its bars, and its unit; in order."""


def part_title(name: str) -> str:
    """Return what a part of a prompt is called: "Picture 2" for "image 2"."""
    kind, _, number = name.partition(" ")
    title = _PARTS.get(kind, name)
    return f"{title} {number}" if number and kind in ("image", "video") else title


def segments_as_json(names: Sequence[str]) -> list[dict[str, str]]:
    """Return the parts that attention is divided among as JSON values, in order."""
    return [{"name": name, "kind": kind_of(name), "title": part_title(name)} for name in names]


def method_title(method: Intervention | None) -> str:
    """Return what a method is called; None is the plain model."""
    return "Plain model" if method is None else method.title or method.kind.upper()


def lane_titles(methods: Mapping[str, Intervention | None]) -> dict[str, tuple[str, str]]:
    """Return what lanes are called, and one line on what was done to the model in each.

    Args:
        methods: By the lanes' names. Where methods of one kind would have the same title, all but
            the one that is named by its kind have their name beside it.
    """
    titles = {name: method_title(method) for name, method in methods.items()}
    several = {title for title in titles.values() if list(titles.values()).count(title) > 1}
    found = {}
    for name, method in methods.items():
        own = "baseline" if method is None else method.kind
        title = titles[name]
        if title in several and name != own:
            title = name if name.startswith(title) else f"{title} · {name}"
        found[name] = (title, "Nothing changed." if method is None else method.subtitle)
    return found


def lane_title(name: str, method: Intervention | None) -> tuple[str, str]:
    """Return title and line of one lane alone.

    Args:
        name: The lane's name. Where the method is not known yet, a lane that is named by a kind of
            method is called like it.
        method: Its method.
    """
    if method is None and name in KINDS:
        return KINDS[name].title or name.upper(), ""
    return lane_titles({name: method})[name]


def moved_in_words(moved: Mapping[str, float]) -> str:
    """Return in one sentence how far a method moved things; "" if it moved nothing.

    Args:
        moved: The most that it moved, by `sinktrack.core.running.MOVED`.
    """
    said = [
        _MOVED[kind].format(share=_percent(most), length=_length(most))
        for kind, most in moved.items()
        if most > 0 and kind in _MOVED
    ]
    sentence = ", and ".join(said)
    return f"{sentence[0].upper()}{sentence[1:]}." if said else ""


def moved_titles(kinds: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return what measures are called in a few words, and their unit, those that say most first.

    Args:
        kinds: Of `sinktrack.core.running.MOVED`; one that is not known here has no unit.
    """
    order = list(_MEASURED)
    known = sorted(kinds, key=lambda kind: order.index(kind) if kind in order else len(order))
    return {kind: _MEASURED.get(kind, (kind, "")) for kind in known}


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.995 else "all"


def _length(ratio: float) -> str:
    if ratio < 0.995:
        return f"{100 * ratio:.2g} % of its length"
    return f"{ratio:.1f} times its length" if ratio < 10 else f"{ratio:,.0f} times its length"
