"""DNS lookups with a deadline."""

from __future__ import annotations

import socket
import threading
from typing import Any

from urllib3.util.connection import allowed_gai_family

from smartdc.http.tracebacks import from_signal_handler

__all__ = ["addresses_of"]


def addresses_of(host: str, port: int, timeout: float | None) -> list[str]:
    """Return the addresses of a host; `TimeoutError` after `timeout` seconds, or the error of `socket.getaddrinfo`.

    The system's resolver has no timeout, and may take half a minute if no name server answers. So it runs in a thread,
    which goes on alone when the time is up; other calls for the same host wait for the same thread.
    """
    found = _look_up(host, port, socket.AI_NUMERICHOST)
    if isinstance(found, Exception):
        found = _in_time(host, port, timeout)
    if isinstance(found, Exception):
        raise found
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _LookUp(threading.Thread):
    """A lookup that goes on even when no call waits for it any more."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(name="smartdc-resolver", daemon=True)
        self._where = host, port
        self.found: list[Any] | Exception | None = None

    def run(self) -> None:
        """Look up the host."""
        self.found = _look_up(*self._where)
        if _RUNNING.get(self._where) is self:
            del _RUNNING[self._where]


_RUNNING: dict[tuple[str, int], _LookUp] = {}
"""The lookups that have not ended."""


def _in_time(host: str, port: int, timeout: float | None) -> list[Any] | Exception:
    thread = _RUNNING.get((host, port))
    if thread is None or not thread.is_alive():
        thread = _RUNNING[host, port] = _LookUp(host, port)
        try:
            thread.start()
        except RuntimeError:
            # While the interpreter ends, no thread can be started, but calls must still work.
            return _look_up(host, port)
    thread.join(timeout)
    if thread.found is None:
        raise TimeoutError(f"DNS lookup of {host} timed out")
    return thread.found


def _look_up(host: str, port: int, flags: int = 0) -> list[Any] | Exception:
    try:
        return socket.getaddrinfo(host, port, allowed_gai_family(), socket.SOCK_STREAM, 0, flags)
    except OSError as error:
        if from_signal_handler(error):
            raise
        return error
    except UnicodeError as error:
        return socket.gaierror(socket.EAI_NONAME, f"{host!r} cannot be the name of a host: {error}")
