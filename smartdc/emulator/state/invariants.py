"""Checks of the emulator's state against itself, and counts of what is in it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smartdc.emulator.state.state import State


def check_invariants(state: "State") -> list[str]:
    """Return the contradictions in the state, one sentence each; the list should be empty.

    Every address in use belongs to an interface of a living machine and vice versa; living machines of an
    account have distinct names; all interfaces have distinct MAC addresses.
    """
    living = [machine for machine in state.machines.values() if machine.alive]
    workers = [worker for worker in state.workers.values() if worker.alive]
    held = {(nic.network, nic.ip): machine.id for machine in (*living, *workers) for nic in machine.nics}
    taken = {(network.id, ip): owner for network in state.networks.values() for ip, owner in network.taken.items()}
    macs = (nic.mac for machine in state.machines.values() for nic in machine.nics)
    return [
        *(
            f"address {ip} of network {network} is not held by whom it is taken for"
            for network, ip in _keys(held, taken)
        ),
        *(f"name {name} is there {count} times" for (_, name), count in _repeated((m.owner, m.name) for m in living)),
        *(f"MAC {mac} is there {count} times" for mac, count in _repeated(macs)),
    ]


def summarize(state: "State") -> dict[str, Any]:
    """Count the machines by state, the addresses in use and the jobs by their outcome."""
    machines = state.machines.values()
    return {
        "machines": dict(Counter(machine.state for machine in machines)),
        "addresses": sum(len(network.taken) for network in state.networks.values()),
        "jobs": dict(Counter(job.execution for machine in machines for job in machine.jobs)),
    }


def _keys(held: dict[tuple[str, str], str], taken: dict[tuple[str, str], str]) -> Iterator[tuple[str, str]]:
    """Yield each key whose value differs or that only one of the two has."""
    for key, _ in held.items() ^ taken.items():
        yield key


def _repeated(values: Iterable[Any]) -> list[tuple[Any, int]]:
    return [(value, count) for value, count in Counter(values).items() if count > 1]
