"""Which prompt token belongs to which part: system, passage, instruction, each picture, and so on.

Everything that is drawn, injected, masked or counted by part asks here. Knows nothing about
attention.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from sinktrack.core.errors import AttachError, PromptError

SINK = "sink"
GENERATED = "generated"
KINDS = ("system", "history", "passage", "instruction", "image", "video", "rest")
"""What parts of a prompt can be: the system prompt; earlier turns; the text that a question is
about; the last text of the user; pictures; videos; and what the chat template writes itself."""

PADDING = -1

# An additive mask this low hides a key: transformers writes the least number of the dtype there.
HIDDEN = -1e4


class Grid(NamedTuple):
    """How the tokens of a picture or video lie: frames, rows and columns, in reading order.

    Behind an overview some families put its tiles, `more` tokens without a place in the grid.
    """

    frames: int
    rows: int
    columns: int
    more: int = 0

    @property
    def tokens(self) -> int:
        """How many tokens there are."""
        return self.cells + self.more

    @property
    def cells(self) -> int:
        """How many of them have a place."""
        return self.frames * self.rows * self.columns


def kind_of(name: str) -> str:
    """Return the kind of a part: "image" for "image 2"."""
    return name.split()[0]


def is_of(name: str, kind: str) -> bool:
    """Tell whether a part is of a kind; videos are images too."""
    return kind_of(name) == kind or (kind == "image" and kind_of(name) == "video")


def numbered(kinds: Sequence[str]) -> list[str]:
    """Name parts of these kinds: "image" where there is one of a kind, else "image 1" and so on."""
    seen: dict[str, int] = {}
    names = []
    for kind in kinds:
        seen[kind] = seen.get(kind, 0) + 1
        names.append(kind if kinds.count(kind) == 1 else f"{kind} {seen[kind]}")
    return names


def kinds_of_context(context: str) -> tuple[str, ...]:
    """Return the kinds in a context such as "image+instruction"; all of them for "prompt".

    Raises:
        ValueError: If it names something else.
    """
    if context == "prompt":
        return KINDS
    kinds = tuple(context.split("+"))
    if len(set(kinds)) < len(kinds) or not set(kinds) <= set(KINDS):
        raise ValueError(context)
    return kinds


@dataclass(frozen=True, kw_only=True)
class PromptParts:
    """The parts of a batch of B prompts of T positions each, padding included.

    Args:
        input_ids: int64 (B, T).
        attended: bool (B, T), False where there is padding.
        parts: int64 (B, T), the part of each token as an index into its row's names. The first
            token has a part as well, though attention to it is counted as attention to the sink.
        names: For each row the names of its parts, "sink" in front and "generated" at the end.
        grids: For each row the pictures and videos in order.
        tokenizer: Turns words into ids; None where only a model's inputs are known.
    """

    input_ids: torch.Tensor
    attended: torch.Tensor
    parts: torch.Tensor
    names: Sequence[tuple[str, ...]]
    grids: Sequence[Sequence[Grid]]
    tokenizer: Any = None

    @property
    def sinks(self) -> torch.Tensor:
        """Each row's first attended position, int64 (B,)."""
        return self.attended.int().argmax(1)

    @property
    def labels(self) -> torch.Tensor:
        """The parts with 0 at the sink and `PADDING` where there is padding, int64 (B, T)."""
        labels = self.parts.masked_fill(~self.attended, PADDING)
        labels[torch.arange(len(labels), device=labels.device), self.sinks] = 0
        return labels

    def select(self, rows: torch.Tensor) -> "PromptParts":
        """Return these rows, int64 (R,), each as often as it is named."""
        rows = rows.to(self.parts.device)
        return PromptParts(
            input_ids=self.input_ids[rows],
            attended=self.attended[rows],
            parts=self.parts[rows],
            names=[self.names[row] for row in rows.tolist()],
            grids=[self.grids[row] for row in rows.tolist()],
            tokenizer=self.tokenizer,
        )

    def positions(self, row: int, context: str) -> torch.Tensor:
        """Return where the tokens of a context stand, int64 (N,).

        Args:
            row: The row.
            context: Kinds of parts joined by "+", or "prompt" for every token.

        Raises:
            PromptError: If the row has no part of a kind that is asked for.
        """
        if context == "prompt":
            return self.attended[row].nonzero()[:, 0]
        chosen = torch.zeros_like(self.attended[row])
        for kind in kinds_of_context(context):
            found = self.of_kind(kind)[row]
            if not found.any():
                have = ", ".join(self.names[row][1:-1])
                hint = (
                    "nothing says which tokens are the instruction: pass context_mask=, a bool for "
                    "each token"
                    if kind == "instruction"
                    else f"its parts are {have}: give the prompt one, or choose another context"
                )
                raise PromptError(
                    f"The method's context is {context!r}, but prompt {row} has no {kind}; {hint}."
                )
            chosen |= found
        return chosen.nonzero()[:, 0]

    def of_kind(self, kind: str) -> torch.Tensor:
        """Return which tokens belong to parts of a kind, bool (B, T); padding to none.

        Raises:
            ValueError: If there is no such kind.
        """
        if kind not in KINDS:
            raise ValueError(f"There is no kind of part {kind!r}; known are {', '.join(KINDS)}.")
        known = max(map(len, self.names))
        is_kind = torch.tensor(
            [
                [at < len(names) and is_of(names[at], kind) for at in range(known)]
                for names in self.names
            ],
            device=self.parts.device,
        )
        return is_kind.gather(1, self.parts) & self.attended

    def named(self, kind_at: torch.Tensor) -> tuple[torch.Tensor, tuple[str, ...]]:
        """Return the first row's parts and their names, once the kind of each token is known.

        Args:
            kind_at: int64 (T,), an index into `KINDS`.
        """
        visual = [(at, name) for at, name in enumerate(self.names[0]) if is_of(name, "image")]
        texts = [
            kind
            for kind in KINDS
            if kind not in ("image", "video", "rest") and (kind_at == KINDS.index(kind)).any()
        ]
        names = (SINK, *texts, *(name for _, name in visual), "rest", GENERATED)
        parts = torch.full_like(kind_at, names.index("rest"))
        for kind in texts:
            parts[kind_at == KINDS.index(kind)] = names.index(kind)
        for at, name in visual:
            parts[self.parts[0] == at] = names.index(name)
        return parts, names

    @classmethod
    def of(
        cls,
        config: Any,
        input_ids: torch.Tensor,
        *,
        attended: torch.Tensor | None = None,
        instruction: torch.Tensor | None = None,
        image_grid_thw: torch.Tensor | None = None,
        video_grid_thw: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
    ) -> "PromptParts":
        """Tell the parts of prompts of which only a model's inputs are known.

        Args:
            config: The model's config; names the image and video token ids, if it has any.
            input_ids: int64 (B, T).
            attended: bool (B, T), False where there is padding; None for none.
            instruction: bool (B, T) or (1, T), True on the user's text; None if unknown.
            image_grid_thw: int64 (images, 3), frames, patch rows and patch columns before merging,
                for all rows in order, if the call carries it.
            video_grid_thw: The same for videos.
            position_ids: (3 or 4, B, T), multimodal positions, if the call carries them. Without
                any of the three, images are taken to be square.

        Raises:
            PromptError: If the instruction mask has another shape than the prompt, or a row is
                padding alone.
            AttachError: If a picture is there in part.
        """
        if attended is None:
            attended = torch.ones_like(input_ids, dtype=torch.bool)
        if not attended.any(1).all():
            raise PromptError("A row of the batch is padding alone: give every row a prompt.")
        instruction = _checked_mask(instruction, input_ids) & attended
        visual = torch.zeros_like(attended)
        for token_id in _visual_token_ids(config).values():
            visual |= (input_ids == token_id) & attended
        found = _visuals(config, input_ids, visual, (image_grid_thw, video_grid_thw), position_ids)
        parts = torch.zeros_like(input_ids)
        names, grids = [], []
        for row, visuals in enumerate(found):
            masked = bool(instruction[row].any())
            kinds = ["instruction"] * masked + [kind for kind, _ in visuals]
            own = ("rest", *numbered(kinds))
            labels = torch.ones_like(input_ids[row])
            if masked:
                labels[instruction[row]] = 2
            labels[visual[row]] = _owners([grid for _, grid in visuals], 2 + masked, labels.device)
            used = sorted({int(label) for label in labels.unique()})
            # The template's own tokens come last, as in prompts that are built here.
            order = [label for label in used if label != 1] + [1]
            names.append((SINK, *(own[label - 1] for label in order), GENERATED))
            for new, label in enumerate(order, start=1):
                parts[row][labels == label] = new
            grids.append([grid for _, grid in visuals])
        return cls(input_ids=input_ids, attended=attended, parts=parts, names=names, grids=grids)


