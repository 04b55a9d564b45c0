"""Run an emulator until Ctrl-C or SIGTERM: ``python -m smartdc.emulator``.

It prints shell commands that, pasted into another terminal, let clients find the emulator.
"""

import argparse
import secrets
import shlex
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from smartdc.emulator.app import Emulator
from smartdc.emulator.core.clock import WallClock
from smartdc.emulator.core.reply import ApiError
from smartdc.emulator.doors.certificates import write_private
from smartdc.emulator.doors.server import Server
from smartdc.emulator.state.transitions import AfterSeconds


def main(arguments: Sequence[str] | None = None, stop: threading.Event | None = None) -> int:
    """Serve until a signal, or until ``stop`` is set if given, and return the exit status."""
    options = _options().parse_args(arguments)
    try:
        _serve(options, stop or _stop_on_signal())
    except (OSError, ValueError, ApiError) as error:
        print(f"smartdc.emulator: {error}", file=sys.stderr)  # noqa: T201  a command prints
        return 2
    return 0


def _serve(options: argparse.Namespace, stop: threading.Event) -> None:
    emulator = _emulator(options)
    with (
        tempfile.TemporaryDirectory(prefix="smartdc-emulator-") as folder,
        Server(emulator, options.port, tls=options.tls) as server,
    ):
        for line in _lines(emulator, server, Path(folder)):
            print(line, flush=True)  # noqa: T201  a command prints
        stop.wait()


def _stop_on_signal() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _options() -> argparse.ArgumentParser:
    about = (
        "Serve an emulated CloudAPI on 127.0.0.1 until Ctrl-C, and print the shell commands that let clients find it."
    )
    parser = argparse.ArgumentParser("python -m smartdc emulator", description=about)
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one)")
    parser.add_argument("--login", default="demo", help="login of the account (default: demo)")
    parser.add_argument(
        "--public-key", type=Path, metavar="FILE", help="public SSH key of the account (default: a new key)"
    )
    parser.add_argument("--seed", type=int, help="seed that makes ids and addresses repeatable (default: random)")
    parser.add_argument("--seconds", type=float, default=2.0, help="seconds that jobs take (default: 2)")
    parser.add_argument(
        "--realistic", action="store_true", help="throttle and take time as a data centre does, in spite of --seconds"
    )
    parser.add_argument("--tls", action="store_true", help="serve HTTPS, with a certificate authority of its own")
    return parser


def _emulator(options: argparse.Namespace) -> Emulator:
    seed = secrets.randbits(64) if options.seed is None else options.seed
    public_key = options.public_key.read_text() if options.public_key else None
    emulator = Emulator(
        seed,
        clock=WallClock(),
        transitions=AfterSeconds(options.seconds),
        login=options.login,
        public_key=public_key,
    )
    if options.realistic:
        emulator.realistic()
    return emulator


def _lines(emulator: Emulator, server: Server, folder: Path) -> Iterator[str]:
    """Yield shell commands that let clients find the emulator, and hints as comments."""
    fingerprint = emulator.key_id.rpartition("/")[2]
    yield f"export TRITON_URL={server.url}"
    yield f"export TRITON_ACCOUNT={shlex.quote(emulator.login)}"
    yield f"export TRITON_KEY_ID={fingerprint}"
    yield "export TRITON_PROFILE=env"
    if server.ca:
        yield f"export NODE_EXTRA_CA_CERTS={server.ca} REQUESTS_CA_BUNDLE={server.ca}"
    if emulator.private_key:
        path = folder / "id_emulator"
        write_private(path, emulator.private_key.encode())
        yield f"export TRITON_KEY_MATERIAL={path}"
        yield "# The triton command needs the key in an SSH agent:"
        yield f"#   ssh-add {path}"
    yield f"# For the emulator's controls: X-Emulator-Token: {emulator.token}"
    yield "# This is an emulator of CloudAPI: nothing that it makes is real."
    yield "# Serving until Ctrl-C."


if __name__ == "__main__":
    sys.exit(main())
