"""Machines: listed, read and deleted.

``machine/create.py`` creates them, ``machine/action.py`` has the actions, ``machine/view.py`` their JSON.
"""

import json
import re
from collections.abc import Callable, Sequence
from itertools import islice

from smartdc.emulator.core.ids import UUID
from smartdc.emulator.core.javascript import written
from smartdc.emulator.core.reply import ApiError, Reply, invalid_argument, validation_failed
from smartdc.emulator.machine.view import view
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.state.records import MachineRecord

MACHINES = "/:account/machines"
MACHINE = "/:account/machines/:machine"

Test = Callable[[MachineRecord], bool]

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
BRANDS = ("bhyve", "joyent", "joyent-minimal", "kvm", "lx")
MAX_LIMIT = 1000
_STATES = {
    "provisioning": "active",
    "stopping": "active",
    "active": "active",
    "stopped": "stopped",
    "running": "running",
    "unknown": "unknown",
    "destroyed": "deleted",
}
"""The values of the state filter, with the state that each selects."""


@operation("ListMachines", "GET", MACHINES, head="HeadMachines")
def list_machines(call: Call) -> Reply:
    """List a page of the account's machines."""
    refuse_two_images(call)
    if call.params.get("tags") == "*":
        return _page(call, [machine for machine in call.state.machines_of(call.account) if machine.tags], {})
    state = _state_filter(call)
    tests = [*_state_tests(state), *_filters(call)]
    limit = _number(call, "limit", MAX_LIMIT, 1, MAX_LIMIT)
    offset = _number(call, "offset", 0, 0, None)
    found = _slice(_candidates(call, state), tests, offset, offset + limit)
    return _page(call, found, {"x-query-limit": str(limit)})


@operation("GetMachine", "GET", MACHINE, head="HeadMachine")
def get_machine(call: Call) -> Reply:
    """Return one machine; a deleted one is a 410 whose body is the machine."""
    return deleted_reply(call) or Reply(200, view(call.machine, call))


@operation("DeleteMachine", "DELETE", MACHINE)
def delete_machine(call: Call) -> Reply:
    """Queue the deletion of a machine, in any state."""
    machine = call.machine
    if answer := deleted_reply(call):
        return answer
    if machine.deletion_protection:
        raise ApiError(
            409, "CannotDestroyMachineError", 'Instance has "deletion_protection" enabled, preventing deletion'
        )
    if any(job.action == "destroy" for job in machine.pending):
        return Reply(204)
    if not machine.compute_node:
        raise ApiError(409, "ConflictError", "Cannot delete a VM with no server_uuid")
    call.queue("destroy", lambda machine: _destroy(call, machine))
    return Reply(204)


def refuse_two_images(call: Call) -> None:
    """Refuse a request with both ``image`` and ``dataset``: 409 InvalidArgument."""
    if call.params.get("image") and call.params.get("dataset"):
        raise invalid_argument("image and dataset are mutually exclusive parameters.")


def deleted_reply(call: Call) -> Reply | None:
    """Return the 410 of a deleted machine; None for any other."""
    if call.machine.state == "deleted":
        return Reply(410, view(call.machine, call))
    return None


def unallocated(action: str) -> ApiError:
    """Return VMAPI's 409 for a machine that is not provisioned yet."""
    return ApiError(409, "UnallocatedVM", f"Cannot call {action} for a VM that has not been provisioned yet")


def _destroy(call: Call, machine: MachineRecord) -> None:
    machine.state = "deleted"
    call.state.release(machine.nics)


def _candidates(call: Call, state: str | None) -> Sequence[MachineRecord]:
    """Return the machines to filter, oldest first, which an index has narrowed down by state and name."""
    machines = call.state.machines
    account = call.account.id
    if state in (None, "deleted"):
        return machines.owned_by(account)
    name = call.text("name")
    return machines.living_candidates(account, name) if name else machines.living_of(account)


