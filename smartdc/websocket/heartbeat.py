"""Ping on time, and notice when the answers stop."""

from __future__ import annotations

import math

__all__ = ["Heartbeat"]

PING_INTERVAL = 20.0
"""Seconds between two pings: the proxy in front of CloudAPI cuts connections that are silent for 55."""

PONG_PATIENCE = 40.0
"""Seconds to wait for the answer to a ping, so that a dead connection is noticed within 60."""


class Heartbeat:
    """The pings of one connection, numbered; all moments are seconds of `time.monotonic`.

    The answer to one ping answers all before it, so that two numbers and the moment since which an answer is due are
    all there is to remember, however many pings stay unanswered.
    """

    def __init__(self, now: float) -> None:
        self.sent = self.answered = 0
        self._next = now + PING_INTERVAL
        self._due_since = math.inf

    def ping(self, now: float) -> bytes:
        """Return the payload of the next ping, which is being sent now."""
        if self.sent == self.answered:
            self._due_since = now
        self.sent += 1
        self._next = now + PING_INTERVAL
        return b"%d" % self.sent

    def pong(self, payload: bytes, now: float) -> None:
        """Take in an answer; one to a ping that was never sent says nothing."""
        number = int(payload) if payload.isdigit() else 0
        if self.answered < number <= self.sent:
            self.answered = number
            self._due_since = math.inf if number == self.sent else now

    def excuse(self, now: float) -> None:
        """Start the patience anew: answers may have come that nobody has read yet."""
        if self.sent > self.answered:
            self._due_since = now

    def stop(self) -> None:
        """Send no more pings: the connection is ending."""
        self._next = math.inf

    def is_due(self, now: float) -> bool:
        """Tell whether it is time for a ping."""
        return now >= self._next

    def is_dead(self, now: float) -> bool:
        """Tell whether an answer has been due for too long."""
        return now >= self._due_since + PONG_PATIENCE

    @property
    def next_moment(self) -> float:
        """When a ping is due, or patience ends."""
        return min(self._next, self._due_since + PONG_PATIENCE)
