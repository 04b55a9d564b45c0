"""Networks, and those on fabrics, which accounts create and change themselves."""

from ipaddress import IPv4Network
from typing import Any

from smartdc.emulator.core.reply import ApiError, Reply, invalid_argument, not_found
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.pipeline.schema import ADDRESS, IDENTITY, NAME, Form, Schema, check_schema
from smartdc.emulator.resources.network_check import check_created, check_resolvers, check_updated
from smartdc.emulator.resources.vlan import GET as ON_VLAN
from smartdc.emulator.resources.vlan import ID, VLAN, check_fabrics, networks_on, require_vlan
from smartdc.emulator.state.records import NetworkRecord

NETWORKS = "/:account/networks"
FABRIC_NETWORKS = f"{VLAN}/networks"
FABRIC_NETWORK = f"{FABRIC_NETWORKS}/:id"

TEXT, QUAD = Form("string"), Form("string", pattern=ADDRESS)
NEEDED = Form("string", required=True, pattern=ADDRESS)
RESOLVERS = Form("array", items=QUAD)

GET: Schema = {"vlan_id": ID, "id": Form("string", pattern=IDENTITY)}
CREATE: Schema = {
    "name": Form("string", required=True, pattern=NAME),
    "description": TEXT,
    "subnet": Form("string", required=True),
    "internet_nat": Form(),
    "provision_start_ip": NEEDED,
    "provision_end_ip": NEEDED,
    "gateway": QUAD,
    "resolvers": RESOLVERS,
    "routes": Form("object"),
    "vlan_id": ID,
}
UPDATE: Schema = {
    "id": Form("string", required=True, pattern=IDENTITY),
    "name": Form("string", pattern=NAME),
    "routes": Form("object"),
    "description": TEXT,
    "resolvers": RESOLVERS,
    "provision_start_ip": QUAD,
    "provision_end_ip": QUAD,
    "vlan_id": ID,
}
"""In CloudAPI's order of checks, which decides the first mistake it reports."""


@operation("ListNetworks", "GET", NETWORKS, head="HeadNetworks")
def list_networks(call: Call) -> Reply:
    """Return the account's networks and pools, but no members of pools; with ``fabric`` only those on fabrics."""
    fabric_only = bool(call.query.get("fabric"))
    listed = [network for network in call.state.offered_to(call.account) if network.fabric or not fabric_only]
    return Reply(200, [view(network, call) for network in listed])


@operation("GetNetwork", "GET", f"{NETWORKS}/:network", head="HeadNetwork")
def get_network(call: Call) -> Reply:
    """Return one network; members of a pool are among them, though no list has them."""
    return Reply(200, view(require_network(call, call.text("network")), call))


@operation("ListFabricNetworks", "GET", FABRIC_NETWORKS, head="HeadFabricNetworks")
def list_fabric_networks(call: Call) -> Reply:
    """Return the networks on a VLAN."""
    check_fabrics(call)
    vlan = require_vlan(call, check_schema(call, ON_VLAN))
    return Reply(200, [view(network, call, suffixes=False) for network in networks_on(call, vlan)])


@operation("CreateFabricNetwork", "POST", FABRIC_NETWORKS)
def create_fabric_network(call: Call) -> Reply:
    """Create a network on a VLAN; with NAT and no gateway the first address becomes the gateway."""
    check_fabrics(call)
    params = check_resolvers(check_schema(call, CREATE))
    vlan = require_vlan(call, params)
    check_created(call, params)
    nat = params.get("internet_nat")
    network = NetworkRecord(
        call.state.ids.uuid("network"),
        params["name"],
        IPv4Network(params["subnet"]),
        params.get("gateway") or (params["provision_start_ip"] if nat in (True, "true") else None),
        fabric=True,
        owners=[call.account.id],
        vlan_id=vlan.vlan_id,
        internet_nat=nat in (None, True, "true"),
    )
    _change(network, params)
    call.state.networks[network.id] = network
    return Reply(201, view(network, call, suffixes=False))


