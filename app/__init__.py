"""The pages in a browser.

compare  SinkTrack and other methods beside the plain model
study    annotators judge pairs of answers blind
results  what `sinktrack eval` wrote: tables, a figure, and the items where methods differ
shared   what all stand on, the model's engine among it

No page imports another one, and no module but `app.shared.engine` reaches a model.
"""

import os

from app.shared.machine import own_temporary_folder, use_data_folder

# They are read when gradio and huggingface_hub are imported, so they are set before.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
use_data_folder(os.environ)
if "GRADIO_TEMP_DIR" not in os.environ and (folder := own_temporary_folder()):
    os.environ["GRADIO_TEMP_DIR"] = folder
