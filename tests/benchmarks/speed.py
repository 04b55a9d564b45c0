"""Measure what a signed GET costs, and what importing costs, beside the least that is possible and plain `requests`.

    python tests/benchmarks/speed.py [calls] [rounds]

Everything that is compared runs in one process and in turns, against a server in another process that always gives
the same answer, so that only the ratios count and they hold on any machine: the number 1.00 is `http.client` with
one kept connection, one signature by `cryptography` and one `json.loads`. The medians of all rounds are shown.
"""

from __future__ import annotations

import base64
import gc
import http.client
import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from smartdc import DataCenter
from smartdc.private_key import load_private_key
from smartdc.signing import HTTPSignatureAuth

ROOT = Path(__file__).parent.parent.parent
KEY_ID = "/bench/keys/bench"
IDLE = 60.0
"""Seconds after which a server that nobody asks stops."""

HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Accept-Version": "~9||~8",
    "User-Agent": "smartdc/bench",
}

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

Call = Callable[[], Any]


class Cost(NamedTuple):
    """Seconds for one call: of this process's CPU, and on the wall."""

    cpu: float
    wall: float


def answer() -> bytes:
    """Return a machine as CloudAPI sends it."""
    body = json.dumps(MACHINE).encode()
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nContent-MD5: {_md5(body)}\r\n"
        "Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Methods: POST, GET, HEAD, DELETE\r\n"
        "Access-Control-Expose-Headers: Api-Version, Request-Id, Response-Time\r\n"
        f"Connection: Keep-Alive\r\nDate: {formatdate(usegmt=True)}\r\nServer: cloudapi/9.20.0\r\n"
        "Api-Version: 9.0.0\r\nRequest-Id: 8f4f5f5e-3b5a-4a3e-9d0e-2a3d5c1e7f00\r\nResponse-Time: 42\r\n\r\n"
    )
    return head.encode() + body


def _md5(body: bytes) -> str:
    import hashlib  # noqa: PLC0415

    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def serve() -> None:
    """Give every request on every connection the same answer, until nobody asks any more."""
    reply = answer()
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    watch = selectors.DefaultSelector()
    watch.register(listener, selectors.EVENT_READ)
    watch.register(sys.stdin, selectors.EVENT_READ)
    while ready := watch.select(IDLE):
        for key, _ in ready:
            if key.fileobj is sys.stdin:
                return
            if key.fileobj is listener:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                watch.register(connection, selectors.EVENT_READ)
                continue
            peer = key.fileobj
            assert isinstance(peer, socket.socket)
            data = peer.recv(65536)
            if not data:
                watch.unregister(peer)
                peer.close()
                continue
            assert data.endswith(b"\r\n\r\n"), "a GET comes in one piece"
            peer.sendall(reply)


@contextmanager
def server() -> Iterator[str]:
    """Run a server in another process, which ends with the with-block, or with this process."""
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        assert process.stdin is not None
        process.stdin.close()


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def keys() -> dict[str, tuple[Any, tuple[Any, ...], str]]:
    """Make a key of each type; with it goes what `cryptography` and the header want to be told."""
    return {
        "rsa-2048": (rsa.generate_private_key(65537, 2048), (padding.PKCS1v15(), SHA256()), "rsa-sha256"),
        "ecdsa-p256": (ec.generate_private_key(ec.SECP256R1()), (ec.ECDSA(SHA256()),), "ecdsa-sha256"),
        "ed25519": (ed25519.Ed25519PrivateKey.generate(), (), "ed25519-sha512"),
    }


def contenders(url: str, key: Any, scheme: tuple[Any, ...], algorithm: str) -> dict[str, Call]:
    """Return what is compared: each gets another machine at every call, and ends with the decoded answer."""
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    auth = HTTPSignatureAuth(KEY_ID, load_private_key(pem))
    dc = DataCenter(url, auth=auth, headers=HEADERS)
    return {
        "http.client": http_client(url, key, scheme, algorithm),
        "smartdc": lambda ids=count(): dc.request("GET", f"/machines/{next(ids):036x}"),  # type: ignore[misc]
        "requests": plain_requests(url, auth),
    }


