"""The account's settings in this data centre."""

from typing import Any

from smartdc.emulator.core.ids import UUID
from smartdc.emulator.core.reply import ApiError, Reply, invalid_argument
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation

CONFIG = "/:account/config"


@operation("GetConfig", "GET", CONFIG, head="HeadConfig")
def get_config(call: Call) -> Reply:
    """Return the settings that were ever set."""
    return Reply(200, view(call))


@operation("UpdateConfig", "PUT", CONFIG)
def update_config(call: Call) -> Reply:
    """Set the default network of new machines; any other parameter, also in the query, is a 409."""
    network = call.params.get("default_network")
    for name in call.params:
        if name not in ("account", "default_network"):
            raise invalid_argument(f'property "{name}": unsupported property')
    if network is None:
        raise invalid_argument('property "default_network": is missing and it is required')
    if not isinstance(network, str) or not UUID.fullmatch(network):
        raise invalid_argument('property "default_network": must be a UUID')
    if network not in [each.id for each in call.state.offered_to(call.account)]:
        raise invalid_argument("unknown network")
    if not (call.settings.fabrics and call.account.default_network):
        # The record to be changed does not exist yet: it is created with the account's first fabric network.
        raise ApiError(500, "InternalError", "Config currently unavailable.")
    call.account.default_network = network
    return Reply(200, view(call))


def view(call: Call) -> dict[str, Any]:
    """Return the JSON of the settings."""
    network = call.account.default_network
    return {"default_network": network} if network else {}
