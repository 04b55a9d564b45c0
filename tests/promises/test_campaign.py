"""Nothing is lost and nothing hangs: every failure mode in every operation, once, twice and for ever.

``pytest tests/promises/test_campaign.py --thorough`` does every combination at every door, and random sequences until
200,000 calls were made; ``--campaign N`` says how many.
"""

from __future__ import annotations

import gc
import itertools
import random
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from queue import SimpleQueue

import pytest

from kits.campaign import CREATE, FAILURE_MODES, OPERATIONS, FailureMode, Harness, Injection, Operation, Target
from kits.campaign_report import Report, run_operation, run_scenario
from kits.limits import descriptors, join_all_but
from kits.signals import SIGNALS, Alarm, Interruption, interrupted
from kits.silent_agent import SILENT, SilentAgentHarness
from kits.switched import SWITCHED, UNLISTED, SwitchedHarness
from kits.thorough import THOROUGH, amount
from kits.ways import LEAN, LONG, PUSHED_BACK, the_long_way
from smartdc.emulator.core.settings import Throttle
from smartdc.emulator.faults.plan import KINDS
from smartdc.errors import CallError

pytest_plugins = ("kits.ways_fixtures",)

Scenario = tuple[Operation, Injection]

TIMES = (1, 2, None)
"""How often a failure mode hits: once, twice and for ever."""

SIGNALS_EACH = amount(3, 6)
"""How many times a signal comes in the midst of each operation."""
EXCEPTIONS: dict[signal.Signals, type[BaseException]] = {
    signal.SIGINT: KeyboardInterrupt,
    signal.SIGTERM: SystemExit,
    signal.SIGALRM: Alarm,
}

THROTTLE = Throttle(burst=30, rate=10)
"""CloudAPI's own."""

STEPS = (1_000, 10_000)
"""The steps of Python's that an operation takes at least, and that those with several calls take."""

SEQUENCES_BETWEEN_SILENCES = 20
"""How many sequences of operations come before the agent falls silent: that costs a time-out, which passes for real."""

PARALLEL = 8
"""How many scenarios run at the same time where all they do is wait."""


def scenarios(*, turn: int, slow: bool | None = None, tls: bool | None = None) -> list[Scenario]:
    """Return every operation in every mode, once, twice or for ever; for creates also with all other calls failing.

    A create meets every mode all three times. Other operations meet each mode one of the times, in turn, so that each
    operation and each mode has all three of them; a thorough campaign does all three.
    """
    chosen = [t for t in FAILURE_MODES if slow in {None, t.slow} and tls in {None, t.tls}]
    grid = itertools.product(enumerate(OPERATIONS), enumerate(chosen))
    everywhere = [(CREATE, Injection(mode, "*", None)) for mode in chosen]
    return [
        (operation, Injection(mode, operation.cloudapi_name, times))
        for (row, operation), (column, mode) in grid
        for times in (TIMES if THOROUGH or operation is CREATE else [TIMES[(row + column + turn) % 3]])
    ] + everywhere


def run_all(harness: Harness, several: Iterable[Scenario]) -> Report:
    """Run one scenario after the other."""
    report = Report()
    for operation, injection in several:
        report.add(run_scenario(harness, operation, injection))
    return report


def run_parallel(harnesses: Iterable[Harness], several: Iterable[Scenario]) -> Report:
    """Run scenarios that mostly wait, on several harnesses at once."""
    free: SimpleQueue[Harness] = SimpleQueue()
    for harness in harnesses:
        free.put(harness)

    def on_a_free_harness(scenario: Scenario) -> Report:
        harness = free.get()
        try:
            return run_scenario(harness, *scenario)
        finally:
            free.put(harness)

    report = Report()
    with ThreadPoolExecutor(PARALLEL) as pool:
        for found in pool.map(on_a_free_harness, several):
            report.add(found)
    return report


