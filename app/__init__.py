"""The pages in a browser.

compare  SinkTrack and other methods beside the plain model
study    annotators judge pairs of answers blind
results  what `sinktrack eval` wrote: tables, a figure, and the items where methods differ
shared   what all stand on, the model's engine among it

No page imports another one, and no module but `app.shared.engine` reaches a model.
"""

import os

from app.shared.machine import own_temporary_folder, use_data_folder

# They are read when gradio and huggingface_hub are imported or used, so they are set before.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
# Else Gradio remembers 10,000 events, and works out figures of them all after each, for a page that
# nobody is given.
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "1")
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", "1000000000")
use_data_folder(os.environ)
if "GRADIO_TEMP_DIR" not in os.environ and (folder := own_temporary_folder()):
    os.environ["GRADIO_TEMP_DIR"] = folder
