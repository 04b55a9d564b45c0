"""Clients of CloudAPI that others wrote, and ours, as people use them: how each creates a machine, and how it reads."""

from __future__ import annotations

import contextlib
import subprocess
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from kits.client_scenes import IMAGE, PACKAGE, PATIENCE, READS, TIMEOUT, Client, Said, Site
from smartdc import DataCenter
from smartdc.auth.private_key import load_private_key
from smartdc.auth.signing import HTTPSignatureAuth


def told(create: Callable[[Site, str | None], str]) -> Callable[[Site, str | None], Said]:
    """Make what returns an id or raises into a client's `create`; the server's answer counts as said too."""

    def said(site: Site, name: str | None) -> Said:
        try:
            return Said(True, create(site, name))
        except Exception as error:  # noqa: BLE001  whatever a client raises is what it says
            answer = getattr(error, "response", None)
            return Said(False, "".join(traceback.format_exception(error)) + (answer.text if answer is not None else ""))

    return said


def connect(site: Site) -> DataCenter:
    """Return our client of a data centre."""
    return DataCenter(
        site.url, login=site.cloud.login, key_id=site.cloud.key_id, secret=site.key.private, timeout=TIMEOUT
    )


@told
def create_with_ours(site: Site, name: str | None) -> str:
    """Create a machine with this library."""
    with connect(site) as dc:
        return str(dc.create_machine(name, image=IMAGE, package=PACKAGE, wait=True).id)


def counted(read: Callable[[], object]) -> int:
    """Return how many of the reads did not fail."""
    answers = 0
    for _ in range(READS):
        with contextlib.suppress(Exception):
            read()
            answers += 1
    return answers


def read_with_ours(site: Site) -> int:
    """List the packages with this library."""
    with connect(site) as dc:
        return counted(dc.packages)


@contextlib.contextmanager
def session(site: Site, retries: Retry | int) -> Iterator[Callable[..., Any]]:
    """Open a session of `requests` as people do for CloudAPI, and yield what sends a request and decodes the answer."""
    with requests.Session() as http:
        http.trust_env = False
        http.auth = HTTPSignatureAuth(site.cloud.key_id, load_private_key(site.key.private))
        http.mount("http://", HTTPAdapter(max_retries=retries))

        def send(method: str, path: str, **options: Any) -> Any:
            answer = http.request(method, f"{site.url}/{site.cloud.login}{path}", timeout=TIMEOUT, **options)
            answer.raise_for_status()
            return answer.json()

        yield send


def create_with_requests(site: Site, name: str | None, retries: Retry | int) -> str:
    """Create a machine with `requests`, and look at it until it is no longer being provisioned."""
    with session(site, retries) as send:
        body = {"image": site.image, "package": PACKAGE} | ({"name": name} if name else {})
        machine = send("POST", "/machines", json=body)
        while machine["state"] == "provisioning":
            time.sleep(1)
            machine = send("GET", f"/machines/{machine['id']}")
        if machine["state"] != "running":
            raise RuntimeError(f"machine {machine['id']} is {machine['state']}")
        return str(machine["id"])


def read_with_requests(site: Site, retries: Retry | int) -> int:
    """List the packages with `requests`."""
    with session(site, retries) as send:
        return counted(lambda: send("GET", "/packages"))


RETRIES = Retry(total=5, backoff_factor=0.5, allowed_methods=None, status_forcelist=(429, 500, 502, 503, 504))
"""As it stands in many scripts: everything is sent again, whatever the method."""


def run(site: Site, *command: str | Path, **environment: str) -> Said:
    """Run a program to its end; it gets no terminal and no input."""
    process = subprocess.Popen(
        list(map(str, command)),
        env={**site.environment, **environment},
        cwd=site.key.home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        text, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        return Said(None, process.communicate()[0])
    return Said(process.returncode == 0, text)


HERE = Path(__file__).parent


def python_clients() -> list[Client]:
    """Return the clients that run in this process: ours, and `requests` with and without retries."""
    ways: dict[str, Retry | int] = {"requests": 0, "+ Retry": RETRIES}
    return [
        Client("smartdc", create_with_ours, read_with_ours, count=100, at_once=100),
        *(
            Client(
                title,
                told(partial(create_with_requests, retries=retries)),
                partial(read_with_requests, retries=retries),
                count=100,
                at_once=50,
            )
            for title, retries in ways.items()
        ),
    ]


def node_clients(modules: Path) -> list[Client]:
    """Return npm's clients: their commands create, and their libraries read."""

    def reads(package: str) -> Callable[[Site], int]:
        return lambda site: _number(run(site, "node", HERE / "other_clients.js", modules, package, str(READS)))

    def triton(site: Site, name: str | None) -> Said:
        named = ["--name", name] if name else []
        return run(site, "node", modules / "triton/bin/triton", "instance", "create", "-w", *named, IMAGE, PACKAGE)

    def sdc(site: Site, name: str | None) -> Said:
        named = ["--name", name] if name else []
        command = modules / "smartdc/bin/sdc-createmachine"
        return run(site, "node", command, "--image", site.image, "--package", PACKAGE, *named)

    return [
        Client("triton", triton, reads("triton"), count=20, at_once=2),
        Client("sdc-*", sdc, reads("smartdc"), count=20, at_once=2),
    ]


def original_client(python2: Path, library: Path) -> Client:
    """Return py-smartdc 0.2.0, which runs on Python 2.7; its packages are in a folder of their own."""

    def play(site: Site, *arguments: str) -> Said:
        where = [site.url, site.cloud.login, site.cloud.key_id, str(site.key.home / ".ssh" / "id_rsa")]
        return run(site, python2, HERE / "other_clients_0_2_0.py", *where, *arguments, PYTHONPATH=str(library))

    return Client(
        "0.2.0",
        lambda site, name: play(site, "create", site.image, PACKAGE, *([name] if name else [])),
        lambda site: _number(play(site, "read", str(READS))),
        count=20,
        at_once=20,
    )


def _number(said: Said) -> int:
    assert said.well, said.text
    return int(said.text.split()[-1])
