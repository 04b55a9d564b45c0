"""Measure what calls, lists, threads and imports cost, as ratios to what is compared in the same run.

    python tests/benchmarks/speed.py [--rounds 7]

Everything in a group is measured once in every round, in turns, in this process, against a server in another one that
answers at once. A ratio is formed in each round, and what is printed is the median of these ratios and their quartiles:
a busy machine makes times longer and leaves ratios alone. A is `http.client` with one kept connection, one RSA-2048
signature by `cryptography` and one `json.loads` for each call. It takes one to two minutes.

Single calls are measured with client and server on one core. On two, each call wakes a core that sleeps, twice, which
takes a virtual machine anything from nothing to the time of a whole call.
"""

# ruff: noqa: T201 (a script prints what it has found out)

from __future__ import annotations

import argparse
import base64
import functools
import gc
import http.client
import importlib.util
import json
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock
from urllib.parse import urlsplit

import certifi
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from requests.adapters import BaseAdapter

from smartdc import DataCenter
from smartdc.auth.private_key import load_private_key
from smartdc.auth.signing import HTTPSignatureAuth
from smartdc.http import call as call_module
from smartdc.http.ids import new_uuid

KEY_ID = "/bench/keys/bench"
"""The name under which the requests are signed; nobody looks at it."""

HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Accept-Version": "~9||~8",
    "User-Agent": "smartdc/bench",
}
MACHINE = {
    "id": "",
    "name": "web-1",
    "type": "smartmachine",
    "brand": "joyent-minimal",
    "state": "running",
    "image": "2b683a82-a066-11e3-97ab-2faa44701c5a",
    "ips": ["10.88.88.26", "192.168.128.5"],
    "memory": 1024,
    "metadata": {"root_authorized_keys": "ssh-ed25519 AAAA"},
    "tags": {"role": "web", "rank": 1, "spare": False},
    "created": "2026-01-03T11:20:00.000Z",
    "networks": ["7007b198-f6aa-48f0-9843-78a3149de3d7", "45607081-4cd2-45c8-baf7-79da760fffaa"],
    "package": "g4-highcpu-1G",
}
OBJECTS = 10_000
THREADS = 32
PAGES = 10
SHORT = 10
"""Rounds of single calls in place of one: they are short, so that little else comes in between."""

Call = Callable[[], Any]


class Cost(NamedTuple):
    """Seconds on the wall, and of this process's CPU where that says something."""

    wall: float
    cpu: float = 0.0


Measure = Callable[[], Cost]


class Site(NamedTuple):
    """Where the server is, and by which file its certificate is checked."""

    http: str
    https: str
    ca: str


class Row(NamedTuple):
    """A line of the table: what is measured, over what, and the goal."""

    title: str
    over: str
    goal: str = ""
    inverse: bool = False
    """Whether the ratio is of the second to the first."""


