"""An answer that lasts: lines are sent when there is something to tell, until there is an end."""

import contextlib
import json
import socket
from collections.abc import Callable, Iterable
from typing import Any

TICK = 0.02
"""Seconds between two looks at what there is to tell."""

KIND = "application/x-json-stream"

Tell = Callable[[], tuple[list[dict[str, Any]], bool]]
"""Return what is new, and whether that was all."""


def lines(things: Iterable[dict[str, Any]]) -> bytes:
    """Write things as JSON, one a line."""
    return "".join(f"{json.dumps(thing)}\n" for thing in things).encode()


def send_chunks(connection: socket.socket, tell: Tell) -> None:
    """Send what there is to tell in chunks, as it comes about, until the end or until the client is gone."""
    with contextlib.suppress(OSError):
        connection.settimeout(TICK)
        while True:
            news, over = tell()
            if news:
                text = lines(news)
                connection.sendall(b"%x\r\n%b\r\n" % (len(text), text))
            if over:
                connection.sendall(b"0\r\n\r\n")
            if over or _is_closed(connection):
                return


def _is_closed(connection: socket.socket) -> bool:
    """Wait for a tick, and say whether the client has gone meanwhile."""
    try:
        return not connection.recv(1)
    except TimeoutError:
        return False
