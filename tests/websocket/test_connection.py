"""The connection of a WebSocket reads no more than it may hold, and loses nothing of what it leaves unread."""

from __future__ import annotations

import socket

import pytest
from websockets.client import ClientProtocol
from websockets.protocol import State
from websockets.uri import parse_uri

from smartdc.websocket import inbox
from smartdc.websocket.connection import WebSocketConnection

SIZE = 60_000
FRAME = b"\x82\x7e" + SIZE.to_bytes(2, "big") + b"x" * SIZE
"""A message from a server, of so many bytes."""


@pytest.mark.parametrize(("bound", "value"), [("MAX_BYTES", 3 * SIZE), ("MAX_MESSAGES", 3)])
def test_what_nobody_takes_is_left_with_the_server(monkeypatch: pytest.MonkeyPatch, bound: str, value: int) -> None:
    """The server cannot send on until messages are taken, and then it can, and all of them arrive."""
    monkeypatch.setattr(inbox, bound, value)
    server, client = socket.socketpair()
    server.settimeout(0.3)
    sent, rest = 0, b""
    ours = WebSocketConnection(client, ClientProtocol(parse_uri("ws://server.test/"), state=State.OPEN), [])
    with server:
        while sent < 100 and not rest:
            sent, rest = sent + 1, send(server, FRAME)

        assert 3 <= sent < 100
        for _ in range(sent - 1):
            assert ours.receive(5) == b"x" * SIZE
        assert not send(server, rest)
        assert ours.receive(5) == b"x" * SIZE
    ours.close()


def send(server: socket.socket, data: bytes) -> bytes:
    """Send as much as is taken within the time-out, and return the rest."""
    try:
        while data:
            data = data[server.send(data) :]
    except TimeoutError:
        pass
    return data
