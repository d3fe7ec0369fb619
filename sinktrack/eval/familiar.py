"""How unlike the pictures that a model knows another one is, measured on its vision tokens.

A picture becomes merged vision tokens. Each is compared with the nearest one of all tokens of the
known pictures; the picture's distance is the mean over its tokens, in units of the largest distance
of a known picture from the other known ones. So nothing is fixed but how far is too far, and a
checkpoint that is trained anew measures itself anew.

`benchmarks/unfamiliar.py` measures how well this separates. With shapes-vl-anchored none of 300
held-out scenes is beyond the limit (they reach 1.13) and all of 300 pictures of held-out kinds are
(they begin at 2.07; area under the ROC curve 1.0000). The likelihood of a question under the model
does not separate: its area is 0.91 for questions outside the little world and 0.79 for other things
in its words, of which 30 and 7 % are found where 1 % of familiar questions would be. Training never
asks the model to predict a question, so nothing is said of questions.
"""

import random
from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image

from sinktrack.core.images import Picture, load_picture
from sinktrack.core.prompt import build_prompt
from sinktrack.shapes.scenes import draw, sample_scene

LIMIT = 1.35
"""A picture that is farther away than this is unlike all that are known."""
SCENES = 48
"""Drawn scenes that stand for all of them; they are read in half a second on a CPU."""
_SCALES = (1, 4)
"""Pixels for each that the model sees: as drawn, and as people see and send pictures."""


class FamiliarPictures:
    """The pictures that a model knows.

    Args:
        model: Qwen2.5-VL, or another model whose `get_image_features` gives merged vision tokens.
        processor: Its processor.
        pictures: Two or more, RGB.
    """

    def __init__(self, model: Any, processor: Any, pictures: Sequence[Image.Image]) -> None:
        """Read the pictures."""
        self._model, self._processor = model, processor
        tokens = [self._tokens(load_picture(picture)) for picture in pictures]
        own = torch.cat([torch.full((len(each),), at) for at, each in enumerate(tokens)])
        self._known = torch.cat(tokens)  # (N, D)
        away = [
            _distance(each, self._known[own.to(each.device) != at])
            for at, each in enumerate(tokens)
        ]
        self._farthest = max(away)

    @classmethod
    def scenes(cls, model: Any, processor: Any) -> "FamiliarPictures":
        """Return the little world of coloured shapes, as training draws it."""
        rng = random.Random(0)
        drawn = [
            draw(sample_scene(rng, rng.randint(1, 6), prior=0.0), _SCALES[at % len(_SCALES)])
            for at in range(SCENES)
        ]
        return cls(model, processor, drawn)

    def distance(self, picture: Picture) -> float:
        """Return how far a picture is from the known ones, 1 being as far as one of them."""
        return _distance(self._tokens(picture), self._known) / self._farthest

    def knows(self, picture: Picture) -> bool:
        """Tell whether a picture is like the known ones."""
        return self.distance(picture) <= LIMIT

    @torch.inference_mode()
    def _tokens(self, picture: Picture) -> torch.Tensor:
        """Return a picture's merged vision tokens, float32 (P, D)."""
        prompt = build_prompt(self._model, self._processor, "?", [picture])
        features = self._model.get_image_features(
            prompt.inputs["pixel_values"], prompt.inputs["image_grid_thw"]
        )
        merged = getattr(features, "pooler_output", features)
        return torch.cat(list(merged)).float()


def _distance(tokens: torch.Tensor, known: torch.Tensor) -> float:
    return float(torch.cdist(tokens, known).amin(1).mean())
