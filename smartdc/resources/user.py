"""Manage users: people and programs that have keys of their own to an account, and what their roles let them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

from smartdc.core import arguments
from smartdc.core.resource import Addressable, Field, Resource, id_of
from smartdc.http.dates import parse_date
from smartdc.http.tracebacks import without_frames
from smartdc.resources.access_key import HasAccessKeys
from smartdc.resources.account import contact
from smartdc.resources.key import HasSSHKeys
from smartdc.resources.role_tag import HasRoleTags, HasTaggedCollections
from smartdc.waiting.create_once import Once, begin

__all__ = ["HasUsers", "User"]

SETTLE = 10.0
"""Seconds for which a user that was accepted may not be listed yet."""


class User(HasSSHKeys, HasAccessKeys, HasRoleTags, HasTaggedCollections, Resource):
    """A user of an account, also called sub-user.

    It signs with its own key: ``DataCenter(login=account, user=login, key_id=...)``. Its SSH keys are `ssh_keys`, since
    ``keys()`` is that of a mapping here.
    """

    kind = "users"

    id = Field[str]("its UUID")
    login = Field[str]("its login name, which is its own within the account")
    email = Field[str]("its e-mail address")
    company_name = Field[str | None]("the company", key="companyName")
    first_name = Field[str | None]("the first name", key="firstName")
    last_name = Field[str | None]("the last name", key="lastName")
    street_address = Field[str | None]("the street address, which `update` calls `address`", key="address")
    postal_code = Field[str | None]("the postal code", key="postalCode")
    city = Field[str | None]("the city")
    state = Field[str | None]("the state or province")
    country = Field[str | None]("the country")
    phone = Field[str | None]("the telephone number")
    roles = Field[list[str] | None]("the names of its roles; None unless it was got with `membership`")
    default_roles = Field[list[str] | None]("the names of those roles that are active without being asked for")
    created = Field[datetime]("when it was created", read=parse_date)
    updated = Field[datetime]("when it was last changed", read=parse_date)

    def update(
        self,
        email: str | None = None,
        login: str | None = None,
        company_name: str | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
        address: str | None = None,
        postal_code: str | None = None,
        city: str | None = None,
        state: str | None = None,
        country: str | None = None,
        phone: str | None = None,
    ) -> Self:
        """Change what is given and return the user: ``UpdateUser``. An empty text clears a field."""
        changes = contact(
            email=email,
            login=login,
            company_name=company_name,
            first_name=first_name,
            last_name=last_name,
            address=address,
            postal_code=postal_code,
            city=city,
            state=state,
            country=country,
            phone=phone,
        )
        self._keep(self._post(data=changes, repeatable=True))
        return self

    @without_frames
    def change_password(self, password: str) -> Self:
        """Give the user a new password and return it: ``ChangeUserPassword``.

        CloudAPI wants letters and digits, seven at least, and none of the last passwords.
        """
        wish = arguments.strings(password=password, password_confirmation=password)
        self._keep(self._post("change_password", data=wish))
        return self

    def delete(self) -> None:
        """Delete the user: ``DeleteUser``. Its keys and access keys must be gone, or it raises `InvalidArgument`."""
        self._delete()

    def _summary(self) -> list[str]:
        return [repr(self.login), self.id]


class HasUsers(Addressable):
    """What has users."""

    def users(self) -> list[User]:
        """List the users: ``ListUsers``."""
        return [User(self, data=entry) for entry in self._list("users")]

    def user(self, identifier: str | Mapping[str, Any], *, membership: bool = False) -> User:
        """Get a user by its id or login, with `membership` the names of its roles too: ``GetUser``."""
        name = id_of(identifier, "id", "login")
        return User(self, data=self._get("users", name, params=arguments.flags(membership=membership)))

    @without_frames
    def create_user(
        self,
        login: str,
        email: str,
        password: str,
        company_name: str | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
        address: str | None = None,
        postal_code: str | None = None,
        city: str | None = None,
        state: str | None = None,
        country: str | None = None,
        phone: str | None = None,
    ) -> User:
        """Create a user: ``CreateUser``.

        `login` begins with a letter and has 3 to 32 letters, digits and ``_.@``; `password` has letters and digits,
        seven at least. When the answer is lost, the user is looked for before it is created again.
        """
        profile = contact(
            login=login,
            email=email,
            company_name=company_name,
            first_name=first_name,
            last_name=last_name,
            address=address,
            postal_code=postal_code,
            city=city,
            state=state,
            country=country,
            phone=phone,
        )
        secret = arguments.strings(password=password)
        is_new = begin(self._datacenter.clock, self._datacenter.session.now)

        def send() -> User:
            return User(self, data=self._post("users", data={**profile, **secret}))

        def find() -> list[User]:
            # One that was there before may be the same in everything that is shown, and has another password.
            new = [user for user in self.users() if is_new(user.created)]
            return [user for user in new if all(user.get(key, "") == said for key, said in profile.items())]

        return Once(send, find, self._datacenter.clock, SETTLE).run()
