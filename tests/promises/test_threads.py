"""One session serves many threads, and a forked child has connections of its own."""

from __future__ import annotations

import os
import random
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from kits.http import Line, RawServer, Stamp, close, first_line, header_of, reply
from kits.signing import KeyShelf
from smartdc.auth.identity import Identity
from smartdc.emulator.doors.certificates import write_certificates
from smartdc.errors import CallError, CallTimeout
from smartdc.http import tls
from smartdc.http.session import Session
from smartdc.http.settings import Settings

pytest_plugins = ("kits.signing_fixtures",)

THREADS = 50


def echo(line: Line) -> bool:
    """Answer with the request line, once others have had the time to ask too."""
    line.stopped.wait(0.002)
    return reply(body={"asked": first_line(line.request)})(line)


def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Do the work in many threads, all of which begin at the same time."""
    start = threading.Barrier(count)

    def begin(number: int) -> Any:
        start.wait(10)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


def test_each_thread_gets_its_own_answer() -> None:
    """Fifty threads on one session use as many connections as it may have, and never each other's."""
    with RawServer(echo) as server:
        session = Session(Settings(server.url, pool_size=7, auth=Stamp()))

        def work(number: int) -> list[str]:
            return [session.request("GET", f"/my/{number}-{i}")[0]["asked"] for i in range(4)]

        found = at_once(THREADS, work)
        session.close()
    assert found == [[f"GET /my/{n}-{i} HTTP/1.1" for i in range(4)] for n in range(THREADS)]
    assert server.connections <= 7
    assert 1 < server.most_at_once <= 7


def test_failures_give_their_connections_back() -> None:
    """After more failed calls than there are connections, calls still get through."""
    failures = [close, reply(404, {}), reply(body=b"{"), reply(headers=["Content-Encoding: gzip"], body=b"x")]
    with RawServer(*failures, reply(body=[1])) as server:
        session = Session(Settings(server.url, pool_size=1, timeout=5))
        for _ in failures:
            with pytest.raises(CallError):
                session.request("POST", "/my")

        assert session.request("GET", "/my")[0] == [1]


def test_waiting_for_a_connection_counts() -> None:
    """A call that finds every connection in use ends at its deadline, and nothing of it was sent."""
    began, over = threading.Event(), threading.Event()

    def hold(line: Line) -> bool:
        began.set()
        over.wait(5)
        return reply(body=[])(line)

    with RawServer(hold) as server:
        session = Session(Settings(server.url, pool_size=1))
        holder = threading.Thread(target=session.request, args=("GET", "/my"))
        holder.start()
        began.wait(5)
        with pytest.raises(CallTimeout, match="all connections of this client are in use") as caught:
            session.request("POST", "/my", timeout=0.1)
        over.set()
        holder.join(10)

    assert caught.value.applied is False
    assert len(server.requests) == 1


class Watched(requests.adapters.HTTPAdapter):
    """An adapter that notes when it was asked to send, and what time-out it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[tuple[float, float]] = []

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Note, and send."""
        self.noted.append((time.monotonic(), kwargs["timeout"]))
        return super().send(*args, **kwargs)


def test_the_time_spent_waiting_is_not_given_twice() -> None:
    """What a call waited for a connection is taken from the time that it has for the answer."""
    began = threading.Event()

    def hold(line: Line) -> bool:
        began.set()
        line.stopped.wait(0.1)
        return reply(body=[])(line)

    with RawServer(hold) as server:
        adapter = Watched()
        session = Session(Settings(server.url, pool_size=1, timeout=30, adapter=adapter))
        holder = threading.Thread(target=session.request, args=("GET", "/my"))
        holder.start()
        began.wait(5)
        start = time.monotonic()
        session.request("GET", "/my")
        holder.join(10)
    sent, left = adapter.noted[1]

    assert left < 30 - (sent - start) / 2


