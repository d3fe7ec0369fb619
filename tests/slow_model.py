"""A model read slowly: a whole prompt with its whole answer, without a cache, in float64.

A causal model gives every position what it would give were it the last. So one forward pass over
the prompt and the answer shows every step of the answer at once, and a method that changes the last
query changes the query of each step here, each by its own rule. Attention is written out by loops
over heads, queries and keys wherever a rule asks for a query. Knows nothing about the library.
"""

import math
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask


@dataclass
class Query:
    """What one query of one layer could look at.

    Args:
        layer: The decoder layer.
        at: The query's position.
        scores: float64 (H, N), query times key times scaling, before any mask.
        seen: bool (N,), which keys the model's own mask lets it see.
        others: float64 (H, N), what `scores` were if the layer's attention read something else.
    """

    layer: int
    at: int
    scores: torch.Tensor
    seen: list[bool]
    others: torch.Tensor | None = None

    @property
    def heads(self) -> range:
        return range(len(self.scores))

    @property
    def keys(self) -> list[int]:
        """The positions of the keys that are seen."""
        return [at for at, seen in enumerate(self.seen) if seen]


Rule = Callable[[Query], torch.Tensor | None]
"""Returns a query's attention (H, N) in place of the plain one; None leaves it."""
AfterMlp = Callable[[int, int, torch.Tensor], torch.Tensor | None]
"""Takes layer, position and the MLP's output (D,) there; returns another or None."""
Entering = Callable[[int, torch.Tensor], torch.Tensor]
"""Takes a layer and what its attention reads (1, N, D); returns something else to read."""


@dataclass
class Reading:
    """All that a model computed while it read one prompt and an answer of G tokens.

    Args:
        first: The last position of the prompt, where the first token is chosen.
        logits: float64 (G + 1, V), at the positions from `first` on.
        entering: float64 (N, D) for each layer, the residual stream before it.
        leaving: The same after it; the last one before the final norm.
        attention: float64 (H, N, N) for each layer, where each query looked.
    """

    first: int
    logits: torch.Tensor = field(default_factory=lambda: torch.zeros(0))
    entering: dict[int, torch.Tensor] = field(default_factory=dict)
    leaving: dict[int, torch.Tensor] = field(default_factory=dict)
    attention: dict[int, torch.Tensor] = field(default_factory=dict)


class SlowModel:
    """Reads prompts with an answer.

    Args:
        model: A small model in float64.
        answer: The token ids of the answer, those that were chosen elsewhere.
    """

    def __init__(self, model: Any, answer: list[int]) -> None:
        self.model, self.answer = model, answer
        self.decoder = model.get_decoder()
        self.layers = self.decoder.layers
        self.width = model.config.get_text_config().hidden_size

    def lens(self, hidden: torch.Tensor, normed: bool = True) -> torch.Tensor:
        """Return the logits (V,) of a residual (D,), with the final norm or without it."""
        with torch.no_grad():
            row = hidden[None, None]
            return self.model.get_output_embeddings()(self.decoder.norm(row) if normed else row)[
                0, 0
            ]

    def read(
        self,
        inputs: dict[str, torch.Tensor],
        rule: Rule | None = None,
        after_mlp: AfterMlp | None = None,
        entering: Entering | None = None,
        reading: Reading | None = None,
    ) -> Reading:
        """Read a prompt and the answer.

        Args:
            inputs: Of the prompt, batch size 1, without padding.
            rule: Changes attention.
            after_mlp: Changes what MLPs give.
            entering: What attention reads for the `others` of a rule's queries.
            reading: What to write into, for rules that look at layers before their own.
        """
        length = inputs["input_ids"].shape[1]
        found = Reading(length - 1) if reading is None else reading
        with self._watched(found, rule, after_mlp, entering), torch.no_grad():
            found.logits = self.model(**_longer(inputs, self.answer), use_cache=False).logits[
                0, found.first :
            ]
        return found

    @contextmanager
    def _watched(
        self,
        found: Reading,
        rule: Rule | None,
        after_mlp: AfterMlp | None,
        entering: Entering | None,
    ) -> Any:
        """Let the decoder attend by `rule`, and keep what its layers read and give."""
        for module in self.model.modules():
            if hasattr(module, "rope_deltas"):
                module.rope_deltas = None
        with ExitStack() as undo:
            before = self.model.config.get_text_config()._attn_implementation
            _use(self.model, "slow")
            undo.callback(_use, self.model, before)
            for at, layer in enumerate(self.layers):
                handles = [
                    layer.register_forward_pre_hook(_keep_entering(found, at)),
                    layer.register_forward_hook(_keep_leaving(found, at)),
                    layer.self_attn.register_forward_pre_hook(
                        _hand_over(found, at, rule, entering), with_kwargs=True
                    ),
                ]
                if after_mlp is not None:
                    handles.append(layer.mlp.register_forward_hook(_change_mlp(at, after_mlp)))
                for handle in handles:
                    undo.callback(handle.remove)
            yield


