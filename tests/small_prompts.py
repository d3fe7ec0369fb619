"""Prompts of token ids alone, with every kind of part, for the models of `small_models`.

A real prompt is made by a chat template and a tokenizer, which random models have not. These make
their counterparts as a builder would: `without` leaves the tokens of a part out, and `asking` puts
other tokens in place of the user's last text.
"""

from dataclasses import dataclass
from typing import Any

import torch
from small_models import GRID, IMAGE_TOKEN, SIZED, square_inputs

from sinktrack.core.messages import Text, Turn
from sinktrack.core.prompt import Prompt

AROUND = 312, 313  # the tokens before and after a picture


@dataclass(frozen=True, kw_only=True)
class SmallPrompt(Prompt):
    """A prompt whose counterparts are made of its pieces.

    Args:
        model: The model that it is for.
        pieces: Kind and token ids of each piece, in order; a picture has no ids of its own.
        seed: Of the pixels.
    """

    model: Any
    pieces: tuple[tuple[str, tuple[int, ...]], ...]
    seed: int

    def without(self, kind: str) -> "SmallPrompt":
        """Return the prompt without its parts of a kind."""
        left = [piece for piece in self.pieces if piece[0] != kind]
        assert len(left) < len(self.pieces)
        return made(self.model, left, self.seed, self.question)

    def told(self, system: str) -> "SmallPrompt":
        """Return the prompt with another system text."""
        return self._with("system", system, self.question)

    def saying(self, *, before: str = "", after: str = "") -> "SmallPrompt":
        """Return the prompt with more around the user's last text."""
        text = f"{before}{self.question}{after}"
        return self._with("instruction", text, text)

    def _with(self, kind: str, text: str, question: str) -> "SmallPrompt":
        pieces = [(each, ids_of(text) if each == kind else ids) for each, ids in self.pieces]
        return made(self.model, pieces, self.seed, question)


def ids_of(text: str) -> tuple[int, ...]:
    """Return one token for each word of a text, the same for the same word."""
    return tuple(3 + sum(map(ord, word)) % 290 for word in text.split())


def small_prompt(model: Any, *, images: int = 1, words: int = 5, seed: int = 0) -> SmallPrompt:
    """Return a prompt with a system text, pictures, a passage and a question.

    Args:
        model: From `small_model`; text-only models get no pictures.
        images: How many pictures.
        words: How many words the question has.
        seed: Of ids and pixels.
    """
    generator = torch.Generator().manual_seed(seed)

    def some(count: int) -> tuple[int, ...]:
        return tuple(torch.randint(3, 300, (count,), generator=generator).tolist())

    sees = getattr(model.config, "vision_config", None) is not None
    question = " ".join(f"word{at}{seed}" for at in range(words))
    pieces = [("rest", (1, *some(1))), ("system", some(4)), ("rest", some(2))]
    for _ in range(images if sees else 0):
        pieces += [("image", ()), ("rest", some(1))]
    pieces += [("passage", some(6)), ("rest", some(1)), ("instruction", ids_of(question))]
    return made(model, [*pieces, ("rest", some(3))], seed, question)


def made(
    model: Any, pieces: list[tuple[str, tuple[int, ...]]], seed: int, question: str
) -> SmallPrompt:
    """Return the prompt of some pieces."""
    kind_of_model = model.config.model_type
    per_image = SIZED.get(kind_of_model, GRID[1] * GRID[2] // 4)
    ids: list[int] = []
    kinds: list[str] = []
    for kind, own in pieces:
        shown = (AROUND[0], *[IMAGE_TOKEN] * per_image, AROUND[1]) if kind == "image" else own
        ids += shown
        kinds += ["rest" if token in AROUND else kind for token in shown]
    inputs = {"input_ids": torch.tensor([ids])}
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    images = [kind for kind, _ in pieces].count("image")
    pixels = torch.Generator().manual_seed(1000 + seed)  # not the noise of a method
    if kind_of_model in SIZED:
        inputs |= square_inputs(kind_of_model, inputs["input_ids"], images, pixels)
    elif images:
        inputs["pixel_values"] = _patches(images, pixels)
        inputs["image_grid_thw"] = torch.tensor([GRID] * images)
        inputs["mm_token_type_ids"] = (inputs["input_ids"] == IMAGE_TOKEN).int()
    return SmallPrompt(
        model=model,
        pieces=tuple(pieces),
        seed=seed,
        turns=(Turn("user", (Text(question, "instruction"),)),),
        **_parts(model, inputs, kinds),
    )


def _patches(images: int, generator: torch.Generator) -> torch.Tensor:
    """Return the patches of still pictures, each of which is stored twice in time."""
    frame = torch.randn(images * GRID[1] * GRID[2], 3, 1, 14 * 14, generator=generator)
    return frame.expand(-1, -1, 2, -1).reshape(len(frame), -1)


def _parts(model: Any, inputs: dict[str, torch.Tensor], kinds: list[str]) -> dict[str, Any]:
    """Return inputs, and the part of every token by its kind and its picture."""
    told = Prompt.of_inputs(model.config, inputs)
    texts = [kind for kind in ("system", "passage", "instruction") if kind in kinds]
    pictures = [name for name in told.names if name.startswith("image")]
    names = ("sink", *texts, *pictures, "rest", "generated")
    parts = torch.tensor([names.index(kind if kind != "image" else "rest") for kind in kinds])
    for name in pictures:
        parts[told.parts == told.names.index(name)] = names.index(name)
    return {"inputs": inputs, "parts": parts, "names": names, "grids": told.grids}


def of_kind(prompt: Prompt, kind: str) -> list[int]:
    """Return where the tokens of a kind stand."""
    return [
        at for at, part in enumerate(prompt.parts.tolist()) if prompt.names[part].startswith(kind)
    ]
