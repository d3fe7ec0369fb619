"""Which of COCO's objects a caption mentions, by the rules of CHAIR and its list of synonyms.

Two words that name one thing are one mention, such as "traffic light" and "train track", which is
no train. A young or adult animal is the animal, and no person; the like holds of a passenger jet.
The seat of a toilet is no chair. A thing that is mentioned twice counts twice.

Where the original takes a library's singular of every word, a word of the list counts here in its
singular or plural.

Source: Rohrbach et al. 2018, https://arxiv.org/abs/1809.02156, and `utils/chair.py` of
https://github.com/LisaAnne/Hallucination, whose data/synonyms.txt is the list.
"""

from collections.abc import Iterable
from itertools import product

from sinktrack.eval.nouns import forms, known_form, words_in

_ONE_THING = (
    "motor bike",
    "motor cycle",
    "air plane",
    "traffic light",
    "street light",
    "traffic signal",
    "stop light",
    "fire hydrant",
    "stop sign",
    "parking meter",
    "suit case",
    "sports ball",
    "baseball bat",
    "baseball glove",
    "tennis racket",
    "wine glass",
    "hot dog",
    "cell phone",
    "mobile phone",
    "teddy bear",
    "hair drier",
    "potted plant",
    "laptop computer",
    "home plate",
    "train track",
)
_ANIMALS = (
    "bird",
    "cat",
    "dog",
    "horse",
    "sheep",
    "cow",
    "elephant",
    "bear",
    "zebra",
    "giraffe",
    "animal",
    "cub",
)
_VEHICLES = ("jet", "train")

_PAIRS = {
    **{each: each for each in _ONE_THING},
    **{f"{age} {animal}": animal for age in ("baby", "adult") for animal in _ANIMALS},
    **{f"passenger {vehicle}": vehicle for vehicle in _VEHICLES},
    "bow tie": "tie",
    "toilet seat": "toilet",
}
"""Two words to the one that they count as."""


class CocoObjects:
    """Finds objects in captions.

    Args:
        synonyms: One line an object, its name first and other words behind it, parted by ", ".
    """

    def __init__(self, synonyms: Iterable[str]) -> None:
        self._object_of: dict[str, str] = {}
        for line in synonyms:
            words = line.strip().split(", ")
            self._object_of |= {word: words[0] for word in words if word}

    def named(self, category: str) -> str:
        """Return the object that COCO's category is; the category itself where none is listed."""
        return self._object_of.get(category, category)

    def mentions(self, caption: str) -> list[str]:
        """Return the objects that a caption mentions, in order, repetitions included."""
        words = self._joined(words_in(caption))
        if "toilet" in words and "seat" in words:
            words = [word for word in words if word != "seat"]
        found = (known_form(word, self._object_of) for word in words)
        return [self._object_of[word] for word in found if word is not None]

    def _joined(self, words: list[str]) -> list[str]:
        """Return words, two that name one thing as one."""
        joined = []
        at = 0
        while at < len(words):
            pair = self._pair(words[at : at + 2])
            joined.append(words[at] if pair is None else pair)
            at += 1 if pair is None else 2
        return joined

    def _pair(self, two: list[str]) -> str | None:
        pairs = (" ".join(each) for each in product(*map(forms, two)))
        return next((_PAIRS[pair] for pair in pairs if pair in _PAIRS), None)
