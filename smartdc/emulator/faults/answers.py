"""Answers that a fault puts in the place of the real one, whatever the door."""

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

BOMB = 300
"""The size of what a bomb unpacks to, in MiB."""


@dataclass(slots=True)
class Trouble:
    """A request that gets the wrong answer."""

    fault: "Fault"
    request: Request
    clock: Clock
    render: Callable[[Reply], Response]


def _status(trouble: Trouble) -> Response:
    """Answer with a status of one's choice, and all the headers of CloudAPI."""
    fault = trouble.fault
    if fault.body is not NOTHING:
        return trouble.render(Reply(fault.status, fault.body, dict(fault.headers)))
    return trouble.render(ApiError(fault.status, fault.code, fault.message, headers=dict(fault.headers)).reply())


def _throttled(trouble: Trouble) -> Response:
    message = "You have exceeded your request rate of 10 r/s."
    return trouble.render(ApiError(429, "TooManyRequestsError", message, headers=dict(trouble.fault.headers)).reply())


def _maintenance(trouble: Trouble) -> Response:
    headers = {"Retry-After": http_date(trouble.clock.time() + trouble.fault.seconds)}
    message = "This Triton data center is being upgraded"
    return trouble.render(ApiError(503, "ServiceUnavailableError", message, headers=headers).reply())


def _unavailable(_: Trouble) -> Response:
    """Answer as the proxy in front of CloudAPI does, for its own time-out too: few headers, and no Date."""
    body = b'{"code":"ServiceUnavailable", "message":"CloudAPI service is currently unavailable"}\n'
    return _proxy(503, body, "application/json")


def _html(_: Trouble) -> Response:
    body = b"<html><body><h1>502 Bad Gateway</h1>\nThe server returned an invalid answer.\n</body></html>\n"
    return _proxy(502, body, "text/html")


def _proxy(status: int, body: bytes, kind: str) -> Response:
    headers = [
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-cache"),
        ("Connection", "close"),
    ]
    return Response(status, headers, body)


def _redirect(trouble: Trouble) -> Response:
    headers = {"Location": "https://elsewhere.invalid/", **trouble.fault.headers}
    return trouble.render(Reply(302, {"code": "ResourceMoved", "message": "moved"}, headers))


def _redirect_loop(trouble: Trouble) -> Response:
    """Send the client to where it just was."""
    trouble.fault.headers = {"Location": trouble.request.target}
    return _redirect(trouble)


def _garbage(trouble: Trouble) -> Response:
    """Answer with a length and a type that are right, and a body that is no JSON."""
    response = trouble.render(Reply(200, ["half an answer"]))
    response.body = response.body[:-1] + b"}"
    response.headers = [pair for pair in response.headers if pair[0] != "Content-MD5"]
    return response


def _wrong_type(trouble: Trouble) -> Response:
    """Answer with JSON that is neither a thing nor a list of things."""
    return trouble.render(Reply(200, 42))


def _empty(trouble: Trouble) -> Response:
    return trouble.render(Reply(200))


def _bomb(trouble: Trouble) -> Response:
    """Answer with a body that is small on the wire, and huge for those who unpack it."""
    response = trouble.render(Reply(200, packed_blanks(BOMB), {"Content-Encoding": "gzip"}))
    response.headers.append(("Content-Type", "application/json"))
    return response


@functools.cache
def packed_blanks(size: int) -> bytes:
    """Return so many MiB of blanks in gzip's form: one after the other, which gzip allows."""
    return gzip.compress(b" " * 2**20, mtime=0) * size


ANSWERS: dict[str, Callable[[Trouble], Response]] = {
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
"""Kinds that put another answer in the place of the real one."""
