"""Kill a client at one of its requests: a server that does so, and a process whose children are clients."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from smartdc.emulator import Emulator, Fault
from smartdc.emulator.core.clock import Clock
from smartdc.emulator.core.message import Request, Response

TESTS = Path(__file__).parents[1]
PATIENCE = 20.0

BEFORE, WHILE, AFTER = "before it is applied", "while it is applied", "after it is applied"


class KillingServer:
    """The core of a server that kills its client at one of its requests.

    `moment` says when: before the request is applied, which then is lost; before, and it is applied all the same; or
    afterwards, instead of the answer.
    """

    def __init__(self, cloud: Emulator) -> None:
        self.cloud = cloud
        self.asked: list[str] = []
        self.arm()

    def arm(self, number: int = 0, moment: str = "", sign: signal.Signals = signal.SIGKILL) -> None:
        """Begin to count requests, and kill at the one of this number; 0 kills at none."""
        self.number, self.moment, self.sign = number, moment, sign
        self.asked.clear()
        self.pid, self.known, self.over, self.handled = 0, threading.Event(), threading.Event(), threading.Event()

    @property
    def clock(self) -> Clock:
        """The clock of the emulator."""
        return self.cloud.clock

    def interrupt(self, head: Request | None = None, *, tls: bool = True) -> Fault | None:
        """Let the emulator say whether a connection ends before anything is asked."""
        return self.cloud.interrupt(head, tls=tls)

    def handle(self, request: Request, pause: Callable[[float], None] | None = None) -> Response:
        """Let the emulator answer, and kill the client if it is time."""
        self.asked.append(request.method)
        if len(self.asked) != self.number:
            return self.cloud.handle(request, pause)
        if self.moment != AFTER:
            self._kill()
        if self.moment != BEFORE:
            self.cloud.handle(request, pause)
        if self.moment == AFTER:
            self._kill()
        self.handled.set()
        return Response(0, [], fault=Fault(kind="reset"))

    def _kill(self) -> None:
        """Kill the client, and let it die before the connection ends: its end would be news of its own."""
        assert self.known.wait(PATIENCE)
        os.kill(self.pid, self.sign)
        self.over.wait(PATIENCE)


class Victims:
    """The process whose children create machines and are killed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @classmethod
    @contextlib.contextmanager
    def born(cls) -> Iterator[Self]:
        """Start the process, and end it."""
        command = [sys.executable, "-m", "kits.victim"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, cwd=TESTS, text=True, **pipes) as process:  # type: ignore[call-overload]
            yield cls(process)
            process.stdin.close()

    def run(self, killer: KillingServer, order: dict[str, Any]) -> int:
        """Carry out one order to its end, and return the exit code; a signal that killed it is negative."""
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(order), file=self._process.stdin, flush=True)
        killer.pid = int(self._process.stdout.readline())
        killer.known.set()
        code = int(self._process.stdout.readline())
        killer.over.set()
        return code
