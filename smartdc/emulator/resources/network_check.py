"""NAPI's checks of networks on fabrics; CloudAPI turns every refusal into a 409 InvalidArgument."""

from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Any

from smartdc.emulator.core.reply import invalid_argument
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.resources.vlan import check_texts, refused
from smartdc.emulator.state.records import NetworkRecord

MAX_RESOLVERS = 4
PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
SHORTEST_PREFIX = 8


def check_created(call: Call, params: dict[str, Any]) -> None:
    """Refuse a new network that is inconsistent or conflicts with the account's others."""
    _check_common(params)
    subnet = _read_subnet(params["subnet"])
    if params.get("internet_nat") not in (None, True, False, "true", "false"):
        raise refused("internet_nat", "must be a boolean value")
    _check_range(subnet, params["provision_start_ip"], params["provision_end_ip"], params.get("gateway"))
    if not any(subnet.subnet_of(private) for private in PRIVATE):
        raise refused("subnet", "subnet must be within private ranges")
    _check_neighbours(call, subnet)
    _check_name(call, params["name"], None)


def check_updated(call: Call, params: dict[str, Any], network: NetworkRecord) -> None:
    """Refuse a change that makes a network inconsistent."""
    _check_common(params)
    if "provision_start_ip" in params or "provision_end_ip" in params:
        start = params.get("provision_start_ip", str(network.first))
        _check_range(network.subnet, start, params.get("provision_end_ip", str(network.last)), None)
    if "name" in params:
        _check_name(call, params["name"], network)


def check_resolvers(params: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters; too many DNS servers are a 409."""
    if len(params.get("resolvers") or ()) > MAX_RESOLVERS:
        raise refused("resolvers", f"maximum of {MAX_RESOLVERS} resolvers")
    return params


def _check_common(params: dict[str, Any]) -> None:
    """Check texts and routes, and normalize the ranges of routes as NAPI does."""
    check_texts(params)
    routes = {} if params.get("routes") is None else params["routes"]
    if not isinstance(routes, dict):
        raise refused("routes", "must be an object")
    wrong = [target for target, via in routes.items() if not (_range(target) and _is_address(via))]
    if wrong:
        raise refused("routes", f"invalid route{'s' if len(wrong) > 1 else ''}")
    if params.get("routes") is not None:
        params["routes"] = {_range(target): via for target, via in routes.items()}


def _read_subnet(text: str) -> IPv4Network:
    address, slash, bits = text.partition("/")
    if not slash or "/" in bits:
        raise refused("subnet", "Subnet must be in CIDR form")
    if not _is_address(address):
        raise refused("subnet", "Subnet IP invalid")
    if not (bits.isascii() and bits.isdigit() and SHORTEST_PREFIX <= int(bits[:3]) <= 32):
        raise refused("subnet", "Subnet bits invalid")
    try:
        return IPv4Network(text)
    except ValueError:
        raise refused("subnet", "invalid CIDR format") from None


def _check_range(subnet: IPv4Network, start: str, end: str, gateway: str | None) -> None:
    """Refuse an invalid range, with all its mistakes at once."""
    faults = dict(_faults(subnet, {"provision_start_ip": start, "provision_end_ip": end, "gateway": gateway}))
    if not faults.keys() - {"gateway"} and IPv4Address(start) >= IPv4Address(end):
        words = "provision_start_ip must be before provision_end_ip"
        faults |= {"provision_start_ip": words, "provision_end_ip": words}
    if faults:
        raise invalid_argument(", ".join(f'property "{field}": {faults[field]}' for field in sorted(faults)))


def _faults(subnet: IPv4Network, addresses: dict[str, str | None]) -> Iterator[tuple[str, str]]:
    for field, text in addresses.items():
        if text is None:
            continue
        if IPv4Address(text) not in subnet:
            yield field, f"{field} cannot be outside subnet"
        elif IPv4Address(text) == subnet.broadcast_address and field != "gateway":
            yield field, f"{field} cannot be the broadcast address"


def _check_neighbours(call: Call, subnet: IPv4Network) -> None:
    mine = [each for each in call.state.networks.values() if each.fabric and call.account.id in each.owners]
    if overlapping := [each for each in mine if each.subnet.overlaps(subnet)]:
        fault = 'property "subnet": subnet overlaps with another network'
        raise invalid_argument(", ".join(fault for _ in overlapping))


def _check_name(call: Call, name: str, but: NetworkRecord | None) -> None:
    mine = [each for each in call.state.networks.values() if each.fabric and call.account.id in each.owners]
    if any(each.name == name and each is not but for each in mine):
        raise refused("name", "Already exists")


def _is_address(text: object) -> bool:
    try:
        IPv4Address(text if isinstance(text, str) else "")
    except AddressValueError:
        return False
    return True


def _range(text: str) -> str | None:
    """Return the address or normalized range of a route; None if it is neither."""
    if _is_address(text):
        return text
    try:
        return str(IPv4Network(text, strict=False)) if "/" in text else None
    except ValueError:
        return None
