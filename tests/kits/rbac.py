"""Sub-users with keys of their own, and clients that sign as them."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from smartdc import DataCenter
from smartdc.emulator import Emulator
from smartdc.emulator.state import records

EVERYBODY = ["CAN *"]
"""Rules that let members do everything with what their role is tagged on."""


def new_key() -> tuple[str, str]:
    """Return a private key as text, and its public half as OpenSSH writes it."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return private, key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def public_line() -> str:
    """Return the public half of a new key."""
    return new_key()[1]


def as_user(cloud: Emulator, dc: DataCenter, user: records.UserRecord, **more: Any) -> DataCenter:
    """Return a client, at the same door as `dc`, that signs with a new key of a user."""
    private, public = new_key()
    key = cloud.state.add_key(user, public)
    connection = cloud.connection(None if "emulator" in dc.base_url else dc.base_url)
    key_id = f"/{cloud.login}/users/{user.login}/keys/{key.public.fingerprint}"
    return DataCenter(**{**connection, "key_id": key_id, "secret": private, **more})


def give_role(
    cloud: Emulator, name: str, *members: records.Person, rules: list[str] | None = None, default: bool = True
) -> records.RoleRecord:
    """Make a role of the account with one policy, active by default unless said otherwise."""
    account, ids = cloud.state.accounts[cloud.login], cloud.state.ids
    policy = records.PolicyRecord(ids.uuid("policy"), f"{name} rules", EVERYBODY if rules is None else rules)
    people = [member.id for member in members]
    role = records.RoleRecord(ids.uuid("role"), name, people, people if default else [], [policy.id])
    account.policies[policy.id], account.roles[role.id] = policy, role
    return role


def open_to(cloud: Emulator, path: str, *roles: records.RoleRecord) -> None:
    """Tag a path below the account, such as ``/machines``, with roles."""
    cloud.state.accounts[cloud.login].role_tags[f"/{cloud.login}{path}"] = [role.id for role in roles]
