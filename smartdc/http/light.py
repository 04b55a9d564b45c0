"""Requests and responses of `requests` and urllib3, without parts that CloudAPI never uses: hooks, cookies, encodings."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import requests
from requests.cookies import RequestsCookieJar
from urllib3._collections import HTTPHeaderDict

from smartdc.http.settings import Headers

__all__ = [
    "NO_COOKIES",
    "LeanResponse",
    "LightRequest",
    "LightResponse",
    "is_from_a_server",
    "unfolded",
    "without_signature",
]


class _NoCookies(RequestsCookieJar):
    def extract_cookies(self, response: Any, request: Any) -> None:
        """Keep no cookies."""


NO_COOKIES = _NoCookies()
"""A jar that stays empty."""


class LightRequest(requests.PreparedRequest):
    """A prepared request whose URL is already encoded."""

    def __init__(self, method: str | None, url: str | None, body: Any, headers: Headers) -> None:
        """Take everything exactly as it will be sent."""
        self.method = method
        self.url = url
        self.body = body
        self.headers = headers
        self.hooks = {"response": []}
        self._cookies = NO_COOKIES
        self._body_position = None

    @property
    def path_url(self) -> str:
        """The path and the query."""
        url = self.url or ""
        start = url.find("/", len("https://"))
        return super().path_url if start < 0 or "#" in url else url[start:]


def without_signature(request: requests.PreparedRequest) -> LightRequest:
    """Return a copy that may be kept; an `auth` may have replaced our request with another one."""
    headers = request.headers if type(request.headers) is Headers else Headers(request.headers)
    return LightRequest(request.method, request.url, request.body, headers.without("Authorization"))


def is_from_a_server(response: requests.Response) -> bool:
    """Return whether a response came over a connection, and not from a mock or another adapter."""
    raw = response.raw
    return type(raw) is LeanResponse or getattr(raw, "_pool", None) is not None or hasattr(raw, "is_a_server")


def unfolded(value: str) -> str:
    """Return a header value on one line; before its release 2.8, urllib3 leaves folded values on several lines."""
    *lines, last = value.split("\r\n")
    return " ".join([*(line.strip(" \t") for line in lines), last.lstrip(" \t")]) if lines else value


class LightResponse(requests.Response):
    """A response whose parts are set by `Transport.build_response`."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self._content: Any = False
        self._content_consumed = False
        self._next = None
        self.history = []

    @functools.cached_property
    def cookies(self) -> RequestsCookieJar:  # type: ignore[override]
        """No cookies, since CloudAPI sends none."""
        return RequestsCookieJar()


class LeanResponse:
    """The parts of a urllib3 response that `requests` and this library use; the whole body has arrived."""

    __slots__ = ("_body", "length_remaining", "reason", "status", "store")

    is_own = True
    """The response came over a connection of this library, and not from a mock or a recording."""
    _original_response = None
    """`requests` reads cookies from it; CloudAPI sends none."""
    chunked = False
    version = 11

    def __init__(self, status: int, reason: str, store: dict[str, tuple[str, str]], body: bytes) -> None:
        """Keep the received parts; `store` has the form of `Headers`: lower-case name to name and value."""
        self.status = status
        self.reason = reason
        self.store = store
        self.length_remaining = len(body)
        self._body = body

    @property
    def headers(self) -> HTTPHeaderDict:
        """The headers as urllib3 keeps them."""
        return HTTPHeaderDict(self.store.values())

    def read(self, amt: int | None = None, decode_content: bool = False) -> bytes:  # noqa: ARG002 (urllib3's signature)
        """Return the next bytes of the body; by default all that are left."""
        size = len(self._body) if amt is None else amt
        part = self._body[:size]
        self._body = self._body[size:]
        self.length_remaining = len(self._body)
        return part

    def stream(self, amt: int = 65536, decode_content: bool = False) -> Iterator[bytes]:
        """Yield the body in pieces."""
        while part := self.read(amt, decode_content):
            yield part

    def close(self) -> None:
        """Do nothing: the connection was given back before."""

    release_conn = close
