"""Networks that machines can be plugged into."""

from typing import Any

from .call import Call
from .records import Network
from .reply import Reply, not_found
from .router import operation


@operation("ListNetworks", "GET", "/:account/networks", head="HeadNetworks")
def list_networks(call: Call) -> Reply:
    """Return the account's networks; with ``fabric`` only those on fabrics."""
    fabric_only = bool(call.query.get("fabric"))
    return Reply(200, [view(network, call) for network in visible(call) if network.fabric or not fabric_only])


@operation("GetNetwork", "GET", "/:account/networks/:network", head="HeadNetwork")
def get_network(call: Call) -> Reply:
    """Return one network."""
    name = call.text("network")
    found = next((network for network in visible(call) if network.id == name), None)
    if not found:
        raise not_found(f"{name} not found")
    return Reply(200, view(found, call))


def visible(call: Call) -> list[Network]:
    """Return the networks that the account may use."""
    return [network for network in call.state.networks.values() if network.visible_to(call.account.id)]


def view(network: Network, call: Call) -> dict[str, Any]:
    """Return the network as CloudAPI writes it; those on fabrics show more."""
    shown: dict[str, Any] = {"id": network.id, "name": network.name, "public": network.public}
    if network.description:
        shown["description"] = network.description
    if network.fabric:
        shown |= {
            "fabric": True,
            "internet_nat": network.internet_nat,
            "provision_end_ip": str(network.last),
            "provision_start_ip": str(network.first),
            "resolvers": network.resolvers,
            "subnet": str(network.subnet),
            "vlan_id": network.vlan_id,
        }
        shown |= {"gateway": network.gateway} if network.gateway else {}
        shown |= {"routes": network.routes} if network.routes else {}
    if call.settings.cns and call.account.cns_enabled:
        zone = f"{call.account.id}.{call.settings.datacenter}.cns.emulator.invalid"
        shown["suffixes"] = [f"svc.{zone}", f"inst.{zone}"]
    return shown
