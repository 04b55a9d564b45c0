"""The changefeed: a WebSocket that reports the changes of an account's machines."""

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
"""The version in which the feed shows machines, whatever version the client asked for."""


@operation("GetChangefeed", "GET", "/:account/changefeed")
def get_changefeed(call: Call) -> Reply:
    """Upgrade to a WebSocket that reports changes once the client has registered for them.

    A handshake that cannot be accepted ends the connection: in CloudAPI it crashes the server's process.
    """
    if not asks_upgrade(call.request):
        raise ApiError(500, None, "Connection Must Upgrade For WebSockets")
    return upgrade(call, lambda websocket: _report(call, websocket))


def _report(call: Call, websocket: "WebSocket") -> None:
    account = call.account.id
    transitions = call.transitions

    def describe(machine: MachineRecord) -> dict[str, Any]:
        foreign = Call(Request("GET", "/", {}), call.state, transitions, call.state.clock.time(), range=VERSION)
        return {**view(machine, foreign, alone=False), "package": ""}

    def settle() -> None:
        # Jobs that are due must end here too: no request may come in just now.
        with transitions.lock:
            transitions.settle()

    with call.state.feed.listening(Listener(account, websocket, describe)) as listener:
        websocket.run(listener.hear, settle)
