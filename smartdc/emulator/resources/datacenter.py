"""Data centres: this one, and the others it knows."""

from smartdc.emulator.core.reply import Reply, not_found
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation


@operation("ListDatacenters", "GET", "/:account/datacenters")
def list_datacenters(call: Call) -> Reply:
    """Return URLs by name; this data centre's is the one of the request."""
    return Reply(200, known(call), {"Triton-Datacenter-Name": call.settings.datacenter})


@operation("GetDatacenter", "GET", "/:account/datacenters/:dc")
def get_datacenter(call: Call) -> Reply:
    """Redirect to a data centre's URL."""
    name = call.text("dc")
    url = known(call).get(name)
    if not url:
        raise not_found(f"{name} is not an available datacenter")
    # The space in front comes from CloudAPI, whose message has an empty format.
    return Reply(302, {"code": "ResourceMoved", "message": f" {name} {url}"}, {"Location": url})


@operation("ListForeignDatacenters", "GET", "/:account/foreigndatacenters")
def list_foreign(call: Call) -> Reply:  # noqa: ARG001
    """Refuse: this needs an application's token, and the emulator has no tokens."""
    message = "method requires HTTP signature auth token delegated authorization"
    return Reply(403, {"code": "Forbidden", "message": message})


@operation("AddForeignDatacenter", "POST", "/:account/foreigndatacenters")
def add_foreign(call: Call) -> Reply:
    """Refuse for the same reason."""
    return list_foreign(call)


def known(call: Call) -> dict[str, str]:
    """Return the URLs of all data centres by name."""
    return {call.settings.datacenter: here(call), **call.settings.elsewhere}


def here(call: Call) -> str:
    """Return the URL by which the request reached this emulator."""
    return f"{call.request.scheme}://{call.request.host}"
