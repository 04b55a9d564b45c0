"""The changefeed: a WebSocket that tells an account what becomes of its machines."""

from typing import TYPE_CHECKING, Any

from smartdc.emulator.core.message import Request
from smartdc.emulator.core.reply import ApiError, Reply
from smartdc.emulator.core.versions import parse_range
from smartdc.emulator.machine.view import view
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.pipeline.upgrade import asks_upgrade, upgrade
from smartdc.emulator.state.feed import Listener
from smartdc.emulator.state.records import MachineRecord

if TYPE_CHECKING:
    from smartdc.emulator.pipeline.websocket import WebSocket

VERSION = parse_range("9.14.0")
"""The version whose machines the feed tells of, whatever was asked for."""


@operation("GetChangefeed", "GET", "/:account/changefeed")
def get_changefeed(call: Call) -> Reply:
    """Become a WebSocket that tells of changes, once the client has said of which.

    A handshake that cannot be accepted ends the connection: it brings down the process that runs CloudAPI.
    """
    if not asks_upgrade(call.request):
        raise ApiError(500, None, "Connection Must Upgrade For WebSockets")
    return upgrade(call, lambda websocket: _tell(call, websocket))


def _tell(call: Call, websocket: "WebSocket") -> None:
    account = call.account.id
    transitions = call.transitions

    def describe(machine: MachineRecord) -> dict[str, Any]:
        foreign = Call(Request("GET", "/", {}), call.state, transitions, call.state.clock.time(), range=VERSION)
        return {**view(machine, foreign, alone=False), "package": ""}

    def settle() -> None:
        # A job that is due changes its machine, though nobody asks about that one just now.
        with transitions.lock:
            transitions.settle()

    with call.state.feed.listening(Listener(account, websocket, describe)) as listener:
        websocket.run(listener.hear, settle)
