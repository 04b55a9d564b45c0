"""Read what came back: a body within bounds, a decoded value, or the error that says why there is none."""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING, Any

import requests

from smartdc import errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["api_error", "class_for", "decode", "innermost", "read_body", "transport_error"]


BY_STATUS: dict[int, type[errors.APIError]] = {
    302: errors.Redirected,
    400: errors.BadRequest,
    401: errors.InvalidCredentials,
    403: errors.NotAuthorized,
    404: errors.ResourceNotFound,
    405: errors.MethodNotAllowed,
    409: errors.Conflict,
    410: errors.Gone,
    412: errors.PreconditionFailed,
    413: errors.PayloadTooLarge,
    420: errors.Throttled,
    422: errors.InvalidParameters,
    429: errors.Throttled,
    501: errors.NotSupported,
    503: errors.ServiceUnavailable,
    507: errors.OutOfAddresses,
}
"""HTTP status to class; the default is `ServerError` from 500 on, and `APIError` below."""

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
"""CloudAPI code, without its optional suffix ``Error``, to the class that is finer than its status."""


def class_for(status: int, code: str, details: Sequence[Mapping[str, Any]] = ()) -> type[errors.APIError]:
    """Choose by status, then refine by code (spelled with or without ``Error``).

    A code is believed only as far as it refines its status, except where one status carries codes of several
    kinds (400, 409, 422) or has no class of its own.
    """
    general = BY_STATUS.get(status, errors.ServerError if status >= 500 else errors.APIError)
    special = BY_CODE.get(code.removesuffix("Error"), general)
    if special is errors.ValidationFailed and any(_is_duplicate_name(e) for e in details):
        special = errors.NameTaken
    refines = issubclass(special, general) or general is errors.APIError or status in {400, 409, 422}
    return special if refines else general


def _is_duplicate_name(error: Mapping[str, Any]) -> bool:
    return error.get("field") == "alias" and error.get("code") == "Duplicate"


def read_body(response: requests.Response, limit: int) -> None:
    """Read the whole body, at most `limit` bytes and as it was sent, or drop the connection."""
    try:
        content = b"".join(_chunks(response, limit))
    except BaseException:
        response.raw.close()
        raise
    response._content = content  # noqa: SLF001 (what .content keeps)


def _chunks(response: requests.Response, limit: int) -> Iterator[bytes]:
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise requests.exceptions.ContentDecodingError(f"the answer is encoded as {encoding}")
    size = 0
    for chunk in response.iter_content(65536):
        size += len(chunk)
        if size > limit:
            raise requests.exceptions.ContentDecodingError(f"the answer is larger than {limit:,} bytes")
        yield chunk


def decode(response: requests.Response) -> Any:
    """Return JSON as Python values, text as str, and an empty body as None; ValueError when it is broken."""
    if not response.content:
        return None
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return json.loads(response.content)
    return response.content.decode("utf-8", "replace")


def api_error(response: requests.Response, **call: Any) -> errors.APIError:
    """Build the error for an answer that is not a success; it is for the session to raise."""
    try:
        body = decode(response)
    except ValueError:
        body = response.text
    status = response.status_code
    fields = body if isinstance(body, dict) else {}
    code = str(fields.get("code") or "")
    details = [e for e in fields.get("errors") or () if isinstance(e, dict)]
    error = class_for(status, code, details)(_words(status, body, details), **call)
    error.status, error.code, error.errors, error.data = status, code, details, body
    error.response, error.request = response, response.request
    if isinstance(error, errors.Redirected):
        error.location = response.headers.get("Location")
    error.args = (_sentence(error),)
    return error


def transport_error(cause: Exception, timeout: float | None, **call: Any) -> errors.CallError:
    """Choose the error for a request that got no whole answer."""
    asked = f"{call['method']} {call['path']}"
    reason = innermost(cause)
    if isinstance(cause, requests.exceptions.ContentDecodingError):
        return errors.BadResponse(f"{asked}: {reason}", **call)
    if isinstance(reason, ssl.SSLError):
        return errors.TLSError(f"{asked}: {reason}", **call)
    if isinstance(cause, requests.Timeout) or isinstance(reason, TimeoutError) or "timed out" in str(reason):
        limit = "in time" if timeout is None else f"within {timeout:g} s"
        return errors.CallTimeout(f"{asked}: no answer {limit}", **call)
    return errors.TransportError(f"{asked}: {reason or type(reason).__name__}", **call)


def innermost(error: BaseException) -> BaseException:
    """Dig out what the operating system said, however it was wrapped."""
    inner = getattr(error, "reason", None)
    if not isinstance(inner, BaseException):
        inner = next((a for a in error.args if isinstance(a, BaseException)), None)
    return error if inner is None else innermost(inner)


def _words(status: int, body: Any, details: Sequence[Mapping[str, Any]]) -> str:
    """Take the server's words wherever it put them: its own body, a proxy's, a bare string, a page."""
    words = body
    if isinstance(body, dict):
        words = body.get("message")
        if not words and status == 410 and "id" in body:
            words = f"machine {body['id']} was deleted"
        if not words:
            words = "; ".join(f"{key}: {value}" for key, value in body.items() if isinstance(value, str))
    text = str(words or "").strip() or f"HTTP status {status}"
    told = [(e.get("field", "?"), str(e.get("message") or e.get("code") or "invalid")) for e in details]
    return " ".join([_short(text), *(f"({field}: {why})" for field, why in told if why not in text)])


def _sentence(error: errors.APIError) -> str:
    """Write one line for people: what was asked, what came back, and the operator's handle."""
    code = f" {error.code}" if error.code else ""
    return f"{error.method} {error.path}: {error.status}{code}: {error.message} [request {error.request_id}]"


def _short(text: str, limit: int = 500) -> str:
    """Keep a page of HTML from filling a terminal."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
