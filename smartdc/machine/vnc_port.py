"""A local port that connects ordinary VNC clients to the screen of a machine."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Self

from smartdc.core import arguments
from smartdc.errors import InputError, SmartDCError

if TYPE_CHECKING:
    from smartdc.machine.vnc import VncStream

__all__ = ["VncPort"]

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
CHUNK = 65536
RETRY_SECONDS = 0.1
"""Real seconds until the next attempt, after a connection could not be accepted."""


class VncPort:
    """A port on 127.0.0.1 that leads to a machine's screen until it is closed; everybody on this computer can connect.

    Each client gets its own connection to the machine. It is a context manager.
    """

    def __init__(self, connect: Callable[[], VncStream], name: str, port: int = 0) -> None:
        if not 0 <= arguments.integers(port=port)["port"] < 2**16:
            raise InputError(f"port must be a number from 0 (any free port) to 65535, got {port}")
        self._connect, self._name = connect, name
        self._lock = Lock()
        self._open: set[socket.socket] = set()
        self._closed = Event()
        self._listener = socket.create_server((HOST, port))
        self.port: int = self._listener.getsockname()[1]
        """The number of the port."""
        self._threads = [self._start(self._accept)]

    @property
    def address(self) -> str:
        """The address for VNC clients: ``127.0.0.1::5901``; most of them expect two colons before a port."""
        return f"{HOST}::{self.port}"

    @property
    def url(self) -> str:
        """The same as a URL, ``vnc://127.0.0.1:5901``."""
        return f"vnc://{HOST}:{self.port}"

    def close(self) -> None:
        """Close the port and every connection through it; it may be closed already."""
        with self._lock:
            if self._closed.is_set():
                return
            self._closed.set()
            viewers = list(self._open)
        # Either wakes the thread that accepts: not every system has the first, and the second needs a descriptor.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            socket.create_connection((HOST, self.port)).close()
        self._threads[0].join()
        self._listener.close()
        for viewer in viewers:
            _hang_up(viewer)
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        """Show the machine, and where its screen is."""
        return f"<VncPort {self._name} {'closed' if self._closed.is_set() else self.url}>"

    def _start(self, function: Callable[..., None], *arguments: object) -> Thread:
        thread = Thread(target=function, args=arguments, name="smartdc-vnc", daemon=True)
        thread.start()
        return thread

    def _accept(self) -> None:
        is_full = False
        while not self._closed.is_set():
            try:
                viewer, _ = self._listener.accept()
                self._take(viewer)
                is_full = False
            except (OSError, RuntimeError) as error:
                # There are too many open files or threads: try again when a viewer has left.
                was_full, is_full = is_full, True
                if not self._closed.wait(RETRY_SECONDS) and not was_full:
                    log.warning("no connection to the screen of %s for now: %s", self._name, error)

    def _take(self, viewer: socket.socket) -> None:
        """Serve a viewer in a new thread, unless the port was closed meanwhile."""
        with self._lock:
            if self._closed.is_set():
                viewer.close()
                return
            self._threads = [thread for thread in self._threads if thread.is_alive()]  # the first one is this
            try:
                self._threads.append(self._start(self._serve, viewer))
            except RuntimeError:
                viewer.close()
                raise
            self._open.add(viewer)

    def _serve(self, viewer: socket.socket) -> None:
        """Relay bytes both ways until the viewer or the machine hangs up."""
        with viewer:
            try:
                screen = self._connect()
            except SmartDCError as error:
                log.warning("no connection to the screen of %s: %s", self._name, error)
            else:
                with screen:
                    back = self._start(_to_viewer, screen, viewer)
                    with suppress(OSError, ValueError, SmartDCError):
                        while data := viewer.recv(CHUNK):
                            screen.write(data)
                back.join()
        with self._lock:
            self._open.discard(viewer)


def _to_viewer(screen: VncStream, viewer: socket.socket) -> None:
    with suppress(OSError, ValueError, SmartDCError):  # ValueError: the stream was closed
        while data := screen.read(CHUNK):
            viewer.sendall(data)
    _hang_up(viewer)


def _hang_up(viewer: socket.socket) -> None:
    with suppress(OSError):
        viewer.shutdown(socket.SHUT_RDWR)
