"""Redirects of browsers to the public documentation; they need no credentials."""

from smartdc.emulator.core.reply import Reply
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation

DOCUMENTATION = "http://apidocs.tritondatacenter.com/"
SERVER = "Cloud API"
"""CloudAPI's name for itself in these redirects only."""


@operation("RedirectRoot", "GET", "/")
@operation("RedirectDocs", "GET", "/docs*")
def redirect(call: Call) -> Reply:  # noqa: ARG001
    """Redirect to the documentation."""
    return Reply(302, headers={"Location": f"{DOCUMENTATION}cloudapi/", "Server": SERVER})


@operation("Favicon", "GET", "/favicon.ico")
def favicon(call: Call) -> Reply:  # noqa: ARG001
    """Redirect to the documentation's icon."""
    return Reply(302, headers={"Location": f"{DOCUMENTATION}favicon.ico", "Server": SERVER})
