"""StreamingLLM's cache: the first tokens and the last ones, for answers without end.

Cuts the key-value cache that a model keeps for itself, before each step. Knows nothing about
methods, prompts or what is recorded.

Source: Xiao et al. 2023, "Efficient Streaming Language Models with Attention Sinks",
https://arxiv.org/abs/2309.17453, section 3.2.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch

from sinktrack.core.errors import AttachError, MethodError
from sinktrack.core.keys import rotated_back, turns_pairs


@dataclass(frozen=True, kw_only=True)
class SinkWindow:
    """Keep the first tokens of a row and its last ones, and forget what lies between.

    The prompt is read as a whole. From then on a step sees `sinks + window` tokens, itself
    included, however long the answer grows. Positions are those inside the cache, as in
    StreamingLLM: the window follows the sinks without a gap.

    Args:
        window: W, how many of the last tokens are kept, 2 or more.
        sinks: How many of the first tokens are kept, 0 or more; padding does not count. Enough of
            them to reach over the picture keep the picture as well.

    Raises:
        MethodError: If a number is out of range.
    """

    window: int
    sinks: int = 1

    def __post_init__(self) -> None:
        """Check both numbers."""
        for name, least in (("window", 2), ("sinks", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise MethodError(
                    f"{name} is {value!r}, but must be a whole number of {least} or more."
                )

    def as_dict(self) -> dict[str, int]:
        """Return the arguments as JSON values."""
        return {"sinks": self.sinks, "window": self.window}


Cache = Literal["full"] | SinkWindow


def check_cache(cache: Cache) -> SinkWindow | None:
    """Return the window of a `cache=` argument, None for a full cache.

    Raises:
        MethodError: If it is something else.
    """
    if cache == "full":
        return None
    if not isinstance(cache, SinkWindow):
        raise MethodError(
            f'cache is {cache!r}, but must be "full" or a SinkWindow, such as '
            "SinkWindow(sinks=1, window=256)."
        )
    return cache


def cache_as_json(cache: Cache) -> Any:
    """Return what is kept as a JSON value."""
    return cache if isinstance(cache, str) else cache.as_dict()


def cache_of_json(value: Any) -> Cache:
    """Return the `cache=` argument that `cache_as_json` gave this value for."""
    return "full" if value == "full" else SinkWindow(**value)


class CacheColumns:
    """Which columns of a growing cache are seen, and where the next token of each row stands."""

    _attended: torch.Tensor
    _first: torch.Tensor
    _last: torch.Tensor

    def start(
        self,
        attended: torch.Tensor,
        positions: torch.Tensor | None,
        rows_of: torch.Tensor | None = None,
    ) -> None:
        """Begin with a prompt.

        Args:
            attended: bool (B, T), False where there is padding.
            positions: int64 (B', T) or (axes, B', T), rotary positions of the rows that the model
                was given, or of one for all; None for 0 to T - 1.
            rows_of: int64 (B,), which of these each row is; None where they are the same.
        """
        self._attended = attended
        if positions is None:
            positions = torch.arange(attended.shape[1])
        if positions.ndim < 3:
            positions = positions.reshape(1, -1, attended.shape[1])
        positions = positions[-3:]  # transformers puts the place in the row before the three axes
        positions = positions.to(attended.device)
        if rows_of is not None and positions.shape[1] > 1:
            positions = positions[:, rows_of.to(positions.device)]
        positions = positions.expand(-1, len(attended), -1)
        self._first, self._last = positions.amin(0), positions.amax(0)

    def keep_rows(self, rows: torch.Tensor) -> None:
        """Forget all rows but some, int64 (n,)."""
        rows = rows.to(self._attended.device)
        self._attended = self._attended[rows]
        self._first, self._last = self._first[rows], self._last[rows]

    def next_token(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Make room for one more token.

        Returns:
            Its positions, int64 (B, 1), and the attention mask, bool (B, columns with it), or None
            where every column is seen.
        """
        position = self._last[:, -1:] + 1
        self._first = torch.cat([self._first, position], dim=1)
        self._last = torch.cat([self._last, position], dim=1)
        self._attended = torch.cat([self._attended, torch.ones_like(position).bool()], dim=1)
        return position, None if self._attended.all() else self._attended