def http_client(url: str, key: Any, scheme: tuple[Any, ...], algorithm: str) -> Call:
    """Do by hand what has to be done, and nothing else."""
    host = urlsplit(url).netloc
    connection = http.client.HTTPConnection(host)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    ids = count()

    def call() -> Any:
        target, date = f"/my/machines/{next(ids):036x}", formatdate(usegmt=True)
        text = f"(request-target): get {target}\nhost: {host}\ndate: {date}"
        signature = base64.b64encode(key.sign(text.encode(), *scheme)).decode()
        names = "(request-target) host date"
        authorization = f'Signature keyId="{KEY_ID}",algorithm="{algorithm}",headers="{names}",signature="{signature}"'
        extra = {"Host": host, "Date": date, "X-Request-Id": str(uuid.uuid4()), "Authorization": authorization}
        connection.request("GET", target, headers={**HEADERS, **extra})
        return json.loads(connection.getresponse().read())

    return call


def plain_requests(url: str, auth: HTTPSignatureAuth) -> Call:
    """Do the same with a `requests.Session`, as most people would."""
    session = requests.Session()
    session.headers.update(HEADERS)
    ids = count()

    def call() -> Any:
        headers = {"X-Request-Id": str(uuid.uuid4())}
        response = session.get(f"{url}/my/machines/{next(ids):036x}", auth=auth, headers=headers, timeout=60)
        response.raise_for_status()
        return response.json()

    return call


def cost(call: Call, calls: int) -> Cost:
    """Time many calls in a row, without garbage collection falling on any one of them."""
    gc.collect()
    gc.disable()
    try:
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(calls):
            call()
        return Cost((time.process_time() - cpu) / calls, (time.perf_counter() - wall) / calls)
    finally:
        gc.enable()


def in_turns(measures: dict[str, Callable[[], Cost]], rounds: int) -> dict[str, list[Cost]]:
    """Measure each once in every round, in an order that changes from round to round."""
    costs: dict[str, list[Cost]] = {name: [] for name in measures}
    for turn in range(rounds):
        names = list(measures)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            costs[name].append(measures[name]())
    return costs


def show(title: str, costs: dict[str, list[Cost]], unit: float) -> None:
    """Print a line for each contender: ratios to the first one, round by round, then times."""
    base = next(iter(costs.values()))
    for name, mine in costs.items():
        cpu = statistics.median(m.cpu / b.cpu for m, b in zip(mine, base, strict=True))
        wall = statistics.median(m.wall / b.wall for m, b in zip(mine, base, strict=True))
        times = [statistics.median(getattr(c, what) for c in mine) * unit for what in ("cpu", "wall")]
        print(f"{title:<12} {name:<14} {cpu:>9.2f} {wall:>9.2f} {times[0]:>12.0f} {times[1]:>12.0f}")


def measure_calls(calls: int, rounds: int) -> None:
    """Print the table of signed GETs."""
    print(f"{'signed GET':<12} {'':<14} {'CPU ratio':>9} {'wall ratio':>9} {'CPU us/call':>12} {'wall us/call':>12}")
    with server() as url:
        for kind, (key, scheme, algorithm) in keys().items():
            runs = contenders(url, key, scheme, algorithm)
            for call in runs.values():
                cost(call, calls // 10 + 1)
            measures = {name: lambda call=call: cost(call, calls) for name, call in runs.items()}  # type: ignore[misc]
            show(kind, in_turns(measures, rounds), 1e6)


def measure_imports(rounds: int) -> None:
    """Print the table of imports, each in a new process whose bytecode is compiled already."""
    print(f"\n{'import':<12} {'':<14} {'CPU ratio':>9} {'wall ratio':>9} {'CPU us':>12} {'wall us':>12}")
    with tempfile.TemporaryDirectory() as folder:
        env = {**environment(), "PYTHONPYCACHEPREFIX": folder}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        measures = {name: lambda name=name: import_cost(name, env) for name in ("requests", "smartdc")}  # type: ignore[misc]
        for measure in measures.values():
            measure()
        show("import", in_turns(measures, rounds), 1e6)


def import_cost(name: str, env: dict[str, str]) -> Cost:
    """Import a package in a new process and return what that took."""
    code = (
        "import time; c, w = time.process_time(), time.perf_counter(); "
        f"import {name}; print(time.process_time() - c, time.perf_counter() - w)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=ROOT, capture_output=True, text=True, check=True)
    cpu, wall = done.stdout.split()
    return Cost(float(cpu), float(wall))


def main() -> None:
    """Serve or measure, as the command line says."""
    if sys.argv[1:] == ["--serve"]:
        serve()
        return
    calls, rounds = (int(text) for text in (*sys.argv[1:3], "300", "9")[:2]) if len(sys.argv) < 2 else (
        int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 9
    )
    measure_calls(calls, max(rounds, 5))
    measure_imports(max(rounds, 5) * 2 + 1)


if __name__ == "__main__":
    main()
