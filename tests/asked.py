"""One comparison of each kind of prompt, for tests of what is made of it."""

from typing import Any

from PIL import Image, ImageDraw

import sinktrack
from sinktrack.core.comparison import Comparison
from sinktrack.methods import create

PASSAGE = "There is a red circle. There is a blue square in the second row."
QUESTION = "Describe the picture."


def picture(*size: int, colour: str = "red", at: int = 8) -> Image.Image:
    """Return a white picture with one circle."""
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).ellipse((at, at, at + 24, at + 24), fill=colour)
    return image


def everything(model: Any, processor: Any, **changes: Any) -> Comparison:
    """Compare four methods on a conversation with two pictures, a video and a passage."""
    earlier = [
        {"role": "system", "content": "Answer in one short sentence."},
        {
            "role": "user",
            "content": [
                {"type": "image", "image": picture(112, 84)},
                {"type": "text", "text": "Is there a red circle?"},
            ],
        },
        {"role": "assistant", "content": "Yes."},
    ]
    arguments = {
        "messages": earlier,
        "images": [picture(84, 112, colour="blue")],
        "video": [picture(112, 112, at=8 * step) for step in range(6)],
        "passage": PASSAGE,
        "question": QUESTION,
        "max_new_tokens": 8,
        "methods": {
            "baseline": None,
            "sinktrack": sinktrack.SinkTrack.for_model(model, context="prompt"),
            "vcd": create("vcd"),
            "pai": create("pai"),
            "off": sinktrack.SinkTrack.for_model(model, strength=0.0),
        },
    }
    return sinktrack.compare(model, processor, **(arguments | changes))
