"""Decoding: the parameters in a request's query and body."""

import base64
import hashlib
import json
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

from smartdc.emulator.core.message import Request
from smartdc.emulator.core.reply import ApiError

MAX_BODY = 100_000
FORM = "application/x-www-form-urlencoded"


def media_type(request: Request) -> str:
    """Return the media type of the body without its parameters; the default is ``application/octet-stream``."""
    return request.headers.get("content-type", "application/octet-stream").partition(";")[0].strip().lower()


def parse_query(text: str) -> dict[str, Any]:
    """Parse a query or a form: repeated names become a list, ``a[b]=c`` a dict, ``a[]=c`` a list."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        outer, bracket, inner = name.partition("[")
        if not (outer and bracket and inner.endswith("]")):
            _append(found, name, value)
        elif inner == "]":
            _append(found, outer, [value])
        elif isinstance(found.setdefault(outer, {}), dict):
            _append(found[outer], inner[:-1], value)
    return found


def _append(found: dict[str, Any], name: str, value: Any) -> None:
    if name not in found:
        found[name] = value
        return
    known = found[name]
    found[name] = [*_as_list(known), *_as_list(value)]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def parse_body(request: Request) -> dict[str, Any]:
    """Parse the parameters of a body; media types that CloudAPI ignores give none, at any size."""
    kind = media_type(request)
    if request.method in ("GET", "HEAD") or not request.body or kind == "application/octet-stream":
        return {}
    if kind == "multipart/form-data":
        return _multipart(request)
    if len(request.body) > MAX_BODY:
        raise ApiError(413, "PayloadTooLargeError", f"Request body size exceeds {MAX_BODY}")
    _check_digest(request)
    if kind == "application/json":
        return _json(request.body)
    if kind == FORM:
        return parse_query(request.body.decode("utf-8", "replace"))
    return {}


def _check_digest(request: Request) -> None:
    claimed = request.headers.get("content-md5")
    if claimed is None:
        return
    actual = content_md5(request.body)
    if claimed != actual:
        raise ApiError(400, "BadDigest", f"Content-MD5 '{claimed}' didn't match '{actual}'")


def content_md5(body: bytes) -> str:
    """Return the value of a Content-MD5 header."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body.decode("utf-8", "replace"), parse_constant=_reject_constant)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "InvalidContent", f"Invalid JSON: {error}") from error
    if not isinstance(value, dict):
        raise ApiError(400, "InvalidContent", "Invalid JSON: an object is expected")
    return value


def _reject_constant(word: str) -> None:
    """Reject NaN and Infinity, which Python accepts and JSON does not."""
    raise ValueError(f"{word} is not a JSON number")


def _multipart(request: Request) -> dict[str, Any]:
    """Parse the fields of a multipart form; files are skipped."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode("latin-1")
    message = BytesParser(policy=HTTP).parsebytes(head + request.body)
    found: dict[str, Any] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes) and not part.get_filename():
            _append(found, name, content.decode("utf-8", "replace"))
    return found
