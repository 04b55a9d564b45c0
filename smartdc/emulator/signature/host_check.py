"""The checks of Host and Origin: requests must name a loopback host, and no foreign web page may call the controls.

The first check protects against DNS rebinding, in which a web page makes a browser send requests here under the page's
own host name. The second protects against what a foreign page sends here openly.
"""

from smartdc.emulator.core.message import IN_PROCESS_HOST, Request
from smartdc.emulator.core.reply import ApiError

HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]", IN_PROCESS_HOST})


def check_host(request: Request) -> None:
    """Refuse a foreign Host header with a 421; the port does not matter."""
    name = request.host.lower()
    if name.rpartition(":")[2].isdigit() and not name.endswith("]"):
        name = name.rpartition(":")[0]
    if name not in HOSTS:
        raise ApiError(
            421,
            "MisdirectedRequestError",
            f"unknown host {request.host!r}; expected one of {', '.join(sorted(HOSTS))}",
        )


def check_origin(request: Request) -> None:
    """Refuse with a 403 what a browser sends for a page of another origin; other programs send no Origin."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site", "none")
    if origin not in (None, f"{request.scheme}://{request.host}") or site not in ("none", "same-origin"):
        raise ApiError(403, "NotAuthorized", "pages of other origins may not use the controls")