def signal_or_none(chance: random.Random) -> Interruption | None:
    """Draw a signal that comes amid an operation, which two of three are spared."""
    return Interruption.drawn(chance, chance.choice(STEPS)) if chance.random() < 1 / 3 else None


def run_random_sequence(harness: Harness, chance: random.Random) -> Report:
    """Run all operations once, in random order, with one client, under two failure modes each, chosen at random.

    A signal comes amid a third of them. A false 404 is injected into creates only: a client that retries a delete has to believe it.
    """
    report = Report()
    mild = [t for t in FAILURE_MODES if not t.tls and not t.slow and t.kind not in {"refused", "endless"}]
    honest = [t for t in mild if not t.name.startswith("404")]
    last = [operation for operation in OPERATIONS if operation.name == "delete"]
    order = [operation for operation in chance.sample(OPERATIONS, len(OPERATIONS)) if operation not in last] + last
    with harness.target() as target:
        # Half of them under CloudAPI's throttle, its burst spent, by real deadlines; a call that this costs is a violation.
        target.cloud.state.settings.throttle = chance.choice([None, THROTTLE])
        for _ in range(THROTTLE.burst if target.cloud.state.settings.throttle else 0):
            target.client.num_machines()
        for operation in order:
            injections = tuple(
                Injection(
                    chance.choice(mild if operation is CREATE else honest),
                    chance.choice([operation.cloudapi_name, "*"]),
                    chance.choice([1, 2, 3, 8]),
                    chance.randrange(3),
                    chance.choice([0.3, 0.6, 1.0]),
                )
                for _ in range(2)
            )
            run_operation(harness, target, operation, injections, report, signal_or_none(chance))
    return report


def run_random_switch(harness: Harness, chance: random.Random) -> Report:
    """Run one operation whose answers, or whose list, are those of another moment, and maybe a signal amid it."""
    operation, mode = chance.choice([*itertools.product(OPERATIONS, SWITCHED), *((CREATE, m) for m in UNLISTED)])
    times = 1 if mode in UNLISTED else chance.choice([1, 2, 3])
    return run_scenario(harness, operation, Injection(mode, "*", times), interruption=signal_or_none(chance))


def run_random_silence(harness: Harness, chance: random.Random) -> Report:
    """Run one operation whose client signs by an agent that falls silent, and maybe a signal amid it."""
    injection = Injection(SILENT, "*", chance.choice([1, 2, 3, None]))
    return run_scenario(harness, chance.choice(OPERATIONS), injection, interruption=signal_or_none(chance))


@pytest.fixture
def nothing_left_behind() -> Iterator[None]:
    """A check that descriptors and threads are as before, once all had time to end."""
    gc.collect()
    threads, open_files = set(threading.enumerate()), descriptors()
    yield
    assert not join_all_but(threads)
    gc.collect()
    assert descriptors() <= open_files


Tell = Callable[[str, object], None]


@pytest.fixture
def report(record_property: Tell, nothing_left_behind: None) -> Iterator[Report]:  # noqa: ARG001  it checks afterwards
    """A report to add to; at the end it is printed, and must have no violation."""
    report, began = Report(), time.monotonic()
    yield report
    record_property("figures", f"{report}; in {time.monotonic() - began:.0f} s")
    assert not report.problems()


def test_within_the_process_whatever_fails(report: Report) -> None:
    """Every failure mode ends in a machine, a result or an error of ours, and the server's state agrees."""
    with Harness("adapter") as harness:
        report.add(run_all(harness, scenarios(turn=0)))


def test_over_the_wire_whatever_fails(report: Report) -> None:
    """The same over sockets, where connections are refused, reset and closed."""
    with Harness("http") as harness:
        report.add(run_all(harness, scenarios(turn=1, slow=False, tls=False)))


def test_over_the_wire_whatever_takes_its_time(report: Report) -> None:
    """The same with servers that stall or dribble, and no call outlives its deadline."""
    with ExitStack() as stack:
        harnesses = [stack.enter_context(Harness("http", slow=True)) for _ in range(PARALLEL)]
        report.add(run_parallel(harnesses, scenarios(turn=1, slow=True)))