def test_the_context_for_tls_is_made_once(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads that all come first do not each parse the CA bundle, nor make a pool each."""
    ca, chain = write_certificates(tmp_path_factory.mktemp("tls"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    made: list[Any] = []
    original = tls.context_for

    def slowly(verify: bool | str, cert: Any) -> ssl.SSLContext:
        made.append(verify)
        threading.Event().wait(0.05)
        return original(verify, cert)

    monkeypatch.setattr(tls, "context_for", slowly)
    with RawServer(reply(body=[1]), tls=context) as server:
        session = Session(Settings(server.url, verify=ca, pool_size=4))
        found = at_once(16, lambda _: session.request("GET", "/my")[0])
        session.close()

    assert found == [[1]] * 16
    assert made == [ca]
    assert server.connections <= 4


def test_a_session_may_be_closed_while_it_is_used() -> None:
    """Calls under way end well, or are repeated on a new connection."""
    with RawServer(reply(body=[1])) as server:
        session = Session(Settings(server.url, pool_size=4))

        def work(number: int) -> Any:
            if number == 0:
                for _ in range(30):
                    session.close()
                return [1]
            return [session.request("GET", "/my")[0] for _ in range(20)][-1]

        assert at_once(8, work) == [[1]] * 8


def in_child(work: Callable[[], str]) -> str:
    """Fork, do the work in the child, and return what it says."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            os.write(writer, work().encode())
        except BaseException as error:  # noqa: BLE001 (the child must not go on with the tests)
            os.write(writer, repr(error).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as said:
        text = said.read()
    os.waitpid(child, 0)
    return text


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("own", ["", "given", "mounted"])
def test_a_forked_child_has_connections_of_its_own(own: str) -> None:
    """It does not speak into its parent's, whose connection is none the worse; an adapter of one's own is closed."""
    with RawServer(echo) as server:
        session = Session(Settings(server.url, adapter=requests.adapters.HTTPAdapter() if own == "given" else None))
        if own == "mounted":
            session.http.mount("http://", requests.adapters.HTTPAdapter())
        session.request("GET", "/parent")
        said = in_child(lambda: str(session.request("GET", "/child")[0]["asked"]))
        session.request("GET", "/parent")
        session.close()

    assert said == "GET /child HTTP/1.1"
    assert server.connections == 2
    assert [first_line(request).split()[1] for request in server.requests] == ["/parent", "/child", "/parent"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_locks_and_random_numbers_of_its_own() -> None:
    """A fork while all of the parent's connections are in use does not stop the child, nor do both retry in step."""
    with RawServer(reply(body=[1])) as server:
        session = Session(Settings(server.url, pool_size=1))
        taken: list[None] = []
        session._slots.acquire(taken)
        session.budget._lock.acquire()

        def work() -> str:
            found, _ = session.request("GET", "/my", timeout=5)
            return f"{found} {session.rng.random()}"

        said = in_child(work)
        session._slots.release(taken)
        session.budget._lock.release()
        ours = session.rng.random()

    assert said.startswith("[1] ")
    assert said != f"[1] {ours}"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_finds_the_key_itself(key_of: KeyShelf) -> None:
    """A fork while another thread looks for the key does not stop the child."""
    file, looking, forked, parent = key_of("ed25519", encrypted=True), threading.Event(), threading.Event(), os.getpid()

    def passphrase(_: str) -> str | None:
        looking.set()
        if os.getpid() == parent:
            assert forked.wait(10)
        return file.passphrase

    identity = Identity("/demo/keys/laptop", secret=str(file.path), passphrase=passphrase)
    with ThreadPoolExecutor(1) as pool:
        ours = pool.submit(identity.key_id)
        assert looking.wait(10)
        said = in_child(lambda: quickly(identity.key_id))
        forked.set()

        assert said == ours.result() == "/demo/keys/laptop"


def quickly(work: Callable[[], str]) -> str:
    """Do what may never end in a thread that nobody waits for longer than ten seconds."""
    said = ["it never ended"]
    thread = threading.Thread(target=lambda: said.insert(0, work()), daemon=True)
    thread.start()
    thread.join(10)
    return said[0]


def test_an_rng_that_was_given_is_kept() -> None:
    """Tests want their numbers repeatable."""
    rng = random.Random(1)  # noqa: S311 (spreads retries)

    assert Session(Settings("https://cloud.test", rng=rng)).rng is rng


def test_each_request_of_a_thread_has_its_own_id() -> None:
    """Ids are never shared by calls."""
    with RawServer(reply(body=[1])) as server:
        session = Session(Settings(server.url))
        at_once(THREADS, lambda _: session.request("GET", "/my"))
        session.close()

    assert len({header_of(request, "X-Request-Id") for request in server.requests}) == THREADS
