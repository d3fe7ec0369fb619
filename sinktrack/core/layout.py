"""Which rows a batch has: those that the model is given, all that there are, and those that write.

Knows nothing about models, and methods only by how many rows they ask for.
"""

from collections.abc import Sequence

import torch

from sinktrack.core.batch import Methods
from sinktrack.core.errors import MethodError
from sinktrack.core.intervention import Intervention
from sinktrack.core.prompt import Prompt


class Layout:
    """Which row is what: those that the model is given, all of the batch, and those that write.

    Args:
        prompts: P prompts.
        methods: Names to methods.
        share: Whether rows with the same prompt begin as one.

    Attributes:
        given: The prompts that the model reads.
        methods: The method of every row of the batch.
        rows_of: For each row of the batch the index of its prompt among `given`.
        each: How many rows a prompt has, by method.
        main: int64 (M,), for each answer the row of the batch that writes it.
        main_of: int64 (B,), for each row of the batch the answer whose tokens it reads.
        main_given: int64 (M,), for each answer the index of its prompt among `given`.
        readings: What methods have read before, one list an answer.
    """

    def __init__(self, prompts: Sequence[Prompt], methods: Methods, *, share: bool = True) -> None:
        """Lay the rows out."""
        self.given: list[Prompt] = []
        self.methods: list[Intervention | None] = []
        self.rows_of: list[int] = []
        self.each: dict[Intervention, int] = {}
        self.readings: dict[Intervention, list[list[Prompt]]] = {}
        main: list[int] = []
        main_of: list[int] = []
        for number, prompt in enumerate(prompts):
            own: list[int] = []  # where the prompts of this one are among those given
            for name, method in methods.items():
                if method is not None and method.needs is not None:
                    prompt.check_has(method.needs, name, number if len(prompts) > 1 else None)
                wanted = [prompt] if method is None else method.prompts(prompt)
                if method is not None:
                    _check_rows(method, wanted)
                    self.each[method] = len(wanted)
                    readings = method.readings(prompt)
                    if readings:
                        self.readings.setdefault(method, []).append(readings)
                main.append(len(self.rows_of))
                for each in wanted:
                    same = (at for at in own if share and self.given[at] is each)
                    place = next(same, None)
                    if place is None:
                        place = len(self.given)
                        self.given.append(each)
                        own.append(place)
                    self.rows_of.append(place)
                    self.methods.append(method)
                    main_of.append(len(main) - 1)
        self.main, self.main_of = torch.tensor(main), torch.tensor(main_of)
        self.main_given = torch.tensor(self.rows_of)[self.main]


def _check_rows(method: Intervention, prompts: Sequence[Prompt]) -> None:
    """Refuse a method that answers with other rows than it says."""
    if len(prompts) != method.rows:
        raise MethodError(
            f"{method.kind} gives {len(prompts)} prompts, but says that it has {method.rows} rows: "
            "mend its rows."
        )
