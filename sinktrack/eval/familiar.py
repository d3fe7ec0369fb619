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
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

from sinktrack.core.images import Picture, load_picture
from sinktrack.core.prompt import build_prompt
from sinktrack.shapes.scenes import draw, sample_scene

LIMIT = 1.35
"""A picture that is farther away than this is unlike all that are known."""
SCENES = 48
"""Drawn scenes that stand for all of them."""
FILE = "familiar.safetensors"
"""What a checkpoint's folder keeps of them, so that nobody waits until they are read."""
_SCALES = (1, 4)
"""Pixels for each that the model sees: as drawn, and as people see and send pictures."""


class FamiliarPictures:
    """The pictures that a model knows.

    Args:
        model: Qwen2.5-VL, or another model whose `get_image_features` gives merged vision tokens.
        processor: Its processor.
        known: The vision tokens of all known pictures, float (N, D).
        farthest: The largest distance of a known picture from the other known ones.
    """

    def __init__(self, model: Any, processor: Any, known: torch.Tensor, farthest: float) -> None:
        self._model, self._processor = model, processor
        self._known, self._farthest = known.float(), farthest

    @classmethod
    def read(
        cls, model: Any, processor: Any, pictures: Sequence[Image.Image]
    ) -> "FamiliarPictures":
        """Return pictures, two or more RGB ones, as those that the model knows."""
        tokens = [_tokens(model, processor, load_picture(picture)) for picture in pictures]
        own = torch.cat([torch.full((len(each),), at) for at, each in enumerate(tokens)])
        known = torch.cat(tokens)
        away = [_distance(each, known[own.to(each.device) != at]) for at, each in enumerate(tokens)]
        return cls(model, processor, known, max(away))

    @classmethod
    def scenes(cls, model: Any, processor: Any) -> "FamiliarPictures":
        """Return the little world of coloured shapes, as training draws it."""
        rng = random.Random(0)
        drawn = [
            draw(sample_scene(rng, rng.randint(1, 6), prior=0.0), _SCALES[at % len(_SCALES)])
            for at in range(SCENES)
        ]
        return cls.read(model, processor, drawn)

    @classmethod
    def load(cls, model: Any, processor: Any, folder: Path) -> "FamiliarPictures":
        """Return those that were saved in a model's folder, or else the little world."""
        if not (folder / FILE).is_file():
            return cls.scenes(model, processor)
        with safe_open(folder / FILE, framework="pt") as file:
            known, farthest = file.get_tensor("known"), float(file.metadata()["farthest"])
        return cls(model, processor, known.to(model.device), farthest)

    def save(self, folder: Path) -> None:
        """Write them to the model's folder, in half precision."""
        known = {"known": self._known.half().cpu()}
        save_file(known, folder / FILE, {"farthest": repr(self._farthest)})

    def distance(self, picture: Picture) -> float:
        """Return how far a picture is from the known ones, 1 being as far as one of them."""
        tokens = _tokens(self._model, self._processor, picture)
        return _distance(tokens, self._known) / self._farthest

    def knows(self, picture: Picture) -> bool:
        """Tell whether a picture is like the known ones."""
        return self.distance(picture) <= LIMIT


@torch.inference_mode()
def _tokens(model: Any, processor: Any, picture: Picture) -> torch.Tensor:
    """Return a picture's merged vision tokens, float32 (P, D)."""
    prompt = build_prompt(model, processor, "?", [picture])
    features = model.get_image_features(
        prompt.inputs["pixel_values"], prompt.inputs["image_grid_thw"]
    )
    merged = getattr(features, "pooler_output", features)
    return torch.cat(list(merged)).float()


def _distance(tokens: torch.Tensor, known: torch.Tensor) -> float:
    return float(torch.cdist(tokens, known).amin(1).mean())
