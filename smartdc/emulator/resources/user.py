"""Sub-users of an account, with keys of their own and the permissions of their roles."""

import re
from typing import Any

from smartdc.emulator.core.clock import iso
from smartdc.emulator.core.ids import digest
from smartdc.emulator.core.reply import Reply, invalid_argument, missing_parameter, not_found
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.router import operation
from smartdc.emulator.resources.account import ALIASES, OPTIONAL
from smartdc.emulator.state.records import AccountRecord, UserRecord

USERS = "/:account/users"
USER = "/:account/users/:uuid"

EMAIL = re.compile(r"[a-zA-Z0-9.!#$%&;'*+\-/=?^_`{|}~]+@[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)*")
LOGIN = re.compile(r"[a-zA-Z][a-zA-Z0-9_.@]{2,31}")
MIN_LENGTH = 7
"""The minimum length of a password."""
HISTORY = 5
"""The number of passwords, including the current one, that cannot be reused."""


@operation("ListUsers", "GET", USERS, head="HeadUsers")
def list_users(call: Call) -> Reply:
    """Return all users."""
    return Reply(200, [view(user) for user in call.account.users.values()])


@operation("GetUser", "GET", USER, head="HeadUser")
def get_user(call: Call) -> Reply:
    """Return the user with a login or id; with ``membership`` including its roles' names."""
    user = require_user(call, "uuid")
    return Reply(200, {**view(user), **(_membership(call.account, user) if call.params.get("membership") else {})})


@operation("CreateUser", "POST", USERS)
def create_user(call: Call) -> Reply:
    """Create a user; its login must be unique within the account, its e-mail address among all accounts."""
    required = ("email", "login", "password")
    _require(*(name for name in required if not call.params.get(name)))
    email, login, password = map(call.text, required)
    _check_email(email)
    _check_password(password, [])
    _check_login(call.account, login)
    _check_email_is_free(call, email)
    user = call.state.add_user(login, account=call.account, **_changes(call))
    user.passwords.append(digest(password))
    return Reply(201, view(user), call.location("users", login))


@operation("UpdateUser", "POST", USER)
def update_user(call: Call) -> Reply:
    """Change the given fields of a user, by its id only; an empty value clears the field."""
    changes = _changes(call)
    if changes.get("email"):
        _check_email(changes["email"])
    user = _require_by_id(call)
    login = call.text("login")
    if login and login != user.login:
        _check_login(call.account, login)
    if changes.get("email", "?") == "":
        raise missing_parameter("Request is missing a required parameter (email is required)")
    user.profile |= changes
    user.login = login or user.login
    user.updated = call.state.clock.time()
    return Reply(200, view(user))


@operation("ChangeUserPassword", "POST", f"{USER}/change_password")
def change_password(call: Call) -> Reply:
    """Change the password, by the user's id only; recent passwords are refused."""
    required = ("password", "password_confirmation")
    _require(*(name for name in required if not call.params.get(name)))
    if call.params["password"] != call.params["password_confirmation"]:
        raise invalid_argument("password and password_confirmation must have the same value")
    user = _require_by_id(call)
    _check_password(call.text("password"), user.passwords[-HISTORY:])
    user.passwords.append(digest(call.text("password")))
    user.updated = call.state.clock.time()
    return Reply(200, view(user))


@operation("DeleteUser", "DELETE", USER)
def delete_user(call: Call) -> Reply:
    """Delete a user that has no keys."""
    user = require_user(call, "uuid")
    if user.keys or user.access_keys:
        raise invalid_argument('The resource in question has "child" elements or is immutable and cannot be destroyed')
    del call.account.users[user.id]
    return Reply(204)


def require_user(call: Call, parameter: str) -> UserRecord:
    """Return the user whose login or id a parameter has: 404."""
    name = call.text(parameter)
    user = call.account.user(name)
    if not user:
        raise not_found(f"{name} does not exist")
    return user


def view(user: UserRecord) -> dict[str, Any]:
    """Return the JSON of a user, without empty fields."""
    shown = {"id": user.id, "login": user.login, "email": user.profile.get("email", "")}
    shown |= {name: user.profile[name] for name in OPTIONAL if user.profile.get(name)}
    return {**shown, "updated": iso(user.updated), "created": iso(user.created)}


def _membership(account: AccountRecord, user: UserRecord) -> dict[str, list[str]]:
    roles = account.roles.values()
    return {
        "roles": [role.name for role in roles if user.id in role.members],
        "default_roles": [role.name for role in roles if user.id in role.default_members],
    }


def _changes(call: Call) -> dict[str, str]:
    """Return the given fields, by their current names."""
    given = {name: call.text(name) for name in (*ALIASES, "email", *OPTIONAL) if name in call.params}
    return {ALIASES.get(name, name): value for name, value in given.items()}


def _require_by_id(call: Call) -> UserRecord:
    name = call.text("uuid")
    if name not in call.account.users:
        raise not_found(f'user with uuid "{name}" does not exist')
    return call.account.users[name]


def _require(*missing: str) -> None:
    if missing:
        words = ", ".join(f"{name} is required" for name in missing)
        raise missing_parameter(f"Request is missing required parameters: {words}")


def _check_email(email: str) -> None:
    if not EMAIL.fullmatch(email):
        raise invalid_argument(f"email: {email} is invalid")


def _check_email_is_free(call: Call, email: str) -> None:
    accounts = call.state.accounts.values()
    people = [*accounts, *(user for account in accounts for user in account.users.values())]
    if any(person.profile.get("email") == email for person in people):
        raise invalid_argument("user is invalid")


def _check_login(account: AccountRecord, login: str) -> None:
    if not LOGIN.fullmatch(login) or login == "local":
        raise invalid_argument(f"login: {login} is invalid")
    if any(user.login.lower() == login.lower() for user in account.users.values()):
        raise invalid_argument("Login is already taken")


def _check_password(password: str, former: list[bytes]) -> None:
    reason = _weakness(password) or ("passwordInHistory" if digest(password) in former else None)
    if reason:
        raise invalid_argument(reason)


def _weakness(password: str) -> str | None:
    if len(password) < MIN_LENGTH:
        return "passwordTooShort"
    good = re.search("[a-zA-Z]", password) and re.search("[0-9]", password)
    return None if good else "insufficientPasswordQuality"
