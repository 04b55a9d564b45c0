"""The addresses of a network that are in use or reserved, and their reservation.

NAPI keeps a row for every address ever used. It pages through the rows and filters free ones out afterwards, so a page
may be short or empty long before the last one.
"""

from ipaddress import AddressValueError, IPv4Address
from typing import Any

from smartdc.emulator.core.reply import Reply, invalid_argument, missing_parameter, not_found
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.pipeline.schema import whole
from smartdc.emulator.resources.network import NETWORKS, require_network
from smartdc.emulator.resources.vlan import refused
from smartdc.emulator.state.records import NetworkRecord

IPS = f"{NETWORKS}/:id/ips"
IP = f"{IPS}/:ip_address"

MAX_LIMIT = 1000


@operation("ListNetworkIPs", "GET", IPS, head="HeadNetworkIPs")
def list_ips(call: Call) -> Reply:
    """Return a page of the addresses not free; on a network open to every account only the account's own."""
    network = _require_network(call)
    limit = _limit(call)
    offset = _offset(call)
    rows = sorted(_rows(call, network), key=IPv4Address)[offset : offset + limit]
    shown = [view(call, network, row) for row in rows if _is_used(network, row)]
    return Reply(200, shown, {"x-query-limit": str(limit), "x-resource-count": str(len(shown))})


@operation("GetNetworkIP", "GET", IP, head="HeadNetworkIP")
def get_ip(call: Call) -> Reply:
    """Return one address, free or not; on a network open to every account only the account's own."""
    network = _require_network(call)
    address = _require_address(call, network)
    if not network.owners and _owner(call, network, address) != call.account.id:
        raise not_found(f"{address} not found")
    return Reply(200, view(call, network, address))


@operation("UpdateNetworkIP", "PUT", IP)
def update_ip(call: Call) -> Reply:
    """Reserve an address, or end its reservation."""
    network = _require_network(call)
    reserved = _reserved(call)
    if not network.owners:
        raise invalid_argument(f"cannot update an IP on a public network: {network.id}")
    address = _require_address(call, network)
    if address in network.managed:
        raise invalid_argument(f"cannot update managed IP: {address}")
    if _owner(call, network, address) not in (None, call.account.id):
        raise invalid_argument(f"IP {address} on network {network.id} is in use by another account")
    _reserve(network, address, reserved)
    return Reply(200, view(call, network, address))


def view(call: Call, network: NetworkRecord, address: str) -> dict[str, Any]:
    """Return the JSON of an address, with its owner if that is an account."""
    managed = address in network.managed
    shown: dict[str, Any] = {"ip": address, "reserved": managed or address in network.reserved, "managed": managed}
    owner = _owner(call, network, address)
    if owner and not managed:
        shown["owner_uuid"] = owner
        if owner == call.account.id and address in network.taken:
            shown["belongs_to_uuid"] = network.taken[address]
    return shown


def _rows(call: Call, network: NetworkRecord) -> set[str]:
    """Return the addresses with a row in NAPI; two are just outside the range for machines."""
    if not network.owners:
        return {
            address
            for address in network.taken.keys() | network.owned.keys()
            if _owner(call, network, address) == call.account.id
        }
    edges = {str(network.first - 1), str(network.last + 1)}
    return edges | network.managed | network.reserved | network.freed | network.owned.keys() | network.taken.keys()


def _is_used(network: NetworkRecord, address: str) -> bool:
    return address in network.taken or address in network.reserved or address in network.managed


def _owner(call: Call, network: NetworkRecord, address: str) -> str | None:
    """Return the id of the account that uses an address."""
    holder = call.state.holder(network.taken.get(address, ""))
    return holder.owner if holder else network.owned.get(address)


def _reserve(network: NetworkRecord, address: str, reserved: bool) -> None:
    if reserved:
        network.reserved.add(address)
    elif address in network.reserved:
        network.reserved.remove(address)
        network.freed.add(address)


def _require_network(call: Call) -> NetworkRecord:
    network = require_network(call, call.text("id"))
    if network.members:
        raise invalid_argument(f"cannot get IPs in a network pool: {network.id}")
    return network


def _require_address(call: Call, network: NetworkRecord) -> str:
    try:
        address = IPv4Address(call.text("ip_address"))
    except AddressValueError:
        raise not_found("Invalid IP address") from None
    if address not in network.subnet:
        raise not_found("IP is not in subnet")
    return str(address)


def _reserved(call: Call) -> bool:
    if "reserved" not in call.params:
        raise missing_parameter("reserved is a required argument")
    value = call.params["reserved"]
    if not isinstance(value, bool) and value not in ("true", "false"):
        raise invalid_argument("reserved must be set to true or false")
    return value in (True, "true")


def _limit(call: Call) -> int:
    number = whole(call.params.get("limit") or MAX_LIMIT)
    if number is None or not 1 <= number <= MAX_LIMIT:
        words = "invalid limit, must be an integer greater than 0 or less than or equal to 1000"
        raise refused("limit", words)
    return number


def _offset(call: Call) -> int:
    number = whole(call.params.get("offset") or 0)
    if number is None or number < 0:
        raise refused("offset", "invalid value, offset must be an integer greater than or equal to 0")
    return number
