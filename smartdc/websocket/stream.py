"""An open WebSocket for the changefeed and the screens: messages in both directions, and our own errors."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from smartdc.errors import CallTimeout, TransportError
from smartdc.websocket.connection import ConnectionLost, TimedOut

if TYPE_CHECKING:
    from smartdc.websocket.connection import WebSocketConnection

__all__ = ["WebSocket"]


class WebSocket:
    """A WebSocket that is open until `close`, or until nothing refers to it any more.

    Each method raises `CallTimeout` after `timeout` seconds, and `TransportError` if the connection is lost; without a
    timeout it waits as long as the connection lives.
    """

    def __init__(self, connection: WebSocketConnection, path: str) -> None:
        self._connection, self._path = connection, path
        self._end = weakref.finalize(self, connection.close)

    def send(self, message: str | bytes, timeout: float | None) -> None:
        """Send a text or bytes as one message; a message that is not sent in time ends the connection."""
        try:
            self._connection.send(message, timeout)
        except TimedOut:
            raise self._late(f"the server did not take a message within {timeout:g} s") from None
        except ConnectionLost as error:
            raise self._lost(error) from None

    def receive(self, timeout: float | None) -> str | bytes | None:
        """Return the next message, or None when the server has closed the connection."""
        try:
            return self._connection.receive(timeout)
        except TimedOut:
            raise self._late(f"no message within {timeout:g} s") from None
        except ConnectionLost as error:
            raise self._lost(error) from None

    def settle(self, timeout: float | None) -> None:
        """Wait until the server has read all sent messages."""
        try:
            self._connection.settle(timeout)
        except TimedOut:
            raise self._late(f"a ping was not answered within {timeout:g} s") from None
        except ConnectionLost as error:
            raise self._lost(error) from None

    @property
    def reason(self) -> str:
        """The server's reason for closing the connection."""
        return _printable(self._connection.reason)

    def close(self) -> None:
        """Close the connection, and wait a short time for its end; it may already be closed."""
        self._end()

    def abandon(self) -> None:
        """Close the connection in the background, for a caller that has a deadline."""
        self._end.detach()
        self._connection.close(wait=False)

    def _late(self, words: str) -> CallTimeout:
        return CallTimeout(f"GET {self._path}: {words}", method="GET", path=self._path)

    def _lost(self, error: ConnectionLost) -> TransportError:
        words = f"GET {self._path}: the connection was lost: {_printable(str(error))}"
        return TransportError(words, method="GET", path=self._path)


def _printable(text: str) -> str:
    """Replace characters that control a terminal: the text may come from the server."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
