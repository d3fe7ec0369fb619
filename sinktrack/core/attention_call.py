"""One layer's attention: what is asked of a call, and the call as one method sees it.

Knows nothing about models, torch hooks, or what a method does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch

from sinktrack.core.columns import KeyParts
from sinktrack.core.errors import AttachError
from sinktrack.core.keys import Rotary, check_reproduced, turned_heads
from sinktrack.core.last_query import LastQuery
from sinktrack.core.parts import PADDING, PromptParts
from sinktrack.core.running import Running
from sinktrack.core.scores import attend, hidden_by, query_scores, slices, weighted_values


class LayerRecorder(Protocol):
    """What a tap reports to."""

    def attended(self, last: LastQuery) -> None:
        """Take the last query of a layer, and what it met."""


@dataclass(frozen=True)
class AttentionTap:
    """What is asked of one attention call.

    Args:
        layer_idx: The decoder layer.
        prefill: Whether the prompt is being read.
        keys: The parts of all keys.
        running: The methods that act here.
        input_norm: The layer's input norm, if it has one under this name.
        rotary: The layer's rotation.
        recorder: Where measurements go, or None.
        reported: The layers whose attention has seen their tap; this one is added.
        entering: (B, Q, D), what enters the attention module.
        cache: The model's key-value cache, or None.
        checked: Whether its keys and values must be those that are made of `entering` elsewhere.
    """

    layer_idx: int
    prefill: bool
    keys: KeyParts
    running: Sequence[Running] = ()
    input_norm: Any = None
    rotary: Rotary | None = None
    recorder: LayerRecorder | None = None
    reported: set[int] = field(default_factory=set)
    entering: torch.Tensor | None = None
    cache: Any = None
    checked: bool = False


class AttentionCall:
    """One layer's attention as the R rows of one method see it.

    Attributes:
        layer: The decoder layer.
        module: Its attention module.
        input_norm: The layer's input norm, or None.
        rotary: The layer's rotation, for the whole batch.
        rows: int64 (R,), the method's rows of the batch.
        prompts: The parts of their prompts.
        scaling: The factor on query-key products.
        has_mask: Whether the model handed over a mask; without one attention is plainly causal.
        options: What else goes to SDPA.
        asked: Which of this step's Q queries `scores` is about, the q of a slice; it goes through
            those that a method changes, a few at a time.
    """

    def __init__(
        self,
        tap: AttentionTap,
        rows: torch.Tensor,
        prompts: PromptParts,
        module: Any,
        states: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
        mask: torch.Tensor | None,
        scaling: float,
        options: dict[str, Any],
    ) -> None:
        """Note what the call consists of; nothing is computed yet."""
        self._tap, self._states, self._mask = tap, states, mask
        self.layer, self.module = tap.layer_idx, module
        self.input_norm, self.rotary = tap.input_norm, tap.rotary
        self.rows, self.prompts = rows.to(states[0].device), prompts
        self.scaling, self.has_mask = scaling, mask is not None
        self.options = options
        self._whole = len(rows) == len(states[0])
        self._scored: tuple[slice, torch.Tensor] | None = None
        self._probable: tuple[slice, torch.Tensor] | None = None
        self.asked = slice(states[0].shape[2] - 1, states[0].shape[2])
        self.looked_at: torch.Tensor | None = None

    def own(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the method's rows of a tensor of the whole batch."""
        return batch if self._whole else batch[self.rows]

    @property
    def query(self) -> torch.Tensor:
        """(R, H, Q, d), after the rotary embedding."""
        return self.own(self._states[0])

    @property
    def key(self) -> torch.Tensor:
        """(R, H_kv, K, d), after the cache update."""
        return self.own(self._states[1])

    @property
    def value(self) -> torch.Tensor:
        """(R, H_kv, K, d)."""
        return self.own(self._states[2])

    @property
    def entering(self) -> torch.Tensor:
        """(R, Q, D), what enters the attention module: the residual stream, normed."""
        if self._tap.entering is None:
            raise AttachError(
                f"{type(self.module).__name__} of layer {self.layer} takes its input under a name "
                "that is not known here: choose a method that does not read it."
            )
        return self.own(self._tap.entering)

    def turned(self, name: Literal["q", "k"], states: torch.Tensor) -> torch.Tensor:
        """Return the queries or keys that would be made of other states than `entering`.

        Call `check_reproduced` before, so that an unknown family is refused.

        Args:
            name: "q" for queries, "k" for keys.
            states: (R, q, D), of this step's last q tokens.

        Returns:
            (R, H or H_kv, q, d), after the rotary embedding.
        """
        rotary = self.rotary
        if rotary is not None:  # (..., B or 1, Q, r)
            rows = self.rows if rotary[0].shape[-3] > 1 else slice(None)
            begin = rotary[0].shape[-2] - states.shape[1]
            rotary = rotary[0][..., rows, begin:, :], rotary[1][..., rows, begin:, :]
        return turned_heads(self.module, name, states, self.key.shape[-1], rotary)

    def put_values(self, values: torch.Tensor) -> None:
        """Put other values (R, H_kv, K, d) of the method's rows into the cache."""
        self._states[2][self.rows] = values

    def put_keys(self, keys: torch.Tensor) -> None:
        """Put other keys (R, H_kv, Q, d) of this step's tokens into the cache, where they stay.

        Raises:
            AttachError: If the cache keeps copies.
        """
        key, cache = self._states[1], self._tap.cache
        if cache is not None:
            kept = cache.layers[self.layer].keys
            if kept.untyped_storage().data_ptr() != key.untyped_storage().data_ptr():
                raise AttachError(
                    f"{type(cache).__name__} keeps a copy of the keys of layer {self.layer}, in "
                    "which none can be changed: leave out cache_implementation."
                )
        key[self.rows, :, self._filled - keys.shape[2] : self._filled] = keys

    def of_kind(self, kind: str) -> torch.Tensor:
        """Return which keys belong to parts of a kind, bool (R, K)."""
        return self.own(self._at_keys(self._tap.keys.of_kind(kind)))

    def at_keys(self, positions: torch.Tensor) -> torch.Tensor:
        """Return which keys stand at some positions of the prompt, bool (R, K).

        Args:
            positions: bool (R, T).
        """
        return self._at_keys(self.at_tokens(positions))

    def _at_keys(self, found: torch.Tensor) -> torch.Tensor:
        """Return which keys belong to some tokens so far, bool (..., N), as bool (..., K)."""
        found = found.to(self._states[1].device)
        width = self._states[1].shape[2]
        if width == found.shape[1]:
            return found
        if width < found.shape[1]:  # a sliding-window layer holds the last ones alone
            found = found[:, found.shape[1] - width :]
        return torch.nn.functional.pad(found, (0, width - found.shape[1]))

    def at_tokens(self, positions: torch.Tensor) -> torch.Tensor:
        """Return which tokens so far stand at some positions of the prompt, bool (R, N).

        They are those of a full layer's keys, of which a sliding-window layer holds the last ones.

        Args:
            positions: bool (R, T).
        """
        return self._tap.keys.at(positions, self.rows)

    @property
    def tokens(self) -> torch.Tensor:
        """Which tokens so far are no padding, bool (R, N), as `at_tokens`."""
        labels = self._tap.keys.labels
        return labels[self.rows.to(labels.device)] != PADDING

    def ask(self, begin: int, end: int) -> Iterator[slice]:
        """Go through queries, a few at a time, which `scores` is then about."""
        for self.asked in slices(begin, end):
            yield self.asked
        self.asked = slice(end - 1, end)

    def scores(self) -> torch.Tensor:
        """Return the scores of the queries `asked` before the softmax, float32 (R, H, q, K).

        They stay as they were when they were first asked for, whatever is put into the cache.
        """
        if self._scored is None or self._scored[0] != self.asked:
            self._scored = self.asked, self.scores_of(self.query[:, :, self.asked])
        return self._scored[1]

    def probabilities(self) -> torch.Tensor:
        """Return where the queries `asked` look, float32 (R, H, q, K); padding looks nowhere."""
        if self._probable is None or self._probable[0] != self.asked:
            self._probable = self.asked, self.softmax(self.scores())
        return self._probable[1]

    @staticmethod
    def softmax(scores: torch.Tensor) -> torch.Tensor:
        """Return probabilities of scores (..., q, K); padding, seeing nothing, looks nowhere."""
        found = scores.softmax(-1)
        return found if scores.shape[-2] == 1 else found.nan_to_num(0.0)

    def scores_of(self, query: torch.Tensor) -> torch.Tensor:
        """Return the scores of others in the place of `asked`, (R, H, q, d), on the keys now."""
        mask = self._own_mask(self.asked)
        scores = query_scores(query, self.key, mask, self.scaling, self.softcap)
        if self._filled == self.key.shape[2] and (self.has_mask or query.shape[2] == 1):
            return scores  # they reach every key that no mask hides
        return scores.masked_fill(~self._reached(self.asked), float("-inf"))

    def attend_without(self, output: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """Hide keys from every query of some rows; rows that lose none keep what they have.

        A query that would see nothing else still sees its own key.

        Args:
            output: (R, Q, H, d), changed in place.
            hidden: bool (R, K).

        Returns:
            The output.
        """
        losing = hidden.any(1).nonzero()[:, 0]
        if not len(losing):
            return output
        everything = slice(None)
        mask, seen = self._own_mask(everything), self._reached(everything)[None, None]
        if mask is not None:
            seen = seen & ~hidden_by(mask[..., : hidden.shape[1]])
        kept = seen & ~hidden[:, None, None]  # (R, 1, Q, K)
        keys = torch.arange(hidden.shape[1], device=hidden.device)
        own = seen & (keys == self._own_keys(everything))
        kept = torch.where(kept.any(-1, keepdim=True), kept, own)
        query, key, value = (each[self.rows[losing]] for each in self._states)
        output[losing] = attend(
            self.module, query, key, value, kept[losing], self.scaling, softcap=self.softcap
        )
        scores = self.scores()[:, :, -1:]
        self.looked(scores.masked_fill(~kept[:, :, -1:], float("-inf")).softmax(-1))
        return output

    def _own_mask(self, queries: slice) -> torch.Tensor | None:
        """Return the model's mask of some of this step's queries, (R or 1, 1, q, K or more)."""
        if self._mask is None:
            return None
        mask = self._mask[:, :, queries]
        return self.own(mask) if len(mask) > 1 else mask

    @property
    def softcap(self) -> float | None:
        """The cap on scores, in a family that has one."""
        return self.options.get("softcap")

    @property
    def _filled(self) -> int:
        """How many of the K keys there are; a static cache holds room for more."""
        return min(self._tap.keys.labels.shape[1], self._states[1].shape[2])

    def _own_keys(self, queries: slice) -> torch.Tensor:
        """Return the key of each of some of this step's queries, int64 (q, 1)."""
        key, filled = self._states[1], self._filled
        begin = filled - self._states[0].shape[2]
        return torch.arange(begin, filled, device=key.device)[queries, None]

    def _reached(self, queries: slice) -> torch.Tensor:
        """Return what some queries may see as far as no mask says it, bool (q, K)."""
        last = self._own_keys(queries)
        if self.has_mask:
            # Some families let picture tokens see later ones, and hand over a mask that says so.
            last = torch.full_like(last, self._filled - 1)
        return torch.arange(self._states[1].shape[2], device=last.device) <= last

    def looked(self, probabilities: torch.Tensor) -> None:
        """Say where the last query looks after the method's change.

        Args:
            probabilities: float32 (R, H, 1, K).
        """
        self.looked_at = probabilities[:, :, -1]

    def weighted(self, probabilities: torch.Tensor) -> torch.Tensor:
        """Return what queries receive that look like this.

        Args:
            probabilities: float32 (R, H, q, K).

        Returns:
            (R, q, H, d), in the values' dtype; sums are float32.
        """
        return weighted_values(probabilities, self.value)

    def sdpa(self, queries: slice) -> torch.Tensor:
        """Attend again without a mask, (R, q, H, d), as PyTorch does for fewer queries than keys.

        Its causal mask is aligned with the upper left: the first query sees the first key alone.
        """
        return attend(
            self.module,
            self.query[:, :, queries],
            self.key,
            self.value,
            None,
            self.scaling,
            upper_left=True,
            **self.options,
        )

    def with_output(self, batch: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
        """Return the whole batch's output (B, Q, H, d) with other ones of the method's rows."""
        return own if self._whole else batch.index_copy(0, self.rows, own)

    def check_reproduced(self, places: list[tuple[int, int]], queries: bool = False) -> None:
        """Refuse a family whose keys and values are not what is made here of its input.

        Args:
            places: Rows of the batch, and positions.
            queries: Whether the last query must be so as well.
        """
        if self._tap.entering is not None and not self.module.training:
            query, key, value = self._states
            check_reproduced(
                self.module,
                self._tap.entering,
                key,
                value,
                self.rotary,
                # Another method may have put other keys into the rows that are not this one's.
                [*places, (int(self.rows[0]), self._tap.entering.shape[1] - 1)],
                query if queries else None,
            )
