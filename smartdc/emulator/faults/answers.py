"""Faults that replace the response; the same through every door."""

import functools
import gzip
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smartdc.emulator.core.clock import Clock, http_date
from smartdc.emulator.core.message import Request, Response
from smartdc.emulator.core.reply import NOTHING, ApiError, Reply

if TYPE_CHECKING:
    from smartdc.emulator.faults.plan import Fault

BOMB_MIB = 300
"""The unpacked size of a ``bomb``, in MiB."""


@dataclass(slots=True)
class AnswerContext:
    """What a false answer is made from: the fault, the request, the clock and the renderer."""

    fault: "Fault"
    request: Request
    clock: Clock
    render: Callable[[Reply], Response]


def _status(context: AnswerContext) -> Response:
    """Answer with the fault's own status, and CloudAPI's full set of headers."""
    fault = context.fault
    if fault.body is not NOTHING:
        return context.render(Reply(fault.status, fault.body, dict(fault.headers)))
    return context.render(ApiError(fault.status, fault.code, fault.message, headers=dict(fault.headers)).reply())


def _throttled(context: AnswerContext) -> Response:
    message = "You have exceeded your request rate of 10 r/s."
    return context.render(ApiError(429, "TooManyRequestsError", message, headers=dict(context.fault.headers)).reply())


def _maintenance(context: AnswerContext) -> Response:
    headers = {"Retry-After": http_date(context.clock.time() + context.fault.seconds)}
    message = "This Triton data center is being upgraded"
    return context.render(ApiError(503, "ServiceUnavailableError", message, headers=headers).reply())


def _unavailable(_: AnswerContext) -> Response:
    """Answer as the proxy in front of CloudAPI does, also on its own timeout: few headers, and no Date."""
    body = b'{"code":"ServiceUnavailable", "message":"CloudAPI service is currently unavailable"}\n'
    return _proxy(503, body, "application/json")


def _html(_: AnswerContext) -> Response:
    text = b"The server returned an invalid answer."
    body = b"<html><body><h1>502 Bad Gateway</h1>\n%b\n</body></html>\n" % text
    return _proxy(502, body, "text/html")


def _proxy(status: int, body: bytes, kind: str) -> Response:
    headers = [
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-cache"),
        ("Connection", "close"),
    ]
    return Response(status, headers, body)


def _redirect(context: AnswerContext) -> Response:
    headers = {"Location": "https://elsewhere.invalid/", **context.fault.headers}
    return context.render(Reply(302, {"code": "ResourceMoved", "message": "moved"}, headers))


def _redirect_loop(context: AnswerContext) -> Response:
    """Redirect the client to the URL it just requested."""
    context.fault.headers = {"Location": context.request.target}
    return _redirect(context)


def _garbage(context: AnswerContext) -> Response:
    """Answer with correct length and type, and a body that is not JSON."""
    response = context.render(Reply(200, ["half an answer"]))
    response.body = response.body[:-1] + b"}"
    response.headers = [pair for pair in response.headers if pair[0] != "Content-MD5"]
    return response


def _wrong_type(context: AnswerContext) -> Response:
    """Answer with JSON that is neither an object nor an array."""
    return context.render(Reply(200, 42))


def _empty(context: AnswerContext) -> Response:
    return context.render(Reply(200))


def _bomb(context: AnswerContext) -> Response:
    """Answer with a body that is small on the wire and huge when unpacked."""
    response = context.render(Reply(200, packed_blanks(BOMB_MIB), {"Content-Encoding": "gzip"}))
    response.headers.append(("Content-Type", "application/json"))
    return response


@functools.cache
def packed_blanks(size: int) -> bytes:
    """Return ``size`` MiB of blanks as gzip members, one per MiB."""
    return gzip.compress(b" " * 2**20, mtime=0) * size


ANSWERS: dict[str, Callable[[AnswerContext], Response]] = {
    "status": _status,
    "throttled": _throttled,
    "maintenance": _maintenance,
    "unavailable": _unavailable,
    "html": _html,
    "redirect": _redirect,
    "redirect-loop": _redirect_loop,
    "garbage": _garbage,
    "wrong-type": _wrong_type,
    "empty": _empty,
    "bomb": _bomb,
}
"""The functions by kind of fault."""
