"""Where a new machine is placed: the rules of its request, and the server that follows them."""

from typing import Any

from smartdc.emulator.core.ids import UUID
from smartdc.emulator.core.javascript import truthy
from smartdc.emulator.core.reply import ApiError, validation_failed
from smartdc.emulator.grammar.affinity import AffinityRule, check_affinity
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.state.compute import choose_node
from smartdc.emulator.state.records import NetworkRecord, PackageRecord


def check_locality(params: dict[str, Any], message: str) -> None:
    """Refuse a malformed ``locality``, the deprecated form of rules: 409 ValidationFailed."""
    locality = params.get("locality")
    if not truthy(locality):
        return
    reason = "malformed locality object" if not isinstance(locality, dict | list) else None
    for hint in ("near", "far"):
        given = locality.get(hint) if isinstance(locality, dict) else None
        if not reason and truthy(given):
            reason = _hint_objection(given)
    if reason:
        raise validation_failed(message, "locality", "Invalid", reason)


def choose(call: Call, package: PackageRecord, networks: list[NetworkRecord], rules: list[AffinityRule]) -> str:
    """Return the id of the server for a new machine; without one it is a 409, as VMAPI passes it on from CNAPI."""
    state = call.state
    wanted = [*rules, *_locality_rules(call.params.get("locality"))]
    node = choose_node(state.compute_nodes, state.machines.values(), package.memory, networks, wanted, call.account.id)
    if node is None:
        raise ApiError(409, "NoAllocatableServersError", "No compute resources available")
    return node


def requested_rules(call: Call) -> list[AffinityRule]:
    """Return the parsed affinity rules of the request: 409."""
    return check_affinity(call.params.get("affinity"))


def _hint_objection(given: Any) -> str | None:
    if not isinstance(given, str | list):
        return "locality entry is neither string nor array"
    known = [given] if isinstance(given, str) else given
    good = all(isinstance(each, str) and UUID.fullmatch(each) for each in known)
    return None if good else "locality contains malformed UUID"


def _locality_rules(locality: Any) -> list[AffinityRule]:
    """Return the rules that a ``locality`` stands for; without ``strict`` they are preferences."""
    if not isinstance(locality, dict):
        return []
    soft = locality.get("strict") not in (True, "true")
    return [
        AffinityRule("instance", hint == "near", machine, soft)
        for hint in ("near", "far")
        for machine in _listed(locality.get(hint))
    ]


def _listed(given: Any) -> list[str]:
    return given if isinstance(given, list) else [given] if given else []
