"""What is said of pictures that are unlike all that the bundled model was trained on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sinktrack.core.images import load_picture
from sinktrack.eval.familiar import FamiliarPictures

UNLIKE = (
    "This picture is unlike all that the bundled model was trained on, by its own vision features: "
    "expect nothing of its answers here. It knows coloured shapes on a grid, such as those of the "
    "examples. For other pictures start the page with a model that knows them, on a GPU of 8 GB or "
    "more: python app.py --model Qwen/Qwen2.5-VL-3B-Instruct"
)


class Unfamiliar:
    """Tells pictures that the bundled model knows from others."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._familiar: FamiliarPictures | None = None

    def notices(self, model: Any, processor: Any, pictures: Sequence[str]) -> tuple[str, ...]:
        """Return what is to be said of pictures; call it while no answer is written.

        Args:
            model: The bundled model, from the folder that it was saved in.
            processor: Its processor.
            pictures: Files.

        Raises:
            PictureError: If one cannot be read.
        """
        if not pictures:
            return ()
        if self._familiar is None:
            self._familiar = FamiliarPictures.load(model, processor, Path(model.name_or_path))
        known = [self._familiar.knows(load_picture(each)) for each in pictures]
        return () if all(known) else (UNLIKE,)
