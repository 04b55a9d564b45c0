"""Read what came back: a body within bounds, a decoded value, or the error that says why there is none."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import ssl
from typing import TYPE_CHECKING, Any

import requests
from urllib3.exceptions import ClosedPoolError, ConnectTimeoutError, NameResolutionError, NewConnectionError

from smartdc import errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Unusable", "api_error", "class_for", "decode", "layers", "nothing_sent", "read_body", "transport_error"]

CHUNK = 2**18
"""How many bytes are read at a time of a body whose length is not told."""

BEFORE_SENDING = (
    ClosedPoolError,
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    requests.ConnectTimeout,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
)
"""What `requests` and urllib3 raise only when nothing was sent yet."""

_TAG = re.compile(r"<[^>]*>")


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


class Unusable(Exception):
    """An answer came whole, and is none that can be used; `damaged` when another try may give a sound one."""

    def __init__(self, reason: str, *, damaged: bool = False) -> None:
        super().__init__(reason)
        self.damaged = damaged


def read_body(response: requests.Response, limit: int) -> None:
    """Read the whole body, at most `limit` bytes and as it was sent, or drop the connection."""
    try:
        content = _content(response, limit)
    except BaseException:
        response.raw.close()
        raise
    if len(content) > limit:
        raise _too_large(limit)
    _check_md5(response, content)
    response._content = content  # noqa: SLF001 (what .content keeps)
    response._content_consumed = True  # type: ignore[attr-defined] # noqa: SLF001 (so that .iter_content takes from it)


def _content(response: requests.Response, limit: int) -> bytes:
    raw = response.raw
    if not hasattr(raw, "length_remaining"):  # not urllib3's: somebody's own adapter made it
        return response.content
    if response.status_code < 200:
        raise Unusable(f"a {response.status_code} is no answer to anything that was asked")
    length, encoding = raw.length_remaining, response.headers.get("Content-Encoding", "").strip().lower()
    if length != 0 and encoding not in {"", "identity"}:
        raise Unusable(f"the answer is encoded as {encoding}, though that was not asked for")
    if length is None or raw.chunked:
        return b"".join(_chunks(raw, limit))
    if length > limit:
        raise _too_large(limit)
    content: bytes = raw.read(decode_content=False)
    if length and raw.length_remaining:
        raise http.client.IncompleteRead(content, raw.length_remaining)
    return content


def _chunks(raw: Any, limit: int) -> Iterator[bytes]:
    """Yield a body that ends somewhere, until it is longer than `limit`."""
    left = limit + 1
    while left > 0 and (chunk := raw.read(min(CHUNK, left), decode_content=False)):
        left -= len(chunk)
        yield chunk
    if left <= 0:
        raise _too_large(limit)


def _too_large(limit: int) -> Unusable:
    return Unusable(f"the answer is larger than {limit:,} bytes")


def _check_md5(response: requests.Response, content: bytes) -> None:
    """Compare the body with the digest that CloudAPI sends with it."""
    told = response.headers.get("Content-MD5")
    if told is None or response.request.method == "HEAD":
        return
    if base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode() != told.strip():
        raise Unusable("the answer was damaged on its way: its Content-MD5 does not fit", damaged=True)


def decode(response: requests.Response) -> Any:
    """Return JSON as Python values, text as str, and an empty body as None; ValueError when it is broken."""
    if not response.content:
        return None
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return response.content.decode("utf-8", "replace")
    try:
        return json.loads(response.content)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def api_error(response: requests.Response, **call: Any) -> errors.APIError:
    """Build the error for an answer that is not a success; it is for the session to raise."""
    try:
        body = decode(response)
    except ValueError:
        body = response.text
    status = response.status_code
    fields = body if isinstance(body, dict) else {}
    code = str(fields.get("code") or "")
    listed = fields.get("errors")
    details = [e for e in listed if isinstance(e, dict)] if isinstance(listed, list) else []
    error = class_for(status, code, details)(_words(response, body, details), **call)
    error.status, error.code, error.errors, error.data = status, code, details, body
    error.response, error.request = response, response.request
    if isinstance(error, errors.Redirected):
        error.location = response.headers.get("Location")
    error.args = (_sentence(error),)
    return error


def transport_error(cause: Exception, timeout: float | None, server: str, **call: Any) -> errors.CallError:
    """Choose the error for a request that got no usable answer; its cause is what lay at the bottom."""
    *_, reason = layers(cause)
    kind, words = _no_answer(cause, reason, "in time" if timeout is None else f"within {timeout:g} s")
    where = f"{server} cannot be reached: " if nothing_sent(cause) else ""
    error = kind(f"{call['method']} {call['path']}: {where}{words}", **call)
    # The frames of the layers above the bottom hold copies of the Authorization header: those are let go.
    reason.__traceback__ = reason.__context__ = reason.__cause__ = None
    if isinstance(partial := getattr(reason, "partial", None), bytes):
        # What came of an answer may be secret; its length is enough.
        vars(reason).update(partial=bytes(len(partial)))
        reason.args = ()
    error.__cause__ = None if isinstance(reason, Unusable) else reason
    return error


def _no_answer(cause: Exception, reason: BaseException, limit: str) -> tuple[type[errors.CallError], str]:
    """Return the class and the words for what went wrong, which `reason` says and `cause` wraps."""
    words = str(reason) or type(reason).__name__
    if isinstance(cause, Unusable):
        return errors.BadResponse, words
    if isinstance(reason, ssl.SSLCertVerificationError):
        return errors.TLSError, f"{words}; verify= takes the path of the CA bundle to check against"
    if isinstance(reason, ssl.SSLError):
        return errors.TLSError, words
    if isinstance(cause, requests.Timeout) or isinstance(reason, TimeoutError):
        return errors.CallTimeout, f"no answer {limit}" if words == "timed out" else f"no answer {limit} ({words})"
    return errors.TransportError, words


def layers(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it wraps, from the outside in: `requests` and urllib3 keep that in various places."""
    inner: BaseException | None = error
    while inner is not None:
        yield inner
        kept = (inner.__cause__, getattr(inner, "reason", None), *inner.args)
        inner = next((e for e in kept if isinstance(e, BaseException)), None)


def nothing_sent(error: BaseException) -> bool:
    """Tell whether a request failed before any of it was sent, as far as that is known for sure."""
    return any(isinstance(layer, BEFORE_SENDING) or hasattr(layer, "nothing_sent") for layer in layers(error))


def _words(response: requests.Response, body: Any, details: Sequence[Mapping[str, Any]]) -> str:
    """Take the server's words wherever it put them: its own body, a proxy's, a bare string, a page."""
    status = response.status_code
    words = _TAG.sub(" ", body) if isinstance(body, str) else body
    if isinstance(body, dict):
        words = body.get("message")
        if not words and status == 410 and "id" in body:
            words = f"machine {body['id']} was deleted"
        if not words:
            words = "; ".join(f"{key}: {value}" for key, value in body.items() if isinstance(value, str))
    bare = f"HTTP status {status}{', and a GET would tell why' if response.request.method == 'HEAD' else ''}"
    text = str(words or "").strip() or bare
    if 300 <= status < 400 and "Location" in response.headers:
        text = f"{text} (it is at {response.headers['Location']}; redirects are not followed)"
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
