"""The services of the data centre."""

from .call import Call
from .datacenter import here
from .reply import Reply
from .router import operation


@operation("ListServices", "GET", "/:account/services")
def list_services(call: Call) -> Reply:
    """Return URLs by name."""
    return Reply(200, {"cloudapi": here(call), **call.settings.services})
