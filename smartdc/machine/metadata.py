"""Read and write metadata: names with values that programs in a machine can read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from smartdc.core import arguments
from smartdc.core.literals import Action
from smartdc.core.operation import operation
from smartdc.errors import InputError
from smartdc.http import request as wire
from smartdc.http.tracebacks import without_frames
from smartdc.machine.entries import ChangesEntries, Patience, Timeout, Wait, includes, patience
from smartdc.waiting.poll import DEFAULT_TIMEOUT

if TYPE_CHECKING:
    import os

__all__ = ["HasMetadata", "boot_script_from", "checked_key", "harmless", "shown"]

RESERVED = frozenset(
    {"account", "machine", "uuid", "owner_uuid", "credentials", "image", "origin", "dataset", "package", "networks"}
)
"""Names that CloudAPI would take for its own parameters, or drop."""

BOOT_SCRIPT = "user-script"
HIDDEN = frozenset({BOOT_SCRIPT, "credentials"})
UNDELETABLE = frozenset({"administrator_pw", "root_authorized_keys"})
SERVERS_OWN = frozenset({"uuid", "owner_uuid", "credentials"})
"""Entries that CloudAPI adds itself."""

SETS: tuple[Action, ...] = ("set_metadata",)
REPLACES: tuple[Action, ...] = ("replace_metadata", "set_metadata")
REMOVES: tuple[Action, ...] = ("remove_metadata",)
"""The audit's names for jobs that change metadata."""

SECRET = re.compile(
    r"user[-_]?data$|_pw$|passw|passphrase|secret|token|credential|(?:api|access|private)[-_.]?key", re.IGNORECASE
)
"""Names of entries that are probably secret, such as ``user-data``, ``cloud-init:user-data`` and ``root_pw``."""

Value = str | int | float | bool


