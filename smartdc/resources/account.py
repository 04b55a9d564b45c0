"""Read and change the account itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from smartdc.core import arguments
from smartdc.core.answers import Limit
from smartdc.core.field import Field
from smartdc.core.operation import operation
from smartdc.core.parameters import parameters_of
from smartdc.core.resource import Addressable, Resource
from smartdc.errors import printable
from smartdc.http.dates import parse_date
from smartdc.resources.role_tag import HasRoleTags

__all__ = ["Account", "Contact", "HasAccount"]

CLOUDAPI_NAMES = {
    "company_name": "companyName",
    "first_name": "firstName",
    "last_name": "lastName",
    "postal_code": "postalCode",
}


@dataclass(frozen=True)
class Contact:
    """The name and the address of an account or a user, without the e-mail address; None leaves a field unchanged."""

    company_name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    address: str | None = None
    postal_code: str | None = None
    city: str | None = None
    state: str | None = None
    country: str | None = None
    phone: str | None = None

    def body(self) -> dict[str, Any]:
        """Return what was given, under CloudAPI's names."""
        return _body(vars(self))


@dataclass(frozen=True)
class Email:
    """An e-mail address."""

    email: str | None = None


# The fields of a dataclass's last base class come first, and this order is the original's.
@dataclass(frozen=True)
class AccountChanges(Contact, Email):
    """The fields of an account that can be changed."""

    triton_cns_enabled: bool | None = field(default=None, kw_only=True)

    def body(self) -> dict[str, Any]:
        """Return what was given, under CloudAPI's names."""
        fields = dict(vars(self))
        switch = arguments.booleans(triton_cns_enabled=fields.pop("triton_cns_enabled"))
        return {**_body(fields), **switch}


def _body(fields: Mapping[str, object]) -> dict[str, Any]:
    return {CLOUDAPI_NAMES.get(name, name): value for name, value in arguments.strings(**fields).items()}


class Account(HasRoleTags, Resource):
    """The account that pays for everything below it."""

    __slots__ = ()

    kind = ""

    id = Field[str]()
    """its UUID"""
    login = Field[str]()
    """its login name"""
    email = Field[str]()
    """its e-mail address"""
    company_name = Field[str](key="companyName")
    """the company"""
    first_name = Field[str](key="firstName")
    """the first name"""
    last_name = Field[str](key="lastName")
    """the last name"""
    phone = Field[str]()
    """the telephone number"""
    triton_cns_enabled = Field[bool]()
    """whether machines get names in the data centre's DNS"""
    created = Field[datetime](read=parse_date)
    """when it was created"""
    updated = Field[datetime](read=parse_date)
    """when it was last changed"""

    @property
    def path(self) -> str:
        """The path below the account: the account itself."""
        return self._parent.path

    def __str__(self) -> str:
        return printable(str(self.login))

    def _summary(self) -> list[str]:
        return [self.login]


class HasAccount(Addressable):
    """Mix-in for objects that represent an account."""

    @operation("GetAccount")
    def account(self) -> Account:
        """Get the account: ``GetAccount``."""
        return Account.from_answer(self, self._get())

    me = account

    @parameters_of(AccountChanges)
    @operation("UpdateAccount")
    def update_account(self, changes: AccountChanges) -> Account:
        """Change the given fields and return the account: ``UpdateAccount``.

        CloudAPI ignores empty strings here: a field that has a value cannot be cleared.
        """
        return Account(self, data=self._post(data=changes.body(), repeatable=True))

    @operation("GetAccountLimits")
    def limits(self) -> list[Limit]:
        """List the limits on the total use of the account's machines: ``GetAccountLimits``.

        Each limit is a dict. ``value`` is the limit and ``used`` the current use; ``by`` is their unit: MiB of ``ram``,
        GiB of ``quota`` (disk), or else ``machines``. ``check`` and the entry it names (``os``, ``image``, ``brand``)
        select machines; without them, the limit applies to all machines. The list is empty if the operator has set no
        limits.
        """
        return cast("list[Limit]", self._list("limits"))
