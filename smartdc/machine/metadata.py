"""Read and write metadata: names and values that a machine can read from inside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from smartdc.core import arguments
from smartdc.core.operation import operation
from smartdc.core.resource import Resource
from smartdc.errors import InputError
from smartdc.http import request as wire
from smartdc.http.tracebacks import without_frames

if TYPE_CHECKING:
    import os
import re

__all__ = ["HasMetadata", "boot_script_from", "checked_key", "harmless", "shown"]

RESERVED = frozenset(
    {"account", "machine", "uuid", "owner_uuid", "credentials", "image", "origin", "dataset", "package", "networks"}
)
"""Names that CloudAPI would take for parameters of its own, or drop."""

BOOT_SCRIPT = "user-script"
HIDDEN = frozenset({BOOT_SCRIPT, "credentials"})
UNDELETABLE = frozenset({"administrator_pw", "root_authorized_keys"})

SECRET = re.compile(
    r"user[-_]?data$|_pw$|passw|passphrase|secret|token|credential|(?:api|access|private)[-_.]?key", re.IGNORECASE
)
"""Names of what is likely to be secret, such as ``user-data``, ``cloud-init:user-data`` and ``root_pw``."""

Value = str | int | float | bool


class HasMetadata(Resource):
    """Mix-in for owners of metadata; passwords show nowhere but in `credentials`.

    Changes are jobs: what the methods return is what the metadata will be. What they return is also what `metadata`
    is from then on, with the boot script, until the machine is fetched again.
    """

    __slots__ = ()

    _shows_boot_script = False
    _credentials: Mapping[str, str] | None = None
    """The passwords as they were last fetched, which most answers are without."""

    def _keep(self, data: Mapping[str, Any]) -> Self:
        """Replace the data, in which the boot script has its own place again; passwords that are known stay known."""
        self._remember_credentials()
        if self._shows_boot_script:
            self._shows_boot_script = False
        return super()._keep(data)

    @operation("ListMachineMetadata", "GetMachineMetadata")
    def get_metadata(self, key: str | None = None, *, credentials: bool = False) -> Any:
        """Return all metadata as a dict, or the value at `key`: ``ListMachineMetadata``, ``GetMachineMetadata``.

        CloudAPI gives a single value only where it is a string. With `credentials` the passwords are fetched with all
        the rest, for `Machine.credentials` to show them without a request of its own.
        """
        if key is not None:
            return self._call("GET", "metadata", checked_key(key))[0]
        return self._keep_metadata(self._get("metadata", params=arguments.flags(credentials=credentials)))

    @without_frames
    @operation("UpdateMachineMetadata")
    def update_metadata(self, mapping: Mapping[str, Value] | None = None, /, **entries: Value) -> dict[str, Value]:
        """Set entries beside those that are there, and return all: ``UpdateMachineMetadata``.

        Keys that are no Python identifiers go into `mapping`.
        """
        data = wire.form_names(mapping, entries, RESERVED, "metadata entry")
        for key in data:
            checked_key(key)
        return self._keep_metadata(self._post("metadata", data=data, repeatable=True))

    @operation("DeleteMachineMetadata", "ListMachineMetadata")
    def delete_metadata_at_key(self, key: str) -> dict[str, Value]:
        """Delete the entry at `key` and return the rest: ``DeleteMachineMetadata``, ``ListMachineMetadata``."""
        self._delete("metadata", checked_key(key))
        rest = self._get("metadata")
        rest.pop(key, None)
        return self._keep_metadata(rest)

    @operation("DeleteAllMachineMetadata", "ListMachineMetadata")
    def delete_all_metadata(self) -> dict[str, Value]:
        """Delete all metadata and return what stays: ``DeleteAllMachineMetadata``, ``ListMachineMetadata``.

        CloudAPI keeps ``root_authorized_keys`` and ``administrator_pw``.
        """
        self._delete("metadata")
        rest = self._get("metadata")
        return self._keep_metadata({key: value for key, value in rest.items() if key in UNDELETABLE})

    @without_frames
    @operation("UpdateMachineMetadata")
    def set_boot_script(self, filename: str | os.PathLike[str]) -> None:
        """Make a file's text the script that runs at every boot: ``UpdateMachineMetadata``.

        CloudAPI takes at most 100,000 bytes.
        """
        self._replace(self._post("metadata", data={BOOT_SCRIPT: boot_script_from(filename)}, repeatable=True))

    @operation("DeleteMachineMetadata")
    def delete_boot_script(self) -> None:
        """Delete the script that runs at every boot: ``DeleteMachineMetadata``."""
        self._delete("metadata", BOOT_SCRIPT)
        self._part("metadata").pop(BOOT_SCRIPT, None)

    def _keep_metadata(self, entries: dict[str, Any]) -> dict[str, Value]:
        """Remember all entries as what `metadata` is from now on, and return them; passwords are kept apart."""
        self._replace(entries)
        self._shows_boot_script = True
        return without_passwords(entries)

    def _replace(self, entries: dict[str, Any]) -> None:
        self._remember_credentials()
        self._data["metadata"] = entries

    def _remember_credentials(self) -> None:
        """Write down the passwords of an answer that is about to be replaced by one without them."""
        entries = self._data.get("metadata")
        credentials = entries.get("credentials") if isinstance(entries, dict) else None
        if isinstance(credentials, dict):
            self._credentials = credentials


def without_passwords(entries: Mapping[str, Any]) -> dict[str, Value]:
    """Return metadata with the boot script, but without the passwords."""
    return {key: value for key, value in entries.items() if key != "credentials"}


def shown(entries: Mapping[str, Any]) -> dict[str, Value]:
    """Return metadata without the boot script and the passwords, which have places of their own."""
    return {key: value for key, value in entries.items() if key not in HIDDEN}


def harmless(entries: Mapping[str, Any]) -> dict[str, Value]:
    """Return metadata without what is likely to be secret: passwords, tokens, boot script and user data."""
    return {key: value for key, value in shown(entries).items() if not SECRET.search(key)}


def boot_script_from(filename: str | os.PathLike[str]) -> str:
    """Read a boot script, and refuse one that CloudAPI would not take."""
    script = Path(filename).expanduser().read_bytes()
    if len(script) > wire.MAX_BODY:
        raise InputError(f"{filename} has {len(script):,} bytes; CloudAPI takes at most {wire.MAX_BODY:,}")
    try:
        return script.decode()
    except UnicodeDecodeError:
        raise InputError(f"{filename} is not UTF-8 text, which CloudAPI requires") from None


def checked_key(key: str) -> str:
    """Refuse the keys that CloudAPI does not pass on as they are."""
    if set("/?#%") & set(key):
        raise InputError(f"metadata key {key!r} must not contain / ? # or %: CloudAPI does not pass them on unchanged")
    return key
