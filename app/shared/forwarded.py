"""What a proxy says of a request is believed from proxies that the owner names, and from no other.

Knows nothing about pages.
"""

import ipaddress
import logging

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

TRUSTED = "FORWARDED_ALLOW_IPS"
"""Names addresses and networks of proxies, with commas between; uvicorn's own name for it."""
EVERYBODY = "*"
_SAID_BY_PROXIES = ("forwarded", "x-real-ip", "x-forwarded-", "x-gradio-server")
_WHERE_THE_PAGE_IS = ("x-forwarded-host", "x-forwarded-proto")

log = logging.getLogger(__name__)


class Forwarded:
    """An ASGI middleware that drops what strangers say as if they were a proxy.

    Gradio would believe anybody who says under which address a page is reached. Behind a proxy that
    is named, the client's address and the scheme are what it says.

    Args:
        app: What answers.
        trusted: Addresses and networks, with commas between; "*" for all.
        platform: Whether there is no way to the server but a platform's own proxies, whose
            addresses nobody knows. They are believed under which address the page is reached, and
            not who asks, for they hand on what anybody says of that.
    """

    def __init__(self, app: ASGIApp, trusted: str = "", platform: bool = False) -> None:
        self._app, self._platform = app, platform
        self._named = ProxyHeadersMiddleware(app, trusted)  # type: ignore[arg-type]
        self._told = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        peer = (scope.get("client") or ("",))[0]
        if scope["type"] == "lifespan" or peer in self._named.trusted_hosts:
            await self._named(scope, receive, send)  # type: ignore[arg-type]
            return
        headers = MutableHeaders(scope=scope)
        for name in [each for each in headers if each.startswith(_SAID_BY_PROXIES)]:
            if self._platform and name in _WHERE_THE_PAGE_IS:
                continue
            if name in _WHERE_THE_PAGE_IS:
                self._tell(name, peer)
            while name in headers:
                del headers[name]
        await self._app(scope, receive, send)

    def _tell(self, name: str, peer: str) -> None:
        if not self._told:
            log.warning(
                "%s from %s is not believed. If that is your proxy, set %s=%s.",
                name,
                peer or "an unknown address",
                TRUSTED,
                peer or EVERYBODY,
            )
        self._told = True


def what_is_no_address(trusted: str) -> str | None:
    """Return the first of a list that is neither an address nor a network; None if all are."""
    for each in (part.strip() for part in trusted.split(",")):
        try:
            if each not in ("", EVERYBODY):
                ipaddress.ip_network(each)
        except ValueError:
            return each
    return None