def _slice(machines: Sequence[MachineRecord], tests: list[Test], start: int, stop: int) -> Sequence[MachineRecord]:
    """Return the machines from ``start`` to ``stop`` among those that pass all tests; later ones are not tested."""
    if not tests:
        return machines[start:stop]
    passing = (machine for machine in machines if all(test(machine) for test in tests))
    return list(islice(passing, start, stop))


def _page(call: Call, machines: Sequence[MachineRecord], headers: dict[str, str]) -> Reply:
    for machine in machines:
        call.transitions.read(machine)
    headers["x-resource-count"] = str(len(machines))
    return Reply(200, [view(machine, call, alone=False) for machine in machines], headers)


def _filters(call: Call) -> list[Test]:
    """Return the predicates that a listed machine must meet, besides its state."""
    params = call.params
    tests = _type_tests(call)
    if brand := params.get("brand"):
        _check_word("brand", brand, BRANDS)
        tests.append(lambda machine: machine.brand == brand)
    if image := call.text("image"):
        if not UUID.fullmatch(image):
            raise _invalid("image_uuid", "Invalid UUID")
        tests.append(lambda machine: machine.image == image)
    if params.get("memory"):
        memory = _number(call, "memory", 0, 0, None, "ram")
        tests.append(lambda machine: machine.memory == memory)
    if name := call.text("name"):
        if not NAME.fullmatch(name):
            raise _invalid("alias", "String does not match the form of a name")
        # VMAPI compares prefixes, whatever the documentation says.
        tests.append(lambda machine: machine.name.startswith(name))
    tests += [_tag_test(key[4:], value) for key, value in params.items() if key[:4] == "tag." != key]
    return [*tests, *_docker_tests(params.get("docker"))]


def _state_filter(call: Call) -> str | None:
    """Return the state to list, ``active`` for all living machines, None for all machines."""
    given = call.text("state") if "state" in call.params else None
    if given is not None and given not in _STATES:
        raise invalid_argument(f"{given} is not a valid state")
    state = _STATES[given] if given else None if call.params.get("tombstone") else "active"
    if state == "unknown":
        _check_word("state", state, ("active", "destroyed", "running", "stopped"))
    return state


def _state_tests(state: str | None) -> list[Test]:
    return [] if state in (None, "active") else [lambda machine: machine.state == state]


def _type_tests(call: Call) -> list[Test]:
    given = call.text("type") if "type" in call.params else None
    if given not in (None, "smartmachine", "virtualmachine"):
        raise invalid_argument(f"{given} is not a valid type")
    return [] if given is None else [lambda machine: machine.hvm == (given == "virtualmachine")]


def _docker_tests(given: object) -> list[Test]:
    if given is None:
        return []
    wanted = {"true": True, "false": False}.get(written(given))
    if wanted is None:
        raise invalid_argument(f"{written(given)} is not a valid boolean")
    return [lambda machine: machine.docker == wanted]


def _check_word(field: str, word: object, known: tuple[str, ...]) -> None:
    if word not in known:
        raise _invalid(field, f"Must be one of: {', '.join(known)}")


def _tag_test(key: str, value: object) -> Test:
    if not isinstance(value, str) or not value:
        raise _invalid("tag", f"Invalid tag value: {json.dumps(value, separators=(',', ':'))}")
    return lambda machine: key in machine.tags and tag_text(machine.tags[key]) == value


def tag_text(value: object) -> str:
    """Return a tag's value as a filter in a query spells it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return str(value)


def _number(call: Call, name: str, default: int, low: int, high: int | None, field: str | None = None) -> int:
    text = call.text(name)
    if not text:
        return default
    number = int(text) if text.isascii() and text.isdigit() else -1
    if number < low or (high is not None and number > high):
        bounds = f">= {low}" if high is None else f">= {low} and <= {high}"
        raise _invalid(field or name, f"Not a valid number: number must be {bounds}")
    return number


def _invalid(field: str, reason: str) -> ApiError:
    return validation_failed("Invalid Parameters", field, "Invalid", reason)
