"""VLANs on an account's fabric."""

from typing import Any

from smartdc.emulator.core.reply import ApiError, Reply, invalid_argument, not_found
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.pipeline.schema import NAME, Form, Schema, check_schema, whole
from smartdc.emulator.state.records import NetworkRecord, VlanRecord

VLANS = "/:account/fabrics/default/vlans"
VLAN = f"{VLANS}/:vlan_id"

ID = Form("integer", required=True, least=2, most=4095)
CREATE: Schema = {"vlan_id": ID, "name": Form("string", required=True, pattern=NAME), "description": Form("string")}
UPDATE: Schema = {**CREATE, "name": Form("string", pattern=NAME)}
GET: Schema = {"vlan_id": ID}

MAX_ID = 4094
MAX_TEXT = 64


@operation("ListFabricVLANs", "GET", VLANS, head="HeadFabricVLANs")
def list_vlans(call: Call) -> Reply:
    """Return all VLANs, by number."""
    check_fabrics(call)
    mine = [vlan for vlan in call.state.vlans.values() if vlan.owner == call.account.id]
    return Reply(200, [view(vlan) for vlan in sorted(mine, key=lambda vlan: vlan.vlan_id)])


@operation("CreateFabricVLAN", "POST", VLANS)
def create_vlan(call: Call) -> Reply:
    """Create a VLAN; its id must be new, its name need not be."""
    check_fabrics(call)
    params = check_schema(call, CREATE)
    number = _number(params)
    check_texts(params)
    if (call.account.id, number) in call.state.vlans:
        raise refused("vlan_id", "VLAN ID is already in use")
    vlan = VlanRecord(call.account.id, number, params["name"], params.get("description"))
    call.state.vlans[call.account.id, number] = vlan
    return Reply(201, view(vlan))


@operation("GetFabricVLAN", "GET", VLAN, head="HeadFabricVLAN")
def get_vlan(call: Call) -> Reply:
    """Return one VLAN."""
    check_fabrics(call)
    return Reply(200, view(require_vlan(call, check_schema(call, GET))))


@operation("UpdateFabricVLAN", "PUT", VLAN)
def update_vlan(call: Call) -> Reply:
    """Change name and description; the answer is a 202, though the change is made at once."""
    check_fabrics(call)
    params = check_schema(call, UPDATE)
    vlan = require_vlan(call, params)
    check_texts(params)
    vlan.name = params.get("name", vlan.name)
    vlan.description = params.get("description", vlan.description)
    return Reply(202, view(vlan))


@operation("DeleteFabricVLAN", "DELETE", VLAN)
def delete_vlan(call: Call) -> Reply:
    """Delete a VLAN that has no networks."""
    check_fabrics(call)
    vlan = require_vlan(call, check_schema(call, GET))
    if networks := networks_on(call, vlan):
        raise invalid_argument(", ".join(f'In use by network "{network.id}"' for network in networks))
    del call.state.vlans[vlan.owner, vlan.vlan_id]
    return Reply(204)


def view(vlan: VlanRecord) -> dict[str, Any]:
    """Return the JSON of a VLAN."""
    shown: dict[str, Any] = {"name": vlan.name, "vlan_id": vlan.vlan_id}
    return shown if vlan.description is None else {**shown, "description": vlan.description}


def check_fabrics(call: Call) -> None:
    """Refuse operations on fabrics in a data centre without fabrics: 501."""
    if not call.settings.fabrics:
        raise ApiError(501, "NotImplementedError", "fabrics not enabled for this datacenter")


def require_vlan(call: Call, params: dict[str, Any]) -> VlanRecord:
    """Return the VLAN that the parameters name: 404."""
    vlan = call.state.vlans.get((call.account.id, _number(params)))
    if not vlan:
        raise not_found("vlan not found")
    return vlan


def networks_on(call: Call, vlan: VlanRecord) -> list[NetworkRecord]:
    """Return the networks on a VLAN."""
    fabric = [network for network in call.state.networks.values() if network.fabric and vlan.owner in network.owners]
    return [network for network in fabric if network.vlan_id == vlan.vlan_id]


def check_texts(params: dict[str, Any]) -> None:
    """Refuse names and descriptions that are too short or too long for NAPI."""
    for field in ("description", "name"):
        text = params.get(field)
        if text is not None and not text.strip():
            raise refused(field, "must not be empty")
        if text is not None and len(text) > MAX_TEXT:
            raise refused(field, f"must not be longer than {MAX_TEXT} characters")


def refused(field: str, reason: str) -> ApiError:
    """Return the 409 into which CloudAPI turns every refusal of NAPI."""
    return invalid_argument(f'property "{field}": {reason}')


def _number(params: dict[str, Any]) -> int:
    number = whole(params["vlan_id"])
    if number is None or not 0 <= number <= MAX_ID:
        raise refused("vlan_id", f"VLAN ID must be a number between 0 and {MAX_ID}, and not 1")
    return number
