"""Read responses: a body of limited size, a decoded value, or the error that says why there is none."""

from __future__ import annotations

import binascii
import contextlib
import hashlib
import http.client
import json
from typing import TYPE_CHECKING, Any

from smartdc import errors
from smartdc.http.excerpt import MAX_SHOWN_BYTES, excerpt, first_items, without_tags
from smartdc.http.failures import Damaged, Unusable, class_for, failure_of, layers, nothing_sent
from smartdc.http.invocation import command_line
from smartdc.http.light import LeanResponse
from smartdc.http.tracebacks import let_pass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import requests

__all__ = [
    "MAX_CODE",
    "InvalidJSON",
    "Unusable",
    "api_error",
    "bad_response",
    "decode",
    "read_body",
    "request_ids_agree",
    "transport_error",
]

_DECODER = json.JSONDecoder()

CHUNK = 2**18
"""How many bytes of a body of unknown length are read at a time."""

MAX_PARSED_ERROR_BYTES = 2**18
"""The maximum size of an error's body that is parsed."""
MAX_DETAILS = 10
"""How many field errors are kept; a request can hardly have more."""
MAX_MESSAGE, MAX_REASON, MAX_CODE = 500, 200, 100
"""Maximum characters of a server's message, of its reason for one field, and of a code or name."""


def read_body(response: requests.Response, limit: int) -> None:
    """Read the whole body, unchanged and at most `limit` bytes, or drop the connection."""
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
    # Somebody's own adapter has made it, or a hook has read it.
    if not hasattr(raw, "length_remaining") or getattr(response, "_content_consumed", False):
        return response.content
    if response.status_code < 200:
        raise Unusable(f"unexpected status {response.status_code}")
    length = raw.length_remaining
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if length != 0 and encoding not in {"", "identity"}:
        raise Unusable(f"unexpected Content-Encoding: {encoding}")
    if length is None or getattr(raw, "chunked", False):
        return b"".join(_chunks(raw, limit))
    if length > limit:
        raise _too_large(limit)
    content: bytes = raw.read(decode_content=False)
    if length and raw.length_remaining:
        raise http.client.IncompleteRead(content, raw.length_remaining)
    return content


def _chunks(raw: Any, limit: int) -> Iterator[bytes]:
    """Yield a body of unknown length; raise an error when it is longer than `limit`."""
    left = limit + 1
    while left > 0 and (chunk := raw.read(min(CHUNK, left), decode_content=False)):
        left -= len(chunk)
        yield chunk
    if left <= 0:
        raise _too_large(limit)


def _too_large(limit: int) -> Unusable:
    return Unusable(f"the response is larger than {limit:,} bytes")


def _check_md5(response: requests.Response, content: bytes) -> None:
    """Compare the body with the digest that CloudAPI has sent with it."""
    expected = response.headers.get("Content-MD5")
    if expected is None or response.request.method == "HEAD":
        return
    digest = hashlib.md5(content, usedforsecurity=False).digest()
    if binascii.b2a_base64(digest, newline=False).decode() != expected.strip():
        raise Damaged("the response was damaged in transit: its body does not match its Content-MD5")


def request_ids_agree(request: requests.PreparedRequest, response: requests.Response) -> bool | None:
    """Return whether a response has the id of its request; None if that is unknown.

    Only responses over a connection of this library count: mocks and recordings have other ids.
    """
    answered = response.headers.get("Request-Id")
    if answered is None or not (type(response.raw) is LeanResponse or _is_own(response.raw)):
        return None
    asked = request.headers.get("X-Request-Id")
    if answered == asked:
        return True
    sent = {asked, request.headers.get("Request-Id")}
    return answered in sent or any(part.strip() in sent for part in answered.split(","))


def _is_own(raw: Any) -> bool:
    parsed = getattr(raw, "_original_response", None) or raw
    return getattr(parsed, "is_own", False) is True


class InvalidJSON(ValueError):
    """A response claims to be JSON, but is not."""


def decode(response: requests.Response) -> Any:
    """Return JSON as Python values, text as str, and an empty body as None; raise InvalidJSON for invalid JSON.

    Without a Content-Type, as from mocks, a body that can be parsed as JSON is JSON.
    """
    content = response.content
    if not content:
        return None
    kind = response.headers.get("Content-Type", "")
    if kind != "application/json":
        kind = kind.partition(";")[0].strip().lower()
    if kind not in {"application/json", ""}:
        return content.decode("utf-8", "replace")
    try:
        return _parsed(content)
    except ValueError as error:
        let_pass(error)
        if not kind:
            return content.decode("utf-8", "replace")
        raise InvalidJSON(f"invalid JSON in the response: {error}") from None
    except RecursionError as error:
        let_pass(error)
        raise InvalidJSON("invalid JSON in the response: nested too deeply") from None


def _parsed(content: bytes) -> Any:
    """Parse JSON: usually UTF-8 without anything around it; the slower `json.loads` handles all other forms."""
    try:
        text = content.decode()
        value, end = _DECODER.raw_decode(text)
    except ValueError as error:
        let_pass(error)
        return json.loads(content)
    return value if end == len(text) else json.loads(content)