@contextmanager
def server() -> Iterator[Site]:
    """Run the server in another process, which ends with the with-block, or with this process."""
    command, pipe = [sys.executable, str(Path(__file__).with_name("speed_server.py"))], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment()) as process:
        assert process.stdout is not None
        plain, tls, ca = json.loads(process.stdout.readline())
        with tempfile.TemporaryDirectory() as folder:
            bundle = Path(folder, "bundle.pem")
            # As large as the bundle that everybody uses, since parsing it is most of what a new context costs.
            bundle.write_text(Path(certifi.where()).read_text() + Path(ca).read_text())
            yield Site(f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{tls}", str(bundle))
        process.communicate()


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process, and those that it starts, on one core, where the operating system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def environment() -> dict[str, str]:
    """Return the environment of other processes, which find the same packages as this one."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


class Key(NamedTuple):
    """A private key, what `cryptography` signs with, and the algorithm's name."""

    key: Any
    scheme: tuple[Any, ...]
    algorithm: str

    def auth(self) -> HTTPSignatureAuth:
        """Return an auth of this library that signs with the key."""
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        pem = self.key.private_bytes(encoding, form, serialization.NoEncryption()).decode()
        return HTTPSignatureAuth(KEY_ID, load_private_key(pem))


RSA = Key(rsa.generate_private_key(65537, 2048), (padding.PKCS1v15(), SHA256()), "rsa-sha256")
ECDSA = Key(ec.generate_private_key(ec.SECP256R1()), (ec.ECDSA(SHA256()),), "ecdsa-sha256")


# What is compared


def bare(url: str, key: Key = RSA, context: ssl.SSLContext | None = None, *, keep: bool = True) -> Call:
    """Do by hand what has to be done, and nothing else."""
    parts, ids = urlsplit(url), count()
    secure = {"context": context} if context else {}
    kind: Any = http.client.HTTPSConnection if context else http.client.HTTPConnection
    connection: Any = kind(parts.netloc, **secure)

    def call() -> Any:
        if not connection.sock:
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        target, date = f"{parts.path}/my/machines/{next(ids):036x}", formatdate(usegmt=True)
        text = f"(request-target): get {target}\nhost: {parts.netloc}\ndate: {date}"
        signature = base64.b64encode(key.key.sign(text.encode(), *key.scheme)).decode()
        names = "(request-target) host date"
        authorization = (
            f'Signature keyId="{KEY_ID}",algorithm="{key.algorithm}",headers="{names}",signature="{signature}"'
        )
        extra = {"Host": parts.netloc, "Date": date, "X-Request-Id": new_uuid(), "Authorization": authorization}
        connection.request("GET", target, headers={**HEADERS, **extra})
        answer = json.loads(connection.getresponse().read())
        if not keep:
            connection.close()
        return answer

    return call


def ours(url: str, key: Key = RSA, *, same: bool = False, keep: bool = True, **settings: Any) -> Call:
    """Get a machine with this library: another one at every call, or the `same` again and again, as waiting does."""
    dc = DataCenter(url, auth=key.auth(), headers=HEADERS, **settings)
    ids = count()

    def call() -> Any:
        machine = dc.machine(f"00000000-0000-4000-8000-{0 if same else next(ids):012x}")
        if not keep:
            dc.close()
        return machine

    return call


def plain_requests(url: str, key: Key = RSA) -> Call:
    """Do the same with a `requests.Session`, as most people would."""
    session, auth, ids = requests.Session(), key.auth(), count()
    session.headers.update(HEADERS)

    def call() -> Any:
        answer = session.get(f"{url}/my/machines/{next(ids):036x}", auth=auth, timeout=60)
        answer.raise_for_status()
        return answer.json()

    return call


def as_py_smartdc(url: str, ca: str) -> Call:
    """Make a new connection for every call, as py-smartdc did."""
    auth, ids = RSA.auth(), count()
    return lambda: requests.get(
        f"{url}/my/machines/{next(ids):036x}", headers=HEADERS, auth=auth, verify=ca, timeout=60
    ).json()


def hcloud(url: str) -> Call:
    """Get a server with Hetzner's client, which sends a token and signs nothing."""
    client = importlib.import_module("hcloud").Client(token="bench", api_endpoint=url)
    return lambda: client.servers.get_by_id(1)


def boto3(url: str) -> Call:
    """Get a small JSON description with Amazon's client, which signs with HMAC."""
    client = importlib.import_module("boto3").client(
        "lambda", endpoint_url=url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    return lambda: client.get_function(FunctionName="web-1")


# How it is measured


def timed(call: Call, calls: int) -> Measure:
    """Return what times several calls in a row."""

    def measure() -> Cost:
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(calls):
            call()
        return Cost((time.perf_counter() - wall) / calls, (time.process_time() - cpu) / calls)

    return measure


def table(group: str, measures: Mapping[str, Measure], rows: list[Row], rounds: int) -> None:
    """Measure each in every round, in an order that changes from round to round, and print the rows.

    Garbage is collected between the rounds, so that it falls on none of those that are compared.
    """
    values: dict[str, list[Cost]] = {name: [] for name in measures}
    for measure in measures.values():
        measure()
    for turn in range(rounds):
        names = list(measures)
        gc.collect()
        gc.disable()
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            values[name].append(measures[name]())
        gc.enable()
    print(f"\n{group}")
    for row in rows:
        if row.title not in values:
            print(f"  {row.title:<34} skipped: not installed")
            continue
        pairs = list(zip(values[row.title], values[row.over], strict=True))
        ratios = [b.wall / a.wall if row.inverse else a.wall / b.wall for a, b in pairs]
        low, middle, high = statistics.quantiles(ratios, n=4)
        cpu = statistics.median(a.cpu / b.cpu for a, b in pairs) if all(b.cpu for _, b in pairs) else None
        used = "" if cpu is None else f"{cpu:.2f}"
        print(f"  {row.title:<28} {middle:>6.2f}  [{low:.2f} - {high:.2f}] {used:>8}  over {row.over:<28} {row.goal}")


def measure_calls(site: Site, rounds: int) -> None:
    """Compare signed GETs over a connection that is kept."""
    a = "A: http.client, RSA"
    calls = {
        a: bare(site.http),
        "http.client, ECDSA": bare(site.http, ECDSA),
        "smartdc, RSA": ours(site.http),
        "smartdc, ECDSA": ours(site.http, ECDSA),
        "smartdc, same machine, RSA": ours(site.http, same=True),
        "requests, RSA": plain_requests(site.http),
        "requests, ECDSA": plain_requests(site.http, ECDSA),
    }
    if importlib.util.find_spec("hcloud"):
        calls["hcloud, a token"] = hcloud(site.http)
    if importlib.util.find_spec("boto3"):
        calls["boto3, HMAC"] = boto3(site.http)
    goals = {
        "smartdc, RSA": "goal 1.10",
        "smartdc, ECDSA": "goal 0.50",
        "smartdc, same machine, RSA": "goal 0.35",
    }
    others = [name for name in [*calls, "hcloud, a token", "boto3, HMAC"] if name != a]
    rows = [Row(name, a, goals.get(name, "")) for name in dict.fromkeys(others)]
    measures = {name: timed(call, 20) for name, call in calls.items()}
    table("Signed GET, connection kept", measures, rows, rounds * SHORT)


def measure_tls(site: Site, rounds: int) -> None:
    """Compare GETs over TLS: kept, with a new connection for each call, and as py-smartdc did it."""
    context = ssl.create_default_context(cafile=site.ca)
    measures = {
        "http.client, kept": timed(bare(site.https, RSA, context), 20),
        "smartdc, kept": timed(ours(site.https, verify=site.ca), 20),
        "http.client, new connection": timed(bare(site.https, RSA, context, keep=False), 3),
        "smartdc, new connection": timed(ours(site.https, keep=False, verify=site.ca), 3),
        "py-smartdc's way": timed(as_py_smartdc(site.https, site.ca), 1),
    }
    rows = [
        Row("smartdc, kept", "http.client, kept", "goal 1.15"),
        Row("smartdc, new connection", "http.client, new connection", "goal 1.5"),
        Row("py-smartdc's way", "smartdc, kept", "goal 40 or more"),
        Row("py-smartdc's way", "http.client, kept"),
    ]
    table("Over TLS, RSA", measures, rows, rounds * SHORT)


def measure_pages(site: Site, rounds: int) -> None:
    """Compare a list of ten pages with ten requests one after the other."""
    for delay, goal, times in ((150, "goal 0.45", rounds), (0, "goal 1.6", rounds * SHORT)):
        measures: dict[str, Measure] = {}
        dc = DataCenter(f"{site.http}/after{delay}", auth=ECDSA.auth(), headers=HEADERS)
        measures[f"list of ten pages, {delay} ms"] = timed(lambda dc=dc: dc.machines(limit=100), 1)  # type: ignore[misc]
        measures[f"ten requests, {delay} ms"] = timed(lambda dc=dc: sequential(dc), 1)  # type: ignore[misc]
        row = Row(f"list of ten pages, {delay} ms", f"ten requests, {delay} ms", goal)
        table(f"Lists, {delay} ms", measures, [row], times)


def sequential(dc: DataCenter) -> list[Any]:
    """Get the pages of a list one by one."""
    pages = [dc.request("GET", "/machines", params={"limit": 100, "offset": 100 * n})[0] for n in range(PAGES)]
    return [machine for page in pages for machine in page]


class Canned(BaseAdapter):
    """Answer in the process, so that only what is done with an answer is measured."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.body = body

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Give the list, and nothing beyond it."""
        answer = requests.Response()
        answer.status_code = 200
        answer.headers["Content-Type"] = "application/json"
        answer._content = self.body if "offset=0" in (request.url or "") else b"[]"
        answer.request = request
        return answer

    def close(self) -> None:
        """Do nothing."""


def measure_objects(rounds: int) -> None:
    """Compare what objects cost beyond the JSON of which they are made, in time and memory."""
    body = json.dumps([{**MACHINE, "id": f"00000000-0000-4000-8000-{n:012x}"} for n in range(OBJECTS)]).encode()
    dc = canned_client(body)
    parsed = json.loads(body)
    measures = {
        "10,000 objects": least(lambda: dc.machines(limit=OBJECTS, offset=0, paged=True)),
        "their JSON": least(lambda: json.loads(body)),
    }
    # What the parsing takes is no part of what comes beyond it.
    with mock.patch.object(call_module, "decode", return_value=parsed):
        table("Objects", measures, [Row("10,000 objects", "their JSON", "goal 0.10")], rounds)
    objects = memory(lambda: dc.machines(limit=OBJECTS, offset=0, paged=True))
    print(
        f"  {'10,000 objects, memory':<34} {objects / memory(lambda: json.loads(body)):>7.2f}  over their dicts; goal 1.05"
    )


def least(call: Call, times: int = 5) -> Measure:
    """Return what measures the least of several times: what comes in between is longer than what is measured."""
    once = timed(call, 1)
    return lambda: Cost(*map(min, zip(*(once() for _ in range(times)), strict=True)))


def canned_client(body: bytes) -> DataCenter:
    """Return a client of nobody, which takes a long list for an answer."""
    dc = DataCenter("http://cloud.test", adapter=Canned(body))
    dc.session.max_response = len(body)
    return dc


def memory(make: Call) -> int:
    """Return how many bytes a value holds."""
    gc.collect()
    tracemalloc.start()
    kept = make()
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(kept) == OBJECTS
    return held


def measure_threads(site: Site, rounds: int) -> None:
    """Compare 32 threads on one client with the ideal, and with `http.client` in each thread."""
    url, each = f"{site.http}/after20", 10
    with DataCenter(url, auth=ECDSA.auth(), headers=HEADERS, pool_size=THREADS) as dc:
        ids = count()
        shared = [lambda: dc.machine(f"00000000-0000-4000-8000-{next(ids):012x}")] * THREADS
        single = [bare(url, ECDSA) for _ in range(THREADS)]
        measures = {
            "smartdc, one client": lambda: at_once(shared, each),
            "http.client in each thread": lambda: at_once(single, each),
            "the ideal": lambda: Cost(each * 0.020),
        }
        rows = [
            Row("smartdc, one client", "the ideal", "goal 0.80 or more", inverse=True),
            Row("http.client in each thread", "the ideal", "", inverse=True),
        ]
        table(f"{THREADS} threads at 20 ms, share of the ideal", measures, rows, rounds)


def at_once(calls: list[Call], each: int) -> Cost:
    """Let threads make their calls at the same time and return how long that took."""
    gate = threading.Barrier(len(calls) + 1)

    def work(call: Call) -> None:
        gate.wait()
        for _ in range(each):
            call()

    threads = [threading.Thread(target=work, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    gate.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    return Cost(time.perf_counter() - began)


def measure_imports(rounds: int) -> None:
    """Compare imports, each in a new process whose bytecode is compiled already."""
    with tempfile.TemporaryDirectory() as folder:
        env = {**environment(), "PYTHONPYCACHEPREFIX": folder}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        codes = ("import requests", "import smartdc", "from smartdc import DataCenter")
        measures = {code: functools.partial(import_time, code, env) for code in codes}
        rows = [Row(codes[1], codes[0], "goal 0.05"), Row(codes[2], codes[0])]
        table("Imports", measures, rows, rounds)


def import_time(code: str, env: dict[str, str]) -> Cost:
    """Import in a new process and return how long that took."""
    script = (
        "import time; w, c = time.perf_counter(), time.process_time(); "
        f"{code}; print(time.perf_counter() - w, time.process_time() - c)"
    )
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    return Cost(*map(float, done.stdout.split()))


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description="Compare what calls, lists, threads and imports cost.")
    parser.add_argument("--rounds", type=int, default=7, help="rounds, 5 or more")
    rounds = max(parser.parse_args().rounds, 5)
    warnings.simplefilter("ignore")
    print("medians of the ratios of all rounds: time [first quartile - third quartile], and CPU time of this process")
    with one_core(), server() as site:
        measure_calls(site, rounds)
        measure_tls(site, rounds)
    with server() as site:
        measure_pages(site, rounds)
        measure_threads(site, rounds)
    measure_objects(rounds)
    measure_imports(rounds)


if __name__ == "__main__":
    main()
