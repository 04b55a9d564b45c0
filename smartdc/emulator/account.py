"""The account, and the ping that needs none."""

from typing import Any

from .call import Call
from .clock import iso
from .records import Account
from .reply import Reply, invalid_argument
from .router import operation
from .versions import SERVED

ACCOUNT = "/:account"
OPTIONAL = ("companyName", "firstName", "lastName", "address", "city", "state", "postalCode", "country", "phone")
CHANGEABLE = ("email", *OPTIONAL)
ALIASES = {"company": "companyName", "givenName": "firstName", "sn": "lastName"}
"""Older words for some fields, which CloudAPI still takes."""


@operation("Ping", "GET", "/--ping")
def ping(call: Call) -> Reply:
    """Say which versions are served, to anybody."""
    headers = {"Triton-Datacenter-Name": call.settings.datacenter}
    return Reply(200, {"ping": "pong", "cloudapi": {"versions": list(SERVED)}}, headers)


@operation("GetAccount", "GET", ACCOUNT, head="HeadAccount")
def get_account(call: Call) -> Reply:
    """Return the account."""
    return Reply(200, view(call.account))


@operation("UpdateAccount", "POST", ACCOUNT)
def update_account(call: Call) -> Reply:
    """Change fields of the account; an empty value changes nothing."""
    account = call.account
    enabled = call.params.get("triton_cns_enabled")
    if enabled is not None and enabled not in (True, False, "true", "false"):
        raise invalid_argument('triton_cns_enabled must be either "true" or "false"')
    for name in (*ALIASES, *CHANGEABLE):
        if value := call.params.get(name):
            account.profile[ALIASES.get(name, name)] = str(value)
    if enabled is not None:
        account.cns_enabled = enabled in (True, "true")
    account.updated = call.state.clock.time()
    return Reply(200, view(account))


@operation("GetAccountLimits", "GET", "/:account/limits")
def get_limits(call: Call) -> Reply:  # noqa: ARG001
    """Return the provisioning limits: none, as without the plugin that sets them."""
    return Reply(200, [])


def view(account: Account) -> dict[str, Any]:
    """Return the account as CloudAPI writes it; empty fields are left out."""
    shown: dict[str, Any] = {"id": account.id, "login": account.login, "email": account.profile.get("email", "")}
    shown |= {name: account.profile[name] for name in OPTIONAL if account.profile.get(name)}
    shown["triton_cns_enabled"] = account.cns_enabled
    return {**shown, "updated": iso(account.updated), "created": iso(account.created)}
