"""Measure what a signed GET costs, and what importing costs, beside the least that is possible and plain `requests`.

    python tests/benchmarks/speed.py [--calls 300] [--rounds 9]

Everything that is compared runs in one process and in turns, against a server in another process that always gives
the same answer. So the ratios count, and not the times: 1.00 is `http.client` with one kept connection, one signature
by `cryptography` and one `json.loads` for each call. Shown are medians over all rounds.
"""

# ruff: noqa: T201 (a script prints what it has found out)

from __future__ import annotations

import argparse
import base64
import functools
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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from smartdc import DataCenter
from smartdc.auth.private_key import load_private_key
from smartdc.auth.signing import HTTPSignatureAuth
from smartdc.http.request import md5_of

KEY_ID = "/bench/keys/bench"
"""The name under which the requests are signed; nobody looks at it."""

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
        f"Content-Length: {len(body)}\r\nContent-MD5: {md5_of(body)}\r\n"
        "Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Methods: POST, GET, HEAD, DELETE\r\n"
        "Access-Control-Expose-Headers: Api-Version, Request-Id, Response-Time\r\n"
        f"Connection: Keep-Alive\r\nDate: {formatdate(usegmt=True)}\r\nServer: cloudapi/9.20.0\r\n"
        "Api-Version: 9.0.0\r\nRequest-Id: 8f4f5f5e-3b5a-4a3e-9d0e-2a3d5c1e7f00\r\nResponse-Time: 42\r\n\r\n"
    )
    return head.encode() + body


def serve() -> None:
    """Give every request on every connection the same answer, until nobody asks any more or stdin ends."""
    reply = answer()
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    watch = selectors.DefaultSelector()
    for source in (sys.stdin, listener):
        watch.register(source, selectors.EVENT_READ)
    while ready := watch.select(IDLE):
        for source in (key.fileobj for key, _ in ready):
            if source is sys.stdin:
                return
            if source is listener:
                watch.register(listener.accept()[0], selectors.EVENT_READ)
            elif isinstance(source, socket.socket):
                if source.recv(65536):  # a GET comes in one piece
                    source.sendall(reply)
                else:
                    watch.unregister(source)
                    source.close()


@contextmanager
def server() -> Iterator[str]:
    """Run a server in another process, which ends with the with-block, or with this process."""
    command = [sys.executable, __file__, "--serve"]
    pipe, env = subprocess.PIPE, environment()
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=env) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.communicate()


def environment() -> dict[str, str]:
    """Return the environment of other processes, which find the same packages as this one."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def keys() -> dict[str, tuple[Any, tuple[Any, ...], str]]:
    """Make a key of each type; with it goes what `cryptography` and the header want to be told."""
    return {
        "rsa-2048": (rsa.generate_private_key(65537, 2048), (padding.PKCS1v15(), SHA256()), "rsa-sha256"),
        "ecdsa-p256": (ec.generate_private_key(ec.SECP256R1()), (ec.ECDSA(SHA256()),), "ecdsa-sha256"),
        "ed25519": (ed25519.Ed25519PrivateKey.generate(), (), "ed25519-sha512"),
    }


def contenders(url: str, key: Any, scheme: tuple[Any, ...], algorithm: str) -> dict[str, Call]:
    """Return what is compared: each gets a machine, another one at every call, and ends with the decoded answer.

    The last one gets the same machine again and again, as waiting does: then a signature is good for a second.
    """
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(encoding, form, serialization.NoEncryption()).decode()
    auth = HTTPSignatureAuth(KEY_ID, load_private_key(pem))
    dc = DataCenter(url, auth=auth, headers=HEADERS)
    ids = count()
    return {
        "http.client": http_client(url, key, scheme, algorithm),
        "smartdc": lambda: dc.request("GET", f"/machines/{next(ids):036x}"),
        "requests": plain_requests(url, auth),
        "smartdc, again": lambda: dc.request("GET", f"/machines/{0:036x}"),
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


def in_turns(measures: Mapping[str, Callable[[], Cost]], rounds: int) -> dict[str, list[Cost]]:
    """Measure each once in every round, in an order that changes from round to round."""
    costs: dict[str, list[Cost]] = {name: [] for name in measures}
    for turn in range(rounds):
        names = list(measures)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            costs[name].append(measures[name]())
    return costs


def show(title: str, costs: dict[str, list[Cost]]) -> None:
    """Print a line for each contender: ratios to the first one, round by round, then times."""
    base = next(iter(costs.values()))
    for name, mine in costs.items():
        cpu = statistics.median(m.cpu / b.cpu for m, b in zip(mine, base, strict=True))
        wall = statistics.median(m.wall / b.wall for m, b in zip(mine, base, strict=True))
        times = [statistics.median(times) * 1e6 for times in zip(*mine, strict=True)]
        print(f"{title:<11} {name:<15} {cpu:>9.2f} {wall:>9.2f}   {times[0]:>10.0f} {times[1]:>10.0f}")


def head(title: str) -> None:
    """Print what the columns are."""
    print(f"{title:<11} {'':<15} {'CPU ratio':>9} {'wall ratio':>9} {'CPU us':>11} {'wall us':>10}")


def measure_calls(calls: int, rounds: int) -> None:
    """Print the table of signed GETs."""
    head("signed GET")
    with server() as url:
        for kind, (key, scheme, algorithm) in keys().items():
            runs = contenders(url, key, scheme, algorithm)
            for call in runs.values():
                cost(call, calls // 10 + 1)
            show(kind, in_turns({name: functools.partial(cost, call, calls) for name, call in runs.items()}, rounds))


def measure_imports(rounds: int) -> None:
    """Print the table of imports, each in a new process whose bytecode is compiled already."""
    head("\nimport")
    with tempfile.TemporaryDirectory() as folder:
        env = {**environment(), "PYTHONPYCACHEPREFIX": folder}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        measures = {name: functools.partial(import_cost, name, env) for name in ("requests", "smartdc")}
        in_turns(measures, 1)
        show("", in_turns(measures, rounds))


def import_cost(name: str, env: dict[str, str]) -> Cost:
    """Import a package in a new process and return what that took."""
    code = (
        "import time; c, w = time.process_time(), time.perf_counter(); "
        f"import {name}; print(time.process_time() - c, time.perf_counter() - w)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    cpu, wall = done.stdout.split()
    return Cost(float(cpu), float(wall))


def main() -> None:
    """Serve or measure, as the command line says."""
    parser = argparse.ArgumentParser(description="Compare what calls and imports cost.")
    parser.add_argument("--calls", type=int, default=300, help="calls of each contender in a round")
    parser.add_argument("--rounds", type=int, default=9, help="rounds, 5 or more")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve()
        return
    measure_calls(asked.calls, max(asked.rounds, 5))
    measure_imports(2 * max(asked.rounds, 5))


if __name__ == "__main__":
    main()