def _owners(grids: Sequence[Grid], first: int, device: torch.device) -> torch.Tensor:
    """Return for each visual token which picture or video it is of, counted from `first`."""
    sizes = torch.tensor([grid.tokens for grid in grids], dtype=torch.long, device=device)
    return torch.arange(first, first + len(grids), device=device).repeat_interleave(sizes)


def _checked_mask(instruction: Any, input_ids: torch.Tensor) -> torch.Tensor:
    """Return a mask of the instruction for every row, all False where it is not known."""
    if instruction is None:
        return torch.zeros_like(input_ids, dtype=torch.bool)
    if not isinstance(instruction, torch.Tensor):
        raise PromptError("context_mask must be a tensor with one bool a prompt token.")
    if instruction.shape not in (input_ids.shape, (1, input_ids.shape[1])):
        raise PromptError(
            f"context_mask has the shape {tuple(instruction.shape)}, but the prompt has "
            f"{tuple(input_ids.shape)}: give one bool for each prompt token."
        )
    return instruction.to(input_ids.device, torch.bool).expand_as(input_ids)


def attended_positions(attention_mask: Any, input_ids: torch.Tensor) -> torch.Tensor | None:
    """Read from the mask of a call which prompt positions are no padding.

    `generate` hands over a plain mask (B, T), or, for static caches, what the layers take: a mask
    (B, 1, T, keys), or one for each kind of layer.

    Args:
        attention_mask: The call's mask, if any.
        input_ids: int64 (B, T).

    Returns:
        bool (B, T) on the device of `input_ids`, or None for no padding.
    """
    if isinstance(attention_mask, dict):
        attention_mask = attention_mask.get("full_attention")
    if attention_mask is None:
        return None
    if attention_mask.ndim == 4:
        last = attention_mask[:, 0, -1, : input_ids.shape[1]].expand(len(input_ids), -1)
        attention_mask = last if last.dtype == torch.bool else last > HIDDEN
    return attention_mask.to(input_ids.device, torch.bool)  # type: ignore[no-any-return]


