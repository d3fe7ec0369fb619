"""See, judge and reduce hallucination in vision-language models with SinkTrack."""

from sinktrack.attach import attach
from sinktrack.comparison import Answer, Comparison, Step
from sinktrack.errors import SinkTrackError
from sinktrack.lanes import compare, stream
from sinktrack.method import SinkTrack
from sinktrack.models import load
from sinktrack.trace import AttentionTrace, Token
from sinktrack.version import VERSION as __version__
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
