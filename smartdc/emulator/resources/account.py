"""The account, its limits, and the unauthenticated ping."""

from typing import Any

from smartdc.emulator.core.clock import iso
from smartdc.emulator.core.reply import Reply, invalid_argument
from smartdc.emulator.core.versions import SERVED
from smartdc.emulator.machine.limits import used
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.state.records import AccountRecord

ACCOUNT = "/:account"
OPTIONAL = ("companyName", "firstName", "lastName", "address", "city", "state", "postalCode", "country", "phone")
CHANGEABLE = ("email", *OPTIONAL)
FLAGS = {"true": True, "false": False}

ALIASES = {"company": "companyName", "givenName": "firstName", "sn": "lastName"}
"""Old names of fields, which CloudAPI still accepts."""


@operation("Ping", "GET", "/--ping")
def ping(call: Call) -> Reply:
    """Return the served versions; no credentials are needed."""
    headers = {"Triton-Datacenter-Name": call.settings.datacenter}
    return Reply(200, {"ping": "pong", "cloudapi": {"versions": sorted(SERVED)}}, headers)


@operation("GetAccount", "GET", ACCOUNT, head="HeadAccount")
def get_account(call: Call) -> Reply:
    """Return the account."""
    return Reply(200, view(call.account))


@operation("UpdateAccount", "POST", ACCOUNT)
def update_account(call: Call) -> Reply:
    """Change fields of the account; empty values change nothing."""
    account = call.account
    enabled = call.params.get("triton_cns_enabled")
    if isinstance(enabled, bool):
        enabled = "true" if enabled else "false"
    if "triton_cns_enabled" in call.params and not (isinstance(enabled, str) and enabled in FLAGS):
        raise invalid_argument('triton_cns_enabled must be either "true" or "false"')
    for name in (*ALIASES, *CHANGEABLE):
        if value := call.params.get(name):
            account.profile[ALIASES.get(name, name)] = str(value)
    if enabled is not None:
        account.cns_enabled = FLAGS[enabled]
    account.updated = call.state.clock.time()
    return Reply(200, view(account))


@operation("GetAccountLimits", "GET", "/:account/limits")
def get_limits(call: Call) -> Reply:
    """Return the provisioning limits and their use; there are none without the plugin that sets them."""
    return Reply(200, [{**limit, "used": used(call, limit)} for limit in call.settings.limits])


def view(account: AccountRecord) -> dict[str, Any]:
    """Return the JSON of an account, without empty fields."""
    shown: dict[str, Any] = {"id": account.id, "login": account.login, "email": account.profile.get("email", "")}
    shown |= {name: account.profile[name] for name in OPTIONAL if account.profile.get(name)}
    shown["triton_cns_enabled"] = account.cns_enabled
    return {**shown, "updated": iso(account.updated), "created": iso(account.created)}
