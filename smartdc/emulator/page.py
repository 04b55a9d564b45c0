"""The emulator's page for browsers, which shows machines, jobs and requests as they happen, and changes nothing.

The page is one file that loads nothing else, and contains no data. Its script calls the control ``GET page`` twice a
second, with the token after the ``#`` of the page's URL, a part that browsers do not send. The script inserts all data
as text, and the security policy allows no other script, and no markup from strings.
"""

import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable
from hashlib import sha256
from importlib.resources import files
from operator import attrgetter
from typing import Any, Protocol

from smartdc.emulator.core.clock import Clock, VirtualClock
from smartdc.emulator.core.reply import Reply
from smartdc.emulator.state.records import Job, MachineRecord
from smartdc.emulator.state.state import State

__all__ = ["page_data", "page_reply"]

MAX_MACHINES = 200
MAX_DEAD = 20
"""How many deleted and failed machines are shown beside the living ones."""
MAX_JOBS = 50
MAX_REQUESTS = 200

HTML = files("smartdc.emulator").joinpath("page.html").read_text(encoding="utf-8")


def _digest(element: str) -> str:
    """Return the hash by which the security policy allows the page's only element of this name."""
    [text] = re.findall(rf"<{element}>(.*?)</{element}>", HTML, re.DOTALL)
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


POLICY = "; ".join(
    [
        "default-src 'none'",
        f"script-src {_digest('script')}",
        f"style-src {_digest('style')}",
        "img-src data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)

HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Entry(Protocol):
    """A request in the trace."""

    operation: str | None
    method: str
    path: str
    status: int
    account: str | None
    fault: str | None


def page_reply() -> Reply:
    """Return the page, which is the same for everybody and shows nothing without the token."""
    return Reply(200, HTML.encode(), dict(HEADERS))


def page_data(state: State, trace: list[Any], clock: Clock, login: str, faults: int) -> dict[str, Any]:
    """Return the data of the page: the newest machines, jobs and requests, and the number of each."""
    now = clock.time()
    machines = [*state.machines.values()]
    living = [machine for machine in machines if machine.alive]
    dead = [machine for machine in machines if not machine.alive]
    shown = sorted([*living[-MAX_MACHINES:], *dead[-MAX_DEAD:]], key=attrgetter("created"), reverse=True)
    jobs = sorted(_recent_jobs([*shown, *state.workers.values()]), key=attrgetter("queued"), reverse=True)
    first = max(0, len(trace) - MAX_REQUESTS)
    return {
        "account": login,
        "time": now,
        "clock": "virtual" if isinstance(clock, VirtualClock) else "system",
        "faults": faults,
        "states": dict(Counter(machine.state for machine in machines).most_common()),
        "machines": [_machine(machine, now) for machine in shown],
        "jobs": [_job(job, now) for job in jobs[:MAX_JOBS]],
        "requests": [_request(number, entry) for number, entry in enumerate(trace[first:], first + 1)][::-1],
    }


def _recent_jobs(machines: Iterable[MachineRecord]) -> list[Job]:
    """Return the unfinished jobs of machines, and at least the last three jobs of each."""
    return [job for machine in machines for job in machine.jobs[-max(3, len(machine.pending)) :]]


def _machine(machine: MachineRecord, now: float) -> dict[str, Any]:
    address = next((nic.ip for nic in machine.ready_nics), "")
    return {
        "name": machine.name,
        "state": machine.state,
        "address": address,
        "age": now - machine.created,
        "id": machine.id,
    }


def _job(job: Job, now: float) -> dict[str, Any]:
    ended = job.execution in ("succeeded", "failed")
    return {
        "action": job.action,
        "machine": job.machine.name,
        "state": job.execution,
        "seconds": 0.0 if job.execution == "queued" else (job.finished if ended else now) - job.started,
        "error": job.error if ended else None,
    }


def _request(number: int, entry: Entry) -> dict[str, Any]:
    return {
        "number": number,
        "operation": entry.operation or f"{entry.method} (no operation)",
        "status": entry.status,
        "who": entry.account,
        "fault": entry.fault,
        "path": f"{entry.method} {entry.path}",
    }
