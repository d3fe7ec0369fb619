"""Whose turn it is among those who share something, by how much of it each has had.

Fair queueing: A. Demers, S. Keshav, S. Shenker, "Analysis and simulation of a fair queueing
algorithm", SIGCOMM 1989. Knows nothing about queues, models or pages.
"""

from collections.abc import Collection


class FairShares:
    """How much each has had, beside what everybody who waited could have had.

    `now` is that fair amount: it grows by what is served, divided by the number of those who shared
    it. Who comes begins with it and is not served later for having stayed away, nor earlier. Who
    has had more waits until the others have caught up, and no longer.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._had: dict[str, float] = {}

    def arrive(self, name: str) -> None:
        """Let somebody share from now on who did not a moment ago."""
        self._had[name] = max(self.had(name), self.now)

    def had(self, name: str) -> float:
        """Return how many seconds somebody has had; who has had the least is served next."""
        return self._had.get(name, self.now)

    def serve(self, name: str, seconds: float, present: int) -> None:
        """Count what somebody got.

        Args:
            name: Who.
            seconds: How much.
            present: How many shared meanwhile, at least 1.
        """
        self._had[name] = self.had(name) + seconds
        self.now += seconds / max(present, 1)

    def forget(self, present: Collection[str]) -> None:
        """Forget those who have gone and have had no more than is fair."""
        gone = [n for n, had in self._had.items() if had <= self.now and n not in present]
        for name in gone:
            del self._had[name]
