"""/metrics: what is measured, in the text format of Prometheus.

https://prometheus.io/docs/instrumenting/exposition_formats/. Knows nothing about models or pages.
"""

from collections.abc import Iterator

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.shared.measures import BOUNDS, FAMILIES, Histogram, Labels, Measures
from app.shared.owner_code import OwnerCode
from app.shared.visitors import address_of

PATH = "/metrics"
_FORMAT = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """An ASGI middleware that answers /metrics, and lets everything else pass.

    Args:
        app: What answers everything else.
        measures: What was measured.
        code: The owner's, which is asked for as a bearer token; None to tell everybody.
    """

    def __init__(self, app: ASGIApp, measures: Measures, code: OwnerCode | None) -> None:
        self.app, self._measures, self._code = app, measures, code

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer who asks for what was measured."""
        asked = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        if not asked or scope.get("path", "").rstrip("/") != PATH:
            await self.app(scope, receive, send)
            return
        await self._answer(scope)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response:
        if self._code is not None:
            kind, _, said = Headers(scope=scope).get("authorization", "").partition(" ")
            told = said.strip() if kind.lower() == "bearer" else ""
            refusal = self._code.refusal(address_of(Request(scope)), told)
            if refusal is not None:
                bearer = {"WWW-Authenticate": "Bearer"}
                return PlainTextResponse(f"{refusal}\n", 401, bearer)
        return Response(exposition(self._measures), media_type=_FORMAT)


def exposition(measures: Measures) -> str:
    """Return everything that was measured, as Prometheus reads it."""
    values, histograms = measures.values(), measures.histograms()
    lines: list[str] = []
    for name, family in FAMILIES.items():
        own = [
            f"{name}{_shown(labels)} {_number(value)}"
            for (of, labels), value in sorted(values.items())
            if of == name
        ]
        for (of, labels), histogram in sorted(histograms.items(), key=lambda item: item[0]):
            own += _histogram(name, labels, histogram) if of == name else ()
        if own:
            lines += [f"# HELP {name} {family.about}", f"# TYPE {name} {family.kind}", *own]
    return "\n".join(lines) + "\n"


def _histogram(name: str, labels: Labels, histogram: Histogram) -> Iterator[str]:
    so_far = 0
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), histogram.counts, strict=True):
        so_far += count
        yield f"{name}_bucket{_shown((*labels, ('le', bound)))} {so_far}"
    yield f"{name}_sum{_shown(labels)} {_number(histogram.total)}"
    yield f"{name}_count{_shown(labels)} {so_far}"


def _shown(labels: Labels) -> str:
    said = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{said}}}" if said else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(round(float(value), 6))
