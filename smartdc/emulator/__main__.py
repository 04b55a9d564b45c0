"""Run an emulator until Ctrl-C or SIGTERM, or for as long as a command runs: ``python -m smartdc.emulator``.

It prints the shell commands that, typed into another terminal, let clients find it; ``--write env.sh`` puts them into a
file, to be read with ``. ./env.sh``. Since it serves until it is ended, ``eval "$(python -m smartdc.emulator)"`` would wait
for ever. What is behind ``--`` is a command that runs with the emulator in its environment, and whose status is that
of this program: ``python -m smartdc.emulator --machines 60 -- pytest -q``.
"""

import argparse
import secrets
import shlex
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from smartdc.emulator.app import Emulator
from smartdc.emulator.core.clock import WallClock
from smartdc.emulator.core.reply import ApiError
from smartdc.emulator.doors.server import Server
from smartdc.emulator.environment import ENDING, export_lines, run_command, variables, written
from smartdc.emulator.state.transitions import AfterSeconds

PASTE = "# Paste these lines into another terminal: there, clients then find this emulator."
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
        Server(emulator, chosen.port, tls=chosen.tls) as server,
    ):
        found = variables(emulator, server, Path(folder))
        lines = list(export_lines(emulator, found))
        with written(chosen.write, lines) if chosen.write else nullcontext():
            if command:
                return run_command(command, found)
            stop = stop or _stop_on_signal()
            where = (
                chosen.write
                and f"# Serving {server.url} until Ctrl-C; in another terminal type: . {_sourced(chosen.write)}"
            )
            told = [where] if where else [PASTE, *lines, "# Serving until Ctrl-C."]
            print("\n".join(told), flush=True)  # noqa: T201  a command prints
            stop.wait()
    return 0


def _emulator(chosen: argparse.Namespace) -> Emulator:
    seed = secrets.randbits(64) if chosen.seed is None else chosen.seed
    public_key = chosen.public_key.read_text() if chosen.public_key else None
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


def _sourced(path: Path) -> str:
    """Return a path as ``.`` needs it, which looks for names without a slash elsewhere."""
    return shlex.quote(str(path) if "/" in str(path) else f"./{path}")


def _stop_on_signal() -> threading.Event:
    stop = threading.Event()
    for number in ENDING:
        signal.signal(number, lambda *_: stop.set())
    return stop


def port(text: str) -> int:
    """Return the number of a port; argparse names this function where it is none."""
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


def options(program: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the parser of what stands before ``--``."""
    about = (
        "Serve an emulated CloudAPI on 127.0.0.1 until Ctrl-C, and print the shell commands that let clients find it; "
        "or run COMMAND with it, and end with its status."
    )
    parser = argparse.ArgumentParser(program, usage="%(prog)s [options] [-- COMMAND ...]", description=about)
    parser.add_argument("--port", type=port, default=0, help="port to listen on (default: a free one)")
    parser.add_argument("--login", default="demo", help="login of the account (default: demo)")
    parser.add_argument(
        "--public-key", type=Path, metavar="FILE", help="public SSH key of the account (default: a new key)"
    )
    parser.add_argument("--machines", type=count, default=0, metavar="N", help="begin with N machines (default: none)")
    parser.add_argument("--seed", type=int, help="seed that makes ids and addresses repeatable (default: random)")
    parser.add_argument("--seconds", type=seconds, default=2.0, help="seconds that jobs take (default: 2)")
    parser.add_argument(
        "--realistic", action="store_true", help="throttle and take time as a data centre does, in spite of --seconds"
    )
    parser.add_argument("--tls", action="store_true", help="serve HTTPS, with a certificate authority of its own")
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE",
        help="write the shell commands into FILE as soon as it serves, and remove FILE at the end",
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
