"""Actions on a machine: each is a job, accepted first, that may fail later; the audit has the outcome."""

from collections.abc import Callable
from functools import partial

from smartdc.emulator.core.javascript import written
from smartdc.emulator.core.reply import ApiError, Reply, invalid_argument, missing_parameter, validation_failed
from smartdc.emulator.machine.limits import check_limits
from smartdc.emulator.machine.machine import MACHINE, NAME, deleted_reply, unallocated
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.state.records import MachineRecord, PackageRecord

MAX_NAME = 189
MAX_DNS_NAME = 63
NAME_WORDS = r"String does not match regexp: /^[a-zA-Z0-9][a-zA-Z0-9\_\.\-]*$/"
UPDATE = "Invalid VM update parameters"


@operation("StartMachine", "POST", MACHINE, action="start")
def start(call: Call) -> Reply:
    """Start a stopped machine; the job of any other fails."""
    return deleted_reply(call) or _act(call, "start", _running, word="start", needs=("stopped",))


@operation("StopMachine", "POST", MACHINE, action="stop")
def stop(call: Call) -> Reply:
    """Stop a running machine; the job of any other fails."""
    return deleted_reply(call) or _act(call, "stop", _stopped, word="stop", needs=("running",), during="stopping")


@operation("RebootMachine", "POST", MACHINE, action="reboot")
def reboot(call: Call) -> Reply:
    """Reboot a running machine; the job of any other fails."""
    return deleted_reply(call) or _act(call, "reboot", _running, word="reboot", needs=("running",), during="ready")


@operation("ResizeMachine", "POST", MACHINE, action="resize")
def resize(call: Call) -> Reply:
    """Give a machine another package."""
    if answer := deleted_reply(call):
        return answer
    package = _check_resize(call)
    return _act(call, "resize", lambda machine: _fit(machine, package), refuse=partial(_check_payload, package=package))


@operation("RenameMachine", "POST", MACHINE, action="rename")
def rename(call: Call) -> Reply:
    """Give a machine another name."""
    if answer := deleted_reply(call):
        return answer
    name = call.params.get("name")
    if not name:
        raise missing_parameter("New name must be specified")
    check_length(call, str(name))

    def renamed(machine: MachineRecord) -> None:
        machine.name = str(name)

    return _act(call, "rename", renamed, refuse=_check_name)


@operation("EnableMachineFirewall", "POST", MACHINE, action="enable_firewall")
def enable_firewall(call: Call) -> Reply:
    """Enable the firewall; the audit calls this ``unknown``, and a repetition queues no job."""
    return deleted_reply(call) or _switch(call, "firewall_enabled", "unknown", on=True)


@operation("DisableMachineFirewall", "POST", MACHINE, action="disable_firewall")
def disable_firewall(call: Call) -> Reply:
    """Disable the firewall."""
    return deleted_reply(call) or _switch(call, "firewall_enabled", "unknown", on=False)


@operation("EnableMachineDeletionProtection", "POST", MACHINE, action="enable_deletion_protection")
def enable_deletion_protection(call: Call) -> Reply:
    """Protect a machine from deletion; unlike the other actions this does not check for deleted machines."""
    return _switch(call, "deletion_protection", "enable_deletion_protection", on=True)


@operation("DisableMachineDeletionProtection", "POST", MACHINE, action="disable_deletion_protection")
def disable_deletion_protection(call: Call) -> Reply:
    """Remove the protection from deletion."""
    return _switch(call, "deletion_protection", "disable_deletion_protection", on=False)


def refuse_unallocated(call: Call, action: str) -> None:
    """Refuse an action on a machine that is still being provisioned: 409 UnallocatedVM."""
    if call.machine.state == "provisioning":
        raise unallocated(action)


def check_name(call: Call, name: object, message: str) -> str:
    """Return a name that VMAPI accepts; a malformed or used one is a 409 ValidationFailed."""
    if not isinstance(name, str):
        raise validation_failed(message, "alias", "Invalid", "Not a valid string")
    if len(name) > MAX_NAME:
        words = f"String is longer than maximum of {MAX_NAME} characters"
        raise validation_failed(message, "alias", "Invalid", words)
    if not NAME.fullmatch(name):
        raise validation_failed(message, "alias", "Invalid", NAME_WORDS)
    if call.state.name_taken(call.account, name):
        raise validation_failed(message, "alias", "Duplicate", "Already exists for this owner_uuid")
    return name


def check_length(call: Call, name: str) -> None:
    """Refuse a name that is too long for CloudAPI itself: 409 InvalidArgument."""
    if len(name) > MAX_NAME:
        raise invalid_argument(f"Name cannot be longer than {MAX_NAME} characters.")
    check_dns_length(call, name)


