"""The audit of a machine: its finished jobs."""

from typing import Any

from smartdc.emulator.core.clock import iso
from smartdc.emulator.core.reply import Reply
from smartdc.emulator.machine.machine import MACHINE
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.state.records import Job

FINISHED = ("succeeded", "failed", "canceled")


@operation("MachineAudit", "GET", f"{MACHINE}/audit", head="HeadAudit")
def machine_audit(call: Call) -> Reply:
    """Return the finished jobs, newest first; a failed job has no reason."""
    return Reply(200, [view(job) for job in reversed(call.machine.jobs) if job.execution in FINISHED])


def view(job: Job) -> dict[str, Any]:
    """Return the JSON of a job."""
    success = "yes" if job.execution == "succeeded" else "no"
    return {"success": success, "time": iso(job.finished), "action": job.action, "caller": job.caller}
