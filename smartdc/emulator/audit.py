"""What was done to a machine, as far as it is finished."""

from typing import Any

from .call import Call
from .clock import iso
from .machine import MACHINE
from .records import Job
from .reply import Reply
from .router import operation

FINISHED = ("succeeded", "failed", "canceled")


@operation("MachineAudit", "GET", f"{MACHINE}/audit", head="HeadAudit")
def machine_audit(call: Call) -> Reply:
    """Return the finished jobs, newest first; a failed one says so, and that is all there is to know."""
    return Reply(200, [view(job) for job in reversed(call.machine.jobs) if job.execution in FINISHED])


def view(job: Job) -> dict[str, Any]:
    """Return the job as CloudAPI writes it."""
    success = "yes" if job.execution == "succeeded" else "no"
    return {"success": success, "time": iso(job.finished), "action": job.action, "caller": job.caller}
