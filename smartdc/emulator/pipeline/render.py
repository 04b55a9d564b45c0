"""Rendering: from a Reply to the headers and bytes of a response."""

import json
from http import HTTPStatus
from typing import Any

from smartdc.emulator.core.clock import http_date
from smartdc.emulator.core.message import Response
from smartdc.emulator.core.reply import NOTHING, Reply
from smartdc.emulator.core.versions import LATEST
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.decode import content_md5
from smartdc.emulator.pipeline.upgrade import asks_upgrade

SERVER = "cloudapi/9.20.0"
"""CloudAPI's own value: clients parse a version from it, and would fail on anything more."""

EMULATOR = ("X-Emulator", "smartdc")
"""The header that distinguishes the emulator's answers from CloudAPI's."""

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def render(call: Call, reply: Reply) -> Response:
    """Return the response for a reply.

    There are three forms. A reply that takes over the connection has its own headers. A refused upgrade is a bare
    status. Everything else has the headers of plain HTTP, and CloudAPI's full set if the body of the request was read.
    CloudAPI's ``Access-Control`` headers are left out: no web page may read the answers.
    """
    if reply.upgrade:
        more = [*_full_headers(call, b""), EMULATOR] if reply.status == HTTPStatus.OK else []
        return Response(reply.status, [*reply.headers.items(), *more], upgrade=reply.upgrade)
    if call.request.upgradable and asks_upgrade(call.request) and reply.status != HTTPStatus.NOT_IMPLEMENTED:
        # CloudAPI answers a refused upgrade with a bare status; a 501 is the emulator's own, and keeps its message.
        bare = [("Connection", "close"), ("Date", http_date(call.now))]
        return Response(reply.status, bare, phrase="Connection Not Upgraded")
    return _render_plain(call, reply)


def _render_plain(call: Call, reply: Reply) -> Response:
    is_stream = isinstance(reply.body, bytes)
    body = _encode_body(call.accept, reply.body)
    headers: list[tuple[str, str]] = []
    if reply.status != HTTPStatus.NO_CONTENT:
        headers += [("Content-Type", call.accept)] if body and not is_stream else []
        headers.append(("Content-Length", str(len(body))))
    headers += [("Date", http_date(call.now)), ("Connection", _connection(call)), *reply.headers.items()]
    if call.past_body:
        headers += [pair for pair in _full_headers(call, b"" if is_stream else body) if pair[0] not in reply.headers]
    headers.append(EMULATOR)
    return Response(reply.status, headers, b"" if call.request.method == "HEAD" else body)


def _encode_body(kind: str, body: Any) -> bytes:
    """Return a body as bytes of the negotiated type; plain text shows only the message of an error."""
    if body is NOTHING:
        return b""
    if isinstance(body, bytes):
        return body
    if kind in ("application/json", "application/javascript"):
        return _encode(body).encode()
    if isinstance(body, dict) and "message" in body and set(body) <= {"code", "message", "errors"}:
        return str(body["message"]).encode()
    return body.encode() if isinstance(body, str) else _encode(body).encode()


def _full_headers(call: Call, body: bytes) -> list[tuple[str, str]]:
    elapsed = int((call.state.clock.time() - call.now) * 1000)
    headers = [
        ("Server", SERVER),
        ("Api-Version", LATEST),
        ("Request-Id", call.request_id),
        ("Response-Time", str(max(0, elapsed))),
    ]
    return [("Content-MD5", content_md5(body)), *headers] if body else headers


def _connection(call: Call) -> str:
    requested = call.request.headers.get("connection", "keep-alive").lower()
    return "close" if requested == "close" else "Keep-Alive"
