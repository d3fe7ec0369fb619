"""A key-value cache with room for the tokens to come, so that a step writes one and copies none.

transformers' growing cache copies every key and value at every step.
"""

from collections.abc import Iterator
from contextlib import contextmanager
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
        self._rooms: list[Any] = [None, None]  # tensors, once there is something
        self._kept: list[Any] = [None, None]
        self._at: torch.Tensor | None = None
        self._width = 0

    @property
    def has_room(self) -> bool:
        """Whether one more token can be written behind what is kept."""
        whole = self.keys is not None and self.keys is self._kept[0]
        return whole and self.get_seq_length() < self._rooms[0].shape[2]

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add keys and values (B, H_kv, Q, d); return all that are kept."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
        if self._at is not None:
            keys, values = (room.narrow(2, 0, self._width) for room in self._rooms)
            keys.index_copy_(2, self._at, key_states)
            values.index_copy_(2, self._at, value_states)
            return keys, values
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
        grown: torch.Tensor = room.narrow(2, 0, end)
        self._rooms[at], self._kept[at] = room, grown
        return grown

    @contextmanager
    def writing_at(self, at: torch.Tensor, width: int) -> Iterator[None]:
        """Write where a tensor says, and return so much of the room, the same at every step.

        Args:
            at: int64 (1,), the column of keys and values that `update` then writes. What is kept
                stays as it is, until `take` says that there is more.
            width: How many columns `update` returns.
        """
        self._at, self._width = at, width
        try:
            yield
        finally:
            self._at = None

    def empty_room(self) -> int:
        """Put zeros into the room behind what is kept; return how many columns there are in all."""
        for room in self._rooms:
            room[:, :, self.get_seq_length() :] = 0
        return int(self._rooms[0].shape[2])

    def take(self, tokens: int) -> None:
        """Keep so many tokens more, which were written into the room."""
        end = self.get_seq_length() + tokens
        self._kept = [room.narrow(2, 0, end) for room in self._rooms]
        self.keys, self.values = self._kept


def roomy_cache(config: Any) -> DynamicCache:
    """Return an empty cache of a decoder with this config; sliding layers stay as they are."""
    cache = DynamicCache(config=config)
    cache.layers = [RoomyLayer() if type(each) is DynamicLayer else each for each in cache.layers]
    return cache