@operation("GetFabricNetwork", "GET", FABRIC_NETWORK, head="HeadFabricNetwork")
def get_fabric_network(call: Call) -> Reply:
    """Return one network of a fabric."""
    check_fabrics(call)
    return Reply(200, view(_require_fabric_network(call, check_schema(call, GET)), call, suffixes=False))


@operation("UpdateFabricNetwork", "PUT", FABRIC_NETWORK)
def update_fabric_network(call: Call) -> Reply:
    """Change a network, except its subnet, gateway and NAT."""
    check_fabrics(call)
    if call.body.get("id"):
        raise invalid_argument('property "id": cannot be set')
    params = check_resolvers(check_schema(call, UPDATE))
    network = _require_fabric_network(call, params)
    check_updated(call, params, network)
    _change(network, params)
    return Reply(200, view(network, call, suffixes=False))


@operation("DeleteFabricNetwork", "DELETE", FABRIC_NETWORK)
def delete_fabric_network(call: Call) -> Reply:
    """Delete a network without machines that is not the account's default."""
    check_fabrics(call)
    params = check_schema(call, GET)
    default = call.account.default_network
    if not default:
        raise ApiError(500, None, "Could not get default network")
    if params["id"] == default:
        raise invalid_argument("cannot delete default network")
    network = _require_fabric_network(call, params)
    if macs := _macs_on(call, network):
        raise invalid_argument(", ".join(f'In use by nic "{mac}"' for mac in macs))
    del call.state.networks[network.id]
    return Reply(204)


def require_network(call: Call, identity: str) -> NetworkRecord:
    """Return a network or pool that the account can see: 404."""
    found = next((network for network in visible(call) if network.id == identity), None)
    if not found:
        raise not_found(f"{identity} not found")
    return found


def visible(call: Call) -> list[NetworkRecord]:
    """Return the networks and pools that the account may use, members of pools included."""
    return call.state.networks_of(call.account)


def view(network: NetworkRecord, call: Call, *, suffixes: bool = True) -> dict[str, Any]:
    """Return the JSON of a network; those on fabrics have more fields."""
    shown: dict[str, Any] = {"id": network.id, "name": network.name, "public": network.public}
    if network.description:
        shown["description"] = network.description
    if network.fabric:
        shown |= _fabric_view(network)
    if suffixes and call.settings.cns and call.account.cns_enabled:
        zone = f"{call.account.id}.{call.settings.datacenter}.cns.emulator.invalid"
        shown["suffixes"] = [f"svc.{zone}", f"inst.{zone}"]
    return shown


def _fabric_view(network: NetworkRecord) -> dict[str, Any]:
    shown = {
        "fabric": True,
        "internet_nat": network.internet_nat,
        "provision_end_ip": str(network.last),
        "provision_start_ip": str(network.first),
        "resolvers": network.resolvers,
        "subnet": str(network.subnet),
        "vlan_id": network.vlan_id,
    }
    gateway = {"gateway": network.gateway} if network.gateway else {}
    return shown | gateway | ({"routes": network.routes} if network.routes else {})


def _change(network: NetworkRecord, params: dict[str, Any]) -> None:
    network.name = params.get("name", network.name)
    network.description = params.get("description", network.description)
    network.start = params.get("provision_start_ip", network.start)
    network.end = params.get("provision_end_ip", network.end)
    network.resolvers = params.get("resolvers", network.resolvers)
    if params.get("routes") is not None:
        network.routes = params["routes"]


def _require_fabric_network(call: Call, params: dict[str, Any]) -> NetworkRecord:
    vlan = require_vlan(call, params)
    found = next((network for network in networks_on(call, vlan) if network.id == params["id"]), None)
    if not found:
        raise not_found("network not found")
    return found


def _macs_on(call: Call, network: NetworkRecord) -> list[str]:
    holders = [call.state.holder(machine) for machine in set(network.taken.values())]
    return sorted(nic.mac for holder in holders if holder for nic in holder.nics if nic.network == network.id)
