"""Provision machines, each exactly once."""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from smartdc.core import arguments
from smartdc.core.listing import ResourceList
from smartdc.core.lookup import id_of, is_uuid
from smartdc.core.operation import operation
from smartdc.core.parameters import parameters_of
from smartdc.errors import (
    BadResponse,
    CallError,
    CreateOutcomeUnknown,
    InputError,
    NameTaken,
    ResourceNotFound,
    SmartDCError,
    TokenUsed,
    WaitError,
)
from smartdc.http.tracebacks import without_frames
from smartdc.machine.body import Networks, NewMachine, Volumes, disk_spec, locality_spec, machine_body, mounts
from smartdc.machine.machine import HasMachines, Machine
from smartdc.machine.tag import TOKEN_TAG
from smartdc.waiting.create_once import Search, create_once, single
from smartdc.waiting.poll import checked_timeout, checked_times

__all__ = ["CreatesMachines"]

log = logging.getLogger(__name__)

TOKEN = re.compile(r"(?!(?:true|false)$)[A-Za-z][A-Za-z0-9_-]{5,63}")
"""What CloudAPI's filters take as a string, and not as a number or boolean."""


class CreatesMachines(HasMachines):
    """Mix-in for what machines can be provisioned in."""

    @without_frames
    @parameters_of(NewMachine)
    @operation("CreateMachine", "GetMachine")
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
            image: what it is made from: an id, a name, ``name@version``, a dict or an `Image`. A name means the newest
                active image of it, as `DataCenter.image_to_use` says.
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
            disks: the disks of a bhyve machine, the first of which it boots from: dicts with ``size`` in MiB (or a
                text such as ``10G``) or ``remaining``, and maybe ``image`` or ``block_size`` in bytes.
            bootrom: the boot ROM of a bhyve machine, such as ``uefi``.
            password: the administrator's, for an image that asks for one, as those of Windows do.
            token: what makes this create the same one when it is asked for again, also by another process: the
                machine that was made with it is returned, or `TokenUsed` raised where that failed, was deleted, or
                was made from another image than the id given as `image`. By default every call makes a token of its
                own, which is logged before anything is sent.
            settle: seconds for which to look for the machine when the answer was lost, before it is asked for again;
                None is the data centre's own, which is 180.
            wait: whether to return only when it runs.
            timeout: the most seconds to wait; None waits for ever.
        """
        settle = self._datacenter.settle if new.settle is None else new.settle
        checked_times(settle=settle)
        checked_timeout(new.timeout)
        machine = self._create_machine(new, self._body(new), settle)
        try:
            if new.wait:
                machine.poll_until("running", timeout=new.timeout)
            return machine.refresh(credentials=True) if new.credentials else machine
        except WaitError:
            raise
        except SmartDCError as error:
            raise WaitError(f"{machine!r} was created, but then: {error}", resource=machine) from error
        except BaseException as stop:
            stop.add_note(f"{machine!r} was created before; dc.machine({machine.name!r}) gets it")
            raise

    def _body(self, new: NewMachine) -> dict[str, Any]:
        """Build the body of a create; names ask CloudAPI for the ids, and a volume's id for its name."""
        return machine_body(new, **self.resolved(new))

    def resolved(self, new: NewMachine) -> dict[str, Any]:
        """Return what of a create's body may be given by names, with the ids that they mean now."""
        return {
            "package": None if new.package is None else self._datacenter.package_id(new.package),
            "locality": None if new.locality is None else self._locality(new.locality),
            "image": self._image(new.dataset if new.image is None else new.image),
            "networks": None if new.networks is None else self._networks(new.networks),
            "volumes": None if new.volumes is None else self._mounts(new.volumes),
            "disks": None if new.disks is None else list(map(self._disk, arguments.as_list("disks", new.disks))),
        }

    def _image(self, image: str | Mapping[str, Any] | None) -> str | None:
        return None if image is None else self._datacenter.image_to_use(image)

    def _locality(self, locality: Mapping[str, Any]) -> dict[str, Any]:
        return locality_spec(locality, self._datacenter.machine_id)

    def _networks(self, networks: Networks) -> list[Any]:
        """Return the ids of one network or several; dicts that ask for an address (``ipv4_uuid``) go as they are."""
        return [
            dict(network)
            if isinstance(network, Mapping) and "ipv4_uuid" in network
            else self._datacenter.network_id(network)
            for network in arguments.as_list("networks", networks)
        ]

    def _disk(self, disk: Mapping[str, Any]) -> dict[str, Any]:
        spec = arguments.entry("disks", disk)
        return disk_spec(spec, self._image(spec.get("image")))

    def _mounts(self, volumes: Volumes) -> list[dict[str, Any]]:
        """Return what to mount, with the volumes' names: CloudAPI does not take their ids here."""
        return [{**mount, "name": self._volume_name(mount["name"])} for mount in mounts(volumes)]

    def _volume_name(self, volume: str | Mapping[str, Any]) -> str:
        name = id_of(volume, "name")
        return str(self._datacenter.volume(name).name) if is_uuid(name) else name

    @operation("ListMachines")
    def machines_by_token(self, token: str) -> ResourceList[Machine]:
        """List the machines that were created with a token, failed and deleted ones too: ``ListMachines``.

        There is none or one. This is how to look again after `CreateOutcomeUnknown`.
        """
        listed = self.machines(tags={TOKEN_TAG: token}, tombstone=True)
        return ResourceList(machine for machine in listed if _token_in(machine) in {None, token})

    def _create_machine(self, new: NewMachine, unmarked: Mapping[str, Any], settle: float) -> Machine:
        """Send a create, and find out what came of it where the answer does not tell.

        The token is what makes this safe. It is in the body of both attempts, so a machine that bears it is ours, also
        when CloudAPI answers that the name is taken. It is logged before anything is sent, since a process may be
        killed at any moment. A caller's own token is looked up first, since an earlier process may have used it. When
        not even looking tells, the error carries the name and the token, and the caller can look again later.
        """
        token = str(arguments.strings(token=new.token).get("token", new_token()))
        body = with_token(unmarked, token)
        return self.provision(body, token, settle, None if new.token is None else partial(made_before, new=new))

    def provision(
        self,
        body: Mapping[str, Any],
        token: str,
        settle: float,
        recognise: Callable[[Machine], Machine] | None = None,
        permit: Callable[[], object] = bool,
    ) -> Machine:
        """Send a create whose body bears a token; `settle` is that of `create_machine`.

        A token that may have been used before is looked up first, and `recognise` returns the machine that was made
        with it or refuses it. `permit` is called before each attempt, and may raise instead.
        """
        name = body["name"]
        log.info("creating machine %r with token %s: dc.machines_by_token(%r) finds it", name, token, token)

        def send() -> Machine:
            permit()
            return self._send_body(body, token)

        try:
            if recognise and (known := self.machines_by_token(token)):
                return recognise(single(known))
            return create_once(
                send,
                lambda: self.machines_by_token(token),
                self._clock,
                settle,
                unique=True,
                watcher=Search(self._datacenter, name, f"token {token}"),
            )
        except CallError as error:
            return self._settled(error, name, token, own_token=recognise is not None)
        except SmartDCError:
            raise
        except BaseException as stop:
            stop.add_note(f"dc.machines_by_token({token!r}) tells whether the machine {name!r} was made")
            raise

    def _settled(self, error: CallError, name: str, token: str, *, own_token: bool) -> Machine:
        """Return the machine that was made in spite of an error, or raise what is known: a refusal, or nothing.

        A fresh token that was refused at once has made nothing. One that was used before, by this create or an earlier
        process, may have made the very machine that has the name and is not listed yet.
        """
        is_taken = isinstance(error, NameTaken)
        holder = self._holder_of(name) if is_taken else None
        if holder is not None and _token_in(holder) == token:
            return holder
        is_refused = error.applied is False and not (own_token and is_taken)
        if not is_refused and holder is None:
            raise outcome_unknown(error, name, token) from error
        error.applied = False
        if isinstance(error, NameTaken):
            error.about(name)
            error.machine_id = None if holder is None else holder.id
        raise error

    def _holder_of(self, name: str) -> Machine | None:
        """Return the machine that has a name; None where that cannot be found out."""
        try:
            return next(iter(self.machines(name=name)), None)
        except SmartDCError:
            return None

    def _send_body(self, body: Mapping[str, Any], token: str) -> Machine:
        """Send a create; the outcome is unknown where the answer is not about the machine that was asked for.

        CloudAPI may not be able to read back what it has accepted, and an answer may belong to another request. Then
        every kept connection is suspect: the next answer on it may be ours.
        """
        try:
            machine = Machine(self._datacenter, data=self._post("machines", data=body))
        except ResourceNotFound as error:
            if "VM not found" in error.message:
                error.applied = None
            raise
        if problem := contradiction(machine, body["name"], token):
            self._datacenter.close()
            raise BadResponse(f"POST /machines: the answer is about another machine: {problem}", method="POST")
        return machine


