"""Upgrade a call to a WebSocket: what a handshake must contain, and how one is refused.

CloudAPI refuses an upgrade with a status and no body, and so without code and message. The same request without
``Upgrade`` is answered with the reason.
"""

import base64
import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from smartdc.emulator.core.message import Request
from smartdc.emulator.core.reply import ApiError, Reply
from smartdc.emulator.pipeline.call import Call

if TYPE_CHECKING:
    import socket

    from smartdc.emulator.pipeline.websocket import WebSocket

    Talk = Callable[[WebSocket], None]

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""The text that a server appends to the key of a handshake, by RFC 6455."""

VERSION = "13"


def asks_upgrade(request: Request) -> bool:
    """Return whether a request asks for an upgrade."""
    tokens = [token.strip().lower() for token in request.headers.get("connection", "").split(",")]
    return "upgrade" in tokens and bool(request.headers.get("upgrade"))


def upgrade(call: Call, talk: "Talk", protocols: Sequence[str] = (), rejection: bytes = b"") -> Reply:
    """Accept the handshake of a call; then ``talk`` owns the connection until it returns.

    A malformed handshake, or one that offers only subprotocols that are not in ``protocols``, is answered with
    ``rejection`` and the end of the connection. Doors that cannot upgrade, and emulators without the package for it,
    answer with a 501.
    """
    if not call.request.upgradable:
        message = "WebSockets need the HTTP door: smartdc.emulator.Server, or python -m smartdc emulator"
        raise ApiError(501, "NotImplementedError", message)
    make = _library()
    headers, chosen = call.request.headers, _subprotocol(call.request, protocols)
    key = headers.get("sec-websocket-key", "")
    sound = headers["upgrade"].lower() == "websocket" and key
    if not sound or headers.get("sec-websocket-version", VERSION) != VERSION or chosen is None:
        return Reply(0, upgrade=lambda connection: connection.sendall(rejection))
    answer = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode(),  # noqa: S324
    }
    if chosen:
        answer["Sec-WebSocket-Protocol"] = chosen

    def begin(connection: "socket.socket") -> None:
        with make(connection) as websocket:
            talk(websocket)

    return Reply(101, headers=answer, upgrade=begin)


def _subprotocol(request: Request, protocols: Sequence[str]) -> str | None:
    """Return the first known subprotocol that is offered, '' when none is offered, and None when none is known."""
    offers = [offer.strip() for offer in request.headers.get("sec-websocket-protocol", "").split(",") if offer.strip()]
    return next((offer for offer in offers if offer in protocols), None) if offers else ""


def _library() -> "type[WebSocket]":
    # The package is an extra: everything else in the emulator works without it.
    try:
        from smartdc.emulator.pipeline.websocket import WebSocket  # noqa: PLC0415
    except ModuleNotFoundError as error:
        message = f"WebSockets need the package {error.name}: pip install 'websockets>=15'"
        raise ApiError(501, "NotImplementedError", message) from error
    return WebSocket
