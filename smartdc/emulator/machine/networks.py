"""The networks of a new machine."""

from dataclasses import dataclass
from typing import Any

from smartdc.emulator.core.ids import UUID
from smartdc.emulator.core.javascript import truthy
from smartdc.emulator.core.reply import ApiError, invalid_argument, missing_parameter, not_found
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.state.records import NetworkRecord, PackageRecord

MAX_PUBLIC = 1


@dataclass(slots=True, eq=False)
class RequestedNetwork:
    """A requested network, and the requested address on it, if any."""

    network: NetworkRecord
    ip: str | None = None


def choose_networks(call: Call, package: PackageRecord) -> list[RequestedNetwork]:
    """Return the networks of the request, or of its package, or the default ones: the first public and internal network."""
    requested = call.params.get("networks")
    if not isinstance(requested, list):
        if package.networks is None:
            return _defaults(call)
        requested = package.networks
    chosen: dict[str, RequestedNetwork] = {}
    for place, item in enumerate(requested):
        identity, ip = _read(call, place, item)
        network = next((network for network in call.state.offered_to(call.account) if network.id == identity), None)
        if not network:
            raise invalid_argument("Invalid Networks")
        chosen.setdefault(identity, RequestedNetwork(network, ip))
    return list(chosen.values())


def check_networks(call: Call, networks: list[RequestedNetwork], most: int = MAX_PUBLIC) -> None:
    """Refuse more than ``most`` public networks: 409; and unavailable addresses: 404, 409, 422."""
    public = [each for each in networks if each.network.public]
    if len(public) > most and not call.settings.allow_multiple_public_networks:
        raise invalid_argument(f"Can specify a maximum of {most} public networks")
    for each in networks:
        check_address(each.network, each.ip)
        if each.ip in each.network.taken:
            reason = {"field": "ip", "code": "UsedBy", "message": "IP in use"}
            raise ApiError(422, "InvalidParameters", "Invalid parameters", [reason])


def check_address(network: NetworkRecord, ip: str | None) -> None:
    """Refuse an address outside the network, or managed by it: 404, 409."""
    if ip is None:
        return
    if reason := network.objection(ip):
        raise not_found(f"cannot validate {ip}: {reason}")
    if ip in network.managed:
        raise invalid_argument(f"cannot use {ip} because it is a managed IP")


def _defaults(call: Call) -> list[RequestedNetwork]:
    requested = call.params.get("default_networks")
    kinds = requested if isinstance(requested, list) and requested else ["external", "internal"]
    seen = call.state.offered_to(call.account)
    external = next((network for network in seen if network.public), None)
    # A network with its own NIC tag is neither: machines get it only on request.
    internal = next((network for network in seen if not network.public and _is_internal(network)), None)
    pairs = (("external", external), ("internal", internal))
    return [RequestedNetwork(network) for kind, network in pairs if network and kind in kinds]


def _is_internal(network: NetworkRecord) -> bool:
    return network.nic_tag == "internal" or not (network.nic_tag or network.members)


def _read(call: Call, place: int, item: Any) -> tuple[str, str | None]:
    if isinstance(item, dict) and call.since("7.3.0"):
        return check_network_object(call, item)
    if not isinstance(item, str):
        raise invalid_argument(
            f'property "networks[{place}]": array of strings or objects expected'
            if call.since("7.3.0")
            else "Invalid Networks"
        )
    if not UUID.fullmatch(item):
        # An assertion of CloudAPI's own fails here.
        raise ApiError(500, None, "netUuid (uuid) is required")
    return item, None


def check_network_object(call: Call, item: dict[str, Any]) -> tuple[str, str | None]:
    """Return network id and address of a network object; invalid ones are refused as CloudAPI does."""
    identity = item.get("ipv4_uuid")
    if not truthy(identity):
        raise missing_parameter("network objects must contain ipv4_uuid")
    if not isinstance(identity, str):
        raise invalid_argument("ipv4_uuid must be a string")
    if not UUID.fullmatch(identity.lower()):
        raise invalid_argument(f"ipv4_uuid: {identity} is not a uuid")
    _check_count(item)
    return identity, _read_address(call, identity, item["ipv4_ips"]) if "ipv4_ips" in item else None


def _check_count(item: dict[str, Any]) -> None:
    if "ipv4_count" not in item:
        return
    count = item["ipv4_count"]
    if "ipv4_ips" in item:
        raise invalid_argument("ipv4_count and ipv4_ips cannot be specified together")
    if isinstance(count, bool) or not isinstance(count, int | float):
        raise invalid_argument("ipv4_count must be a number")
    if count != 1:
        raise invalid_argument("ipv4_count can only be set to 1")


def _read_address(call: Call, identity: str, addresses: Any) -> str:
    if not isinstance(addresses, list):
        raise invalid_argument("ipv4_ips must be an array with a single IP")
    if len(addresses) != 1:
        raise invalid_argument(f"ipv4_ips: network with ipv4_uuid {identity} should contain a single IP array")
    if not isinstance(addresses[0], str):
        raise invalid_argument("ipv4_ips[0]: string expected")
    network = next((network for network in call.state.offered_to(call.account) if network.id == identity), None)
    if not network:
        raise not_found(f"ipv4_uuid: network {identity} not found")
    if network.members:
        raise invalid_argument(f"ipv4_uuid: {identity} cannot specify IP on a network pool")
    if not network.owners:
        raise invalid_argument(f"ipv4_uuid: {identity} cannot specify IP on a public network")
    return addresses[0]
