"""A method with rows of its own changes no other method's answer beside it."""

from PIL import Image

import sinktrack
from sinktrack.methods import create


def test_answers_beside_a_second_row_are_those_alone(checkpoint):
    """Prompts of one picture each, so that every row has positions of its own."""
    picture = Image.new("RGB", (140, 112), "white")
    picture.paste("red", (10, 10, 40, 40))
    asked = {"image": picture, "question": "Describe the picture.", "max_new_tokens": 12}
    methods = {
        "baseline": None,
        "sinktrack": sinktrack.SinkTrack.for_model(checkpoint[0]),
        "vcd": create("vcd"),
        "pai": create("pai", alpha=0.4),
    }
    beside = sinktrack.compare(*checkpoint, methods=methods, **asked)
    for name, method in methods.items():
        alone = sinktrack.compare(*checkpoint, methods={name: method}, **asked)[name]
        assert beside[name].token_ids == alone.token_ids


def test_what_is_done_is_said_without_pythons_marks(checkpoint):
    fitted = create("pai").fitted(checkpoint[0])
    assert fitted.subtitle == (
        "Raises the last query's attention scores on the picture by a share of their size "
        "(layers 1-11, alpha 0.2, gamma 1)."
    )
    assert create("plausibility", beta=0.5).subtitle.endswith("(beta 0.5).")
