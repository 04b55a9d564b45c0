"""The exceptions of this library, with the server's own words where it gave any.

Every failure of this library is a `SmartDCError`::

    SmartDCError
    ├── ConfigError                  location, account or key is missing or unusable
    ├── InputError                   invalid argument; nothing was sent (also a ValueError)
    ├── KeyFileError                 a key that cannot be used
    │   └── PassphraseRequired       it is encrypted and no passphrase came with it
    ├── AgentError                   ssh-agent is missing, locked, empty or silent
    ├── TransportError               no complete response (also a requests.ConnectionError)
    │   ├── TLSError                 the certificate or the handshake was refused
    │   └── CallTimeout              the call's deadline passed (also requests.Timeout, TimeoutError)
    ├── BadResponse                  an unusable response: truncated, oversized, not JSON
    ├── WaitError                    a wait did not reach its goal
    │   ├── WaitTimeout              it ran out of time (also a TimeoutError)
    │   └── WaitFailed               it ended in a state from which the goal cannot be reached
    ├── CreateOutcomeUnknown         a create that may or may not have happened (also requests.RequestException)
    ├── TokenUsed                    the token's machine is dead, or differs from the one requested
    ├── DoubledCreate                one create made more than one resource
    └── APIError                     CloudAPI refused (also a requests.HTTPError)
        ├── Redirected               302: the resource is at another URL
        ├── BadRequest               400
        │   ├── InvalidHeader        Authorization or Date is unusable, also: clock skew
        │   ├── RequestExpired       the Date header is too old
        │   └── InvalidVersion       no version of the server satisfies Accept-Version
        ├── InvalidCredentials       401
        ├── NotAuthorized            403
        ├── ResourceNotFound         404
        ├── MethodNotAllowed         405: also a feature that is switched off
        ├── Conflict                 409
        │   ├── InvalidArgument      a parameter has a wrong value
        │   ├── MissingParameter     a parameter is missing
        │   ├── ValidationFailed     see `errors` for the fields
        │   │   └── NameTaken        a machine of that name exists
        │   ├── KeyRequired          the account has no SSH key
        │   ├── MachineNotReady      it is still provisioning, or must be stopped or running first
        │   ├── DeletionProtected    deletion protection is on
        │   └── InUse                something still uses it
        ├── Gone                     410: the machine was deleted; `data` is its last state
        ├── PreconditionFailed       412: a migration in another phase
        ├── PayloadTooLarge          413: more than 100,000 bytes
        ├── InvalidParameters        422
        ├── Throttled                429, 420: too many requests
        └── ServerError              5xx
            ├── NotSupported         501
            ├── ServiceUnavailable   503
            └── OutOfAddresses       507: the subnet is full
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

import requests

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from smartdc.core.resource import Resource
    from smartdc.machine.changefeed import Changefeed

    Awaited: TypeAlias = Resource | Changefeed | None

__all__ = [
    "APIError",
    "AgentError",
    "BadRequest",
    "BadResponse",
    "CallTimeout",
    "ConfigError",
    "Conflict",
    "CreateOutcomeUnknown",
    "DeletionProtected",
    "DoubledCreate",
    "Gone",
    "InUse",
    "InputError",
    "InvalidArgument",
    "InvalidCredentials",
    "InvalidHeader",
    "InvalidParameters",
    "InvalidVersion",
    "KeyFileError",
    "KeyRequired",
    "MachineNotReady",
    "MethodNotAllowed",
    "MissingParameter",
    "NameTaken",
    "NotAuthorized",
    "NotSupported",
    "OutOfAddresses",
    "PassphraseRequired",
    "PayloadTooLarge",
    "PreconditionFailed",
    "Redirected",
    "RequestExpired",
    "ResourceNotFound",
    "ServerError",
    "ServiceUnavailable",
    "SmartDCError",
    "TLSError",
    "Throttled",
    "TokenUsed",
    "TransportError",
    "ValidationFailed",
    "WaitError",
    "WaitFailed",
    "WaitTimeout",
]


MAX_TEXT_BYTES = 3800
"""The maximum length of an error's text, in UTF-8."""

