"""Who asks: a tab of a browser, and behind it the address that it comes from.

Knows nothing about models or pages.
"""

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

_LONGEST = 64  # characters of what a stranger calls a session


@dataclass(frozen=True)
class Visitor:
    """Somebody who asks.

    Args:
        address: Where it comes from, see `address_of`; "" if that is not known.
        session: What Gradio calls a tab of a browser. A program may open as many as it likes. ""
            if there is none.
    """

    address: str = ""
    session: str = ""

    @property
    def public(self) -> bool:
        """Whether the address is one of the internet.

        Another may be a proxy's, with everybody behind it, or that of the machine's own user.
        """
        try:
            return ipaddress.ip_network(self.address).is_global
        except ValueError:
            return False


_asking: ContextVar[Visitor | None] = ContextVar("asking", default=None)


def current_visitor() -> Visitor:
    """Return who asked for what runs now; nobody in particular where that is not known."""
    return _asking.get() or Visitor()


@contextmanager
def asking(visitor: Visitor) -> Iterator[None]:
    """Let everything that is called in the block be asked for by a visitor."""
    token = _asking.set(visitor)
    try:
        yield
    finally:
        _asking.reset(token)


def visitor_of(request: Any, session: Any = None) -> Visitor:
    """Return who sends a request.

    Args:
        request: Gradio's or Starlette's.
        session: What it calls its session; None for what the request says.
    """
    said = session if session is not None else getattr(request, "session_hash", None)
    return Visitor(address_of(request), said[:_LONGEST] if isinstance(said, str) else "")


def address_of(request: Any) -> str:
    """Return where a request comes from: an IPv4 address, or the network of an IPv6 address.

    Args:
        request: Gradio's or Starlette's; its client's address is that of the last proxy that the
            server does not trust.
    """
    said = getattr(getattr(request, "client", None), "host", None) or ""
    try:
        address = ipaddress.ip_address(said)
    except ValueError:
        return str(said)[:64]
    if address.version == 4 or address.is_loopback:
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address.packed[:8] + bytes(8), 64)))  # one person's
