"""Ping on time, and notice when the answers stop."""

from __future__ import annotations

import math

__all__ = ["Heartbeat"]

PING_INTERVAL = 20.0
"""Seconds between two pings: the proxy in front of CloudAPI cuts connections that are silent for 55 s."""

PONG_PATIENCE = 40.0
"""Seconds to wait for the answer to a ping, so that a dead connection is noticed within 60 s."""


class Heartbeat:
    """The pings of one connection, numbered; all moments are seconds of `time.monotonic`.

    The answer to one ping answers all earlier ones. So this object needs only two numbers, and the moment since which
    an answer is due, no matter how many pings stay unanswered.
    """

    def __init__(self, now: float) -> None:
        self.sent = self.answered = 0
        self._next = now + PING_INTERVAL
        self._due_since = math.inf

    def ping(self, now: float) -> bytes:
        """Return the payload of the next ping, which is sent now."""
        if self.sent == self.answered:
            self._due_since = now
        self.sent += 1
        self._next = now + PING_INTERVAL
        return b"%d" % self.sent

    def pong(self, payload: bytes, now: float) -> None:
        """Note an answer; an answer to a ping that was never sent is ignored."""
        number = int(payload) if payload.isdigit() else 0
        if self.answered < number <= self.sent:
            self.answered = number
            self._due_since = math.inf if number == self.sent else now

    def excuse(self, now: float) -> None:
        """Start the time limit again: answers may have arrived that are not read yet."""
        if self.sent > self.answered:
            self._due_since = now

    def stop(self) -> None:
        """Send no more pings: the connection is ending."""
        self._next = math.inf

    def is_due(self, now: float) -> bool:
        """Return whether it is time for a ping."""
        return now >= self._next

    def is_dead(self, now: float) -> bool:
        """Return whether an answer has been due for too long."""
        return now >= self._due_since + PONG_PATIENCE

    @property
    def next_moment(self) -> float:
        """The moment of the next ping, or of the time limit."""
        return min(self._next, self._due_since + PONG_PATIENCE)
