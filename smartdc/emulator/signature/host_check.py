"""The check of the Host header: only requests to a loopback name are answered.

This protects from DNS rebinding, by which a web page makes a browser send requests here under the page's own host name.
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