def _visual_token_ids(config: Any) -> dict[str, int]:
    """Return the ids that stand for image and video features, where the model has them."""
    found = {kind: getattr(config, f"{kind}_token_id", None) for kind in ("image", "video")}
    return {kind: token_id for kind, token_id in found.items() if token_id is not None}


def _visuals(
    config: Any,
    input_ids: torch.Tensor,
    visual: torch.Tensor,
    grids_thw: tuple[torch.Tensor | None, torch.Tensor | None],
    position_ids: torch.Tensor | None,
) -> list[list[tuple[str, Grid]]]:
    """Return kind and grid of every row's pictures and videos.

    They come from whichever of the sources a call carries. `generate` encodes pictures before it
    calls the model and hands over multimodal position ids (3 or 4, B, T) instead of grids; their
    last two axes count rows and columns.
    """
    token_ids = _visual_token_ids(config)
    kinds = {token_id: kind for kind, token_id in token_ids.items()}
    known = {
        token_ids[kind]: iter(_merged(config, grid_thw))
        for kind, grid_thw in zip(("image", "video"), grids_thw, strict=True)
        if grid_thw is not None and kind in token_ids
    }
    found: list[list[tuple[str, Grid]]] = []
    for row, mask in enumerate(visual):
        positions = mask.nonzero()[:, 0]
        own: list[tuple[str, Grid]] = []
        left = 0  # of a video whose frames have time stamps between them
        # Consecutive tokens are one image or video, or one frame where time stamps stand between.
        for run in positions.tensor_split((positions.diff() > 1).nonzero()[:, 0].cpu() + 1):
            tokens = len(run)
            while tokens > 0:
                token_id = int(input_ids[row, run[0]])
                if left:
                    taken = min(left, tokens)
                    left, tokens = left - taken, tokens - taken
                    continue
                if token_id in known:
                    grid = next(known[token_id], Grid(1, 1, tokens))
                elif position_ids is not None and position_ids.ndim == 3:
                    rows, columns = (
                        len(position_ids[axis, row, run].unique()) for axis in (-2, -1)
                    )
                    grid = Grid(tokens // (rows * columns), rows, columns)
                else:
                    grid = _overview(config, kinds[token_id], tokens) or _square(
                        min(tokens, _image_size(config) or tokens)
                    )
                own.append((kinds[token_id], grid))
                if not grid.tokens:
                    left = tokens
                    break
                left, tokens = max(grid.tokens - tokens, 0), tokens - grid.tokens
        if left:
            raise AttachError(
                f"Prompt {row} ends inside a picture, but inside the block a prompt must be read "
                "in one piece: leave out prefill_chunk_size."
            )
        found.append(own)
    return found


def _merged(config: Any, grid_thw: torch.Tensor) -> list[Grid]:
    """Return the grids of images or videos after patches were merged."""
    merge = config.vision_config.spatial_merge_size
    return [
        Grid(frames, rows // merge, columns // merge) for frames, rows, columns in grid_thw.tolist()
    ]


def _overview(config: Any, kind: str, tokens: int) -> Grid | None:
    """Return the grid at the start of so many tokens in families that read tiles behind it.

    The tiles are rows with a line end each. One of two pictures or more has an overview alone, with
    one line end, and so has a video, at half the size.
    """
    if getattr(config, "image_grid_pinpoints", None) is None:
        return None
    side = config.vision_config.image_size // config.vision_config.patch_size
    if kind == "video":
        half = math.ceil(side / 2)
        return Grid(tokens // half**2, half, half, more=1)
    if tokens % (side**2 + 1) == 0:
        return Grid(1, side, side, more=1)
    return Grid(1, side, side, more=tokens - side**2) if tokens >= side**2 else None


def _image_size(config: Any) -> int | None:
    """Return how many tokens a picture takes where it is always as many; None if nothing says."""
    for name in ("image_seq_length", "mm_tokens_per_image", "num_image_tokens"):
        for each in (config, config.vision_config, config.get_text_config()):
            size = getattr(each, name, None)
            if isinstance(size, int) and size > 0:
                return size
    return None


def _square(tokens: int) -> Grid:
    """Return a square grid of `tokens` cells where there is one, else a single row."""
    side = math.isqrt(tokens)
    return Grid(1, side, side) if side * side == tokens else Grid(1, 1, tokens)
