"""See, judge and reduce hallucination in vision-language models with SinkTrack.

Each public name is imported when it is first used, because the modules behind them load torch: a
wrong argument on the command line is answered before that.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sinktrack.version import VERSION as __version__

if TYPE_CHECKING:
    from sinktrack.attachment import attach
    from sinktrack.comparison import Answer, Comparison, Step
    from sinktrack.errors import SinkTrackError
    from sinktrack.lanes import compare, stream
    from sinktrack.method import SinkTrack
    from sinktrack.models import load
    from sinktrack.trace import AttentionTrace, Token
    from sinktrack.window import SinkWindow

__all__ = [
    "Answer",
    "AttentionTrace",
    "Comparison",
    "SinkTrack",
    "SinkTrackError",
    "SinkWindow",
    "Step",
    "Token",
    "__version__",
    "attach",
    "compare",
    "load",
    "stream",
]

_HOMES = {
    **dict.fromkeys(("Answer", "Comparison", "Step"), "comparison"),
    **dict.fromkeys(("AttentionTrace", "Token"), "trace"),
    **dict.fromkeys(("compare", "stream"), "lanes"),
    "SinkTrack": "method",
    "SinkTrackError": "errors",
    "SinkWindow": "window",
    "attach": "attachment",
    "load": "models",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"sinktrack.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, for completion."""
    return __all__
