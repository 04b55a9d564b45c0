"""Read location, account and key from the environment, or from the profiles of the ``triton`` command.

This module never writes: create and change profiles with ``triton profile``.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from smartdc.errors import ConfigError
from smartdc.http.tracebacks import let_pass

__all__ = ["HOW_TO", "Profile", "chosen", "from_environment", "is_true", "lacking", "missing_settings", "profiles"]

log = logging.getLogger(__name__)

HOW_TO = (
    "give DataCenter(location=..., key_id=...), set TRITON_URL, TRITON_ACCOUNT and TRITON_KEY_ID "
    "(or SDC_URL, SDC_ACCOUNT and SDC_KEY_ID), or make a profile with: triton profile create"
)
PREFIXES = ("TRITON_", "SDC_")
WORDS = {"true": True, "1": True, "false": False, "0": False}
ENTRIES = {
    "url": "url",
    "account": "account",
    "keyId": "key_id",
    "user": "user",
    "actAsAccount": "act_as",
    "insecure": "insecure",
    "roles": "roles",
}
"""Entry of a profile's file to attribute of `Profile`."""


@dataclass(frozen=True)
class Profile:
    """Location, account and key; None means 'not given'.

    `origins` maps every setting to where it comes from.
    """

    name: str = ""
    url: str | None = None
    account: str | None = None
    key_id: str | None = None
    user: str | None = None
    act_as: str | None = None
    roles: tuple[str, ...] = ()
    key_material: str | None = field(default=None, repr=False)
    insecure: bool = False
    origins: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)


def chosen(name: str | None, environ: Mapping[str, str]) -> Profile:
    """Return the profile of that name, or the default one if there is no name.

    The default is the first of these: the profile in ``TRITON_PROFILE``; the environment, if it has a URL; the
    ``triton`` command's current profile; an empty profile.
    """
    name = name or environ.get("TRITON_PROFILE") or ("env" if _named(environ, "URL") else _current(environ))
    return from_environment(environ) if name in {None, "env"} else _from_file(name, environ)


def profiles() -> list[Profile]:
    """Return the profiles of this computer: the environment's, named ``env``, if it is set, and the ``triton`` command's.

    Files that are not valid profiles are left out, with a warning in the log.
    """
    found = [p for p in [from_environment(os.environ)] if p.url and p.account and p.key_id]
    for path in sorted((_folder(os.environ) / "profiles.d").glob("*.json")):
        if path.stem.lower() == "env":
            log.warning("ignoring %s: the name 'env' stands for the environment", path)
            continue
        try:
            found.append(_from_file(path.stem, os.environ))
        except ConfigError as error:
            log.warning("%s", error)
    return found


def from_environment(environ: Mapping[str, str]) -> Profile:
    """Read the ``TRITON_*`` variables and, for each that is missing, the ``SDC_*`` one.

    ``TRITON_KEY_MATERIAL`` is the private key itself or its path, as for other tools of this cloud. ``TRITON_ROLE`` is
    a list of roles, separated by commas.
    """
    names = {name: _named(environ, name.upper()) for name in ("url", "account", "key_id", "user", "key_material")}
    names |= {"act_as": "TRITON_ACT_AS" if environ.get("TRITON_ACT_AS") else None}
    given = {name: variable for name, variable in names.items() if variable}
    insecure, variable = _insecure(environ)
    origins = {**given, **({"insecure": variable} if variable else {})}
    values: dict[str, Any] = {name: environ[variable] for name, variable in given.items()}
    return _with_roles(Profile(name="env", insecure=insecure, origins=origins, **values), environ)


def lacking(profile: Profile) -> str:
    """Return a text about missing variables if only some are set; '' if all are set, or none."""
    needed = ("url", "account") if profile.key_material else ("url", "account", "key_id")
    missing = [f"TRITON_{name.upper()} (or SDC_{name.upper()})" for name in needed if not getattr(profile, name)]
    there = [origin for name in (*needed, "key_material") if (origin := profile.origins.get(name))]
    if profile.name != "env" or not missing or not there:
        return ""
    return f"the environment has {' and '.join(there)}, and lacks {' and '.join(missing)}"


