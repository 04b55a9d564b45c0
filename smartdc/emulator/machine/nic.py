"""Network interfaces of a machine: added and removed by jobs that reboot it."""

import re
from itertools import chain

from smartdc.emulator.core.ids import UUID
from smartdc.emulator.core.reply import ApiError, Reply, invalid_argument, missing_parameter, not_authorized, not_found
from smartdc.emulator.machine.action import refuse_unallocated
from smartdc.emulator.machine.machine import MACHINE
from smartdc.emulator.machine.networks import check_address, check_network_object
from smartdc.emulator.machine.view import nic_view
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.state.records import MachineRecord, NetworkRecord, NicRecord
from smartdc.emulator.state.transitions import JobFailed

NICS = f"{MACHINE}/nics"
NIC = f"{NICS}/:mac"

_MAC = re.compile(r"[0-9a-f]{12}", re.IGNORECASE)


@operation("ListNics", "GET", NICS, head="HeadNics")
def list_nics(call: Call) -> Reply:
    """Return all interfaces, including those being added."""
    nics = _nics_of(call.machine)
    return Reply(200, [nic_view(nic, call.machine) for nic in nics], {"x-resource-count": str(len(nics))})


@operation("GetNic", "GET", NIC, head="HeadNic")
def get_nic(call: Call) -> Reply:
    """Return one interface; CloudAPI does not check that it belongs to the machine in the path."""
    machine, nic = _require(call)
    return Reply(200, nic_view(nic, machine))


@operation("AddNic", "POST", NICS)
def add_nic(call: Call) -> Reply:
    """Add an interface; if the machine already has one on that network, the answer is a 302 to it."""
    identity, ip = _requested(call)
    network = _require_network(call, identity)
    if existing := _existing_nic(call, identity):
        return Reply(302, headers=_location(call, existing))
    _check_server(call, network)
    if call.machine.state == "deleted":
        raise not_found("VM not found")
    _check_address(network, ip)
    refuse_unallocated(call, "add_nics")
    primary = call.params.get("primary") in (True, "true")
    nic = call.state.new_nic(network, call.machine.id, primary=primary, ip=ip)
    nic.ready = False
    call.machine.nics.append(nic)
    call.queue(
        "add_nics",
        lambda machine: _plug(machine, nic),
        during=_state_while_rebooting(call.machine),
        undo=lambda machine: _drop(call, machine, nic),
    )
    return Reply(201, nic_view(nic, call.machine), _location(call, nic))


@operation("RemoveNic", "DELETE", NIC)
def remove_nic(call: Call) -> Reply:
    """Remove an interface from the path's machine; the job fails if it is on another machine."""
    _, nic = _require(call)
    refuse_unallocated(call, "remove_nics")
    during = _state_while_rebooting(call.machine)
    call.queue("remove_nics", lambda machine: _unplug(call, machine, nic), during=during)
    return Reply(204)


def _requested(call: Call) -> tuple[str, str | None]:
    """Return the requested network and, if given, the requested address."""
    network = call.params.get("network")
    if network in (None, "", 0):
        raise missing_parameter("network must be specified")
    if isinstance(network, str):
        if not UUID.fullmatch(network.lower()):
            raise invalid_argument("network argument has invalid format")
        return network, None
    if not isinstance(network, dict | list):
        raise invalid_argument("network argument must be a network object or string")
    return check_network_object(call, network if isinstance(network, dict) else {})


def _require_network(call: Call, identity: str) -> NetworkRecord:
    """Return the network or pool; another account's network is a 403, its pool a 409."""
    network = call.state.networks.get(identity)
    if not network or (network.members and not network.visible_to(call.account.id)):
        raise invalid_argument("network not found")
    if not network.visible_to(call.account.id):
        raise not_authorized("owner cannot provision on network")
    return network


def _existing_nic(call: Call, identity: str) -> NicRecord | None:
    """Return the interface on that network; a pool has none, since interfaces are on its members."""
    found = [nic for nic in _nics_of(call.machine) if nic.network == identity]
    if len(found) > 1:
        raise ApiError(500, "InternalError", "VM has multiple NICs on that network")
    return found[0] if found else None


def _check_server(call: Call, network: NetworkRecord) -> None:
    """Refuse a network that the machine's server is not connected to: 409 InvalidArgument."""
    node = call.state.compute_nodes.get(call.machine.compute_node or "")
    if node and not node.is_connected_to(network):
        raise invalid_argument("Server does not support that network")


def _check_address(network: NetworkRecord, ip: str | None) -> None:
    """Refuse an unavailable address: 404, 409, 422."""
    check_address(network, ip)
    if ip in network.taken:
        reasons = [{"field": "ip", "code": "UsedBy", "message": "IP in use"}]
        raise ApiError(422, "InvalidParameters", "Invalid parameters", reasons)


def _require(call: Call) -> tuple[MachineRecord, NicRecord]:
    text = call.text("mac")
    if not _MAC.match(text):
        raise invalid_argument("mac has invalid format")
    mac = ":".join(text.lower()[place : place + 2] for place in range(0, 12, 2))
    # The machine of the path comes first, since that is where the interface usually is.
    machines = chain([call.machine], call.state.machines_of(call.account))
    mine = ((machine, nic) for machine in machines for nic in _nics_of(machine))
    found = next(((machine, nic) for machine, nic in mine if nic.mac == mac), None)
    if not found or text[12:]:
        raise not_found("nic not found")
    return found


def _nics_of(machine: MachineRecord) -> list[NicRecord]:
    return [] if machine.state in ("deleted", "failed") else machine.nics


def _location(call: Call, nic: NicRecord) -> dict[str, str]:
    return call.location("machines", call.machine.id, "nics", nic.mac.replace(":", ""))


def _state_while_rebooting(machine: MachineRecord) -> str | None:
    return "ready" if machine.state == "running" else None


def _plug(machine: MachineRecord, nic: NicRecord) -> None:
    nic.ready = True
    for other in machine.nics if nic.primary else ():
        other.primary = other is nic


def _unplug(call: Call, machine: MachineRecord, nic: NicRecord) -> None:
    if nic not in machine.nics:
        raise JobFailed(f"NIC {nic.mac} is not on this machine")
    _drop(call, machine, nic)


def _drop(call: Call, machine: MachineRecord, nic: NicRecord) -> None:
    """Remove an interface, and free its address unless another machine has it by now."""
    machine.nics = [other for other in machine.nics if other is not nic]
    network = call.state.networks.get(nic.network)
    if network and network.taken.get(nic.ip) == machine.id:
        call.state.release([nic])
