"""Answer as CloudAPI does, and at once, in a process of its own: `speed.py` starts it.

The path says what to answer: a machine, or a page of a list for a query with limit and offset. A prefix such as
``/after150`` delays the answer by so many milliseconds. It prints its two ports and the file of its authority, and
ends when its standard input does.
"""

from __future__ import annotations

import binascii
import functools
import hashlib
import json
import re
import socket
import ssl
import sys
import tempfile
import threading
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

from smartdc.emulator.doors.certificates import write_certificates

MACHINE = {
    "id": "3d51f2d5-46f2-4da5-bb04-3238f2f64768",
    "name": "web-1",
    "type": "smartmachine",
    "brand": "joyent-minimal",
    "state": "running",
    "image": "2b683a82-a066-11e3-97ab-2faa44701c5a",
    "ips": ["10.88.88.26", "192.168.128.5"],
    "memory": 1024,
    "disk": 25600,
    "metadata": {"root_authorized_keys": "ssh-ed25519 AAAA"},
    "tags": {"role": "web", "rank": 1, "spare": False},
    "created": "2026-01-03T11:20:00.000Z",
    "updated": "2026-01-03T11:21:30.000Z",
    "networks": ["7007b198-f6aa-48f0-9843-78a3149de3d7", "45607081-4cd2-45c8-baf7-79da760fffaa"],
    "nics": [],
    "firewall_enabled": True,
    "compute_node": "564d0b8e-6099-7648-351e-877faf6c56f6",
    "package": "g4-highcpu-1G",
}

PAGE = re.compile(rb"limit=(\d+)&offset=(\d+)")
DELAY = re.compile(rb"/after(\d+)/")
REQUEST_ID = re.compile(rb"\r\nx-request-id: ([^\r]+)", re.IGNORECASE)
LISTED = 950
"""Machines in the list: ten pages of a hundred, the last of which is not full."""

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nContent-MD5: %b\r\n"
    b"Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Methods: POST, GET, HEAD, DELETE\r\n"
    b"Access-Control-Expose-Headers: Api-Version, Request-Id, Response-Time\r\n"
    b"Connection: Keep-Alive\r\nDate: %b\r\nServer: cloudapi/9.20.0\r\n"
    b"Api-Version: 9.0.0\r\nRequest-Id: %b\r\nResponse-Time: 42\r\n\r\n"
)
ID, REST = json.dumps(MACHINE).encode().split(str(MACHINE["id"]).encode())
"""What stands before and behind the id in the JSON of a machine."""


def response(target: bytes, request_id: bytes) -> bytes:
    """Return what CloudAPI sends. It is put together from parts: the time that it takes here is in every row."""
    content = body(target)
    digest = binascii.b2a_base64(hashlib.md5(content, usedforsecurity=False).digest(), newline=False)
    return HEAD % (len(content), digest, date(int(time.time())), request_id) + content


def body(target: bytes) -> bytes:
    """Return what each of the clients that are compared takes for an answer."""
    if b"?" in target or b"/machines/" not in target:
        return other_body(target)
    return b"%b%b%b" % (ID, target[target.rfind(b"/") + 1 :], REST)


@functools.cache
def other_body(target: bytes) -> bytes:
    """Return the same for what is asked for again and again."""
    if page := PAGE.search(target):
        limit, offset = int(page[1]), int(page[2])
        return encoded([{**MACHINE, "id": f"{n:036x}"} for n in range(offset, min(offset + limit, LISTED))])
    if b"servers" in target:
        return encoded({"server": {"id": 1, "name": "web-1", "status": "running"}})
    return encoded({"Configuration": {"FunctionName": "web-1"}})


def encoded(value: Any) -> bytes:
    """Return a value as JSON."""
    return json.dumps(value).encode()


@functools.lru_cache(1)
def date(second: int) -> bytes:
    """Return the value of a Date header."""
    return formatdate(second, usegmt=True).encode()


def serve(connection: socket.socket, context: ssl.SSLContext | None) -> None:
    """Answer the requests of one connection, each of which comes in one piece."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        if context:
            connection = context.wrap_socket(connection, server_side=True)
        while request := connection.recv(65536):
            target = request.split(b" ", 2)[1]
            if delay := DELAY.match(target):
                time.sleep(int(delay[1]) / 1000)
            found = REQUEST_ID.search(request)
            connection.sendall(response(target, found[1] if found else b"none"))
    except OSError:
        pass
    finally:
        connection.close()


def listen(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Give every connection a thread."""
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection, context), daemon=True).start()


def main() -> None:
    """Serve until standard input ends."""
    with tempfile.TemporaryDirectory() as folder:
        ca, chain = write_certificates(Path(folder))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        ports = []
        for tls in (None, context):
            listener = socket.create_server(("127.0.0.1", 0), backlog=256)
            ports.append(listener.getsockname()[1])
            threading.Thread(target=listen, args=(listener, tls), daemon=True).start()
        print(json.dumps([*ports, str(ca)]), flush=True)  # noqa: T201 (how the other process learns them)
        sys.stdin.read()


if __name__ == "__main__":
    main()
