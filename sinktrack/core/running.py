"""One method at work on its rows: calls its hooks, and measures how far each of them moved things.

Knows methods by their protocol, and nothing about torch hooks.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from sinktrack.core.architecture import as_said, decoder_layers
from sinktrack.core.errors import MethodError
from sinktrack.core.intervention import Intervention
from sinktrack.core.parts import PromptParts

if TYPE_CHECKING:
    from sinktrack.core.attention_call import AttentionCall

MOVED = {
    "attention": "total variation between where a query looked and would have looked",
    "output": "change of an attention output over its length",
    "values": "change of a cached value over its length",
    "residual": "change of the residual stream over its length",
    "mlp": "change of an MLP's output over its length",
    "logits": "total variation between the distribution that chose and the row's own",
    "prompt": "share of the prompt that the method wrote",
    "kl": "Kullback-Leibler divergence of the distribution that chose from the row's own, in nats",
}
"""What a method can move, each from 0 for nothing."""


class Running:
    """One method during one generation.

    Args:
        method: The method.
        rows: int64 (R,), its rows of the batch; the rows of one prompt stand together.
        each: k, how many rows a prompt has.
        prompts: The parts of the rows' prompts.
        model: The model.
    """

    def __init__(
        self,
        method: Intervention,
        rows: torch.Tensor,
        each: int,
        prompts: PromptParts,
        model: Any,
    ) -> None:
        """Start the method."""
        self.method, self.rows, self.each, self.prompts = method, rows, each, prompts
        self._model = model
        self._layers = len(decoder_layers(model))
        self.first_layer = method.first_layer(self._layers)
        self.hooks = method.start(prompts, rows, model)
        beyond = [each for each in self.hooks.lens if not -1 <= each < self._layers - 1]
        if beyond:
            raise MethodError(
                f"{method.kind} looks through layers {beyond} of {self._layers}: give 0 to "
                f"{self._layers - 2}, or -1 for the embedding, because the last one's logits are "
                "given."
            )
        self._lens: dict[int, torch.Tensor] = {}
        self._said: dict[int, torch.Tensor] = {}
        self._moved: list[dict[tuple[str, int], torch.Tensor]] = []
        self._most: dict[str, torch.Tensor] = {}

    def wants(self, hook: str, layer: int, prefill: bool) -> bool:
        """Tell whether a hook is to be called at a layer."""
        if not self.hooks.overrides(hook) or not (prefill or self.hooks.while_writing):
            return False
        acts = layer >= self.first_layer or hook == "residual"  # which may read before that
        if self.hooks.act_at is not None:
            return acts and layer in self.hooks.act_at
        return layer >= self.first_layer

    def lens_after(self, layer: int) -> bool:
        """Tell whether `logits` may ask what a layer would have said."""
        return layer in self.hooks.lens

    def begin_step(self, record: bool) -> None:
        """Begin a forward pass.

        Args:
            record: Keep how far each step moved things; else the most of the answer alone.
        """
        if record or not self._moved:
            self._moved.append({})
        else:
            self._keep_most()
            self._moved[-1].clear()
        if self.hooks.rewrote is not None:
            self._say("prompt", self._layers, self.hooks.rewrote)

    def abandon_step(self) -> None:
        """Forget a forward pass that failed."""
        self._moved.pop()

    def keep_lens(self, layer: int, hidden: torch.Tensor) -> None:
        """Take the output (R, Q, D) of a layer."""
        self._lens[layer] = hidden[:, -1]

    def lens_states(self, device: torch.device) -> torch.Tensor:
        """Return what the output embedding takes of each layer of `lens`, (n, R, D)."""
        states = torch.stack([each.to(device) for each in self._lens.values()])
        if not self.hooks.lens_normed:
            return states
        normed: torch.Tensor = self._model.get_decoder().norm(states)
        return normed

    def take_lens(self, logits: torch.Tensor) -> None:
        """Take the logits (n, R, V) of `lens_states`."""
        self._said = dict(zip(self._lens, as_said(self._model, logits), strict=True))

    def change_residual(self, layer: int, hidden: torch.Tensor, prefill: bool) -> torch.Tensor:
        """Return the residual stream (R, Q, D) of the method's rows before a layer."""
        new = self.hooks.residual(layer, hidden, prefill)
        if new is None:
            return hidden
        if layer < self.first_layer:
            raise MethodError(
                f"{self.method.kind} changes layer {layer}, but says that its rows differ from "
                f"layer {self.first_layer} on: mend its first_layer."
            )
        self._note("residual", layer, new, hidden)
        return new

    def change_mlp(self, layer: int, output: torch.Tensor, prefill: bool) -> torch.Tensor:
        """Return the output (R, Q, D) of a layer's MLP."""
        new = self.hooks.after_mlp(layer, output, prefill)
        if new is None:
            return output
        self._note("mlp", layer, new, output)
        return new

    def change_values(self, call: "AttentionCall", prefill: bool) -> None:
        """Change the cached values of one layer, in place."""
        if not self.wants("values", call.layer, prefill):
            return
        old = call.value
        new = self.hooks.values(call, prefill)
        if new is not None:
            self._note("values", call.layer, new.transpose(1, 2), old.transpose(1, 2))
            call.put_values(new)

    def change_attention(
        self, call: "AttentionCall", output: torch.Tensor, prefill: bool
    ) -> torch.Tensor:
        """Return the whole batch's attention output (B, Q, H, d) with the method's rows changed."""
        if self.wants("scores", call.layer, prefill):
            output = self._rescored(call, output, prefill)
        if self.wants("attention", call.layer, prefill):
            old = call.own(output)
            new = self.hooks.attention(call, old.clone(), prefill)
            if new is not None:
                self._note("output", call.layer, new.flatten(2), old.flatten(2))
                output = call.with_output(output, new)
        return output

    def _rescored(self, call: "AttentionCall", output: torch.Tensor, prefill: bool) -> torch.Tensor:
        """Let queries look where the changed scores say, a few of them at a time."""
        own = call.own(output)
        end = own.shape[1]
        begin = max(0, end - self.hooks.queries) if prefill else end - 1
        received = [own[:, :begin]] if begin else []
        for asked in call.ask(begin, end):
            plain_output = own[:, asked]
            added = self.hooks.scores(call, prefill)
            if added is None:
                received.append(plain_output)
                continue
            scores = call.scores()
            if added.dim() != 4 or added.shape[2] not in (1, scores.shape[2]):
                raise MethodError(
                    f"{self.method.kind} adds {tuple(added.shape)} to scores of "
                    f"{tuple(scores.shape)}: return one of each, or what expands to it, for "
                    "call.asked alone, and set `queries` to how many of the last queries change."
                )
            # No method can make a hidden key seen.
            added = added.expand_as(scores).masked_fill(scores.isneginf(), 0.0)
            changed = call.softmax(scores + added)
            apart = (changed - call.probabilities()).abs().sum(-1).mean(1) / 2  # (R, q)
            self._say("attention", call.layer, apart.amax(1))
            # A query that looks where it did keeps what the fused kernel gave, to the last bit.
            acts = (apart > 0)[..., None, None]
            received.append(torch.where(acts, call.weighted(changed), plain_output))
            call.looked(changed[:, :, -1:])
        whole = received[0] if len(received) == 1 else torch.cat(received, dim=1)
        return call.with_output(output, whole)

    @torch.no_grad()
    def distribution(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the logits that choose, float32 (P, V), from those of all rows, (R, V)."""
        rows = logits.float().view(-1, self.each, logits.shape[-1])
        new = self.hooks.logits(rows, self._lens_logits)
        plain, chosen = rows[:, 0].log_softmax(-1), new.log_softmax(-1)
        p, q = plain.exp(), chosen.exp()
        gained = (q * (chosen - plain)).masked_fill(new.isneginf(), 0.0)  # forbidden tokens
        self._say("logits", self._layers, self._of_rows((q - p).abs().sum(-1) / 2))
        self._say("kl", self._layers, self._of_rows(gained.sum(-1).clamp(min=0.0)))
        return new

    def _of_rows(self, measured: torch.Tensor) -> torch.Tensor:
        """Return what was measured of each prompt (P,) for each of its rows (R,)."""
        return measured.repeat_interleave(self.each)

    def _lens_logits(self, layer: int) -> torch.Tensor:
        """Return what a layer would have said, float32 (P, k, V)."""
        said = self._said[layer].float()
        return said.view(-1, self.each, said.shape[-1])

    def moved(self, row: int, steps: int) -> dict[str, torch.Tensor]:
        """Return how far a row of the batch was moved, token by token and layer by layer.

        Returns:
            float32 (steps, L) for each of `MOVED` that the method touched; (steps, 1) for logits.
        """
        at = self.rows.tolist().index(row)
        kinds = dict.fromkeys(kind for step in self._moved for kind, _ in step)
        found = {}
        for kind in kinds:
            width = 1 if kind in ("logits", "kl", "prompt") else self._layers
            values = torch.zeros(steps, width)
            for number, step in enumerate(self._moved[:steps]):
                for (what, layer), moved in step.items():
                    if what == kind:
                        values[number, min(layer, width - 1)] = moved[at].float().cpu()
            found[kind] = values
        return found

    def most_moved(self, row: int) -> dict[str, float]:
        """Return the most that a row of the batch was moved in its whole answer, by kind."""
        at = self.rows.tolist().index(row)
        self._keep_most()
        return {kind: float(most[at]) for kind, most in self._most.items()}

    @torch.no_grad()
    def _keep_most(self) -> None:
        """Take the most of what is kept of the steps so far."""
        kept: dict[str, list[torch.Tensor]] = {}
        for step in self._moved:
            for (kind, _), moved in step.items():
                kept.setdefault(kind, []).append(moved)
        for kind, all_moved in kept.items():
            before = [self._most[kind]] if kind in self._most else []
            device = all_moved[0].device
            both = [each.to(device) for each in (*before, *all_moved)]
            self._most[kind] = torch.stack(both).amax(0)

    def _note(self, kind: str, layer: int, new: torch.Tensor, old: torch.Tensor) -> None:
        """Keep by how much of its length a vector (R, Q, ...) changed at most."""
        with torch.no_grad():
            new, old = new.flatten(2).float(), old.flatten(2).float()
            change = (new - old).norm(dim=-1) / old.norm(dim=-1).clamp(min=1e-12)
            attended = self.prompts.attended.to(change.device)
            if change.shape == attended.shape:  # the prompt; nobody sees its padding
                change = change.masked_fill(~attended, 0.0)
            self._say(kind, layer, change.nan_to_num(0.0).amax(1))

    @torch.no_grad()
    def _say(self, kind: str, layer: int, moved: torch.Tensor) -> None:
        """Keep how far something moved, float32 (R,); the most of it where it is said twice."""
        moved, step = moved.detach(), self._moved[-1]
        before = step.get((kind, layer))
        step[kind, layer] = moved if before is None else torch.maximum(before, moved)


def running_at(running: Sequence[Running], row: int) -> Running | None:
    """Return the method at work on a row of the batch; None for the plain model."""
    return next((each for each in running if row in each.rows.tolist()), None)


def start_all(
    methods: Sequence[Intervention | None],
    each: Mapping[Intervention, int],
    readings: Mapping[Intervention, torch.Tensor],
    prompts: PromptParts,
    model: Any,
) -> list[Running]:
    """Start the methods of a batch, equal ones together.

    Args:
        methods: One a row of the batch.
        each: How many rows a prompt has, by method; 1 where it is not named.
        readings: What layers made of what methods had read before, float (P, k, L, D).
        prompts: The parts of all rows.
        model: The model.
    """
    rows: dict[Intervention, list[int]] = {}
    for row, method in enumerate(methods):
        if method is not None:
            rows.setdefault(method, []).append(row)
    started = []
    for method, own in rows.items():
        index = torch.tensor(own)
        running = Running(method, index, each.get(method, 1), prompts.select(index), model)
        if method in readings:
            running.hooks.read(readings[method])
        started.append(running)
    return started
