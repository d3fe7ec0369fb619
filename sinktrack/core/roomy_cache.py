"""A key-value cache with room for the tokens to come, so that a step writes one and copies none.

transformers' growing cache copies every key and value at every step.
"""

from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

_ROOM = 256
"""For how many tokens more a layer that is full makes room."""


class RoomyLayer(DynamicLayer):
    """A growing layer, whose keys and values are the beginning of tensors with room behind them."""

    def __init__(self, **options: Any) -> None:
        """Start with nothing kept, and no room."""
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self._rooms: list[torch.Tensor | None] = [None, None]
        self._kept: list[torch.Tensor | None] = [None, None]

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add keys and values (B, H_kv, Q, d); return all that are kept."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
        assert self.keys is not None and self.values is not None
        self.keys = keys = self._grown(0, self.keys, key_states)
        self.values = values = self._grown(1, self.values, value_states)
        return keys, values

    def _grown(self, at: int, kept: torch.Tensor, more: torch.Tensor) -> torch.Tensor:
        """Return what is kept with more behind it."""
        room, length, end = self._rooms[at], kept.shape[2], kept.shape[2] + more.shape[2]
        # Whoever takes rows or columns away puts a tensor of their own here.
        if room is None or kept is not self._kept[at] or end > room.shape[2]:
            rows, heads, _, size = kept.shape
            room = kept.new_empty(rows, heads, end + _ROOM, size)
            room.narrow(2, 0, length).copy_(kept)
        room.narrow(2, length, more.shape[2]).copy_(more)
        grown = room.narrow(2, 0, end)
        self._rooms[at], self._kept[at] = room, grown
        return grown


def roomy_cache(config: Any) -> DynamicCache:
    """Return an empty cache of a decoder with this config; sliding layers stay as they are."""
    cache = DynamicCache(config=config)
    cache.layers = [RoomyLayer() if type(each) is DynamicLayer else each for each in cache.layers]
    return cache