def kept(*, slow: bool) -> list[Scenario]:
    """Return what may go wrong over a connection that is open: of each kind of call one, in all modes."""
    chosen = {"create machine", "action", "list"}
    return [
        (operation, injection)
        for operation, injection in scenarios(turn=2, slow=slow, tls=False)
        if operation.name in chosen
        and not injection.mode.connecting
        and (operation is not CREATE or injection.times == 1)
    ]


def test_over_a_kept_connection_both_ways_end_alike(report: Report, ways: list[str]) -> None:
    """Whatever fails, the lean way and the long one keep the same promises, with the same ends."""
    with Harness("http", kept=True) as harness:
        lean = run_all(harness, kept(slow=False))
        taken = Counter(ways)
        ways.clear()
        with the_long_way():
            long = run_all(harness, kept(slow=False))
    report.add(lean)
    report.add(long)

    assert lean.ends == long.ends
    assert lean.calls == long.calls
    assert set(ways) == {LONG}
    assert taken[LEAN] > len(kept(slow=False))
    assert taken[PUSHED_BACK] > 0


@pytest.mark.parametrize("way", [LEAN, LONG])
def test_over_a_kept_connection_whatever_takes_its_time(report: Report, ways: list[str], way: str) -> None:
    """No call outlives its deadline, whichever way it goes."""
    with ExitStack() as stack:
        if way == LONG:
            stack.enter_context(the_long_way())
        harnesses = [stack.enter_context(Harness("http", slow=True, kept=True)) for _ in range(PARALLEL)]
        report.add(run_parallel(harnesses, kept(slow=True)))
    assert (LEAN in ways) == (way == LEAN)


def test_over_tls_whatever_is_wrong_with_it(report: Report) -> None:
    """The same with certificates that are not valid for this server, and with handshakes that are cut."""
    with Harness("http", tls=True) as harness:
        report.add(run_all(harness, scenarios(turn=1, tls=True)))


@pytest.fixture(params=["adapter", "http"])
def alone(request: pytest.FixtureRequest, mode: FailureMode) -> Iterator[Target]:
    """A target where the failure mode hits one create, at each door."""
    http = request.param == "http"
    with Harness(request.param, slow=mode.slow, tls=mode.tls and http) as harness, harness.target() as target:
        target.client.close()
        target.client.session.timeout = harness.timeout
        with harness.inject(Injection(mode, CREATE.cloudapi_name)):
            yield target


def test_no_kind_of_fault_is_left_out() -> None:
    """Every kind of fault of the emulator is a failure mode here, but a wrong clock, which has tests of its own."""
    modes = {mode.kind for mode in FAILURE_MODES}
    assert modes == set(KINDS) - {"clock"}, "add it to FAILURE_MODES in tests/kits/campaign.py"


@pytest.mark.parametrize("turn", [0, 1])
def test_no_combination_is_left_out(turn: int) -> None:
    """Every operation meets every mode, and every operation and every mode all three times."""
    seen = [(operation.name, injection.mode.name, injection.times) for operation, injection in scenarios(turn=turn)]
    operations, modes = [each.name for each in OPERATIONS], [each.name for each in FAILURE_MODES]
    assert {(operation, mode) for operation, mode, _ in seen} == set(itertools.product(operations, modes))
    assert {(operation, times) for operation, _, times in seen} == set(itertools.product(operations, TIMES))
    assert {(mode, times) for _, mode, times in seen} == set(itertools.product(modes, TIMES))


def among(*, fatal: bool) -> pytest.MarkDecorator:
    """Parametrize by the failure modes that are fatal to a create, or by the others."""
    chosen = [mode for mode in FAILURE_MODES if mode.fatal is fatal]
    return pytest.mark.parametrize("mode", chosen, ids=lambda mode: mode.name)


