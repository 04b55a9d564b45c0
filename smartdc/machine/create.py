"""Provision machines, each exactly once."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

from smartdc.core import arguments
from smartdc.core.parameters import parameters_of
from smartdc.core.resource import id_of, is_uuid
from smartdc.errors import (
    CallError,
    CreateOutcomeUnknown,
    InputError,
    NameTaken,
    ResourceNotFound,
    SmartDCError,
    WaitError,
)
from smartdc.http.tracebacks import without_frames
from smartdc.machine.body import Networks, NewMachine, Volumes, disk_spec, machine_body, mounts
from smartdc.machine.machine import HasMachines, Machine
from smartdc.machine.tag import TOKEN_TAG
from smartdc.waiting.create_once import create_once, single
from smartdc.waiting.poll import checked_timeout, checked_times

__all__ = ["CreatesMachines"]

TOKEN = re.compile(r"(?!(?:true|false)$)[A-Za-z][A-Za-z0-9_-]{5,63}")
"""What CloudAPI's filters take as a string, and not as a number or boolean."""


class CreatesMachines(HasMachines):
    """Mix-in for what machines can be provisioned in."""

    @without_frames
    @parameters_of(NewMachine)
    def create_machine(self, new: NewMachine) -> Machine:
        """Provision a machine and return it: ``CreateMachine``.

        It is made once and only once: it bears a token in the tag ``smartdc_token``, by which it is looked for when
        the answer to the request is lost. If that finds nothing out, `CreateOutcomeUnknown` says what to look for.

        It is still ``provisioning`` when it is returned; with `wait` it is ``running``, or `WaitFailed` or `WaitTimeout` (after
        `timeout` seconds) is raised. Whatever fails after it was made raises a `WaitError` that has it as `resource`.

        Args:
            name: letters, digits, '.', '_' and '-'; no two machines of an account share one.
            package: its size: a name, an id, a dict or a `Package`.
            dataset: the former name of `image`.
            metadata: what the machine can read from inside; strings, numbers and booleans. Its ``credentials`` are
                the first passwords by login, a dict, which afterwards only `Machine.credentials` shows.
            tags: what it can be found by; strings, numbers and booleans.
            boot_script: the path of a file whose text runs at every boot; at most 100,000 bytes.
            credentials: whether to fetch the machine's passwords too: ``GetMachine``.
            image: what it is made from: an id, a name, ``name@version``, a dict or an `Image`.
            networks: one or more ids, names, dicts or `Network` resources, or dicts with ``ipv4_uuid`` and ``ipv4_ips``.
            default_networks: which kinds of network it gets where neither `networks` nor the package says so:
                ``external``, ``internal`` or both, which is the default. CloudAPI does not document this.
            affinity: rules such as ``role!=db``: which machines to be near to, or not.
            locality: the former way to say that: ``near`` and ``far``, machines, and whether that is ``strict``.
            brand: ``kvm`` or ``bhyve``, where image and package leave it open.
            firewall_enabled: whether the account's firewall rules apply.
            deletion_protection: whether CloudAPI shall refuse to delete it.
            delegate_dataset: whether it shall manage a dataset of its own.
            allow_shared_images: whether `image` may be one that is only shared with the account.
            encrypted: whether its disk shall be encrypted.
            volumes: volumes, by the paths to mount them at: ids, names, dicts or `Volume` resources; or dicts with
                such a ``name``, a ``mountpoint``, and a ``mode`` (``rw`` or ``ro``).
            disks: the disks of a bhyve machine, the first of which it boots from: dicts with ``size`` in MiB or
                ``remaining``, and maybe ``image`` or ``block_size`` in bytes.
            bootrom: the boot ROM of a bhyve machine, such as ``uefi``.
            password: the administrator's, for an image that asks for one, as those of Windows do.
            token: what makes this create the same one when it is asked for again, also by another process: the
                machine that was made with it is returned. By default every call makes a token of its own.
            settle: seconds for which to look for the machine when the answer was lost, before it is asked for again.
            wait: whether to return only when it runs.
            timeout: the most seconds to wait; None waits for ever.
        """
        checked_times(settle=new.settle)
        checked_timeout(new.timeout)
        machine = self._create_machine(self._body(new), new.token, new.settle)
        try:
            if new.wait:
                machine.poll_until("running", timeout=new.timeout)
            return machine.refresh(credentials=True) if new.credentials else machine
        except WaitError:
            raise
        except SmartDCError as error:
            raise WaitError(f"{machine!r} was created, but then: {error}", resource=machine) from error
        except BaseException as stop:
            stop.add_note(f"{machine!r} was created before")
            raise

    def _body(self, new: NewMachine) -> dict[str, Any]:
        """Build the body of a create; only names of images, networks and volumes ask CloudAPI, for their ids."""
        return machine_body(
            new,
            image=self._image(new.dataset if new.image is None else new.image),
            networks=None if new.networks is None else self._networks(new.networks),
            volumes=None if new.volumes is None else self._mounts(new.volumes),
            disks=None if new.disks is None else list(map(self._disk, arguments.as_list("disks", new.disks))),
        )

    def _networks(self, networks: Networks) -> list[Any]:
        """Return the ids of one network or several; dicts that ask for an address (``ipv4_uuid``) go as they are."""
        return [
            dict(network)
            if isinstance(network, Mapping) and "ipv4_uuid" in network
            else self._datacenter.network_id(network)
            for network in arguments.as_list("networks", networks)
        ]

    def _disk(self, disk: Mapping[str, Any]) -> dict[str, Any]:
        return disk_spec(disk, self._image(arguments.dicts(disk=disk)["disk"].get("image")))

    def _mounts(self, volumes: Volumes) -> list[dict[str, Any]]:
        """Return what to mount, with the volumes' names: CloudAPI does not take their ids here."""
        return [{**mount, "name": self._volume_name(mount["name"])} for mount in mounts(volumes)]

    def _volume_name(self, volume: str | Mapping[str, Any]) -> str:
        name = id_of(volume, "name")
        return str(self._datacenter.volume(name).name) if is_uuid(name) else name

    def machines_by_token(self, token: str) -> list[Machine]:
        """List the machines that were created with a token, failed and deleted ones too: ``ListMachines``.

        There is none or one. This is how to look again after `CreateOutcomeUnknown`.
        """
        return self.machines(tags={TOKEN_TAG: token}, tombstone=True)

    def _create_machine(self, unmarked: Mapping[str, Any], token: str | None, settle: float) -> Machine:
        """Send a create, and find out what came of it where the answer does not tell.

        The token is what makes this safe. It is in the body of both attempts, so a machine that bears it is ours, also
        when CloudAPI answers that the name is taken. A caller's own token is looked up before anything is sent, since
        an earlier process may have used it. When not even looking tells, the error carries the name and the token, and
        the caller can look again later.
        """
        mark = str(arguments.strings(token=token).get("token", new_token()))
        body = with_token(unmarked, mark)
        if token is not None and (known := self.machines_by_token(token)):
            return single(known)
        clock = self._datacenter.clock
        try:
            return create_once(
                lambda: self._send_body(body), lambda: self.machines_by_token(mark), clock, settle, unique=True
            )
        except CallError as error:
            if error.applied is not False:
                raise outcome_unknown(error, body["name"], mark) from error
            if isinstance(error, NameTaken):
                error.machine_id = self._holder_of(body["name"])
            raise
        except KeyboardInterrupt as stop:
            stop.add_note(f"dc.machines_by_token({mark!r}) tells whether the machine {body['name']!r} was made")
            raise

    def _holder_of(self, name: str) -> str | None:
        """Return the id of the machine that has a name; None where that cannot be found out."""
        try:
            return next((machine.id for machine in self.machines(name=name)), None)
        except CallError:
            return None

    def _send_body(self, body: Mapping[str, Any]) -> Machine:
        """Send a create; the outcome is unknown where CloudAPI could not read back the machine that it accepted."""
        try:
            return Machine(self._datacenter, data=self._post("machines", data=body))
        except ResourceNotFound as error:
            if "VM not found" in error.message:
                error.applied = None
            raise


def new_token() -> str:
    """Return a new, unique token."""
    return f"t{uuid.uuid4().hex}"


def with_token(body: Mapping[str, Any], token: str) -> dict[str, Any]:
    """Return a create's body with a token, and with a name if it has none: both make the machine easier to find."""
    if not TOKEN.fullmatch(token):
        raise InputError(f"invalid token {token!r}; expected a letter, then 5 to 63 letters, digits, '_' or '-'")
    return {"name": f"machine-{token[1:9].lower().strip('-_')}", **body, f"tag.{TOKEN_TAG}": token}


def outcome_unknown(error: CallError, name: str, token: str) -> CreateOutcomeUnknown:
    """Return the error that says how to look again, when it is unknown whether a machine was created."""
    text = (
        f"unknown whether the machine {name!r} was created ({error}); "
        f"dc.machines_by_token({token!r}) looks again, and create_machine(token={token!r}, ...) goes on from there"
    )
    unknown = CreateOutcomeUnknown(
        text, method=error.method, path=error.path, request_id=error.request_id, attempts=error.attempts
    )
    unknown.name = name
    unknown.token = token
    return unknown
