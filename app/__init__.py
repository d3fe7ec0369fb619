"""The page: SinkTrack beside the plain model, in a browser.

settings  what can be set, and which model a machine gets
engine    the only part that talks to the library: one model, one answer at a time
compare   what happens on Ask and Stop
heatmap   the viewer of `sinktrack.report.viewer` as a Gradio component
examples  pictures and questions to begin with
ui        the layout
machine   proxies, and folders of other users

and the page of a study, where annotators judge pairs of answers blind:

study        the page
judging      what an annotator asks for and gets
store        where votes are kept; database, its tables; ledger, a copy on the hub
coordinator  the page with the results; results, stats and summary, what it says
"""

import os

from app.machine import own_temporary_folder

# They are read when gradio and huggingface_hub are imported, so they are set before.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
if "GRADIO_TEMP_DIR" not in os.environ and (folder := own_temporary_folder()):
    os.environ["GRADIO_TEMP_DIR"] = folder
