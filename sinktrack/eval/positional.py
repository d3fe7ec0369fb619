"""Which dimension of a model's hidden states tells positions: the published search for it.

Source: Yu et al. 2024, "Mitigate Position Bias in Large Language Models via Scaling a Single
Dimension", https://arxiv.org/abs/2406.02536, and its public code PositionalHidden/PositionalHidden.
A dimension is a candidate where its mean over many texts rises or falls with the position in more
than a quarter of the layers, and is smooth. Among the candidates that one is chosen with which the
model finds values best. Knows nothing about files.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import savgol_filter

from sinktrack.core.architecture import decoder_layers, input_device
from sinktrack.core.keys import turned_heads
from sinktrack.core.reading import after_each_layer
from sinktrack.core.upstream import cache_argument, cache_of
from sinktrack.methods.position_scale import PositionScale

SKIPPED = 300
"""Positions at the beginning that do not count for monotony."""
_SKIPPED_BY_SMOOTHNESS = 200  # the public code has two numbers
_WINDOW, _DEGREE = 10, 3


class HiddenSums:
    """The hidden states after each layer at each position, summed over texts.

    Args:
        model: The model.
        tokens: T, how long each text is.

    Attributes:
        texts: How many texts were added.
        sums: A float32 (T, D) a layer.
    """

    def __init__(self, model: Any, tokens: int) -> None:
        """Begin with nothing."""
        self._model, self._tokens, self.texts = model, tokens, 0
        width = model.config.get_text_config().hidden_size
        self.sums = [torch.zeros(tokens, width) for _ in decoder_layers(model)]

    @torch.inference_mode()
    def add(self, token_ids: Sequence[int]) -> None:
        """Let the model read one text, and add its hidden states layer by layer."""

        def adding(layer: int, hidden: torch.Tensor) -> None:
            self.sums[layer] += hidden[0].float().cpu()

        with after_each_layer(self._model, adding):
            ids = torch.tensor([token_ids[: self._tokens]], device=input_device(self._model))
            self._model.get_decoder()(input_ids=ids, use_cache=False)
        self.texts += 1

    def means(self) -> Iterator[NDArray[np.float64]]:
        """Yield the mean (T, D) of each layer."""
        for total in self.sums:
            yield total.double().numpy() / max(1, self.texts)


@dataclass(frozen=True)
class Candidate:
    """One dimension that may tell positions.

    Args:
        dimension: Which.
        monotone: In which share of all layers its mean rises, or in which it falls.
        smoothness: The sum of squared second differences of its smoothed mean, at its smoothest
            layer; less is smoother.
    """

    dimension: int
    monotone: float
    smoothness: float


def candidates(sums: HiddenSums, keep: int = 10) -> list[Candidate]:
    """Return the smoothest of the dimensions that are monotone, the smoothest first.

    The first two layers and the last one do not count as monotone, as in the public code.

    Args:
        sums: From as many texts as can be.
        keep: How many.
    """
    layers = len(sums.sums)
    width = sums.sums[0].shape[1]
    slopes = np.zeros((layers, width), dtype=int)  # 1 rises, -1 falls
    smoothness = np.full((layers, width), np.inf)
    for layer, mean in enumerate(sums.means()):
        if 2 <= layer < layers - 1:
            slopes[layer] = _slopes(mean[SKIPPED:])
            smoothness[layer] = _roughness(mean[_SKIPPED_BY_SMOOTHNESS:])
    found = []
    rising, falling = (slopes == 1).sum(0), (slopes == -1).sum(0)
    for dimension in np.flatnonzero(np.maximum(rising, falling) > layers // 4):
        sign = 1 if rising[dimension] > falling[dimension] else -1
        own = slopes[:, dimension] == sign
        found.append(
            Candidate(
                dimension=int(dimension),
                monotone=float(own.mean()),
                smoothness=float(smoothness[own, dimension].min()),
            )
        )
    return sorted(found, key=lambda each: each.smoothness)[:keep]


def _slopes(curves: NDArray[np.float64]) -> NDArray[np.int_]:
    """Return for each curve of (T, D) whether its cubic fit rises (1), falls (-1) or neither."""
    x = np.linspace(-1, 1, len(curves))
    basis = np.polynomial.legendre.legvander(x, 3)  # (T, 4)
    steps = np.diff(basis @ np.linalg.lstsq(basis, curves, rcond=None)[0], axis=0)
    moves = np.ptp(curves, axis=0) > 0
    rises, falls = (steps >= 0).all(0) & moves, (steps <= 0).all(0) & moves
    slopes: NDArray[np.int_] = rises.astype(int) - falls.astype(int)
    return slopes


def _roughness(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of squared second differences of each curve of (T, D), scaled to 0 to 1."""
    span = np.ptp(curves, axis=0)
    scaled = (curves - curves.min(0)) / np.where(span > 0, span, 1.0)
    # An even window, as published, has no middle. scipy shifts all but the ends by half a position,
    # which adds nearly the same to each curve and hardly changes their order.
    smooth = savgol_filter(scaled, _WINDOW, _DEGREE, axis=0)
    rough: NDArray[np.float64] = (np.diff(smooth, n=2, axis=0) ** 2).sum(0)
    return rough


