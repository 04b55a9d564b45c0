"""The WSGI door; faults that a WSGI server cannot apply abort the connection."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from smartdc.emulator.core.clock import Clock
from smartdc.emulator.core.message import Request, Response

StartResponse = Callable[..., Any]


def read_environ(environ: dict[str, Any]) -> Request:
    """Return the request of a WSGI environment, with its raw target if the server provides it."""
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_") or (name in ("CONTENT_TYPE", "CONTENT_LENGTH") and value)
    }
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return Request(
        environ["REQUEST_METHOD"],
        environ.get("RAW_URI") or environ.get("REQUEST_URI") or _rebuilt(environ),
        headers,
        environ["wsgi.input"].read(length) if length else b"",
        environ.get("REMOTE_ADDR", "127.0.0.1"),
        environ["wsgi.url_scheme"],
    )


def write_response(response: Response, start_response: StartResponse, clock: Clock) -> Iterable[bytes]:
    """Pass a response to the WSGI server, without the Connection header, which is the server's own."""
    fault = response.fault.kind if response.fault else None
    if response.fault and fault in ("stall", "dribble"):
        clock.sleep(response.fault.seconds)
    if fault not in (None, "dribble", "truncate"):
        raise ConnectionAbortedError("connection aborted by an injected fault")
    status = f"{response.status} {reason(response.status)}"
    start_response(status, [pair for pair in response.headers if pair[0] != "Connection"])
    return [response.body[: len(response.body) // 2] if fault == "truncate" else response.body]


def reason(status: int) -> str:
    """Return the reason phrase of a status, ``Unknown`` for an unknown one."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _rebuilt(environ: dict[str, Any]) -> str:
    path = quote(environ["PATH_INFO"].encode("latin-1"), safe="/:@!$&'()*+,;=~-._")
    return f"{path}?{environ['QUERY_STRING']}" if environ.get("QUERY_STRING") else path
