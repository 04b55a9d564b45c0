"""The paths that lead a browser to the public documentation; they need no credentials."""

from .call import Call
from .reply import Reply
from .router import operation

DOCUMENTATION = "http://apidocs.tritondatacenter.com/"


@operation("RedirectRoot", "GET", "/")
@operation("RedirectDocs", "GET", "/docs*")
def redirect(call: Call) -> Reply:  # noqa: ARG001
    """Send the browser to the documentation."""
    return Reply(302, headers={"Location": f"{DOCUMENTATION}cloudapi/"})


@operation("Favicon", "GET", "/favicon.ico")
def favicon(call: Call) -> Reply:  # noqa: ARG001
    """Send the browser to the icon of the documentation."""
    return Reply(302, headers={"Location": f"{DOCUMENTATION}favicon.ico"})
