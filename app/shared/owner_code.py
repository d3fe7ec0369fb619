"""The code by which the page's owner is known, and a sign that it was given.

Knows nothing about pages.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable

from app.shared.guesses import Guesses, equal

SECONDS = 12 * 60 * 60
"""For how long a sign holds."""
_WRONG = "That is not the owner's code."


class OwnerCode:
    """Knows the owner.

    Args:
        code: What only the owner knows, from the environment.
        guesses: Makes whoever guesses wait.
        clock: The time of day, in seconds.
    """

    def __init__(
        self,
        code: str,
        guesses: Guesses | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._code, self._guesses, self._clock = code, guesses or Guesses(), clock
        self._secret = secrets.token_bytes(32)  # signs end with the process

    def refusal(self, address: str, said: str) -> str | None:
        """Return why somebody is not taken for the owner; None for the owner.

        Args:
            address: Where the code comes from.
            said: The code; a blank one is not counted as a guess.
        """
        if not said:
            return _WRONG
        right = equal(said, self._code)
        return self._guesses.refusal(address, "owner", right) or (None if right else _WRONG)

    def sign(self) -> str:
        """Return what the owner's browser keeps in place of the code."""
        until = str(int(self._clock()) + SECONDS)
        return f"{until}.{self._signature(until)}"

    def signed(self, sign: str) -> bool:
        """Whether something is from `sign`, and not too old."""
        until, _, signature = sign.partition(".")
        return equal(self._signature(until), signature) and int(until) > self._clock()

    def _signature(self, until: str) -> str:
        said = until.encode("utf-8", "replace")
        return hmac.new(self._secret, said, hashlib.sha256).hexdigest()
