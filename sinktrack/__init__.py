"""See, judge and reduce hallucination in vision-language and language models.

Each public name is imported when it is first used, because the modules behind them load torch: a
wrong argument on the command line is answered before that.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sinktrack.version import VERSION as __version__

if TYPE_CHECKING:
    from sinktrack import methods
    from sinktrack.api import compare, stream
    from sinktrack.core.attach import attach
    from sinktrack.core.cache import SinkWindow
    from sinktrack.core.comparison import Answer, Comparison, Step
    from sinktrack.core.errors import SinkTrackError
    from sinktrack.core.models import load
    from sinktrack.core.trace import AttentionTrace, Token
    from sinktrack.methods.sinktrack import SinkTrack
    from sinktrack.why.explain import explain
    from sinktrack.why.tam import activation_maps

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
    "activation_maps",
    "attach",
    "compare",
    "explain",
    "load",
    "methods",
    "stream",
]

_HOMES = {
    **dict.fromkeys(("Answer", "Comparison", "Step"), "core.comparison"),
    **dict.fromkeys(("AttentionTrace", "Token"), "core.trace"),
    **dict.fromkeys(("compare", "stream"), "api"),
    "SinkTrack": "methods.sinktrack",
    "SinkTrackError": "core.errors",
    "SinkWindow": "core.cache",
    "activation_maps": "why.tam",
    "attach": "core.attach",
    "explain": "why.explain",
    "load": "core.models",
    "methods": "methods",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f"sinktrack.{_HOMES[name]}")
    value = home if name == "methods" else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, for completion."""
    return __all__
