"""Decoding: the parameters in a request's query and body."""

import base64
import hashlib
import json
import re
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

from smartdc.emulator.core.javascript import syntax_error
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
        value = _json(request.body)
        if isinstance(value, list):
            return {str(place): item for place, item in enumerate(value)}
        return value if isinstance(value, dict) else {}
    if kind == FORM:
        return parse_query(request.body.decode("utf-8", "replace"))
    return {}


def merge_body(params: dict[str, Any], request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of query and path with those of the body, which win.

    JSON that is not an object replaces all parameters, unless it is false in JavaScript.
    """
    if media_type(request) == "application/json" and request.body and request.method not in ("GET", "HEAD"):
        value = _json(request.body)
        if isinstance(value, list) or (value and not isinstance(value, dict)):
            return body
    return {**params, **body}


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


def _json(body: bytes) -> Any:
    text = body.decode("utf-8", "replace")
    try:
        return json.loads(text, parse_constant=_reject_constant)
    except ValueError as error:
        raise ApiError(400, "InvalidContent", f"Invalid JSON: {syntax_error(text)}") from error
    except RecursionError as error:
        raise ApiError(400, "InvalidContent", "Invalid JSON: Maximum call stack size exceeded") from error


def _reject_constant(word: str) -> None:
    """Reject NaN and Infinity, which Python accepts and JSON does not."""
    raise ValueError(f"{word} is not a JSON number")


def _multipart(request: Request) -> dict[str, Any]:
    """Parse the fields of a multipart form; files are skipped."""
    _check_multipart(request)
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode("latin-1")
    message = BytesParser(policy=HTTP).parsebytes(head + request.body)
    found: dict[str, Any] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes) and not part.get_filename():
            _append(found, name, content.decode("utf-8", "replace"))
    return found


def _check_multipart(request: Request) -> None:
    """Refuse a form without a boundary, and one that does not begin or end with it: 400 BadRequestError."""
    boundary = re.search(r'boundary=(?:"([^"]+)"|([^;]+))', request.headers["content-type"], re.IGNORECASE)
    if not boundary:
        raise ApiError(400, "BadRequestError", "bad content-type header, no multipart boundary")
    line = b"--" + (boundary[1] or boundary[2]).encode("latin-1")
    if line not in request.body:
        raise _ended("START_BOUNDARY")
    if line + b"--" not in request.body:
        raise _ended("PART_DATA")


def _ended(state: str) -> ApiError:
    message = f"MultipartParser.end(): stream ended unexpectedly: state = {state}"
    return ApiError(400, "BadRequestError", message)