@among(fatal=False)
def test_a_single_failure_costs_no_machine(alone: Target) -> None:
    """A create that meets one failure returns the one machine."""
    assert [alone.create().id] == alone.created()


@among(fatal=True)
def test_a_failure_that_prevents_a_machine_says_so(alone: Target) -> None:
    """A create that is refused for good says that nothing was created, and that is true."""
    with pytest.raises(CallError) as caught:
        alone.create()

    assert caught.value.applied is False
    assert alone.created() == []


def test_over_the_wire_whatever_is_answered_to_others(report: Report) -> None:
    """Answers that belong to other requests are taken for none: nothing is done twice, and nothing false is told."""
    with SwitchedHarness() as harness:
        for operation, mode, times in itertools.product(OPERATIONS, SWITCHED, (1, 2, None)):
            report.add(run_scenario(harness, operation, Injection(mode, operation.cloudapi_name, times)))
            report.add(run_scenario(harness, operation, Injection(mode, "*", times)))


@pytest.mark.parametrize("mode", UNLISTED, ids=lambda mode: mode.name)
def test_over_the_wire_whatever_is_not_listed(report: Report, mode: FailureMode) -> None:
    """A machine that lists do not show when the answer to its create is lost is found, or told with its token."""
    with SwitchedHarness() as harness:
        report.add(run_scenario(harness, CREATE, Injection(mode, "*")))
    assert report.ends == {"CreateOutcomeUnknown" if mode.fatal else "success": 1}


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this system has no Unix sockets")
def test_over_the_wire_whatever_the_agent_does_not_say(report: Report) -> None:
    """An agent that falls silent costs a call its deadline and no more; nothing is sent, and the next one works."""
    with SilentAgentHarness() as harness:
        for operation, times in zip(OPERATIONS, itertools.cycle([1, None]), strict=False):
            report.add(run_scenario(harness, operation, Injection(SILENT, "*", times)))
    assert report.ends == {"AgentError": len(OPERATIONS)}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", SIGNALS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_a_signal_at_any_moment_spoils_nothing(operation: Operation, kind: signal.Signals) -> None:
    """What its handler raises comes out; what was begun is done at most once, and the client can go on at once."""
    chance, ended = random.Random(kind), 0  # noqa: S311 (a seed, so that a run can be repeated)
    while ended < SIGNALS_EACH:
        # A server of its own for each: a request that was on its way may arrive when all is over.
        with Harness("http") as harness, harness.target() as target:
            try:
                with interrupted(chance, kind, 0.004):
                    operation.do(target)
            except EXCEPTIONS[kind]:
                ended += 1
            alive, listed = target.alive(), target.listed()

            assert listed in (alive, target.alive())
            assert target.client.session._slots.free == target.client.session.settings.pool_size
            target.cloud.transitions.settle()
            assert operation.repeatable or operation.count(target) <= 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_random_failures(report: Report, request: pytest.FixtureRequest) -> None:
    """The same with random failures two at a time, one operation after the other with the same client.

    Signals come at any step of the client; answers are mixed up, lists lag behind, and the ssh-agent falls silent.
    """
    calls = request.config.getoption("--campaign")
    chance = random.Random(calls)  # noqa: S311 (a seed, so that a run can be repeated)
    with ExitStack() as stack:
        adapter, http = (stack.enter_context(Harness(door)) for door in ("adapter", "http"))
        switched = stack.enter_context(SwitchedHarness())
        silent = stack.enter_context(SilentAgentHarness()) if hasattr(socket, "AF_UNIX") else None
        for number in itertools.takewhile(lambda _: report.calls < calls, itertools.count(1)):
            report.add(run_random_sequence(chance.choice([adapter, http]), chance))
            report.add(run_random_switch(switched, chance))
            if silent and number % SEQUENCES_BETWEEN_SILENCES == 0:
                report.add(run_random_silence(silent, chance))
    assert report.interrupted > calls / 15
