"""Reads a long prompt in pieces within each layer, where whole it would take much more memory.

All pieces pass a layer before any enters the next. The other way, one piece through all layers, is
how a prompt is read for the plain model; but what SinkTrack writes at a layer is made of the whole
context there, of which a later piece would not have been read yet. So methods find every layer's
features whole, and what is kept whole is small: in an MLP, which looks at each token alone, a token
takes three to ten times as much.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from sinktrack.core.architecture import decoder_layers
from sinktrack.core.forwards import has_own_forward, other_forwards

AT_ONCE = 4096
"""How many tokens pass an MLP at once, of all rows together."""


@contextmanager
def in_pieces(model: Any) -> Iterator[None]:
    """Let a long prompt pass the MLPs of a model a few thousand tokens at a time.

    Args:
        model: The model that reads prompts within. Nobody may call it in another thread.
    """
    found = (getattr(layer, "mlp", None) for layer in decoder_layers(model))
    own = [each for each in found if each is not None and not has_own_forward(each)]
    with other_forwards((each, _in_pieces(each.forward)) for each in own):
        yield


def _in_pieces(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Return a forward of states (B, T, D) that takes some of the T tokens at a time."""

    def by_piece(states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        few = max(1, AT_ONCE // len(states))
        if args or kwargs or states.shape[1] <= few:
            return forward(states, *args, **kwargs)
        pieces = states.split(few, dim=1)
        first = forward(pieces[0])
        if not isinstance(first, torch.Tensor):  # a router's choices come along
            return forward(states)
        made = first.new_empty(*states.shape[:2], first.shape[-1])
        made[:, :few] = first
        for own, at in zip(pieces[1:], made.split(few, dim=1)[1:], strict=True):
            at.copy_(forward(own))
        return made

    return by_piece