@dataclass(frozen=True)
class Judged:
    """How well a method lets the model write a given answer.

    Args:
        loss: Mean negative log-probability of the answer's tokens, in nats.
        right: Whether each of these tokens was the likeliest.
    """

    loss: float
    right: bool


class AnswerJudge:
    """Judges how likely an answer is after a prompt, with position scaling and without.

    In the prompt only the last query sees scaled keys, so what all other tokens are made of is the
    plain model's. They are read once for any number of methods, and each method's scaled keys are
    made of what entered the attention. Then the prompt's last token and the answer are read at
    once, which gives what writing them one by one gives.

    Args:
        model: The model.
        prompt_ids: int64 (T,), the prompt.
        answer_ids: The answer.
        layers: Where methods may act.
    """

    @torch.inference_mode()
    def __init__(
        self, model: Any, prompt_ids: torch.Tensor, answer_ids: Sequence[int], layers: set[int]
    ) -> None:
        """Read all of the prompt but its last token."""
        self._model, self._decoder = model, model.get_decoder()
        device = input_device(model)
        self._rest = torch.cat([prompt_ids[-1:].cpu(), torch.tensor(answer_ids[:-1])])[None]
        self._rest = self._rest.long().to(device)
        self._answer = torch.tensor(answer_ids)
        self._entered: dict[int, tuple[torch.Tensor, Any]] = {}

        def keeping(layer: int) -> Callable[..., None]:
            def hook(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
                entering = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
                self._entered[layer] = entering, kwargs.get("position_embeddings")

            return hook

        with ExitStack() as undo:
            for at in layers:
                attention: Any = decoder_layers(model)[at].self_attn
                hook = attention.register_forward_pre_hook(keeping(at), with_kwargs=True)
                undo.callback(hook.remove)
            self._cache = cache_of(
                self._decoder(input_ids=prompt_ids[None, :-1].to(device), use_cache=True)
            )

    @torch.inference_mode()
    def judge(self, methods: Sequence[PositionScale | None]) -> list[Judged]:
        """Return how likely the answer is with each fitted method; None is the plain model."""
        count = len(methods)
        cache = copy.deepcopy(self._cache)
        cache.batch_repeat_interleave(count)
        scales = self._scales(methods)
        for at, (entering, rotary) in self._entered.items():
            attention: Any = decoder_layers(self._model)[at].self_attn
            kept = cache.layers[at].keys  # a sliding-window layer keeps the last ones alone
            for row, scale in enumerate(scales[at]):
                keys = turned_heads(attention, "k", entering * scale, kept.shape[-1], rotary)
                kept[row] = keys[0, :, keys.shape[2] - kept.shape[2] :]
        with ExitStack() as undo:
            for at, scale in scales.items():
                attention = decoder_layers(self._model)[at].self_attn
                for projection in (attention.q_proj, attention.k_proj):
                    hook = projection.register_forward_pre_hook(_multiplying(scale))
                    undo.callback(hook.remove)
            hidden = self._decoder(
                input_ids=self._rest.expand(count, -1),
                use_cache=True,
                **{cache_argument(self._decoder): cache},
            ).last_hidden_state
        return [self._judged(each) for each in hidden]

    def _scales(self, methods: Sequence[PositionScale | None]) -> dict[int, torch.Tensor]:
        """Return what multiplies the states of each row at each layer, (rows, 1, D)."""
        scales = {}
        for at, (entering, _) in self._entered.items():
            scales[at] = entering.new_ones(len(methods), 1, entering.shape[-1])
            for row, method in enumerate(methods):
                if method is not None and at in (method.layers or ()):
                    scales[at][row, :, method.dimension] = method.factor
        return scales

    def _judged(self, hidden: torch.Tensor) -> Judged:
        """Return what the final states (A, D) of the prompt's last token and the answer say."""
        logits = self._model.get_output_embeddings()(hidden).float().cpu()
        return Judged(
            loss=float(torch.nn.functional.cross_entropy(logits, self._answer)),
            right=bool((logits.argmax(-1) == self._answer).all()),
        )


def _multiplying(scale: torch.Tensor) -> Callable[..., tuple[torch.Tensor, ...]]:
    return lambda module, args: (args[0] * scale, *args[1:])
