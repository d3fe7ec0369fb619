"""Collects what the layers report during one generation and turns it into traces.

Everything stays on the model's device until a trace is asked for, and no array grows with the
square of the sequence. Knows nothing about hooks.
"""

from collections.abc import Sequence
from typing import Any

import torch

from sinktrack.core.columns import KeyParts
from sinktrack.core.errors import TraceError
from sinktrack.core.intervention import Intervention, Write
from sinktrack.core.last_query import LastQuery, look, most_layers
from sinktrack.core.parts import PADDING
from sinktrack.core.running import Running, running_at
from sinktrack.core.text import token_texts
from sinktrack.core.trace import AttentionTrace, Token

CANDIDATES = 10
"""How many of the likeliest tokens are kept of each distribution."""


class Recorder:
    """Records one generation after another; `trace()` gives the last one.

    Args:
        num_layers: L, the decoder's layers.
        enabled: False records nothing and `trace()` raises.
        eos_ids: Ids that end an answer; what a batch generates for a row after one is dropped.

    Attributes:
        keeps_attention: Whether the last step's attention is kept whole, for `attention`.
    """

    def __init__(self, num_layers: int, enabled: bool = True, eos_ids: Sequence[int] = ()) -> None:
        """Start with nothing recorded."""
        self.enabled, self.keeps_attention = enabled, False
        self._num_layers = num_layers
        self.eos_ids = frozenset(eos_ids)
        self._keys: KeyParts | None = None

    def start(
        self,
        keys: KeyParts,
        methods: Sequence[Intervention | None],
        running: Sequence[Running],
        rows_of: torch.Tensor | None = None,
    ) -> None:
        """Forget the last generation and begin one.

        Args:
            keys: The parts of all keys of B rows, which grow with the answers.
            methods: One a row.
            running: The methods at work.
            rows_of: int64 (B,), which measured row each row is while rows are still together.
        """
        self._keys, self._methods, self._running = keys, list(methods), running
        self._rows_of = rows_of
        prompts = keys.prompts
        visual = prompts.of_kind("image")
        positions = [row.nonzero()[:, 0] for row in visual]
        self._visual = torch.nn.utils.rnn.pad_sequence(positions, batch_first=True)  # (B, N)
        self._seen = visual.new_zeros(self._visual.shape)
        for row, own in enumerate(positions):
            self._seen[row, : len(own)] = True
        self._sinks: torch.Tensor | None = None
        self._ids: list[torch.Tensor] = []
        self._steps: list[_Step] = []
        self._candidates: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._last_logits: torch.Tensor | None = None

    def begin_step(self, input_ids: torch.Tensor | None) -> None:
        """Begin a forward pass; `input_ids` (B, Q) are the tokens it adds, None in the prefill."""
        if input_ids is not None:
            self._ids.append(input_ids[:, -1])
        self._step = _Step()
        self._unmeasured: list[LastQuery] = []

    def end_step(self, logits: torch.Tensor | None) -> None:
        """End a forward pass that gave `logits` (B, Q, V)."""
        self._measure()
        self._last_logits = None if logits is None else logits[:, -1]
        self._step.end()
        self._attention = self._step.attention
        self._step.attention = None
        self._steps.append(self._step)

    @torch.no_grad()
    def chose_from(self, log_probabilities: torch.Tensor, rows: torch.Tensor | None = None) -> None:
        """Take the distributions (n, V) that the next tokens of some rows are chosen from.

        Args:
            log_probabilities: float32.
            rows: int64 (n,), the rows of the batch; None for all.
        """
        likely, ids = log_probabilities.topk(min(CANDIDATES, log_probabilities.shape[-1]))
        if rows is not None:
            batch = len(self._methods)
            likely = likely.new_zeros(batch, likely.shape[1]).index_copy_(0, rows, likely)
            ids = ids.new_zeros(batch, ids.shape[1]).index_copy_(0, rows, ids)
        self._candidates.append((ids, likely.exp()))
        self._chosen_from = log_probabilities, rows

    def abandon_step(self) -> None:
        """Forget a forward pass that failed."""
        self._unmeasured = []
        if self._steps:
            self._ids.pop()
        else:
            self._keys = None

    def found_sinks(self, found: torch.Tensor) -> None:
        """Take which prompt positions are sinks, bool (B, T)."""
        self._sinks = self.of_all_rows(found)

    def attended(self, last: LastQuery) -> None:
        """Take the last query of a layer, which is measured together with those before it."""
        kept = self._unmeasured
        if kept and (len(kept) >= most_layers(last) or not last.stands_behind(kept[-1])):
            self._measure()
        self._unmeasured.append(last)

    @torch.no_grad()
    def _measure(self) -> None:
        """Measure where the last queries that were taken looked."""
        if not self._unmeasured:
            return
        assert self._keys is not None
        with torch.autocast(self._unmeasured[0].query.device.type, enabled=False):
            looked = look(self._unmeasured)
        self._unmeasured = []
        step = self._step
        # Until rows part, one stands for several.
        step.take("share", self.of_all_rows(looked.share))
        step.take("delivered", self.of_all_rows(looked.delivered))
        if self.keeps_attention:
            whole = torch.nn.functional.pad(looked.probabilities, (looked.gone, 0))
            step.take("attention", self.of_all_rows(whole))
        if not self._visual.shape[1]:
            return
        keys = self._keys.at_prompt(self.of_all_rows(looked.keys()))
        at = self._visual.to(keys.device)[:, None].expand(-1, keys.shape[1], -1)
        visual = keys.gather(2, at).masked_fill(~self._seen.to(keys.device)[:, None], 0.0)
        step.take("visual", visual)

    def attention(self, row: int) -> torch.Tensor:
        """Return where the last query of a row looked, if `keeps_attention` was set.

        Returns:
            float32 (L, H, N), for the N tokens of its prompt and answer that it could look at, in
            their order; NaN where a window has dropped one.
        """
        assert self._attention is not None and self._keys is not None
        keys, attention = self._keys, self._attention[row].cpu()
        real = (keys.labels[row] != PADDING).cpu()
        attention = attention[..., : len(real)][..., real]
        if keys.origins is None:
            return attention
        first, length, written = int(keys.prompts.sinks[row]), keys.length, len(self._ids)
        origins = keys.origins[row].cpu()[real]
        of_prompt = origins < length
        whole = attention.new_full((*attention.shape[:2], length - first + written), float("nan"))
        whole[..., origins[of_prompt] - first] = attention[..., of_prompt]
        whole[..., whole.shape[-1] - int((~of_prompt).sum()) :] = attention[..., ~of_prompt]
        return whole

    def distribution(self, row: int) -> torch.Tensor:
        """Return the logarithms of what the last token of a row was chosen from, float32 (V,)."""
        log_probabilities, rows = self._chosen_from
        at = row if rows is None else rows.tolist().index(row)
        return log_probabilities[at].cpu()

    def of_all_rows(self, measured: torch.Tensor) -> torch.Tensor:
        """Return what was measured for each row of the batch; before rows part one is several."""
        if len(measured) == len(self._methods) or self._rows_of is None:
            return measured
        return measured[self._rows_of.to(measured.device)]

    def trace(
        self, row: int = 0, *, token_ids: Sequence[int] | None = None, tokenizer: Any = None
    ) -> AttentionTrace:
        """Return what was recorded of one row of the last generation.

        Args:
            row: The row of the batch.
            token_ids: The generated ids, or the first ones of them. The last one is seen by no
                forward pass; without them it is taken to be the most likely token, which sampling
                and penalties may not choose.
            tokenizer: Gives the tokens their texts; without it they are empty.

        Raises:
            TraceError: If nothing was recorded, there is no such row, or `token_ids` are not what
                was read while it was recorded.
        """
        if not self.enabled:
            raise TraceError("Recording is off: attach with record=True to get a trace.")
        if self._keys is None or not self._steps:
            raise TraceError(
                "Nothing was recorded: run generate or forward inside the block first."
            )
        if not isinstance(row, int) or not 0 <= row < len(self._methods):
            raise TraceError(
                f"There is no row {row}: the batch had {len(self._methods)} rows, counted from 0."
            )
        read = torch.stack(self._ids)[:, row].tolist() if self._ids else []
        ids = self._generated_ids(row, read) if token_ids is None else _checked(token_ids, read)
        steps = self._steps[: len(ids)]
        prompts = self._keys.prompts
        segments = prompts.names[row]
        share = torch.stack([step.share[row] for step in steps])
        delivered = torch.stack([step.delivered[row] for step in steps])
        share, delivered = share[..., : len(segments)].cpu(), delivered.cpu()
        labels = prompts.labels[row].cpu()
        real = labels != PADDING
        method = self._methods[row]
        running = running_at(self._running, row)
        image_maps, image_scale = self._image_maps(row, steps)
        candidates, probabilities = self._candidates_of(row, len(ids))
        return AttentionTrace(
            tokens=tuple(map(Token, ids, token_texts(tokenizer, ids))),
            segments=segments,
            sink=share[..., 0].masked_fill(delivered.isnan(), float("nan")),
            share=share,
            delivered=delivered,
            image_maps=image_maps,
            image_scale=image_scale,
            frames=tuple(grid.frames for grid in prompts.grids[row]),
            sinks=self._sink_positions(row, real),
            candidates=candidates,
            candidate_probabilities=probabilities,
            candidate_texts=_texts(candidates.tolist(), tokenizer),
            moved={} if running is None else running.moved(row, len(ids)),
            prompt_ids=prompts.input_ids[row].cpu()[real],
            prompt_segments=labels[real].to(torch.uint8),
            method=method.as_dict() if method is not None else None,
            **self._writes(row, running, real, share.shape[2]),
        )

    def _candidates_of(self, row: int, tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return ids int64 (T, k) and probabilities float32 (T, k); k is 0 if none were told."""
        kept = self._candidates[:tokens]
        if len(kept) < tokens:  # the model gave a tuple, in which its logits are not looked for
            return torch.zeros(tokens, 0, dtype=torch.long), torch.zeros(tokens, 0)
        ids = torch.stack([each[row] for each, _ in kept])
        probabilities = torch.stack([each[row] for _, each in kept])
        return ids.cpu(), probabilities.cpu()

    def _sink_positions(self, row: int, real: torch.Tensor) -> torch.Tensor:
        """Return the prompt's sinks without its padding, int64."""
        return self._is_sink(row)[real].nonzero()[:, 0]

    def _is_sink(self, row: int) -> torch.Tensor:
        """Return which positions of a row's prompt are sinks, or were written to; bool (T,)."""
        assert self._keys is not None
        found = torch.zeros_like(self._keys.prompts.attended[row].cpu())
        if self._sinks is not None:
            found |= self._sinks[row].cpu()
        found[int(self._keys.prompts.sinks[row])] = True
        for running in self._running:  # a write may take the mark of a sink away
            found[[write.sink for write in running.hooks.writes if write.row == row]] = True
        return found

    def _writes(
        self, row: int, running: Running | None, real: torch.Tensor, heads: int
    ) -> dict[str, Any]:
        """Return what the row's method wrote into its first sink, and what that was made of."""
        assert self._keys is not None
        writes: list[Write] = [] if running is None else running.hooks.writes
        first = int(self._keys.prompts.sinks[row])
        own = [write for write in writes if write.row == row and write.sink == first]
        sources = len(self._keys.prompts.names[row]) + 1
        if not own:
            return {
                "context_attention": torch.empty(0, heads, 0),
                "write_layers": (),
                "context_positions": torch.empty(0, dtype=torch.long),
                "write_sources": torch.empty(0, sources),
                "write_norm": torch.empty(0),
            }
        weights = torch.stack([write.weights.cpu() for write in own])  # (I, H, N)
        padded = own[0].positions.cpu()
        return {
            "context_attention": weights,
            "write_layers": tuple(write.layer for write in own),
            "context_positions": (real.cumsum(0) - 1)[padded],
            "write_sources": self._sources(row, padded, weights.mean(1)),
            "write_norm": torch.stack([write.norm.float().cpu() for write in own]),
        }

    def _sources(self, row: int, padded: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return from where writes (I, N) came: the sink, other sinks, the parts; (I, S + 1)."""
        assert self._keys is not None
        prompts = self._keys.prompts
        source = prompts.labels[row].cpu()[padded] + 1  # the part that each context token is of
        source[self._is_sink(row)[padded]] = 1
        source[padded == int(prompts.sinks[row])] = 0
        found = weights.new_zeros(len(weights), len(prompts.names[row]) + 1)
        return found.index_add(1, source, weights)

    def _generated_ids(self, row: int, read: Sequence[int]) -> list[int]:
        """Return the ids that the forward passes read and the likeliest next one, up to an end."""
        ids = list(read)
        if self._last_logits is not None:
            ids.append(int(self._last_logits[row].argmax()))
        for index, token_id in enumerate(ids):
            if token_id in self.eos_ids:
                return ids[: index + 1]
        return ids

    def _image_maps(
        self, row: int, steps: Sequence["_Step"]
    ) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
        """Return uint8 (T, L, rows, cols) for each picture or video, and scales float32 (T,)."""
        assert self._keys is not None
        packed = [step.packed for step in steps]
        flat = torch.stack([weights[row] for weights, _ in packed]).cpu()  # (T, L, N)
        scale = torch.stack([scales[row] for _, scales in packed]).cpu()
        prompts = self._keys.prompts
        # Positions are in the prompt's order, and so are the grids.
        maps, start = [], 0
        for grid in prompts.grids[row]:
            cells = flat[..., start : start + grid.cells]
            maps.append(cells.reshape(*cells.shape[:2], grid.frames * grid.rows, grid.columns))
            start += grid.tokens
        return tuple(maps), scale


class _Step:
    """One forward pass, measured a few layers at a time, from the first to the last.

    Attributes:
        share: float32 (B, L, H, S), once every layer was measured.
        delivered: float32 (B, L, H).
        packed: uint8 (B, L, N) in units of scale / 255, and scale float32 (B,), of pictures.
        attention: float32 (B, L, H, K), if it is kept.
    """

    share: torch.Tensor
    delivered: torch.Tensor
    packed: tuple[torch.Tensor, torch.Tensor]
    attention: torch.Tensor | None = None

    def __init__(self) -> None:
        self._parts: dict[str, list[torch.Tensor]] = {}

    def take(self, name: str, part: torch.Tensor) -> None:
        """Take what was measured of the next layers, (B, l, ...)."""
        self._parts.setdefault(name, []).append(part)

    def end(self) -> None:
        """Put the layers together."""
        whole = {name: _layers(parts) for name, parts in self._parts.items()}
        self._parts = {}
        self.share, self.delivered = whole["share"], whole["delivered"]
        self.attention = whole.get("attention")
        visual = whole.get("visual", self.share.new_empty(*self.share.shape[:2], 0))
        rows, _, cells = visual.shape
        scale = visual.amax((1, 2)) if cells else visual.new_zeros(rows)
        units = visual * (255 / scale.clamp(min=1e-12))[:, None, None]
        self.packed = units.round().to(torch.uint8), scale


def _layers(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return parts (B, l, ...) as one, (B, L, ...), on the device of the first."""
    if len(parts) == 1:
        return parts[0]
    return torch.cat([part.to(parts[0].device) for part in parts], dim=1)


def _texts(ids: Sequence[Sequence[int]], tokenizer: Any) -> tuple[tuple[str, ...], ...]:
    """Return the texts that tokens have alone, (T, k)."""
    alone = {each: token_texts(tokenizer, [each])[0] for row in ids for each in row}
    return tuple(tuple(alone[each] for each in row) for row in ids)


def _checked(token_ids: Sequence[int], read: Sequence[int]) -> list[int]:
    """Return the ids of an answer, if they are those that the steps read one after the other."""
    try:
        ids = [int(token_id) for token_id in token_ids]
    except (TypeError, ValueError) as error:
        raise TraceError("token_ids must be a flat list of token ids, of one row.") from error
    if not ids:
        raise TraceError("token_ids is empty: give the generated ids, or leave it out.")
    if len(ids) > len(read) + 1 or ids[: len(read)] != read[: len(ids)]:
        raise TraceError(
            f"token_ids holds {len(ids)} ids that are not the {len(read) + 1} tokens recorded: "
            "give the generated ids alone, without the prompt, and of this row."
        )
    return ids