_MAYBE_UNPRINTABLE = re.compile(r"[^\x20-\x7e\n]")


def printable(text: str, limit: int = MAX_TEXT_BYTES) -> str:
    """Return a text that may come from a server, safe for a terminal, of at most `limit` bytes in UTF-8.

    Control characters (except line breaks), escapes, surrogates and marks that change the direction of writing are
    written as Python's escapes. The rest of a long text is not read.
    """
    if 4 * len(text) <= limit and text.isprintable():
        return text
    shown = _MAYBE_UNPRINTABLE.sub(_escaped, text[: limit + 1])
    data = shown.encode()
    if len(data) <= limit:
        return shown
    return data[: limit - 3].decode(errors="ignore") + "…"


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    return character if character.isprintable() else character.encode("unicode_escape").decode()


class SmartDCError(Exception):
    """Base of all errors of this library; its text has limited length and is printable, whatever a server sent."""

    def __init__(self, *args: Any) -> None:
        """Keep the arguments of an exception."""
        super().__init__(*(printable(arg) if isinstance(arg, str) else arg for arg in args))


class ConfigError(SmartDCError):
    """The location, the account or the key is missing or unusable."""


class InputError(SmartDCError, ValueError):
    """An argument is invalid; nothing was sent."""


class KeyFileError(SmartDCError):
    """A key cannot be used; the text says why, and what to do."""


class PassphraseRequired(KeyFileError):
    """A private key is encrypted and no passphrase came with it."""


class AgentError(SmartDCError):
    """The ssh-agent is missing, locked, empty or silent, or it refused to sign."""


class CallError(SmartDCError):
    """Base of the errors of one call: the request, its id and the number of attempts.

    `applied` is False when the call certainly changed nothing, and None when that is unknown.
    """

    applied: bool | None = None

    def __init__(
        self, message: str, *, method: str = "", path: str = "", request_id: str | None = None, attempts: int = 1
    ) -> None:
        """Keep the facts of the call; `message` is the whole text."""
        super().__init__(message)
        self.message = str(self.args[0])
        self.method = method
        self.path = path
        self.request_id = request_id
        self.attempts = attempts

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by class and public values; live responses and their bodies stay behind."""
        state = {k: v for k, v in vars(self).items() if k not in {"request", "response", "data"}}
        return _restore, (type(self), str(self), state)


class TransportError(CallError, requests.ConnectionError):
    """No complete response was received."""


class TLSError(TransportError, requests.exceptions.SSLError):
    """The server's certificate or the handshake was refused."""


class CallTimeout(TransportError, requests.Timeout, TimeoutError):
    """The deadline of the call passed."""


class BadResponse(CallError, requests.RequestException):
    """The response is not one that CloudAPI gives: truncated, oversized, not JSON, or of another type."""


class WaitError(SmartDCError):
    """A wait did not reach its goal; `resource` is the resource that it waited for, as last seen."""

    def __init__(self, message: str, *, resource: Awaited = None, reason: Mapping[str, Any] | None = None) -> None:
        """`reason` is the entry of the audit that explains the failure, if there is one."""
        super().__init__(message)
        self.resource = resource
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the live resource."""
        return _restore, (type(self), str(self), {**vars(self), "resource": None})


class WaitTimeout(WaitError, TimeoutError):
    """A wait ran out of time."""


class WaitFailed(WaitError):
    """A wait ended in a state from which its goal cannot be reached."""


class CreateOutcomeUnknown(CallError, requests.RequestException):
    """A create may or may not have happened: `name` and `token` say what to look for; to repeat it, give this token."""

    name: str | None = None
    token: str | None = None


class TokenUsed(SmartDCError):
    """The token of a create belongs to an earlier machine, which is dead or of another image; it is `machine`."""

    def __init__(self, message: str, *, machine: Any = None) -> None:
        super().__init__(message)
        self.machine = machine

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the live machine; the text names it."""
        return _restore, (type(self), str(self), {**vars(self), "machine": None})


