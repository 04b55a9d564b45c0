"""A streamed answer: lines of JSON, sent as they are produced, until the stream ends."""

import contextlib
import json
import socket
from collections.abc import Callable, Iterable
from typing import Any

TICK = 0.02
"""Seconds between two checks for new lines."""

KIND = "application/x-json-stream"

Source = Callable[[], tuple[list[dict[str, Any]], bool]]
"""Returns the new entries, and whether these are the last ones."""


def lines(things: Iterable[dict[str, Any]]) -> bytes:
    """Write objects as JSON, one per line."""
    return "".join(f"{json.dumps(thing)}\n" for thing in things).encode()


def send_chunks(connection: socket.socket, source: Source) -> None:
    """Send the source's entries in chunks as they are produced, until the last one or until the client disconnects."""
    with contextlib.suppress(OSError):
        connection.settimeout(TICK)
        while True:
            news, over = source()
            if news:
                text = lines(news)
                connection.sendall(b"%x\r\n%b\r\n" % (len(text), text))
            if over:
                connection.sendall(b"0\r\n\r\n")
            if over or _is_closed(connection):
                return


def _is_closed(connection: socket.socket) -> bool:
    """Wait for a tick, and return whether the client has disconnected."""
    try:
        return not connection.recv(1)
    except TimeoutError:
        return False
