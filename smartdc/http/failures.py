"""The meaning of failures: the only place that maps exceptions, statuses and codes to an error and an outcome.

A call fails in one of two ways. Either there is no usable response, and an exception of `requests`, urllib3, `ssl` or
`socket` says why: `NO_RESPONSE` has the class, the outcome and the words for it. Or CloudAPI, or a proxy in front of
it, responds with an error status: `BY_STATUS` has the class and the outcome, and `BY_CODE` a more specific class.
"""

from __future__ import annotations

import enum
import socket
import ssl
from http.client import HTTPException
from typing import TYPE_CHECKING, NamedTuple

import requests
from requests.exceptions import InvalidSchema, InvalidURL
from urllib3.exceptions import ClosedPoolError, ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError

from smartdc import errors
from smartdc.http.tracebacks import from_signal_handler

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

__all__ = [
    "CALL_FAILURES",
    "TRANSIENT_ERRORS",
    "Damaged",
    "Failure",
    "Outcome",
    "Unusable",
    "class_for",
    "failure_of",
    "layers",
    "nothing_sent",
    "of_signal_handler",
    "outcome_of_status",
]


class Outcome(enum.Enum):
    """What is known about a request that did not succeed."""

    FINAL = "it was refused, and would be refused again"
    NEVER_DELIVERED = "the request never reached CloudAPI"
    CLOCK = "CloudAPI refused it because the clocks differ; signed with the server's time it may succeed"
    REFUSED = "CloudAPI refused it for now and applied nothing"
    UNKNOWN = "it may or may not have been applied"
    UNUSABLE = "it may or may not have been applied, and sending it again would bring the same useless response"


class Unusable(Exception):
    """A response arrived completely, but cannot be used."""


class Damaged(Unusable):
    """A response arrived damaged; another attempt may bring an undamaged one."""


CALL_FAILURES = (requests.RequestException, HTTPError, HTTPException, OSError, ValueError, OverflowError, Unusable)
"""The exceptions in place of a usable response; `OverflowError` comes from a chunk of an impossible length."""

TRANSIENT_ERRORS = (errors.TransportError, errors.BadResponse, errors.ServerError, errors.Throttled)
"""The errors of a call during a wait that say nothing about the goal of the wait."""

BEFORE_SENDING = (
    ClosedPoolError,
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    requests.ConnectTimeout,
    InvalidSchema,
    InvalidURL,
)
"""The exceptions that `requests` and urllib3 raise only if nothing was sent yet."""


class Failure(NamedTuple):
    """The meaning of an exception in place of a response.

    With `outcome` None, the outcome depends on whether anything was sent. `words` may contain ``{reason}``, ``{limit}``
    and ``{detail}``, which is the reason if it says more than the limit.
    """

    error: type[errors.CallError]
    outcome: Outcome | None
    words: str


NO_RESPONSE: tuple[tuple[tuple[type[BaseException], ...], Failure], ...] = (
    ((Damaged,), Failure(errors.BadResponse, Outcome.UNKNOWN, "{reason}")),
    ((Unusable,), Failure(errors.BadResponse, Outcome.UNUSABLE, "{reason}")),
    (
        (ssl.SSLCertVerificationError,),
        Failure(errors.TLSError, Outcome.FINAL, "{reason}; verify= takes the path of the CA bundle to check against"),
    ),
    ((ssl.SSLError,), Failure(errors.TLSError, None, "{reason}")),
    ((InvalidSchema, InvalidURL), Failure(errors.TransportError, Outcome.FINAL, "{reason}")),
    ((requests.Timeout, TimeoutError), Failure(errors.CallTimeout, None, "no answer {limit}{detail}")),
    ((BaseException,), Failure(errors.TransportError, None, "{reason}")),
)
"""Exceptions, outermost or innermost, and their meanings; the first matching row counts."""

UNKNOWN_HOST = Failure(errors.TransportError, Outcome.FINAL, "{reason}")
"""The meaning of a `socket.gaierror` that reports that the host does not exist, and not a failure of the lookup."""


def failure_of(cause: BaseException) -> Failure:
    """Return the meaning of an exception in place of a response, with a definite outcome."""
    *_, reason = layers(cause)
    if isinstance(reason, socket.gaierror) and reason.errno == socket.EAI_NONAME:
        return UNKNOWN_HOST
    failure = next(failure for kinds, failure in NO_RESPONSE if isinstance(cause, kinds) or isinstance(reason, kinds))
    if failure.outcome is not None:
        return failure
    return failure._replace(outcome=Outcome.NEVER_DELIVERED if nothing_sent(cause) else Outcome.UNKNOWN)


