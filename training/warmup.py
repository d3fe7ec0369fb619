"""Two short lessons before any question: what stands in a cell, and where the cell is.

Both train linear probes that are thrown away afterwards. Without the first lesson the vision
encoder collapses under the language model's gradient, and the model never uses the picture.
Without the second, the model learns rows and columns from answers only, slowly: an image
token carries its position in its rotary embedding alone.
"""

from typing import Any

import torch
from torch import nn

from sinktrack.shapes.questions import NUMBERS
from sinktrack.shapes.scenes import COLOURS, GRID, SHAPES
from training.batches import SQUARE, Cells, Packer

Figures = dict[str, float | torch.Tensor]
"""What a step measures, numbers and scalars; these wait on a GPU until somebody reads them."""

LINES = NUMBERS[1 : GRID + 1]
"""What rows and columns are called."""


class Probes(nn.Module):
    """The linear probes of both lessons."""

    def __init__(self, hidden: int, tokenizer: Any) -> None:
        """Make probes for features of `hidden` numbers, and look up the words that name things."""
        super().__init__()
        self.see = nn.Linear(hidden, len(COLOURS) + len(SHAPES) + 2)
        # a word probe turns a cell into the embedding of the word that names it, so that the
        # pictures speak the language of the answers from the start
        self.place = nn.ModuleDict(
            {name: nn.Linear(hidden, hidden) for name in ("row", "column", "colour", "shape")}
        )
        words = {
            "row": LINES,
            "column": LINES,
            "colour": (*COLOURS, "no"),
            "shape": (*SHAPES, "no"),
        }
        self.words = {
            name: [tokenizer(f" {word}", add_special_tokens=False).input_ids[-1] for word in named]
            for name, named in words.items()
        }


def see(model: Any, probes: Probes, packer: Packer, cells: Cells) -> tuple[torch.Tensor, Figures]:
    """Tell from each image feature alone what its cell holds.

    Args:
        model: the model, whose vision encoder learns.
        probes: the lessons' probes.
        packer: not needed; the lessons are called alike.
        cells: the step's pictures, where the model is.

    Returns:
        The loss, and the share of shapes seen right and the features' root mean square.
    """
    output = model.model.visual(cells.pixel_values, grid_thw=cells.image_grid_thw)
    features = output.pooler_output
    colours, shapes = probes.see(features).split([len(COLOURS) + 1, len(SHAPES) + 1], dim=-1)
    # token embeddings start small, and huge image features would drown what layers add to them
    excess = (features.pow(2).mean() - 0.25).abs()
    loss = nn.functional.cross_entropy(colours, cells.colours) + 0.02 * excess
    loss = loss + nn.functional.cross_entropy(shapes, cells.shapes)
    right = (colours.argmax(-1) == cells.colours) & (shapes.argmax(-1) == cells.shapes)
    seen = right[cells.shapes < len(SHAPES)].float().mean().item()
    return loss, {"loss": loss.item(), "seen": seen, "size": features.pow(2).mean().sqrt().item()}


def place(model: Any, probes: Probes, packer: Packer, cells: Cells) -> tuple[torch.Tensor, Figures]:
    """Name each image token's row, column, colour and shape, a third up the decoder.

    Args:
        model: the model, whose language model learns.
        probes: the lessons' probes.
        packer: knows what a prompt begins with.
        cells: the step's pictures, where the model is.

    Returns:
        The loss, and the shares of rows, columns, colours and shapes of objects named right.
    """
    device, scenes = model.device, len(cells.image_grid_thw)
    prefix, positions = packer.prefix(SQUARE)
    ids = torch.tensor([prefix] * scenes, device=device)
    states = model.model(
        input_ids=ids,
        position_ids=positions[:, None].expand(-1, scenes, -1).to(device),
        pixel_values=cells.pixel_values,
        image_grid_thw=cells.image_grid_thw,
        use_cache=False,
        output_hidden_states=True,
    ).hidden_states
    tokens = states[max(1, len(states) // 3)][ids == model.config.image_token_id]
    tokens = nn.functional.rms_norm(tokens, tokens.shape[-1:])
    number = torch.arange(GRID**2, device=device).repeat(scenes)
    answers = {
        "row": number // GRID,
        "column": number % GRID,
        "colour": cells.colours,
        "shape": cells.shapes,
    }
    loss = torch.zeros((), device=device)
    figures: Figures = {}
    for name, answer in answers.items():
        words = model.get_input_embeddings().weight[probes.words[name]]
        logits = probes.place[name](tokens) @ words.T
        loss = loss + nn.functional.cross_entropy(logits, answer)
        right = logits.argmax(-1) == answer
        figures[name] = right[cells.shapes < len(SHAPES)].float().mean().item()
    return loss, {"loss": loss.item(), **figures}
