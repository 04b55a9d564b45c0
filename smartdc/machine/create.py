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
    InvalidArgument,
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
from smartdc.resources.package import hint_at_packages
from smartdc.waiting.create_once import create_once, single
from smartdc.waiting.interrupts import noting_interrupts
from smartdc.waiting.lost_answer import Search
from smartdc.waiting.poll import checked_timeout, checked_times

__all__ = ["CreatesMachines"]

log = logging.getLogger(__name__)

TOKEN = re.compile(r"(?!(?:true|false)$)[A-Za-z][A-Za-z0-9_-]{5,63}")
"""Tokens that CloudAPI's filters take as a string, and not as a number or boolean."""


class CreatesMachines(HasMachines):
    """Mix-in for places in which machines can be provisioned."""

    @without_frames
    @parameters_of(NewMachine)
    @operation("CreateMachine", "GetMachine")
    def create_machine(self, new: NewMachine) -> Machine:
        """Provision a machine and return it: ``CreateMachine``.

        The machine is created exactly once: it has a token in the tag ``smartdc_token``, by which the library finds it
        if the answer to the request is lost. If the outcome stays unknown, `CreateOutcomeUnknown` says what to look
        for.

        The returned machine is still ``provisioning``; with `wait` it is ``running``, or `WaitFailed` or `WaitTimeout`
        (after `timeout` seconds) is raised. A failure after the create raises a `WaitError` with the machine as
        `resource`.

        Args:
            name: letters, digits, '.', '_' and '-'; no two machines of an account share one.
            package: its size: a name, an id, a dict or a `Package`.
            dataset: the former name of `image`.
            metadata: entries that programs in the machine can read: strings, numbers and booleans. The entry
                ``credentials`` is a dict of the first passwords by login; later only `Machine.credentials` shows them.
            tags: strings, numbers and booleans by which it can be found.
            boot_script: the path of a file whose text runs at every boot; at most 100,000 bytes.
            credentials: whether to fetch the machine's passwords too: ``GetMachine``.
            image: an id, a name, ``name@version``, a dict or an `Image`. A name means the newest active image of that
                name, as `DataCenter.image_to_use` explains.
            networks: one or more ids, names, dicts or `Network` resources, or dicts with ``ipv4_uuid`` and
                ``ipv4_ips``.
            default_networks: the kinds of networks that it gets if neither `networks` nor the package names any:
                ``external``, ``internal`` or both (the default). CloudAPI does not document this.
            affinity: rules such as ``role!=db``: the machines to be near to, or far from.
            locality: the former form of `affinity`: a dict of ``near`` and ``far`` (machines) and ``strict`` (a boolean).
            brand: ``kvm`` or ``bhyve``, if image and package allow both.
            firewall_enabled: whether the account's firewall rules apply to it.
            deletion_protection: whether CloudAPI refuses to delete it.
            delegate_dataset: whether it manages its own ZFS dataset.
            allow_shared_images: whether `image` may be an image that is only shared with the account.
            encrypted: whether its disk is encrypted.
            volumes: mountpoint to volume: an id, a name, a dict or a `Volume`; or a list of dicts with such a ``name``,
                a ``mountpoint`` and a ``mode`` (``rw`` or ``ro``).
            disks: the disks of a bhyve machine, the boot disk first: dicts with a ``size`` in MiB (or a text such as
                ``10G``, or ``remaining``), and optionally an ``image``, or a ``block_size`` in bytes.
            bootrom: the boot ROM of a bhyve machine, such as ``uefi``.
            password: the administrator's password, for images that require one, such as Windows images.
            token: identifies this create, so that a second call with the same token, also by another process, returns
                the same machine. It raises `TokenUsed` if that machine failed, was deleted, or is not of the image
                whose id was given as `image`. By default every call makes a new token, and logs it before anything is
                sent.
            settle: seconds for which to look for the machine after a lost answer, before the create is sent again; None
                takes the data centre's own value, which is 180.
            wait: whether to return only when the machine is running.
            timeout: the maximum time of the wait in seconds; None waits for ever.
        """
        settle = self._datacenter.settle if new.settle is None else new.settle
        checked_times(settle=settle)
        checked_timeout(new.timeout)
        try:
            machine = self._create_machine(new, self._body(new), settle)
        except InvalidArgument as refusal:
            hint_at_packages(refusal, self._datacenter, new.package)
            raise
        with noting_interrupts(f"{machine!r} was created before; dc.machine({machine.name!r}) gets it"):
            try:
                if new.wait:
                    machine.poll_until("running", timeout=new.timeout)
                return machine.refresh(credentials=True) if new.credentials else machine
            except WaitError:
                raise
            except SmartDCError as error:
                raise WaitError(f"{machine!r} was created, but then: {error}", resource=machine) from error

    def _body(self, new: NewMachine) -> dict[str, Any]:
        """Build the body of a create; it asks CloudAPI for the ids of names, and for the name of a volume's id."""
        return machine_body(new, **self.resolved(new))

    def resolved(self, new: NewMachine) -> dict[str, Any]:
        """Return the parts of a create's body that may be given by names, with their current ids."""
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
        """Return the ids of one network or several; dicts that request an address (``ipv4_uuid``) stay unchanged."""
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
        """Return the volumes to mount, by their names: CloudAPI does not accept their ids here."""
        return [{**mount, "name": self._volume_name(mount["name"])} for mount in mounts(volumes)]

    def _volume_name(self, volume: str | Mapping[str, Any]) -> str:
        name = id_of(volume, "name")
        return str(self._datacenter.volume(name).name) if is_uuid(name) else name

    @operation("ListMachines")
    def machines_by_token(self, token: str) -> ResourceList[Machine]:
        """List the machines that were created with a token, including failed and deleted ones: ``ListMachines``.

        There is at most one. Use it to look again after `CreateOutcomeUnknown`.
        """
        listed = self._tagged(token)
        if any(map(_lacks_token, listed)):
            # The answer to another request; the next one may be waiting on the same connection.
            self._datacenter.close()
            listed = self._tagged(token)
            if any(map(_lacks_token, listed)):
                raise BadResponse("GET /machines: the answer is about another machine: it has no token", method="GET")
        return ResourceList(machine for machine in listed if _token_in(machine) in {None, token})

    def _tagged(self, token: str) -> ResourceList[Machine]:
        return self.machines(tags={TOKEN_TAG: token}, tombstone=True)

    def _create_machine(self, new: NewMachine, unmarked: Mapping[str, Any], settle: float) -> Machine:
        """Send a create, and find out its result if the answer does not tell it.

        The token makes this safe. It is in the body of both attempts, so a machine with this token is ours, even if
        CloudAPI answers that the name is taken. It is logged before anything is sent, since the process may be killed
        at any moment. A caller's own token is looked up first, since an earlier process may have used it. If the result
        stays unknown, the error has the name and the token, and the caller can look again later.
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
        """Send a create whose body has a token; `settle` is that of `create_machine`.

        A token that may have been used before is looked up first; `recognise` returns the machine that was made with
        it, or refuses that machine. `permit` is called before each attempt, and may raise an error to prevent it.
        """
        name = body["name"]
        log.info("creating machine %r with token %s: dc.machines_by_token(%r) finds it", name, token, token)

        def send() -> Machine:
            permit()
            return self._send_body(body, token)

        with noting_interrupts(f"dc.machines_by_token({token!r}) tells whether the machine {name!r} was made"):
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

    def _settled(self, error: CallError, name: str, token: str, *, own_token: bool) -> Machine:
        """Return the machine that was made in spite of an error, or raise a refusal or an unknown outcome.

        A create with a fresh token that was refused at once has made nothing. If the token was used before, by this
        create or an earlier process, the machine that has the name may be ours, and not be listed yet.
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
        """Return the machine that has a name; None if that cannot be found out."""
        try:
            return next(iter(self.machines(name=name)), None)
        except SmartDCError:
            return None

    def _send_body(self, body: Mapping[str, Any], token: str) -> Machine:
        """Send a create; the outcome is unknown if the answer is not about the requested machine.

        CloudAPI may fail to read back a machine that it has accepted. An answer may also belong to another request;
        then no kept connection can be trusted, since the next answer on it may be ours.
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
    """Return why a machine cannot be the requested one; '' if nothing speaks against it.

    A missing entry proves nothing, since mocks answer with less. CloudAPI fills in names that contain ``{{``.
    """
    found = _token_in(machine)
    if found is not None and found != token:
        return f"its token is {found!r}, not {token!r}"
    # Not looked up in a set: the answer may have a list there, which cannot be hashed.
    if "{{" not in name and machine.name is not None and machine.name != name:
        return f"its name is {machine.name!r}, not {name!r}"
    return ""


def _token_in(machine: Machine) -> str | None:
    """Return the token that a machine was created with; None if it shows none."""
    tags = machine.get("tags")
    token = tags.get(TOKEN_TAG) if isinstance(tags, Mapping) else None
    return None if token is None else str(token)


def _lacks_token(machine: Machine) -> bool:
    """Return whether a machine shows tags, but no token: so it cannot be in a list of machines with a token."""
    return isinstance(machine.get("tags"), Mapping) and _token_in(machine) is None


def made_before(machine: Machine, new: NewMachine) -> Machine:
    """Return the machine that an earlier create made with the same token, if it can be the requested one.

    Its name and its package may have changed since then. Its image cannot change, and a dead machine does not come
    back.
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
    """Return the package's name, if the package is given by its name or has one."""
    name = None if new.package is None else id_of(new.package, "name", "id")
    return None if name is None or is_uuid(name) else name


def new_token() -> str:
    """Return a new, unique token."""
    return f"t{secrets.token_hex(16)}"


def with_token(body: Mapping[str, Any], token: str) -> dict[str, Any]:
    """Return a create's body with a token, and with a name if it has none; both help to find the machine."""
    if not TOKEN.fullmatch(token):
        raise InputError(f"invalid token {token!r}; expected a letter, then 5 to 63 letters, digits, '_' or '-'")
    digest = hashlib.sha256(token.encode()).hexdigest()[:16]
    return {"name": f"machine-{digest}", **body, f"tag.{TOKEN_TAG}": token}


def outcome_unknown(error: CallError, name: str, token: str) -> CreateOutcomeUnknown:
    """Return the error for an unknown outcome, which says how to look again."""
    text = (
        f"unknown whether the machine {name!r} was created ({error}); "
        f"dc.machines_by_token({token!r}) looks again, and create_machine(token={token!r}, ...) continues from there"
    )
    unknown = CreateOutcomeUnknown(
        text, method=error.method, path=error.path, request_id=error.request_id, attempts=error.attempts
    )
    unknown.name = name
    unknown.token = token
    return unknown
