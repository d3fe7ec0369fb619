"""Which part of the prompt or answer each cached key belongs to, while an answer is written."""

import torch
from torch import nn

from sinktrack.core.parts import PromptParts


class KeyParts:
    """The parts of all keys of one generation of B rows; windows make keys go.

    Args:
        prompts: The parts of the prompts.

    Attributes:
        prompts: As given.
        labels: int64 (B, K), an index into the row's names, or `PADDING`.
        sinks: int64 (B,), the columns of the sinks, -1 where the cache has forgotten them.
        sink_column: That column where it is the same for all rows, else None.
        origins: int64 (B, K), where each key stood in the prompt, T for those of the answer; None
            while every key is there.
    """

    def __init__(self, prompts: PromptParts) -> None:
        """Begin with the prompts' keys."""
        self.prompts = prompts
        self.labels = prompts.labels
        self._place_sinks(prompts.sinks)
        self.origins: torch.Tensor | None = None
        last = torch.tensor([len(names) - 1 for names in prompts.names])
        self._generated = last[:, None].to(self.labels.device)
        self._one_hot: torch.Tensor | None = None
        self._of_kind: dict[str, torch.Tensor] = {}
        self.before: tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]
        self.before = self.labels, self.sinks, self.origins

    @property
    def length(self) -> int:
        """How long the prompts are, T."""
        return self.prompts.parts.shape[1]

    def grow(self) -> None:
        """Add the key of one more token."""
        self.before = self.labels, self.sinks, self.origins
        self.labels = torch.cat([self.labels, self._generated], dim=1)
        if self.origins is not None:
            self.origins = nn.functional.pad(self.origins, (0, 1), value=self.length)
        self._forget()

    def take_back(self) -> None:
        """Undo the last `grow`, for a step that failed."""
        self.labels, sinks, self.origins = self.before
        self._place_sinks(sinks)
        self._forget()

    def keep(self, columns: torch.Tensor) -> None:
        """Forget the keys that the cache has forgotten.

        Args:
            columns: int64 (B, K), the columns that are left of those before this step's token.
        """
        if self.origins is None:
            origins = torch.arange(self.labels.shape[1], device=columns.device)
            self.origins = origins.clamp(max=self.length).expand(len(columns), -1)
        now = torch.full_like(columns[:, :1], self.labels.shape[1] - 1)
        columns = torch.cat([columns, now], dim=1)
        self.labels = self.labels.gather(1, columns)
        self.origins = self.origins.gather(1, columns)
        found = columns == self.sinks[:, None]
        self._place_sinks(found.int().argmax(1).masked_fill(~found.any(1), -1))
        self._forget()

    def _place_sinks(self, sinks: torch.Tensor) -> None:
        columns = set(sinks.tolist())
        self.sinks, self.sink_column = sinks, columns.pop() if len(columns) == 1 else None

    def one_hot(self, device: torch.device) -> torch.Tensor:
        """Return the parts of keys as float32 (B, K, S); padding is all zero."""
        if self._one_hot is None:
            classes = torch.arange(max(map(len, self.prompts.names)), device=self.labels.device)
            self._one_hot = (self.labels[..., None] == classes).float()
        return self._one_hot.to(device)

    def of_kind(self, kind: str) -> torch.Tensor:
        """Return which keys belong to parts of a kind, bool (B, K)."""
        if kind not in self._of_kind:
            rows = torch.arange(len(self.labels))
            self._of_kind[kind] = self.at(self.prompts.of_kind(kind), rows)
        return self._of_kind[kind]

    def at(self, positions: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Return which keys of some rows stand at some positions of their prompts, bool (R, K).

        Args:
            positions: bool (R, T), False where there is padding.
            rows: int64 (R,).
        """
        beyond = torch.zeros_like(positions[:, :1])
        if self.origins is None:
            more = self.labels.shape[1] - self.length
            return torch.cat([positions, beyond.expand(-1, more)], dim=1)
        origins = self.origins[rows.to(self.origins.device)]
        return torch.cat([positions, beyond], dim=1).gather(1, origins.to(positions.device))

    def at_prompt(self, keys: torch.Tensor) -> torch.Tensor:
        """Return values of keys (B, l, K) where these stood in the prompt, (B, l, T + 1)."""
        if self.origins is None:
            return keys
        origins = self.origins.to(keys.device)[:, None].expand_as(keys)
        return keys.new_zeros(*keys.shape[:2], self.length + 1).scatter_add(2, origins, keys)

    def _forget(self) -> None:
        self._one_hot, self._of_kind = None, {}
