"""Run an emulator until Ctrl-C or SIGTERM, or while a command runs: ``python -m smartdc.emulator``.

It prints shell commands that, typed into another terminal, tell clients where the emulator is. ``--write env.sh`` writes
them to a file, to be read with ``. ./env.sh``. Because the emulator serves until it is stopped,
``eval "$(python -m smartdc.emulator)"`` would wait for ever. A command after ``--`` runs with the emulator in its
environment, and its status becomes the status of this program: ``python -m smartdc.emulator --machines 60 -- pytest -q``.
"""

import argparse
import secrets
import shlex
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

from smartdc.emulator.app import Emulator
from smartdc.emulator.core.clock import WallClock
from smartdc.emulator.core.reply import ApiError
from smartdc.emulator.doors.server import IDLE_SECONDS, MAX_CONNECTIONS, Server
from smartdc.emulator.environment import ENDING, export_lines, run_command, variables, written
from smartdc.emulator.state.transitions import AfterSeconds

MAX_KEY = 16_384
"""Characters that are read of a public key; the longest that there are have some three thousand."""

PASTE = "# Paste these lines into another terminal, so that clients there find this emulator."
PROGRAM = "python -m smartdc.emulator"


def main(arguments: Sequence[str] | None = None, stop: threading.Event | None = None, program: str = PROGRAM) -> int:
    """Serve until a signal, until ``stop`` is set, or while a command runs, and return the exit status."""
    given, command = _split(sys.argv[1:] if arguments is None else arguments)
    parser = options(program)
    chosen = parser.parse_args(given)
    if command == []:
        parser.error("give a command after --")
    try:
        return _serve(chosen, command, stop)
    except (OSError, ValueError, ApiError) as error:
        print(f"smartdc.emulator: {error}", file=sys.stderr)  # noqa: T201  a command prints
        return 2


def _serve(chosen: argparse.Namespace, command: list[str] | None, stop: threading.Event | None) -> int:
    emulator = _emulator(chosen)
    with (
        tempfile.TemporaryDirectory(prefix="smartdc-emulator-") as folder,
        Server(
            emulator, chosen.port, tls=chosen.tls, max_connections=chosen.max_connections, idle=chosen.idle
        ) as server,
    ):
        found = variables(emulator, server, Path(folder))
        lines = list(export_lines(emulator, found))
        with written(chosen.write, lines) if chosen.write else nullcontext():
            if command:
                return run_command(command, found)
            wait = stop.wait if stop else _signal_waiter()
            where = (
                chosen.write
                and f"# Serving {server.url} until Ctrl-C; in another terminal type: . {_sourced(chosen.write)}"
            )
            told = [where] if where else [PASTE, *lines, "# Serving until Ctrl-C."]
            print("\n".join(told), flush=True)  # noqa: T201  a command prints
            wait()
    return 0


def _emulator(chosen: argparse.Namespace) -> Emulator:
    seed = secrets.randbits(64) if chosen.seed is None else chosen.seed
    public_key = _key_in(chosen.public_key) if chosen.public_key else None
    emulator = Emulator(
        seed,
        clock=WallClock(),
        transitions=AfterSeconds(chosen.seconds),
        login=chosen.login,
        public_key=public_key,
    )
    emulator.populate(chosen.machines)
    if chosen.realistic:
        emulator.realistic()
    return emulator


def _key_in(path: Path) -> str:
    """Return the beginning of a file, which is all of a public key: a device has no end."""
    with path.open() as file:
        return file.read(MAX_KEY)


def _sourced(path: Path) -> str:
    """Return a path as ``.`` needs it: for a name without a slash, ``.`` would look elsewhere."""
    return shlex.quote(str(path) if "/" in str(path) else f"./{path}")


def _signal_waiter() -> Callable[[], object]:
    """Return a function that waits for a signal from now on.

    The system may deliver the signal to any thread. That would not wake the main thread from a wait for a lock, but the
    byte that Python then writes into this pipe does; and no signal comes too early, or while a lock is taken.
    """
    waker, bell = socket.socketpair()
    waker.setblocking(False)
    signal.set_wakeup_fd(waker.fileno())
    for number in ENDING:
        signal.signal(number, lambda *_: None)

    def wait() -> None:
        bell.recv(1)
        signal.set_wakeup_fd(-1)
        waker.close()
        bell.close()

    return wait


def port(text: str) -> int:
    """Return a port number; argparse uses this function's name in its error."""
    number = int(text)
    if not 0 <= number < 2**16:
        raise ValueError(text)
    return number


def count(text: str) -> int:
    """Return a number of things."""
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def seconds(text: str) -> float:
    """Return a length of time."""
    number = float(text)
    if not 0 <= number < float("inf"):
        raise ValueError(text)
    return number


def limit(text: str) -> int:
    """Return a number of things that are served."""
    number = count(text)
    if not number:
        raise ValueError(text)
    return number


def patience(text: str) -> float:
    """Return a length of time after which something is given up."""
    number = seconds(text)
    if not number:
        raise ValueError(text)
    return number


def options(program: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the parser of the arguments before ``--``."""
    about = (
        "Serve an emulated CloudAPI on 127.0.0.1 until Ctrl-C, and print shell commands that tell clients where it is; "
        "or run COMMAND beside it, and exit with the status of COMMAND."
    )
    parser = argparse.ArgumentParser(program, usage="%(prog)s [options] [-- COMMAND ...]", description=about)
    parser.add_argument("--port", type=port, default=0, help="port to listen on (default: a free one)")
    parser.add_argument("--login", default="demo", help="login of the account (default: demo)")
    parser.add_argument(
        "--public-key", type=Path, metavar="FILE", help="public SSH key of the account (default: a new key)"
    )
    parser.add_argument("--machines", type=count, default=0, metavar="N", help="start with N machines (default: none)")
    parser.add_argument("--seed", type=int, help="seed that makes ids and addresses repeatable (default: random)")
    parser.add_argument("--seconds", type=seconds, default=2.0, help="seconds that jobs take (default: 2)")
    parser.add_argument(
        "--realistic", action="store_true", help="throttle and take time like a data centre; overrides --seconds"
    )
    parser.add_argument(
        "--max-connections",
        type=limit,
        default=MAX_CONNECTIONS,
        metavar="N",
        help="serve N connections at the same time, and let more of them wait (default: %(default)s)",
    )
    parser.add_argument(
        "--idle",
        type=patience,
        default=IDLE_SECONDS,
        metavar="SECONDS",
        help="close a connection that has sent no whole request for SECONDS (default: %(default)s)",
    )
    parser.add_argument("--tls", action="store_true", help="serve HTTPS, with its own certificate authority")
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE",
        help="write the shell commands to FILE once the emulator serves, and remove FILE at the end",
    )
    return parser


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """Return the arguments before ``--``, and the command after it."""
    given = list(arguments)
    if "--" not in given:
        return given, None
    place = given.index("--")
    return given[:place], given[place + 1 :]


if __name__ == "__main__":
    sys.exit(main())