class WindowedCache(CacheColumns):
    """The columns of a cache during one generation of B rows: which are kept and where they stand.

    Args:
        kept: What to keep.
        decoder: The model's decoder, whose rotary embedding turns the kept keys.

    Raises:
        AttachError: If the decoder has other layers than plain rotary attention.
    """

    def __init__(self, kept: SinkWindow, decoder: Any) -> None:
        """Check that the decoder's cache can be cut."""
        config = decoder.config
        windowed = getattr(config, "sliding_window", None) is not None
        usual = ["sliding_attention" if windowed else "full_attention"]
        kinds = set(getattr(config, "layer_types", None) or usual)
        self._frequencies = getattr(getattr(decoder, "rotary_emb", None), "inv_freq", None)
        if kinds != {"full_attention"} or self._frequencies is None:
            raise AttachError(
                f"{type(decoder).__name__} has layers that look at a window of their own or turn "
                'their keys in different ways, so its cache cannot be cut: use cache="full".'
            )
        self.kept, self._beside = kept, turns_pairs(decoder)

    def cut(self, cache: Any) -> torch.Tensor | None:
        """Forget what the next token will not see, and close the gap.

        Args:
            cache: The model's DynamicCache, which is changed.

        Returns:
            int64 (B, columns), which columns were kept, or None if all were.

        Raises:
            AttachError: If the cache does not grow and so cannot be cut.
        """
        from transformers.cache_utils import DynamicLayer

        from sinktrack.core.roomy_cache import RoomyLayer

        layers = cache.layers
        if not all(type(layer) in (DynamicLayer, RoomyLayer) for layer in layers):
            raise AttachError(
                f"A SinkWindow cuts a growing cache, and {type(cache).__name__} is none: leave out "
                'cache_implementation, or use cache="full".'
            )
        rows, length = layers[0].keys.shape[0], layers[0].keys.shape[2]
        sinks, before = self.kept.sinks, self.kept.window - 1  # the window's last one is to come
        if length <= sinks + before:
            return None
        device = self._attended.device
        start = self._attended.int().argmax(1, keepdim=True)
        head = start + torch.arange(sinks, device=device)  # (B, S)
        tail = torch.arange(length - before, length, device=device).expand(rows, -1)  # (B, W - 1)
        # A row that is shorter than the others may have nothing to forget yet: it keeps its end.
        whole = self._attended.sum(1, keepdim=True) <= sinks + before
        end = torch.arange(length - before - sinks, length, device=device).expand(rows, -1)
        index = torch.where(whole, end, torch.cat([head.clamp(max=length - 1), tail], dim=1))
        self._attended = self._attended.gather(1, index)
        self._first, self._last = self._first.gather(1, index), self._last.gather(1, index)
        gap = self._close_gap(sinks, whole[:, 0])
        for layer in layers:
            layer.keys = self._turned_back(_columns(layer.keys, index), gap, sinks)
            layer.values = _columns(layer.values, index)
        return index

    def _close_gap(self, sinks: int, whole: torch.Tensor) -> torch.Tensor:
        """Move the window's positions down to the sinks'; return by how much, int64 (B,).

        Args:
            sinks: How many columns stand before the gap.
            whole: bool (B,), the rows that have forgotten nothing and so have no gap.
        """
        far = torch.iinfo(torch.int64).max // 2
        window = self._first[:, sinks:].masked_fill(~self._attended[:, sinks:], far)
        begin = torch.nn.functional.pad(window, (0, 1), value=far).amin(1)
        end = torch.nn.functional.pad(self._last[:, :sinks], (0, 1), value=-1).amax(1)
        gap = (begin - end - 1).clamp(min=0)
        gap = gap.masked_fill((begin == far) | whole, 0)
        self._first[:, sinks:] -= gap[:, None]
        self._last[:, sinks:] -= gap[:, None]
        return gap

    def _turned_back(self, keys: torch.Tensor, gap: torch.Tensor, sinks: int) -> torch.Tensor:
        """Rotate the window's keys (B, H_kv, columns, d) back by `gap` positions."""
        assert self._frequencies is not None
        angles = gap[:, None].float() * self._frequencies.float().to(gap.device)
        angles = torch.cat([angles, angles], dim=-1)[:, None, None].to(keys.device)  # (B, 1, 1, r)
        window = keys[:, :, sinks:]
        turned, still = window.float().tensor_split([angles.shape[-1]], dim=-1)
        turned = rotated_back(turned, angles.cos(), angles.sin(), self._beside)
        return torch.cat(
            [keys[:, :, :sinks], torch.cat([turned, still], dim=-1).to(keys.dtype)], dim=2
        )


def _columns(states: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Pick columns (B, columns) of keys or values (B, H_kv, K, d)."""
    index = index[:, None, :, None].expand(-1, states.shape[1], -1, states.shape[3])
    return states.gather(2, index.to(states.device))
