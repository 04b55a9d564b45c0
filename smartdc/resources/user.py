"""Manage users: people and programs with their own keys to an account, whose roles say what they may do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from smartdc.core import arguments
from smartdc.core.cells import age, in_columns
from smartdc.core.field import Field
from smartdc.core.listing import ResourceList
from smartdc.core.lookup import complete_id, id_of
from smartdc.core.operation import operation
from smartdc.core.parameters import parameters_of
from smartdc.core.resource import Resource
from smartdc.core.search import select
from smartdc.http.dates import parse_date
from smartdc.http.tracebacks import without_frames
from smartdc.resources.access_key import HasAccessKeys
from smartdc.resources.account import Contact
from smartdc.resources.key import HasSSHKeys
from smartdc.resources.role_tag import HasRoleTags, HasTaggedCollections
from smartdc.waiting.create_once import CreatesOnce, started_after

__all__ = ["HasUsers", "User"]


@dataclass(frozen=True)
class EmailAndLogin:
    """A user's e-mail address and login."""

    email: str | None = None
    login: str | None = None


# The fields of a dataclass's last base class come first.
@dataclass(frozen=True)
class UserChanges(Contact, EmailAndLogin):
    """The fields of a user that can be changed."""


@dataclass(frozen=True)
class Credentials:
    """A new user's e-mail address, login and password."""

    login: str
    email: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class NewUser(Contact, Credentials):
    """The parameters of a new user."""


class User(HasSSHKeys, HasAccessKeys, HasRoleTags, HasTaggedCollections, Resource):
    """A user of an account, also called sub-user.

    It signs with its own key: ``DataCenter(login=account, user=login, key_id=...)``. `ssh_keys` lists its SSH keys;
    ``keys()`` is the method of a mapping.
    """

    __slots__ = ()

    kind = "users"
    columns = in_columns(login="login", email="email", age=age(), id="id", company="companyName")

    id = Field[str]()
    """its UUID"""
    login = Field[str]()
    """its login name, unique within the account"""
    email = Field[str]()
    """its e-mail address"""
    company_name = Field[str | None](key="companyName")
    """the company"""
    first_name = Field[str | None](key="firstName")
    """the first name"""
    last_name = Field[str | None](key="lastName")
    """the last name"""
    street_address = Field[str | None](key="address")
    """the street address, which `update` calls `address`"""
    postal_code = Field[str | None](key="postalCode")
    """the postal code"""
    city = Field[str | None]()
    """the city"""
    state = Field[str | None]()
    """the state or province"""
    country = Field[str | None]()
    """the country"""
    phone = Field[str | None]()
    """the telephone number"""
    roles = Field[list[str] | None]()
    """the names of its roles; None unless the user was fetched with `membership`"""
    default_roles = Field[list[str] | None]()
    """the names of the roles that are active in every request of the user"""
    created = Field[datetime](read=parse_date)
    """when it was created"""
    updated = Field[datetime](read=parse_date)
    """when it was last changed"""

    @parameters_of(UserChanges)
    @operation("UpdateUser")
    def update(self, changes: UserChanges) -> Self:
        """Change the given fields and return the user: ``UpdateUser``. An empty text clears a field."""
        self._change("POST", data=changes.body(), repeatable=True)
        return self

    @without_frames
    @operation("ChangeUserPassword")
    def change_password(self, password: str) -> Self:
        """Give the user a new password and return it: ``ChangeUserPassword``.

        CloudAPI requires letters and digits, at least seven characters, and none of the last passwords.
        """
        body = arguments.strings(password=password, password_confirmation=password)
        self._keep(self._post("change_password", data=body))
        return self

    @operation("DeleteUser")
    def delete(self) -> None:
        """Delete the user: ``DeleteUser``. Its keys and access keys must be gone, or it raises `InvalidArgument`."""
        self._delete()

    def _summary(self) -> list[str]:
        return [repr(self.login), self.id]


class HasUsers(CreatesOnce):
    """Mix-in for owners of users."""

    @operation("ListUsers")
    def users(
        self, *, login: str | None = None, search: str | None = None, fields: Iterable[str] = ("login",)
    ) -> ResourceList[User]:
        """List the users: ``ListUsers``.

        `login` may contain ``*`` and ``?``, and `search` is a regular expression for `fields`; the library applies
        both.
        """
        return User.from_answers(self, select(self._list("users"), search, fields, login=login))

    @operation("GetUser", "ListUsers")
    def user(self, identifier: str | Mapping[str, Any], *, membership: bool = False) -> User:
        """Get a user by its id or login; with `membership`, also the names of its roles: ``GetUser``.

        The beginning of an id is looked up: ``ListUsers``.
        """
        name = complete_id(id_of(identifier, "id", "login"), "user", self.users, key="login")
        return User.from_answer(self, self._get("users", name, params=arguments.flags(membership=membership)))

    @without_frames
    @parameters_of(NewUser)
    @operation("CreateUser")
    def create_user(self, user: NewUser) -> User:
        """Create a user: ``CreateUser``.

        `login` begins with a letter and has 3 to 32 letters, digits and ``_.@``; `password` has letters and digits, at
        least seven characters. If the answer is lost, the user is looked for before the request is sent again.
        """
        body = user.body()
        is_new = started_after(self._datacenter.clock, self._datacenter.session.now)

        def matches(user: User) -> bool:
            # An older user may be the same in all visible fields, but has another password.
            shown = (user.get(key, "") == value for key, value in body.items() if key != "password")
            return is_new(user.created) and all(shown)

        return self._create_once(lambda: User(self, data=self._post("users", data=body)), self.users, matches)
