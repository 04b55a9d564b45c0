"""Records of accounts and of what belongs to people: users, keys, roles and policies."""

from dataclasses import dataclass, field

from smartdc.emulator.core.public_key import PublicKey


@dataclass(slots=True)
class KeyRecord:
    """An SSH key of an account or a user."""

    name: str
    public: PublicKey


@dataclass(slots=True)
class AccessKeyRecord:
    """An access key for S3-compatible services; the emulator only stores it."""

    id: str
    secret: str = field(repr=False)
    created: float
    status: str = "Active"
    description: str | None = None
    updated: float | None = None
    """When it was changed last; None for never."""


@dataclass(slots=True)
class Person:
    """The common part of accounts and sub-users; ``profile`` holds email, companyName and so on under CloudAPI's names."""

    id: str
    login: str
    created: float
    updated: float
    profile: dict[str, str] = field(default_factory=dict)
    keys: dict[str, KeyRecord] = field(default_factory=dict)
    access_keys: dict[str, AccessKeyRecord] = field(default_factory=dict)
    disabled: bool = False

    def key(self, name: str) -> KeyRecord | None:
        """Return the key with this name or MD5 fingerprint."""
        if found := self.keys.get(name):
            return found
        return next((key for key in list(self.keys.values()) if key.public.fingerprint == name), None)


@dataclass(slots=True)
class UserRecord(Person):
    """A sub-user of an account; ``passwords`` are digests, the newest last."""

    passwords: list[bytes] = field(default_factory=list, repr=False)


@dataclass(slots=True)
class PolicyRecord:
    """A policy: rules about what may be done."""

    id: str
    name: str
    rules: list[str]
    description: str | None = None


@dataclass(slots=True)
class RoleRecord:
    """A role: who may do what its policies allow; members and policies are ids."""

    id: str
    name: str
    members: list[str] = field(default_factory=list)
    default_members: list[str] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)


@dataclass(slots=True)
class AccountRecord(Person):
    """An account."""

    cns_enabled: bool = False
    approved: bool = True
    operator: bool = False
    default_network: str | None = None
    users: dict[str, UserRecord] = field(default_factory=dict)
    """Users by id, as are roles and policies."""
    roles: dict[str, RoleRecord] = field(default_factory=dict)
    policies: dict[str, PolicyRecord] = field(default_factory=dict)
    role_tags: dict[str, list[str]] = field(default_factory=dict)
    """The ids of the roles on each path, such as ``/demo/users``; machines keep their own."""

    def user(self, name: str) -> UserRecord | None:
        """Return the user with this login or id."""
        return self.users.get(name) or next((user for user in list(self.users.values()) if user.login == name), None)


@dataclass(slots=True)
class Bucket:
    """A token bucket: what is left of the burst, and when it was counted (seconds)."""

    tokens: float
    counted: float
