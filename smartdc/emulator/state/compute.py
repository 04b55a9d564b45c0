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
    there: dict[str | None, list[MachineRecord]] = {name: [] for name in nodes}
    for machine in machines:
        if machine.alive:
            there.setdefault(machine.compute_node, []).append(machine)
    kept: dict[str, int] = {}
    for name, node in nodes.items():
        used = sum(machine.memory for machine in there[name])
        mine = [machine for machine in there[name] if machine.owner == owner]
        fits = {rule: rule.holds(mine) for rule in rules}
        hard = all(good for rule, good in fits.items() if not rule.is_soft)
        if hard and all(map(node.is_connected_to, wanted)) and (node.memory is None or used + memory <= node.memory):
            kept[name] = sum(fits.values())
    return min(kept, key=lambda name: (-kept[name], len(there[name])), default=None)
