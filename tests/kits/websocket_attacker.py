"""The other side of a WebSocket that means no good: frames byte by byte, floods, and a proxy that cuts and spoils."""

from __future__ import annotations

import contextlib
import itertools
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

Spoil = Callable[[bytes], bytes | None]
"""What becomes of a frame on its way to the client; None, or fewer bytes than it had, cuts the connection after them."""


def frame(
    opcode: int, data: bytes = b"", *, fin: bool = True, reserved: int = 0, mask: bytes = b"", length: int = -1
) -> bytes:
    """Return a frame, also one that is not allowed; `length` is what it claims to be, when that is not the truth."""
    size = len(data) if length < 0 else length
    if size < 126:
        head = bytes([size | (0x80 if mask else 0)])
    elif size < 65_536:
        head = bytes([126 | (0x80 if mask else 0)]) + struct.pack("!H", size)
    else:
        head = bytes([127 | (0x80 if mask else 0)]) + struct.pack("!Q", size)
    return bytes([(0x80 if fin else 0) | reserved << 4 | opcode]) + head + mask + data


class Flood:
    """Send the same pieces again and again, as fast as they are taken, in a thread of its own."""

    def __init__(self, sock: socket.socket, pieces: Iterable[bytes]) -> None:
        self.sent = 0
        self._sock, self._pieces = sock, itertools.cycle(pieces)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._sock.settimeout(0.02)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self._stopped.set()
        self._thread.join(10)

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            for piece in self._pieces:
                data = piece
                while data and not self._stopped.is_set():
                    with contextlib.suppress(TimeoutError):
                        taken = self._sock.send(data)
                        self.sent += taken
                        data = data[taken:]
                if self._stopped.is_set():
                    return


def frames_of(data: bytes) -> tuple[list[bytes], bytes]:
    """Split what a server has sent into whole frames, and the rest."""
    found = []
    while len(data) >= 2:
        short = data[1] & 0x7F
        head = {126: 4, 127: 10}.get(short, 2)
        if len(data) < head:
            break
        size = head + (int.from_bytes(data[2:head], "big") if head > 2 else short)
        if len(data) < size:
            break
        found.append(data[:size])
        data = data[size:]
    return found, data


class SpoilingProxy:
    """A proxy at a port of its own: whole for ordinary requests, and for WebSockets as good as `spoil` and `idle` let it.

    It cuts connections that are silent for `idle` seconds. `connections` counts the WebSockets, `cut` those it ended.
    """

    def __init__(self, port: int, *, idle: float | None = None) -> None:
        self.spoil: Spoil = bytes
        self.connections = self.cut = 0
        self._far, self._idle = port, idle
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        """Listen."""
        self._begin(self._listen)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all connections."""
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _begin(self, target: Callable[..., None], *arguments: object) -> None:
        self._threads.append(threading.Thread(target=target, args=arguments, daemon=True))
        self._threads[-1].start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while not self._stopped.is_set():
                self._begin(self._serve, self._listener.accept()[0])

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, socket.create_connection(("127.0.0.1", self._far)) as server:
            head, is_websocket, rest = b"", False, b""
            for source, data in self._pieces(client, server):
                if source is client:
                    head = (head + data)[:4096]
                    if not is_websocket and b"/changefeed" in head and b"Upgrade: websocket" in head:
                        is_websocket = True
                        self.connections += 1
                    server.sendall(data)
                    continue
                if not is_websocket or data.startswith(b"HTTP/1.1 "):
                    client.sendall(data)
                    continue
                out, rest, is_cut = self._spoiled(rest + data)
                client.sendall(out)
                if is_cut:
                    return

    def _pieces(self, *ends: socket.socket) -> Iterator[tuple[socket.socket, bytes]]:
        """Yield what comes from either end, until one has had enough or both are silent for too long."""
        silent = 0.0
        while not self._stopped.is_set():
            ready, _, _ = select.select(ends, [], [], 0.01)
            silent = 0.0 if ready else silent + 0.01
            if self._idle is not None and silent >= self._idle:
                self.cut += 1
                return
            for source in ready:
                data = source.recv(65_536)
                if not data:
                    return
                yield source, data

    def _spoiled(self, data: bytes) -> tuple[bytes, bytes, bool]:
        """Return what goes on to the client, what is no whole frame yet, and whether that is the end."""
        found, rest = frames_of(data)
        out = b""
        for whole in found:
            spoiled = self.spoil(whole)
            if spoiled is None or len(spoiled) < len(whole):
                self.cut += 1
                return out + (spoiled or b""), rest, True
            out += spoiled
        return out, rest, False