def missing_settings(name: str | None) -> str:
    """Return the text of `lacking` for the profile that `name` selects; '' if there is no such profile."""
    try:
        return lacking(chosen(name, os.environ))
    except ConfigError:
        return ""


def _with_roles(profile: Profile, environ: Mapping[str, str]) -> Profile:
    """Let ``TRITON_ROLE`` override any profile, as it does for the ``triton`` command."""
    roles = tuple(role for role in map(str.strip, environ.get("TRITON_ROLE", "").split(",")) if role)
    if not roles:
        return profile
    return replace(profile, roles=roles, origins={**profile.origins, "roles": "TRITON_ROLE"})


def _named(environ: Mapping[str, str], name: str) -> str | None:
    """Return the variable that sets `name`; an empty one counts as unset."""
    return next((prefix + name for prefix in PREFIXES if environ.get(prefix + name)), None)


def _insecure(environ: Mapping[str, str]) -> tuple[bool, str | None]:
    """Return whether the check of certificates is switched off, and the variable that does it."""
    variable = _named(environ, "TLS_INSECURE")
    if variable:
        return is_true(environ[variable], variable), variable
    # The first tools of this cloud took any text as true, and scripts rely on that.
    return (True, "SDC_TESTING") if environ.get("SDC_TESTING") else (False, None)


def is_true(text: str, name: str) -> bool:
    """Read a boolean as strictly as the ``triton`` command does, so that no typo switches off a check."""
    try:
        return WORDS[text]
    except KeyError:
        raise ConfigError(f"{name} must be true, 1, false or 0, got {text!r}") from None


def _folder(environ: Mapping[str, str]) -> Path:
    home = environ.get("HOME")
    return Path(home or os.path.expanduser("~")) / ".triton"  # noqa: PTH111 (Path's own raises without a home)


def _current(environ: Mapping[str, str]) -> str | None:
    """Return the name of the ``triton`` command's current profile, if it has one."""
    path = _folder(environ) / "config.json"
    name = _json(path).get("profile") if _is_there(path) else None
    if name is not None and not isinstance(name, str):
        raise ConfigError(f"invalid entry 'profile' in {path}: must be a string")
    return name


def _from_file(name: str, environ: Mapping[str, str]) -> Profile:
    """Read one profile of the ``triton`` command."""
    path = _folder(environ) / "profiles.d" / f"{name}.json"
    if "/" in name or not _is_there(path):
        raise ConfigError(f"there is no profile {name!r}: {path} does not exist; triton profile list shows which do")
    entries = {entry: value for entry, value in _json(path).items() if value is not None}
    for entry, value in entries.items():
        if problem := _problem(entry, value):
            raise ConfigError(f"invalid entry {entry!r} in profile {name!r} ({path}): {problem}")
    missing = [entry for entry in ("url", "account", "keyId") if not entries.get(entry)]
    if missing:
        raise ConfigError(f"profile {name!r} ({path}) lacks {', '.join(missing)}")
    values: dict[str, Any] = {ENTRIES[entry]: value for entry, value in entries.items()}
    origins = dict.fromkeys(values, f"profile {name!r}")
    values["roles"] = tuple(values.get("roles", ()))
    return _with_roles(Profile(name=name, origins=origins, **values), environ)


def _problem(entry: str, value: object) -> str | None:
    """Return what is wrong with an entry of a profile's file."""
    match entry:
        case "insecure":
            return None if isinstance(value, bool) else f"must be true or false, without quotes, got {value!r}"
        case "roles":
            good = isinstance(value, list) and all(isinstance(role, str) for role in value)
            return None if good else "must be a list of names"
        case "name":
            return "the name of a profile is that of its file"
    if entry not in ENTRIES:
        return f"unknown; expected one of {', '.join(ENTRIES)}"
    return None if isinstance(value, str) else "must be a string"


def _is_there(path: Path) -> bool:
    """Return whether a file exists; False if its directory may not be searched."""
    return os.path.exists(path)  # noqa: PTH110 (Path's own raises there)


def _json(path: Path) -> dict[str, Any]:
    try:
        entries = json.loads(path.read_bytes())
    except OSError as error:
        let_pass(error)
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        let_pass(error)
        raise ConfigError(f"{path} is not JSON: {error}") from None
    if not isinstance(entries, dict):
        raise ConfigError(f"{path} is not a JSON object")
    return entries