def layers(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and the errors inside it, outermost first; `requests` and urllib3 keep them in various places."""
    inner: BaseException | None = error
    while inner is not None:
        yield inner
        kept = (inner.__cause__, getattr(inner, "reason", None), *inner.args)
        inner = next((e for e in kept if isinstance(e, BaseException)), None)


def of_signal_handler(cause: BaseException) -> BaseException | None:
    """Return the exception that a signal handler of the program has raised, if there is one; it is no network error."""
    *_, theirs = None, *(layer for layer in layers(cause) if from_signal_handler(layer))
    return theirs


def nothing_sent(error: BaseException) -> bool:
    """Return whether a request certainly failed before any of it was sent."""
    return any(isinstance(layer, BEFORE_SENDING) or hasattr(layer, "nothing_sent") for layer in layers(error))


BY_STATUS: dict[int, tuple[type[errors.APIError], Outcome]] = {
    302: (errors.Redirected, Outcome.UNUSABLE),
    400: (errors.BadRequest, Outcome.FINAL),
    401: (errors.InvalidCredentials, Outcome.FINAL),
    403: (errors.NotAuthorized, Outcome.FINAL),
    404: (errors.ResourceNotFound, Outcome.FINAL),
    405: (errors.MethodNotAllowed, Outcome.FINAL),
    408: (errors.APIError, Outcome.UNKNOWN),
    409: (errors.Conflict, Outcome.FINAL),
    410: (errors.Gone, Outcome.FINAL),
    412: (errors.PreconditionFailed, Outcome.FINAL),
    413: (errors.PayloadTooLarge, Outcome.FINAL),
    420: (errors.Throttled, Outcome.REFUSED),
    422: (errors.InvalidParameters, Outcome.FINAL),
    429: (errors.Throttled, Outcome.REFUSED),
    499: (errors.APIError, Outcome.UNKNOWN),
    501: (errors.NotSupported, Outcome.FINAL),
    503: (errors.ServiceUnavailable, Outcome.UNKNOWN),
    505: (errors.ServerError, Outcome.FINAL),
    507: (errors.OutOfAddresses, Outcome.FINAL),
}
"""HTTP status to class and outcome; `_by_status` has the rest.

A proxy sends 408 and 499 when a connection has ended too early, and it may have passed on the request before.
"""

BY_CODE: dict[str, type[errors.APIError]] = {
    "InvalidHeader": errors.InvalidHeader,
    "RequestExpired": errors.RequestExpired,
    "InvalidVersion": errors.InvalidVersion,
    "InvalidArgument": errors.InvalidArgument,
    "MissingParameter": errors.MissingParameter,
    "ValidationFailed": errors.ValidationFailed,
    "KeyRequired": errors.KeyRequired,
    "UnallocatedVM": errors.MachineNotReady,
    "VmNotStopped": errors.MachineNotReady,
    "VmNotRunning": errors.MachineNotReady,
    "MachineStopped": errors.MachineNotReady,
    "CannotDestroyMachine": errors.DeletionProtected,
    "VolumeInUse": errors.InUse,
    "ImageHasDependentImages": errors.InUse,
    "InUse": errors.InUse,
    "ResourceNotFound": errors.ResourceNotFound,
    "VolumeNotFound": errors.ResourceNotFound,
    "InvalidCredentials": errors.InvalidCredentials,
    "NotAuthorized": errors.NotAuthorized,
    "Forbidden": errors.NotAuthorized,
    "RequestThrottled": errors.Throttled,
    "TooManyRequests": errors.Throttled,
    "SubnetFull": errors.OutOfAddresses,
}
"""CloudAPI code, without its optional suffix ``Error``, to a class that is more specific than the status."""

MAINTENANCE = "This Triton data center is being upgraded"
"""CloudAPI's words for its maintenance mode, unless the operator has set others."""


def _by_status(status: int) -> tuple[type[errors.APIError], Outcome]:
    if status in BY_STATUS:
        return BY_STATUS[status]
    if status >= 500:
        return errors.ServerError, Outcome.UNKNOWN
    return errors.APIError, Outcome.UNUSABLE if 300 <= status < 400 else Outcome.FINAL


def class_for(status: int, code: str, details: Sequence[Mapping[str, Any]] = ()) -> type[errors.APIError]:
    """Choose by status, then refine by code (spelled with or without ``Error``).

    A code counts only if its class refines that of the status. The exceptions are statuses with codes of several kinds
    (400, 409, 422), and statuses without a class.
    """
    general, _ = _by_status(status)
    special = BY_CODE.get(code.removesuffix("Error"), general)
    if special is errors.ValidationFailed and any(_is_duplicate_name(e) for e in details):
        special = errors.NameTaken
    refines = issubclass(special, general) or general is errors.APIError or status in {400, 409, 422}
    return special if refines else general


def _is_duplicate_name(error: Mapping[str, Any]) -> bool:
    return error.get("field") == "alias" and error.get("code") == "Duplicate"


def outcome_of_status(status: int, headers: Mapping[str, str], message: str) -> Outcome:
    """Return the outcome that an error status means for the request.

    A redirect may come from a proxy that has already passed the request on. A 503 for maintenance comes from CloudAPI
    before anything is done. After any other 503 the request may have been accepted: the proxy in front of CloudAPI
    sends one for its own timeout, without a Request-Id and CloudAPI's Server header; and CloudAPI passes on the errors
    of its backends, for instance when it reads a thing that it has just created.
    """
    own = "Request-Id" in headers and headers.get("Server", "").startswith("cloudapi")
    if status == 503 and own and ("Retry-After" in headers or MAINTENANCE in message):
        return Outcome.REFUSED
    return _by_status(status)[1]
