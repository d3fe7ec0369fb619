"""The page: SinkTrack beside the plain model, in a browser.

settings  what can be set, and which model a machine gets
engine    the only part that talks to the library: one model, one answer at a time
compare   what happens on Ask and Stop
heatmap   the viewer of `sinktrack.viewer` as a Gradio component
examples  pictures and questions to begin with
ui        the layout
"""

import os

# Both are read when gradio and huggingface_hub are imported, so they are set before.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
