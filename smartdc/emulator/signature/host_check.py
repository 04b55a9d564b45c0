"""Who may speak to an emulator at all: only somebody who reaches it by a name of this machine.

A web page on another site can make a browser send requests here under a name of its own; the Host header tells.
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
            f"This emulator answers to {', '.join(sorted(HOSTS))}, and not to the host {request.host!r}.",
        )
