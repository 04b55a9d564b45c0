"""The screen of a hardware virtual machine, over a WebSocket: it sends VNC's greeting, and echoes what it receives."""

from typing import TYPE_CHECKING

from smartdc.emulator.core.reply import ApiError, Reply
from smartdc.emulator.machine.machine import MACHINE
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.pipeline.upgrade import asks_upgrade, upgrade

if TYPE_CHECKING:
    from smartdc.emulator.pipeline.websocket import WebSocket

GREETING = b"RFB 003.008\n"
PROTOCOLS = ("binary", "rfb")

_REASON = b'{"code":"InternalServerError","message":""}'
REJECTION = (
    b"HTTP/1.1 500 Upgrade Rejected\r\nConnection: close\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_REASON), _REASON)
)
"""The answer to a handshake that cannot be accepted."""


@operation("ConnectMachineVNC", "GET", f"{MACHINE}/vnc")
def connect_vnc(call: Call) -> Reply:
    """Upgrade to a WebSocket to the screen of a running kvm or bhyve machine; CloudAPI's messages begin with a stray null."""
    machine = call.machine
    if not machine.hvm:
        message = f"null Instance type {machine.brand} does not support VNC connections"
        raise ApiError(400, "MachineHasNoVNCError", message)
    if machine.state != "running":
        raise ApiError(400, "MachineStoppedError", "null Cannot connect to a stopped machine")
    if not asks_upgrade(call.request):
        message = "null VNC connect endpoint is a websocket and must be upgraded"
        raise ApiError(400, "UpgradeRequiredError", message)
    return upgrade(call, lambda websocket: _show(call, websocket), PROTOCOLS, REJECTION)


def _show(call: Call, websocket: "WebSocket") -> None:
    machine, transitions = call.machine, call.transitions

    def echo(message: str | bytes) -> None:
        if isinstance(message, bytes):
            websocket.send(message)

    def watch() -> None:
        with transitions.lock:
            transitions.settle()
        if machine.state != "running":
            websocket.end("Remote connection closed")

    websocket.send(GREETING)
    websocket.run(echo, watch)