def bad_response(response: requests.Response, problem: str) -> errors.BadResponse:
    """Return the error for a successful response whose content cannot come from CloudAPI."""
    method = response.request.method or ""
    target = response.request.path_url
    return errors.BadResponse(
        f"{method} {target}: {problem}",
        method=method,
        path=target.partition("?")[0],
        request_id=response.headers.get("Request-Id"),
    )


def api_error(response: requests.Response, **call: Any) -> errors.APIError:
    """Build the error for a response that is not a success; the call raises it."""
    body = _error_body(response)
    status = response.status_code
    fields = body if isinstance(body, dict) else {}
    code = excerpt(fields.get("code") or "", MAX_CODE)
    details = _details(fields.get("errors"))
    error = class_for(status, code, details)(_words(response, body, details), **call)
    error.status, error.code, error.errors, error.data = status, code, details, body
    error.response, error.request = response, response.request
    if isinstance(error, errors.Redirected) and "Location" in response.headers:
        error.location = errors.printable(response.headers["Location"], MAX_SHOWN_BYTES)
    error.args = (errors.printable(_sentence(error)),)
    return error


def _error_body(response: requests.Response) -> Any:
    """Return the body of an error, decoded if it is JSON of a reasonable size, or else its beginning.

    While a body is parsed, no other thread runs; and megabytes in place of an error have no useful content.
    """
    if len(response.content) <= MAX_PARSED_ERROR_BYTES:
        with contextlib.suppress(InvalidJSON):
            body = decode(response)
            return errors.printable(body, MAX_SHOWN_BYTES) if isinstance(body, str) else body
    return errors.printable(response.content[:MAX_SHOWN_BYTES].decode("utf-8", "replace"), MAX_SHOWN_BYTES)


def _details(listed: Any) -> list[dict[str, Any]]:
    """Return the errors of single fields, limited in number and length."""
    if not isinstance(listed, list):
        return []
    return [
        {
            key: value if isinstance(value, bool) or value is None else _scalar(value)
            for key, value in first_items(entry)
        }
        for entry in listed[:MAX_DETAILS]
        if isinstance(entry, dict)
    ]


def _scalar(value: Any) -> Any:
    kept = isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**64)
    return value if kept else excerpt(value, MAX_REASON)


def transport_error(cause: Exception, timeout: float | None, server: str, **call: Any) -> errors.CallError:
    """Build the error for a request that got no usable response; its cause is the innermost exception."""
    *_, reason = layers(cause)
    failure = failure_of(cause)
    why = excerpt(str(reason), MAX_MESSAGE) or type(reason).__name__
    text = failure.words.format(
        reason=why,
        detail="" if why == "timed out" else f" ({why})",
        limit="in time" if timeout is None else f"within {timeout:g} s",
    )
    where = f"{server} cannot be reached: " if nothing_sent(cause) else ""
    error = failure.error(f"{call['method']} {call['path']}: {where}{text}", **call)
    if errors.printable(str(reason), MAX_SHOWN_BYTES) != str(reason):
        reason = Unusable("the response is not HTTP")
    # The frames of the layers above the innermost have copies of the Authorization header: they are dropped.
    reason.__traceback__ = reason.__context__ = reason.__cause__ = None
    if isinstance(partial := getattr(reason, "partial", None), bytes):
        # What came of an answer may be secret; its length is enough.
        vars(reason).update(partial=bytes(len(partial)))
        reason.args = ()
    error.__cause__ = None if isinstance(reason, Unusable) else reason
    return error


def _words(response: requests.Response, body: Any, details: Sequence[Mapping[str, Any]]) -> str:
    """Return the server's own words, wherever they are, followed by the reasons for single fields."""
    text = excerpt(_server_words(response, body) or "", MAX_MESSAGE) or _bare_words(response)
    if 300 <= response.status_code < 400 and "Location" in response.headers:
        where = excerpt(response.headers["Location"], MAX_MESSAGE)
        text = f"{text} (it is at {where}; redirects are not followed)"
    reasons = [(e.get("field", "?"), str(e.get("message") or e.get("code") or "invalid")) for e in details]
    return " ".join([text, *(f"({field}: {reason})" for field, reason in reasons if reason not in text)])


def _server_words(response: requests.Response, body: Any) -> Any:
    """Take the words from CloudAPI's own body, a proxy's, a bare string, or a page."""
    if isinstance(body, str):
        return without_tags(body)
    if not isinstance(body, dict):
        return body
    if words := body.get("message"):
        return words
    if response.status_code == 410 and "id" in body:
        return f"machine {excerpt(body['id'], MAX_CODE)} was deleted"
    return "; ".join(
        f"{key}: {excerpt(value, MAX_REASON)}" for key, value in first_items(body) if isinstance(value, str)
    )


def _bare_words(response: requests.Response) -> str:
    hint = "; a GET would return the reason" if response.request.method == "HEAD" else ""
    return f"HTTP status {response.status_code}{hint}"


def _sentence(error: errors.APIError) -> str:
    """Return the text of an error: the request, the response, and the id in the operator's logs."""
    code = f" {error.code}" if error.code else ""
    hint = f"; {command_line('doctor')} finds out why" if error.status == 401 else ""
    return f"{error.method} {error.path}: {error.status}{code}: {error.message}{hint} [request {error.request_id}]"
