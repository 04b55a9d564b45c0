"""The services of the data centre."""

from smartdc.emulator.core.reply import Reply
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.resources.datacenter import here


@operation("ListServices", "GET", "/:account/services")
def list_services(call: Call) -> Reply:
    """Return URLs by name."""
    return Reply(200, {"cloudapi": here(call), **call.settings.services})