def contradiction(machine: Machine, name: str, token: str) -> str:
    """Return what shows that a machine is not the one that was asked for; '' where nothing does.

    What is missing shows nothing: mocks answer with less. CloudAPI fills in a name that has ``{{`` in it.
    """
    found = _token_in(machine)
    if found is not None and found != token:
        return f"its token is {found!r}, not {token!r}"
    # Compared and not looked up in a set: the answer may have a list there, which cannot be hashed.
    if "{{" not in name and machine.name is not None and machine.name != name:
        return f"its name is {machine.name!r}, not {name!r}"
    return ""


def _token_in(machine: Machine) -> str | None:
    """Return the token that a machine was created with; None where it shows none."""
    tags = machine.get("tags")
    token = tags.get(TOKEN_TAG) if isinstance(tags, Mapping) else None
    return None if token is None else str(token)


def made_before(machine: Machine, new: NewMachine) -> Machine:
    """Return the machine that an earlier create made with the same token, unless it cannot be what is asked for now.

    Name and package may have been changed since; the image cannot, and what is dead will not come back.
    """
    if machine.state in ("failed", "deleted"):
        problem = f"which is {machine.state}"
    elif (image := _image_id(new)) and machine.image and str(machine.image).lower() != image.lower():
        problem = f"which was made from image {machine.image}, not {image}"
    else:
        log.info("token %s was used before: returning %r", new.token, machine)
        for field, given in (("name", new.name), ("package", _package_name(new))):
            if given is not None and "{{" not in given and given != machine.get(field):
                log.info("%r has %s %r now, not %r", machine, field, machine.get(field), given)
        return machine
    text = f"token {new.token!r} was used for {machine!r}, {problem}; give another token to create another machine"
    raise TokenUsed(text, machine=machine)


def _image_id(new: NewMachine) -> str | None:
    """Return the image if it is given by its id: a name may mean another image today."""
    image = new.dataset if new.image is None else new.image
    identity = None if image is None else id_of(image)
    return identity if identity and is_uuid(identity) else None


def _package_name(new: NewMachine) -> str | None:
    """Return the package if it is given by its name, or has one."""
    name = None if new.package is None else id_of(new.package, "name", "id")
    return None if name is None or is_uuid(name) else name


def new_token() -> str:
    """Return a new, unique token."""
    return f"t{secrets.token_hex(16)}"


def with_token(body: Mapping[str, Any], token: str) -> dict[str, Any]:
    """Return a create's body with a token, and with a name if it has none: both make the machine easier to find."""
    if not TOKEN.fullmatch(token):
        raise InputError(f"invalid token {token!r}; expected a letter, then 5 to 63 letters, digits, '_' or '-'")
    digest = hashlib.sha256(token.encode()).hexdigest()[:16]
    return {"name": f"machine-{digest}", **body, f"tag.{TOKEN_TAG}": token}


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