class DoubledCreate(SmartDCError):
    """One create made more than one resource; `things` has all of them, so that you can choose."""

    def __init__(self, message: str, things: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.things = things

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the live resources; the text names them."""
        return _restore, (type(self), str(self), {**vars(self), "things": ()})


class APIError(CallError, requests.HTTPError):
    """CloudAPI answered with an error.

    `status` is the HTTP status, `code` CloudAPI's code ('' if it gave none), `message` the server's words, `errors` its
    list of field errors, and `data` the decoded body. If the body is not JSON or is above 256 kB, `data` is the
    beginning of it; `response` has all of it. All texts have limited length, and are safe for a terminal.
    """

    status: int = 0
    code: str = ""
    errors: Sequence[Mapping[str, Any]] = ()
    data: Any = None


class Redirected(APIError):
    """302: the resource is at `location`; this library never follows redirects."""

    location: str | None = None


class BadRequest(APIError):
    """400: CloudAPI could not parse the request."""


class InvalidHeader(BadRequest):
    """400: the Authorization or Date header is unusable, or the clocks differ by more than 300 s."""


class RequestExpired(BadRequest):
    """400: the Date header is too old."""


class InvalidVersion(BadRequest):
    """400: no version of the server satisfies the requested range."""


class InvalidCredentials(APIError):
    """401: there is no such account or key, or the signature does not match the key."""


class NotAuthorized(APIError):
    """403: the caller may not do this."""


class ResourceNotFound(APIError):
    """404: there is no such resource, or it belongs to another account."""


class MethodNotAllowed(APIError):
    """405: there is no such operation here; also the status of a feature that is switched off."""


class Conflict(APIError):
    """409: the request was understood and refused; trying again later does not help."""


class InvalidArgument(Conflict):
    """409: a parameter has a wrong value."""


class MissingParameter(Conflict):
    """409: a parameter is missing."""


class ValidationFailed(Conflict):
    """409: one or more fields are wrong; `errors` names them."""


class NameTaken(ValidationFailed):
    """409: a machine named `name` exists already; `machine_id` is its id, if it could be found."""

    name: str | None = None
    machine_id: str | None = None

    def about(self, name: str) -> None:
        """Add the name that is taken, since CloudAPI does not name it."""
        self.name = name
        self.args = (printable(f"{self}; there is a machine named {name!r} already"),)


class KeyRequired(Conflict):
    """409: the account has no SSH key, but the image requires one."""


class MachineNotReady(Conflict):
    """409: the machine is still provisioning, or must be stopped or running first."""


class DeletionProtected(Conflict):
    """409: the machine's deletion protection is on."""


class InUse(Conflict):
    """409: something still uses it."""


class Gone(APIError):
    """410: the machine was deleted; `data` is its last known state."""


class PreconditionFailed(APIError):
    """412: a migration is in another phase or state."""


class PayloadTooLarge(APIError):
    """413: the body has more than 100,000 bytes."""


class InvalidParameters(APIError):
    """422: a backend of CloudAPI refused the parameters."""


class Throttled(APIError):
    """429 or 420: too many requests for a while; nothing was done.

    The library sends a throttled request again until the call's time is up; only then it raises this error.
    """


class ServerError(APIError):
    """5xx: the server failed."""


class NotSupported(ServerError):
    """501: this data centre does not support the operation."""


class ServiceUnavailable(ServerError):
    """503: maintenance, or a proxy that got no response."""


class OutOfAddresses(ServerError):
    """507: the subnet is full."""


def _restore(cls: type[SmartDCError], text: str, state: dict[str, Any]) -> SmartDCError:
    error = cls(text)
    vars(error).update(state)
    return error
