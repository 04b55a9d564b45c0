"""Nothing is lost and nothing hangs: every trouble, in every deed, once, twice and for ever, judged by the books.

``pytest tests/promises/test_campaign.py --campaign 200000`` goes on, with chance, until so many calls were made.
"""

from __future__ import annotations

import gc
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from queue import SimpleQueue

import pytest

from kits.campaign import CREATE, DEEDS, TROUBLES, Deed, Mishap, Site, Stage, Trouble
from kits.campaign_judge import Report, perform, play
from kits.limits import descriptors, join_all_but
from smartdc.emulator.faults.plan import KINDS
from smartdc.errors import CallError

Scene = tuple[Deed, Mishap]

ABREAST = 8
"""How many scenes are played at the same time where all they do is wait."""


def scenes(*, slow: bool | None = None, tls: bool | None = None) -> list[Scene]:
    """Return every deed in every trouble, once, twice and for ever; for creates also when all else fails as well."""
    chosen = [t for t in TROUBLES if slow in {None, t.slow} and tls in {None, t.tls}]
    grid = itertools.product(DEEDS, chosen, (1, 2, None))
    everywhere = [(CREATE, Mishap(trouble, "*", None)) for trouble in chosen]
    return [(deed, Mishap(trouble, deed.operation, times)) for deed, trouble, times in grid] + everywhere


def play_all(stage: Stage, several: Iterable[Scene]) -> Report:
    """Play one scene after the other."""
    report = Report()
    for deed, mishap in several:
        report.add(play(stage, deed, mishap))
    return report


def play_abreast(stages: Iterable[Stage], several: Iterable[Scene]) -> Report:
    """Play scenes that take their time on several stages at once."""
    free: SimpleQueue[Stage] = SimpleQueue()
    for stage in stages:
        free.put(stage)

    def on_a_free_stage(scene: Scene) -> Report:
        stage = free.get()
        try:
            return play(stage, *scene)
        finally:
            free.put(stage)

    report = Report()
    with ThreadPoolExecutor(ABREAST) as pool:
        for found in pool.map(on_a_free_stage, several):
            report.add(found)
    return report


def storm(stage: Stage, chance: random.Random) -> Report:
    """Do all deeds once, in any order, with one client, while two troubles come and go by chance.

    Of what is there, no server says that it is not, but after a create: who retries a delete has to believe a 404.
    """
    report = Report()
    mild = [t for t in TROUBLES if not t.tls and not t.slow and t.kind not in {"refused", "endless"}]
    honest = [t for t in mild if not t.name.startswith("404")]
    last = [deed for deed in DEEDS if deed.name == "delete"]
    order = [deed for deed in chance.sample(DEEDS, len(DEEDS)) if deed not in last] + last
    with stage.site() as site:
        for deed in order:
            mishaps = tuple(
                Mishap(
                    chance.choice(mild if deed is CREATE else honest),
                    chance.choice([deed.operation, "*"]),
                    chance.choice([1, 2, 3, 8]),
                    chance.randrange(3),
                    chance.choice([0.3, 0.6, 1.0]),
                )
                for _ in range(2)
            )
            perform(stage, site, deed, mishaps, report)
    return report


@pytest.fixture
def nothing_left_behind() -> Iterator[None]:
    """See that descriptors and threads are as they were, when everybody has had time to end."""
    gc.collect()
    threads, open_files = set(threading.enumerate()), descriptors()
    yield
    assert not join_all_but(threads)
    gc.collect()
    assert descriptors() <= open_files


Tell = Callable[[str, object], None]


@pytest.fixture
def judge(record_property: Tell, nothing_left_behind: None) -> Iterator[Report]:  # noqa: ARG001  it looks afterwards
    """A report, to be added to; at the end it is told, and nothing in it may be wrong."""
    report, began = Report(), time.monotonic()
    yield report
    record_property("figures", f"{report}; in {time.monotonic() - began:.0f} s")
    assert not report.problems()


def test_within_the_process_whatever_goes_wrong(judge: Report) -> None:
    """Every kind of trouble has its end in a machine, a result or an error of ours, and the books agree."""
    with Stage("adapter") as stage:
        judge.add(play_all(stage, scenes()))


def test_over_the_wire_whatever_goes_wrong(judge: Report) -> None:
    """So it is with real sockets, where connections are refused, reset and closed."""
    with Stage("http") as stage:
        judge.add(play_all(stage, scenes(slow=False, tls=False)))


def test_over_the_wire_whatever_takes_its_time(judge: Report) -> None:
    """So it is with servers that stall or dribble, and no call outlives its deadline."""
    with ExitStack() as stack:
        stages = [stack.enter_context(Stage("http", slow=True)) for _ in range(ABREAST)]
        judge.add(play_abreast(stages, scenes(slow=True)))


def test_over_tls_whatever_is_wrong_with_it(judge: Report) -> None:
    """So it is with certificates that are none for this server, and with handshakes that are cut."""
    with Stage("http", tls=True) as stage:
        judge.add(play_all(stage, scenes(tls=True)))


@pytest.fixture(params=["adapter", "http"])
def alone(request: pytest.FixtureRequest, trouble: Trouble) -> Iterator[Site]:
    """A site where one trouble happens to one create, at each door."""
    http = request.param == "http"
    with Stage(request.param, slow=trouble.slow, tls=trouble.tls and http) as stage, stage.site() as site:
        site.client.close()
        site.client.session.timeout = stage.timeout
        with stage.trouble(Mishap(trouble, CREATE.operation)):
            yield site


def test_no_kind_of_fault_is_left_out() -> None:
    """All that the emulator can do wrong is a trouble here; a wrong clock alone has tests of its own."""
    assert {trouble.kind for trouble in TROUBLES} == set(KINDS) - {"clock"}


def among(*, hopeless: bool) -> pytest.MarkDecorator:
    """Choose the troubles in spite of which a machine is to be had, or those in which it is not."""
    chosen = [trouble for trouble in TROUBLES if trouble.hopeless is hopeless]
    return pytest.mark.parametrize("trouble", chosen, ids=lambda trouble: trouble.name)


@among(hopeless=False)
def test_a_single_trouble_costs_no_machine(alone: Site) -> None:
    """A create that meets one trouble ends with the one machine in hand."""
    assert [alone.create().id] == alone.made()


@among(hopeless=True)
def test_a_trouble_that_prevents_a_machine_says_so(alone: Site) -> None:
    """A create that is refused for good says that nothing was made, and that is true."""
    with pytest.raises(CallError) as caught:
        alone.create()

    assert caught.value.applied is False
    assert alone.made() == []


def test_in_a_storm(judge: Report, request: pytest.FixtureRequest) -> None:
    """So it is when troubles come together and by chance, one deed after the other with the same client."""
    calls = request.config.getoption("--campaign")
    chance = random.Random(calls)  # noqa: S311 (a seed, so that a storm can be repeated)
    with Stage("adapter") as adapter, Stage("http") as http:
        while judge.calls < calls:
            judge.add(storm(chance.choice([adapter, http]), chance))
