"""Compute nodes, and the choice of one for a new machine: it needs memory and the networks, and must follow the rules."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from smartdc.emulator.grammar.affinity import AffinityRule
from smartdc.emulator.state.records import MachineRecord, NetworkRecord

COMMON_TAGS = frozenset({"", "external", "internal"})
"""The NIC tags that every server has; an empty one stands for any of them."""


@dataclass(slots=True)
class ComputeNode:
    """A server for machines; memory in MiB, None for no limit."""

    id: str
    memory: int | None = None
    nic_tags: frozenset[str] = field(default_factory=frozenset)
    """The tags of the networks that it is connected to, beside those that every server has."""

    def is_connected_to(self, network: NetworkRecord) -> bool:
        """Return whether machines here can be on a network."""
        return network.nic_tag in COMMON_TAGS or network.nic_tag in self.nic_tags


def choose_node(
    nodes: Mapping[str, ComputeNode],
    machines: Iterable[MachineRecord],
    memory: int,
    networks: Iterable[NetworkRecord],
    rules: list[AffinityRule],
    owner: str,
) -> str | None:
    """Return the node for a new machine; None if there is none.

    Among suitable nodes, the one that follows the most soft rules is chosen, then the one with the fewest machines, then
    the first one.
    """
    if len(nodes) == 1 and not rules and all(node.memory is None for node in nodes.values()):
        return next(iter(nodes))
    wanted = list(networks)
    there = _by_node(nodes, machines)
    kept: dict[str, int] = {}
    for name, node in nodes.items():
        fits = {rule: rule.holds([each for each in there[name] if each.owner == owner]) for rule in rules}
        has_room = node.memory is None or sum(each.memory for each in there[name]) + memory <= node.memory
        if has_room and all(map(node.is_connected_to, wanted)) and _keeps_hard_rules(fits):
            kept[name] = sum(fits.values())
    return min(kept, key=lambda name: (-kept[name], len(there[name])), default=None)


def _by_node(nodes: Iterable[str], machines: Iterable[MachineRecord]) -> dict[str | None, list[MachineRecord]]:
    there: dict[str | None, list[MachineRecord]] = {name: [] for name in nodes}
    for machine in machines:
        if machine.alive:
            there.setdefault(machine.compute_node, []).append(machine)
    return there


def _keeps_hard_rules(fits: Mapping[AffinityRule, bool]) -> bool:
    return all(good for rule, good in fits.items() if not rule.is_soft)