def check_dns_length(call: Call, name: str) -> None:
    """Refuse a name too long for a DNS label, in accounts that use CNS: 409 InvalidArgument."""
    if call.account.cns_enabled and len(name) > MAX_DNS_NAME:
        raise invalid_argument(
            f"Name cannot be longer than {MAX_DNS_NAME} characters, because you have triton_cns_enabled set "
            "on your Account."
        )


def _act(
    call: Call,
    action: str,
    effect: Callable[[MachineRecord], None],
    *,
    word: str = "update",
    refuse: Callable[[Call], None] | None = None,
    needs: tuple[str, ...] = (),
    during: str | None = None,
) -> Reply:
    refuse_unallocated(call, word)
    if refuse:
        refuse(call)
    call.queue(action, effect, needs=needs, during=during)
    return Reply(202)


def _switch(call: Call, attribute: str, action: str, *, on: bool) -> Reply:
    if getattr(call.machine, attribute) is on:
        return Reply(202)
    return _act(call, action, lambda machine: setattr(machine, attribute, on))


def _running(machine: MachineRecord) -> None:
    machine.state = "running"


def _stopped(machine: MachineRecord) -> None:
    machine.state = "stopped"


def _fit(machine: MachineRecord, package: PackageRecord) -> None:
    machine.package = package.id
    machine.memory = package.memory
    machine.disk = package.disk
    machine.flexible = machine.brand == "bhyve"


def _check_name(call: Call) -> None:
    check_name(call, call.params["name"], UPDATE)


def _check_resize(call: Call) -> PackageRecord:
    if call.machine.brand == "kvm":
        raise invalid_argument("resize is not supported for KVM virtualmachines")
    package = require_package(call)
    image = call.state.images.get(call.machine.image)
    requirements = image.requirements if image else {}
    if requirements.get("min_ram", 0) > package.memory:
        raise invalid_argument(
            f"Package RAM ({package.memory}) is less than allowed by the image ({requirements['min_ram']})"
        )
    if requirements.get("max_ram", package.memory) < package.memory:
        raise invalid_argument(
            f"Package RAM ({package.memory}) is more than allowed by the image ({requirements['max_ram']})"
        )
    if call.machine.brand == "bhyve" and not package.flexible_disk:
        raise invalid_argument("Resizing to a package without flexible disk space is not supported")
    check_limits(call, image, package, call.machine)
    return package


def require_package(call: Call) -> PackageRecord:
    """Return the package that the parameters name; a missing, unknown or inactive one is a 409."""
    name = call.params.get("package")
    if not name:
        raise missing_parameter("package must be specified")
    if not call.package:
        raise invalid_argument(f"{written(name)} is not a valid package")
    if not call.package.active:
        raise invalid_argument(f"{name} is inactive. Must use an active package")
    return call.package


def _check_payload(call: Call, package: PackageRecord) -> None:
    _check_bhyve(call, package)
    _check_capacity(call, package)


def _check_capacity(call: Call, package: PackageRecord) -> None:
    """Refuse more memory than the machine's server has left: 409 ValidationFailed."""
    machine = call.machine
    node = call.state.compute_nodes.get(machine.compute_node or "")
    more = package.memory - machine.memory
    if node is None or node.memory is None or more <= 0:
        return
    there = (each for each in call.state.machines.values() if each.alive and each.compute_node == node.id)
    left = node.memory - sum(each.memory for each in there)
    if left < more:
        reason = f"Required additional RAM ({more}) exceeds the server's available RAM ({left})"
        raise validation_failed(UPDATE, "ram", "InsufficientCapacity", reason)


def _check_bhyve(call: Call, package: PackageRecord) -> None:
    """Refuse to shrink below the size of the disks, and to change memory or CPUs of a machine that is not stopped."""
    machine = call.machine
    if machine.brand != "bhyve":
        return
    used = sum(disk["size"] for disk in machine.disks)
    if used > package.disk:
        raise validation_failed(
            f"Cannot resize bhyve instance, existing disk usage ({used}) exceeds the flexible disk size "
            f"({package.disk})",
            "flexible_disk_size",
            "Invalid",
            "Invalid parameter",
        )
    old = call.state.packages.get(machine.package)
    as_before = old and (old.memory, old.vcpus) == (package.memory, package.vcpus)
    if machine.state != "stopped" and not as_before:
        raise ApiError(
            409, "VmNotStopped", "VM not stopped: changing bhyve CPU or memory requires the instance to be stopped"
        )