class HasMetadata(ChangesEntries):
    """Mix-in for owners of metadata; only `credentials` shows passwords.

    Changes are jobs: the methods return the metadata as it will be, or with `wait` as it is. The attribute `metadata`
    is then the same, with the boot script, until the machine is fetched again.
    """

    __slots__ = ()

    _shows_boot_script = False
    _credentials: Mapping[str, str] | None = None
    """The passwords as last fetched; most answers do not have them."""

    def _keep(self, data: Mapping[str, Any]) -> Self:
        """Replace the data; the boot script is then only in `boot_script` again, and known passwords stay known."""
        self._remember_credentials()
        if self._shows_boot_script:
            self._shows_boot_script = False
        return super()._keep(data)

    @operation("ListMachineMetadata", "GetMachineMetadata")
    def get_metadata(self, key: str | None = None, *, credentials: bool = False) -> Any:
        """Return all metadata as a dict, or the value at `key`: ``ListMachineMetadata``, ``GetMachineMetadata``.

        CloudAPI returns a single value only if it is a string. With `credentials`, the passwords are fetched too;
        `Machine.credentials` then returns them without another request.
        """
        if key is not None:
            return self._call("GET", "metadata", checked_key(key))[0]
        return self._keep_metadata(self._get("metadata", params=arguments.flags(credentials=credentials)))

    @without_frames
    @operation("UpdateMachineMetadata", "ListMachineMetadata", "MachineAudit")
    def update_metadata(
        self,
        mapping: Mapping[str, Value] | None = None,
        /,
        *,
        wait: Wait = None,
        timeout: Timeout = DEFAULT_TIMEOUT,
        **entries: Value,
    ) -> dict[str, Value]:
        """Set these entries, keep the others, and return all: ``UpdateMachineMetadata``.

        Pass keys that are not Python identifiers, or are called wait or timeout, in `mapping`. With ``wait=True``, it
        returns when the entries are visible, and raises `WaitFailed` if the job has failed, or `WaitTimeout` after
        `timeout` seconds: ``ListMachineMetadata``, ``MachineAudit``.
        """
        waits = patience(wait, timeout, entries, "metadata entry")
        data = wire.form_names(mapping, entries, RESERVED, "metadata entry")
        for key in data:
            checked_key(key)
        before = self.count_entry_jobs(SETS, waits)
        answer = self._keep_metadata(self._post("metadata", data=data, repeatable=True))
        return self._metadata_once(answer, partial(includes, data), SETS, before, waits)

    @operation("DeleteMachineMetadata", "ListMachineMetadata", "MachineAudit")
    def delete_metadata_at_key(
        self, key: str, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT
    ) -> dict[str, Value]:
        """Delete the entry at `key` and return the rest: ``DeleteMachineMetadata``, ``ListMachineMetadata``.

        `wait` and `timeout` are those of `update_metadata`.
        """
        waits = Patience.checked(wait, timeout)
        before = self.count_entry_jobs(REMOVES, waits)
        self._delete("metadata", checked_key(key))
        rest = self._get("metadata")
        rest.pop(key, None)
        return self._metadata_once(self._keep_metadata(rest), lambda now: key not in now, REMOVES, before, waits)

    @operation("DeleteAllMachineMetadata", "ListMachineMetadata", "MachineAudit")
    def delete_all_metadata(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> dict[str, Value]:
        """Delete all metadata and return the rest: ``DeleteAllMachineMetadata``, ``ListMachineMetadata``.

        CloudAPI keeps ``root_authorized_keys`` and ``administrator_pw``. `wait` and `timeout` are those of
        `update_metadata`.
        """
        waits = Patience.checked(wait, timeout)
        before = self.count_entry_jobs(REPLACES, waits)
        self._delete("metadata")
        found = self._get("metadata")
        answer = self._keep_metadata({key: value for key, value in found.items() if key in UNDELETABLE})
        lost = found.keys() - UNDELETABLE - SERVERS_OWN
        return self._metadata_once(answer, lambda now: not lost & now.keys(), REPLACES, before, waits)

    @without_frames
    @operation("UpdateMachineMetadata", "ListMachineMetadata", "MachineAudit")
    def set_boot_script(
        self, filename: str | os.PathLike[str], *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT
    ) -> None:
        """Set the script that runs at every boot to the text of a file: ``UpdateMachineMetadata``.

        CloudAPI accepts at most 100,000 bytes. `wait` and `timeout` are those of `update_metadata`.
        """
        waits = Patience.checked(wait, timeout)
        data = {BOOT_SCRIPT: boot_script_from(filename)}
        before = self.count_entry_jobs(SETS, waits)
        self._replace(self._post("metadata", data=data, repeatable=True))
        self.wait_for_entries(partial(self._get, "metadata"), partial(includes, data), SETS, before, waits)

    @operation("DeleteMachineMetadata", "ListMachineMetadata", "MachineAudit")
    def delete_boot_script(self, *, wait: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Delete the script that runs at every boot: ``DeleteMachineMetadata``.

        `wait` and `timeout` are those of `update_metadata`.
        """
        waits = Patience.checked(wait, timeout)
        before = self.count_entry_jobs(REMOVES, waits)
        self._delete("metadata", BOOT_SCRIPT)
        self._part("metadata").pop(BOOT_SCRIPT, None)
        read = partial(self._get, "metadata")
        self.wait_for_entries(read, lambda now: BOOT_SCRIPT not in now, REMOVES, before, waits)

    def _metadata_once(
        self,
        answer: dict[str, Value],
        goal: Callable[[Mapping[str, Any]], bool],
        actions: tuple[Action, ...],
        jobs_before: int,
        waits: Patience,
    ) -> dict[str, Value]:
        """Return the answer to a change, or with `wait` the metadata when the change is visible."""
        self.wait_for_entries(self.get_metadata, goal, actions, jobs_before, waits)
        return without_passwords(self._part("metadata")) if waits.wait else answer

    def _keep_metadata(self, entries: dict[str, Any]) -> dict[str, Value]:
        """Remember all entries as the new `metadata`, and return them; passwords are kept separately."""
        self._replace(entries)
        self._shows_boot_script = True
        return without_passwords(entries)

    def _replace(self, entries: dict[str, Any]) -> None:
        self._remember_credentials()
        self._data["metadata"] = entries

    def _remember_credentials(self) -> None:
        """Remember the passwords of an answer before it is replaced by one without them."""
        entries = self._data.get("metadata")
        credentials = entries.get("credentials") if isinstance(entries, dict) else None
        if isinstance(credentials, dict):
            self._credentials = credentials


def without_passwords(entries: Mapping[str, Any]) -> dict[str, Value]:
    """Return metadata with the boot script, but without the passwords."""
    return {key: value for key, value in entries.items() if key != "credentials"}


def shown(entries: Mapping[str, Any]) -> dict[str, Value]:
    """Return metadata without the boot script and the passwords, which have their own attributes."""
    return {key: value for key, value in entries.items() if key not in HIDDEN}


def harmless(entries: Mapping[str, Any]) -> dict[str, Value]:
    """Return metadata without entries that are probably secret: passwords, tokens, boot script and user data."""
    return {key: value for key, value in shown(entries).items() if not SECRET.search(key)}


def boot_script_from(filename: str | os.PathLike[str]) -> str:
    """Read a boot script, and refuse one that CloudAPI would not accept."""
    with Path(filename).expanduser().open("rb") as file:
        script = file.read(wire.MAX_BODY + 1)  # a device has no end, and a disk image is very long
    if len(script) > wire.MAX_BODY:
        raise InputError(f"{filename} has at least {len(script):,} bytes; CloudAPI takes at most {wire.MAX_BODY:,}")
    try:
        return script.decode()
    except UnicodeDecodeError:
        raise InputError(f"{filename} is not UTF-8 text, which CloudAPI requires") from None


def checked_key(key: str) -> str:
    """Refuse keys that CloudAPI does not pass on unchanged."""
    if set("/?#%") & set(key):
        raise InputError(f"metadata key {key!r} must not contain / ? # or %: CloudAPI does not pass them on unchanged")
    return key
