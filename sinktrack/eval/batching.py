"""Prompts of different lengths as one batch for `generate`. Knows nothing about tasks."""

from collections.abc import Sequence
from typing import Any

import torch

from sinktrack.architecture import input_device
from sinktrack.attachment import attach
from sinktrack.method import SinkTrack
from sinktrack.prompts import Prompt, tokenizer_of
from sinktrack.recorder import Recorder
from sinktrack.window import Cache

_A_TOKEN_EACH = ("input_ids", "attention_mask", "mm_token_type_ids", "token_type_ids")
"""Inputs that hold one value a token; all others hold one entry a picture or a patch."""


def stacked(prompts: Sequence[Prompt], pad_id: int) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Put prompts below each other, padded on the left.

    Args:
        prompts: From `sinktrack.prompts.build_prompt`.
        pad_id: The id that fills the left.

    Returns:
        The model's inputs, and the instruction mask, bool (B, T).
    """
    length = max(prompt.inputs["input_ids"].shape[1] for prompt in prompts)

    def padded(row: torch.Tensor, value: int) -> torch.Tensor:
        return torch.nn.functional.pad(row, (length - row.shape[1], 0), value=value)

    inputs = {}
    for name in dict.fromkeys(name for prompt in prompts for name in prompt.inputs):
        # What only pictures have is left out where a prompt has none.
        rows = [prompt.inputs[name] for prompt in prompts if name in prompt.inputs]
        if name in _A_TOKEN_EACH:
            missing = torch.zeros_like
            rows = [
                padded(prompt.inputs[name], pad_id if name == "input_ids" else 0)
                if name in prompt.inputs
                else padded(missing(prompt.inputs["input_ids"], dtype=rows[0].dtype), 0)
                for prompt in prompts
            ]
        inputs[name] = torch.cat(rows)
    mask = torch.cat([padded(prompt.instruction_mask.int(), 0) for prompt in prompts]).bool()
    return inputs, mask


@torch.inference_mode()
def written(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Prompt],
    methods: SinkTrack | None | Sequence[SinkTrack | None],
    *,
    cache: Cache,
    max_new_tokens: int,
    record: bool,
) -> tuple[torch.Tensor, Recorder]:
    """Continue prompts greedily as one batch.

    Args:
        model: The model.
        tokenizer: Its tokenizer.
        prompts: From `sinktrack.prompts.build_prompt`.
        methods: One for all prompts, or one each; None is the plain model.
        cache: As for `attach`.
        max_new_tokens: The longest continuation.
        record: As for `attach`.

    Returns:
        The new token ids, (B, T), with whatever follows the end of an answer; and the recorder.
    """
    pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    inputs, mask = stacked(prompts, pad_id)
    inputs = {name: value.to(input_device(model)) for name, value in inputs.items()}
    with attach(model, methods, context_mask=mask, cache=cache, record=record) as recorder:
        tokens = model.generate(
            **inputs,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            pad_token_id=pad_id,
        )
    return tokens[:, inputs["input_ids"].shape[1] :], recorder


def answers(
    model: Any,
    processor: Any,
    prompts: Sequence[Prompt],
    methods: SinkTrack | None | Sequence[SinkTrack | None],
    *,
    cache: Cache = "full",
    max_new_tokens: int = 128,
) -> list[str]:
    """Answer prompts greedily as one batch.

    Args:
        model: The model.
        processor: Its processor or tokenizer.
        prompts: From `sinktrack.prompts.build_prompt`.
        methods: One for all prompts, or one each; None is the plain model.
        cache: As for `attach`.
        max_new_tokens: The longest answer.
    """
    tokenizer = tokenizer_of(processor)
    new, _ = written(
        model,
        tokenizer,
        prompts,
        methods,
        cache=cache,
        max_new_tokens=max_new_tokens,
        record=False,
    )
    return [text.strip() for text in tokenizer.batch_decode(new, skip_special_tokens=True)]