def softmax(scores: torch.Tensor, keys: list[int]) -> torch.Tensor:
    """Return the softmax (N,) of one head's scores (N,) over some keys; 0 at all others."""
    given, found = scores.tolist(), [0.0] * len(scores)
    highest = max(given[key] for key in keys)
    total = sum(math.exp(given[key] - highest) for key in keys)
    for key in keys:
        found[key] = math.exp(given[key] - highest) / total
    return torch.tensor(found, dtype=torch.float64)


@dataclass
class _Asked:
    """What is asked of one layer's attention.

    Args:
        found: Where it is written.
        layer: The layer.
        rule: Changes attention.
        others: float64 (H, N, N), scores of what else the layer could have read.
        only_scores: Takes the scores, if nothing else is wanted.
    """

    found: Reading
    layer: int
    rule: Rule | None
    others: torch.Tensor | None = None
    only_scores: list[torch.Tensor] | None = None


def slow_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    slow: "_Asked",
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attend query by query, as `rule` says, in float64."""
    found, layer, rule = slow.found, slow.layer, slow.rule
    _, heads, length, size = query.shape
    shared = heads // key.shape[1]  # how many heads share a key head
    scores = torch.stack(
        [query[0, h].double() @ key[0, h // shared].double().T * scaling for h in range(heads)]
    )
    if slow.only_scores is not None:
        slow.only_scores.append(scores)
        return torch.zeros_like(query.transpose(1, 2)), None
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    seen = causal if attention_mask is None else attention_mask[0, 0, :, :length]
    looked = scores.masked_fill(~seen, float("-inf")).softmax(-1)
    if rule is not None:
        for at in range(length):
            others = None if slow.others is None else slow.others[:, at].clone()
            changed = rule(Query(layer, at, scores[:, at].clone(), seen[at].tolist(), others))
            if changed is not None:
                looked[:, at] = changed
    found.attention[layer] = looked
    output = torch.zeros(1, length, heads, size, dtype=torch.float64)
    for head in range(heads):
        output[0, :, head] = looked[head] @ value[0, head // shared].double()
    return output.to(query.dtype), None


AttentionInterface.register("slow", slow_attention)
AttentionMaskInterface.register("slow", sdpa_mask)


def _longer(inputs: dict[str, torch.Tensor], answer: list[int]) -> dict[str, torch.Tensor]:
    """Return the inputs of a prompt that the answer follows."""
    longer = dict(inputs)
    longer["attention_mask"] = torch.ones_like(inputs["input_ids"])
    more = torch.tensor([answer], dtype=torch.long)
    for name, fill in {"input_ids": more, "attention_mask": torch.ones_like(more)}.items():
        longer[name] = torch.cat([longer[name], fill], dim=1)
    for name in {"mm_token_type_ids", "token_type_ids"} & inputs.keys():
        longer[name] = torch.cat([longer[name], torch.zeros_like(more).to(longer[name])], dim=1)
    return longer


def _use(model: Any, implementation: str) -> None:
    nested = model.config.get_text_config() is not model.config
    model.set_attn_implementation({"text_config": implementation} if nested else implementation)


def _keep_entering(found: Reading, at: int) -> Callable[..., None]:
    def hook(_: Any, args: tuple[Any, ...]) -> None:
        found.entering[at] = args[0][0].clone()

    return hook


def _keep_leaving(found: Reading, at: int) -> Callable[..., None]:
    def hook(_: Any, args: Any, output: Any) -> None:
        found.leaving[at] = (output[0] if isinstance(output, tuple) else output)[0].clone()

    return hook


def _hand_over(
    found: Reading, at: int, rule: Rule | None, entering: Entering | None
) -> Callable[..., Any]:
    def hook(module: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        asked = _Asked(found, at, rule)
        if entering is not None:
            only = _Asked(found, at, None, only_scores=[])
            other = {"hidden_states": entering(at, kwargs["hidden_states"]), "slow": only}
            module.forward(*args, **kwargs | other)
            asked.others = only.only_scores[0]
        return args, kwargs | {"slow": asked}

    return hook


def _change_mlp(layer: int, after_mlp: AfterMlp) -> Callable[..., torch.Tensor]:
    def hook(_: Any, args: Any, output: torch.Tensor) -> torch.Tensor:
        output = output.clone()
        for at in range(output.shape[1]):
            changed = after_mlp(layer, at, output[0, at].clone())
            if changed is not None:
                output[0, at] = changed
        return output

    return hook
