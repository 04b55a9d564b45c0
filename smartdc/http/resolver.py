"""DNS lookups that keep to a deadline."""

from __future__ import annotations

import socket
import threading
from queue import Empty, SimpleQueue
from typing import Any

from urllib3.util.connection import allowed_gai_family

from smartdc.http.tracebacks import from_signal_handler

__all__ = ["addresses_of"]


def addresses_of(host: str, port: int, timeout: float | None) -> list[str]:
    """Return the addresses of a host; `TimeoutError` after `timeout` seconds, or whatever `socket.getaddrinfo` raises.

    The system's resolver takes no time-out, and may take half a minute where no name server answers. So it is asked in
    a thread, which is left to itself when it is too late.
    """
    found = _look_up(host, port, socket.AI_NUMERICHOST)
    if isinstance(found, Exception):
        found = _in_time(host, port, timeout)
    if isinstance(found, Exception):
        raise found
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _in_time(host: str, port: int, timeout: float | None) -> list[Any] | Exception:
    answer: SimpleQueue[list[Any] | Exception] = SimpleQueue()
    thread = threading.Thread(target=lambda: answer.put(_look_up(host, port)), name="smartdc-resolver", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        # No thread begins while the interpreter ends, and what is done then may matter most.
        return _look_up(host, port)
    try:
        return answer.get(timeout=timeout)
    except Empty:
        raise TimeoutError(f"DNS lookup of {host} timed out") from None


def _look_up(host: str, port: int, flags: int = 0) -> list[Any] | Exception:
    try:
        return socket.getaddrinfo(host, port, allowed_gai_family(), socket.SOCK_STREAM, 0, flags)
    except (OSError, UnicodeError) as error:
        if from_signal_handler(error):
            raise
        return error
