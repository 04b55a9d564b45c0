"""Answers that are wrong in every way that can be thought of, or that chance finds, and a server that gives them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from kits.http import Line
from kits.thorough import Deck
from smartdc.emulator import Emulator
from smartdc.emulator.core.message import Request, Response, merge_headers

STATUS_LINES = [
    b"",
    b"HTTP/1.1 200",
    b"HTTP/1.1 200\tOK",
    b"HTTP/1.1  200 OK",
    b"HTTP/1.0 200 OK",
    b"HTTP/1.9 200 OK",
    b"HTTP/2 200 OK",
    b"HTTP/0.9 200 OK",
    b"ICY 200 OK",
    b"http/1.1 200 ok",
    b"HTTP/1.1 000 Nought",
    b"HTTP/1.1 099 Less",
    b"HTTP/1.1 -200 OK",
    b"HTTP/1.1 +200 OK",
    b"HTTP/1.1 20 OK",
    b"HTTP/1.1 2000 OK",
    b"HTTP/1.1 two OK",
    b"HTTP/1.1 \xb2\xb2\xb2 OK",
    b"HTTP/1.1 200 " + b"O" * 70_000,
    b"HTTP/1.1 200 \x00\xff",
    b"HTTP/1.1 101 Switching Protocols",
    b"HTTP/1.1 204 No Content",
    b"HTTP/1.1 205 Reset Content",
    b"HTTP/1.1 206 Partial Content",
    b"HTTP/1.1 304 Not Modified",
    b"HTTP/1.1 301 Moved",
    b"HTTP/1.1 401 Who",
    b"HTTP/1.1 404 Not Found",
    b"HTTP/1.1 410 Gone",
    b"HTTP/1.1 418 Teapot",
    b"HTTP/1.1 429 Slow",
    b"HTTP/1.1 500 Oh",
    b"HTTP/1.1 503 Busy",
    b"HTTP/1.1 999 Odd",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK",
    b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK",
    b"HTTP/1.1 100 Continue\r\n\r\n" * 150 + b"HTTP/1.1 200 OK",
    b"\r\n\r\nHTTP/1.1 200 OK",
    b"\xef\xbb\xbfHTTP/1.1 200 OK",
]
"""Lines to begin an answer with."""

HEADERS = [
    b"Content-Length: abc",
    b"Content-Length: -1",
    b"Content-Length: +5",
    b"Content-Length: 0x10",
    b"Content-Length: 1e3",
    b"Content-Length: 5 5",
    b"Content-Length: 5, 6",
    b"Content-Length: 99999999999999999999999999",
    b"Content-Length: \xb2",
    b"Content-Length:",
    b"Content-Length: 0",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding: \xff",
    b"Content-Encoding: gzip",
    b"Content-Encoding: br",
    b"Content-Encoding: identity, identity, gzip",
    b"Content-Encoding: " + b"gzip," * 100,
    b"Content-MD5: wrong",
    b"Content-MD5: \xff\xfe",
    b"Content-Type: text/html",
    b"Content-Type: application/json; charset=utf-16",
    b"Content-Type: application/json; charset=\xff",
    b"Content-Type: ;;;=",
    b"Content-Type:",
    b"Date: Tue, 99 Foo 20xx 25:61:61 GMT",
    b"Date: Thu, 01 Jan 1970 00:00:00 GMT",
    b"Date: Fri, 31 Dec 9999 23:59:59 -2359",
    b"Date: " + b"9" * 5000,
    b"Retry-After: -5",
    b"Retry-After: 1e400",
    b"Retry-After: \xb2",
    b"Retry-After: " + b"9" * 5000,
    b"Retry-After: Fri, 31 Dec 9999 23:59:59 GMT",
    b"Location: http://[::1",
    b"Location: \x00\xff",
    b"X-Query-Limit: abc",
    b"X-Query-Limit: -1",
    b"X-Query-Limit: 0",
    b"X-Query-Limit: \xb2",
    b"X-Query-Limit: " + b"9" * 5000,
    b"X-Resource-Count: abc",
    b"X-Resource-Count: \xb2",
    b"X-Resource-Count: -1",
    b"X-Resource-Count: " + b"9" * 5000,
    b"Set-Cookie: a=b; domain=.; expires=\xff",
    b"Connection: upgrade",
    b"Connection: close",
    b"Keep-Alive: timeout=x",
    b"no colon at all",
    b": no name",
    b"Na me: x",
    b" folded: x",
    b"\x00: x",
    b"X: \x00",
    b"X: a\rb",
    b"X: a\nb",
    b"X: " + b"x" * 70_000,
    b"\r\n".join(b"X-%d: x" % number for number in range(300)),
]
"""Headers to put among, or in the place of, the right ones."""

VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1.5,
    10**30,
    "",
    "x",
    "\x00",
    "\u2028",
    [],
    {},
    [None],
    [[]],
    [{}],
    {"": None},
]
VALUES += [
    "2026-13-45T99:99:99.999Z",
    "0000-00-00",
    "9999-12-31T23:59:59-23:59",
    [1, "a", None, {}],
    {"id": 1},
    {"id": None},
]
RAW_VALUES = [
    b"NaN",
    b"-Infinity",
    b"1e400",
    b"9" * 5000,
    b"[" * 3000,
    b'{"a":' * 3000,
    b'"\\ud800"',
    b"\xff\xfe",
    b"'x'",
    b"01",
    b"{,}",
]
"""Values to put in the place of others, as Python's or as bytes."""


