"""Several prompts as one batch, padded on the left."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch

from sinktrack.core.errors import MethodError, PromptError
from sinktrack.core.intervention import Intervention
from sinktrack.core.parts import PromptParts
from sinktrack.core.prompt import Prompt

Methods = Mapping[str, Intervention | None]
"""Names to methods, None being the plain model."""

AT_ONCE = 32_768
"""How many tokens a batch reads at most, which take memory with the width of the model."""

_A_TOKEN_EACH = ("input_ids", "attention_mask", "mm_token_type_ids", "token_type_ids")
"""Inputs that hold one value a token; all others hold one entry a picture or a patch."""


def left_pad(prompts: Sequence[Prompt]) -> tuple[dict[str, torch.Tensor], PromptParts]:
    """Put prompts below each other, padded on the left.

    Each is padded with its own last token, which is hidden: so a penalty on what was said meets no
    token that the prompt alone does not have. The first may stand for a picture.

    Args:
        prompts: From `sinktrack.core.prompt`.

    Returns:
        The model's inputs, and the parts of every row.

    Raises:
        PromptError: If a prompt has padding already.
    """
    length = max(prompt.inputs["input_ids"].shape[1] for prompt in prompts)

    def padded(row: torch.Tensor, value: int) -> torch.Tensor:
        return torch.nn.functional.pad(row, (length - row.shape[1], 0), value=value)

    rows = []
    for prompt in prompts:
        mask = prompt.inputs.get("attention_mask", torch.ones_like(prompt.inputs["input_ids"]))
        if not mask.all():
            raise PromptError("The prompt has padding, which rows do not need: leave it out.")
        rows.append({**prompt.inputs, "attention_mask": mask})
    inputs = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        # What only pictures have is left out where a prompt has none.
        found = [row[name] for row in rows if name in row]
        if name in _A_TOKEN_EACH:
            missing = torch.zeros_like(found[0][:, :0])
            ids = name == "input_ids"
            found = [
                padded(row.get(name, missing), int(row[name][0, -1]) if ids else 0) for row in rows
            ]
        inputs[name] = torch.cat(_same_size(found))
    parts = PromptParts(
        input_ids=inputs["input_ids"],
        attended=inputs["attention_mask"].bool(),
        parts=torch.cat([padded(prompt.parts[None], 0) for prompt in prompts]),
        names=[prompt.names for prompt in prompts],
        grids=[prompt.grids for prompt in prompts],
    )
    return inputs, parts


def _same_size(entries: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return entries (1, ...) padded with zeros, as families do that give a prompt one entry."""
    sizes = [max(each) for each in zip(*(entry.shape[1:] for entry in entries), strict=True)]
    return [
        torch.nn.functional.pad(
            entry,
            [
                side
                for size, own in zip(sizes[::-1], entry.shape[:0:-1], strict=True)
                for side in (0, size - own)
            ],
        )
        for entry in entries
    ]


def batch_size(methods: Methods, rows: int) -> int:
    """Return how many prompts of different lengths these methods answer at once.

    Args:
        methods: What answers each prompt.
        rows: How many rows a batch has at most; one prompt is answered however many it takes.
    """
    alone = any(method is not None and method.needs_no_padding for method in methods.values())
    return 1 if alone else max(1, rows // sum(map(_rows_of, methods.values())))


def filled(prompts: Iterable[Prompt], methods: Methods, rows: int) -> Iterator[list[Prompt]]:
    """Part prompts into batches, in their order.

    Args:
        prompts: What is asked.
        methods: What answers each prompt.
        rows: As for `batch_size`; a batch has no more than `AT_ONCE` tokens either, padding
            counted.
    """
    size, each = batch_size(methods, rows), sum(map(_rows_of, methods.values()))
    batch: list[Prompt] = []
    longest = 0
    for prompt in prompts:
        tokens = prompt.inputs["input_ids"].shape[1]
        wider = max(longest, tokens)
        if batch and (len(batch) == size or (len(batch) + 1) * each * wider > AT_ONCE):
            yield batch
            batch, wider = [], tokens
        batch.append(prompt)
        longest = wider
    if batch:
        yield batch


def method_groups(methods: Methods, rows: int) -> list[Methods]:
    """Part methods into groups that answer a prompt in a batch of no more than so many rows.

    A method that takes more rows by itself is a group. Methods whose rows must not be padded stand
    apart, so that they do not slow the others down.
    """
    groups: list[dict[str, Intervention | None]] = []
    for alone in (False, True):
        left = 0
        for name, method in methods.items():
            if alone != (method is not None and method.needs_no_padding):
                continue
            if _rows_of(method) > left:
                groups.append({})
                left = rows
            groups[-1][name] = method
            left -= _rows_of(method)
    return list(groups)


def _rows_of(method: Intervention | None) -> int:
    return 1 if method is None else method.rows


Beginnings = Mapping[str, Sequence[int]]
"""The first ids of the answers to one prompt, by method."""


def padded_beginnings(
    beginnings: Sequence[Beginnings], names: Sequence[str], words: int
) -> torch.Tensor:
    """Return the first ids of answers as int64 (M, n), -1 where none is told.

    Args:
        beginnings: One a prompt.
        names: The methods that answer each.
        words: How many tokens there are.

    Raises:
        MethodError: If they are told of a method that does not answer, or are no ids.
    """
    for told in beginnings:
        for name, ids in told.items():
            if name not in names:
                raise MethodError(
                    f"There is a beginning for {name!r}, which does not answer: give one of "
                    f"{', '.join(names)}."
                )
            if not all(isinstance(each, int) and 0 <= each < words for each in ids):
                raise MethodError(
                    f"The beginning for {name!r} must hold token ids from 0 to {words - 1}."
                )
    rows = [list(told.get(name, ())) for told in beginnings for name in names]
    most = max(map(len, rows))
    return torch.tensor([ids + [-1] * (most - len(ids)) for ids in rows], dtype=torch.long)