SIZES = [b"SIZE", b"SIZE;ext=1", b"-5", b"zz", b"f" * 40, b"", b"5", b"ffffffff"]
"""Sizes of a chunk."""
ENDS = [b"\r\n0\r\n\r\n", b"\r\n0\r\nTrailer: x\r\n\r\n", b"", b"\r\n", b"\r\n0\r\n" + b"x" * 70_000]
"""What follows upon the last chunk."""
ODD_VALUES = [*(json.dumps(value).encode() for value in VALUES), *RAW_VALUES]
"""Both as they go over the wire."""


def odd_status(data: bytes, chance: Deck) -> bytes:
    """Begin with another line."""
    return chance.deal(STATUS_LINES) + b"\r\n" + data.partition(b"\r\n")[2]


def odd_header(data: bytes, chance: Deck) -> bytes:
    """Put another header in front, in place of its namesake or beside it."""
    header = chance.deal(HEADERS)
    head, _, body = data.partition(b"\r\n\r\n")
    first, *rest = head.split(b"\r\n")
    name = header.partition(b":")[0].lower()
    if chance.random() < 0.7:
        rest = [line for line in rest if line.partition(b":")[0].lower() != name]
    rest.insert(chance.randrange(len(rest) + 1), header)
    return b"\r\n".join([first, *rest]) + b"\r\n\r\n" + body


def flipped(data: bytes, chance: Deck) -> bytes:
    """Change some bytes."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def cut(data: bytes, chance: Deck) -> bytes:
    """End too soon."""
    return data[: chance.randrange(len(data))]


def doubled(data: bytes, chance: Deck) -> bytes:
    """Say something twice."""
    start, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    return data[:end] + data[start:]


def holed(data: bytes, chance: Deck) -> bytes:
    """Leave something out."""
    start, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    return data[:start] + data[end:]


def chunked(data: bytes, chance: Deck) -> bytes:
    """Send the body in chunks, one of which may be odd."""
    head, _, body = data.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
    size = chance.deal(SIZES).replace(b"SIZE", b"%x" % len(body))
    return (
        b"\r\n".join([*lines, b"Transfer-Encoding: chunked"]) + b"\r\n\r\n" + size + b"\r\n" + body + chance.deal(ENDS)
    )


def other_json(data: bytes, chance: Deck) -> bytes:
    """Change the type of one value somewhere in the body; length and digest fit."""
    head, _, body = data.partition(b"\r\n\r\n")
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    mark = "replace me"
    text = json.dumps(_replaced(value, mark, chance), ensure_ascii=False)
    return fitted(head, text.encode().replace(f'"{mark}"'.encode(), chance.deal(ODD_VALUES)))


def _replaced(value: Any, mark: str, chance: Deck) -> Any:
    """Return a value in which one part is replaced by the mark."""
    if isinstance(value, dict) and value and chance.random() < 0.85:
        key = chance.choice(list(value))
        return {**value, key: _replaced(value[key], mark, chance)}
    if isinstance(value, list) and value and chance.random() < 0.85:
        place = chance.randrange(len(value))
        return [*value[:place], _replaced(value[place], mark, chance), *value[place + 1 :]]
    return mark


def less_json(data: bytes, chance: Deck) -> bytes:
    """Leave an entry out of the body; length and digest fit."""
    head, _, body = data.partition(b"\r\n\r\n")
    try:
        value = json.loads(body)
    except ValueError:
        return data
    thing = chance.choice(value) if isinstance(value, list) and value else value
    if isinstance(thing, dict) and thing:
        del thing[chance.choice(list(thing))]
    return fitted(head, json.dumps(value).encode())


def fitted(head: bytes, body: bytes) -> bytes:
    """Return an answer whose length and digest are right."""
    kept = [line for line in head.split(b"\r\n") if not line.lower().startswith((b"content-length", b"content-md5"))]
    md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest())
    lines = [*kept, b"Content-Length: %d" % len(body), b"Content-MD5: " + md5]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


MUTATIONS: list[Callable[[bytes, Deck], bytes]] = [
    odd_status,
    odd_header,
    odd_header,
    flipped,
    cut,
    doubled,
    holed,
    chunked,
    other_json,
    other_json,
    other_json,
    less_json,
]


KINDS: tuple[Sequence[object], ...] = (MUTATIONS, STATUS_LINES, HEADERS, SIZES, ENDS, ODD_VALUES)
"""All that a wrong answer may have."""


class Mutant:
    """A server that asks an emulator what to answer, and then answers something like it.

    `served` counts the wrong answers; while `honest` is set they are right. What it served last is `last`;
    with `fixed` it serves that. It calls `forget` after each, so that only what the client keeps takes room.
    """

    def __init__(self, cloud: Emulator, chance: Deck) -> None:
        self.cloud, self.chance = cloud, chance
        self.honest, self.served, self.last = True, 0, b""
        self.fixed = b""
        self.forget: Callable[[], None] = lambda: None

    def __call__(self, line: Line) -> bool:
        """Answer one request; False ends the connection."""
        right = written(self.cloud.handle(parsed(line.request)))
        self.cloud.trace.clear()
        self.forget()
        if self.honest:
            line.send(right)
            return True
        if self.fixed:
            line.send(self.fixed)
            return True
        self.served += 1
        mutate = self.chance.deal(MUTATIONS)
        self.last = mutate(right, self.chance)
        line.send(self.last)
        return mutate in {other_json, less_json} or self.chance.random() < LEFT_OPEN


LEFT_OPEN = 0.005
"""How often a connection is left open though the answer may have no end."""


def parsed(request: bytes) -> Request:
    """Return a request as the emulator takes it."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    return Request(method, target, merge_headers(line.partition(": ")[::2] for line in lines), body)


def written(response: Response) -> bytes:
    """Return an answer as it goes over the wire."""
    lines = [f"HTTP/1.1 {response.status} Whatever", *(f"{name}: {value}" for name, value in response.headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + response.body
