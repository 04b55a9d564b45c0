"""Show what clients of CloudAPI do when something goes wrong: how many machines there are, and what the caller knows.

    python tests/benchmarks/other_clients.py --node-modules build/npm/node_modules --python2 PATH [--count 5]

It prints the table of the guide *Reliability*. Each create has an emulated data centre of its own, over HTTP on
127.0.0.1 and by the real time, where one thing goes wrong; programs create 20 machines in each scene, what runs in this
process 100. `--node-modules` is where npm has put `triton` and `smartdc`; `--python2` is a Python 2.7 with pip, into
which nothing is installed: py-smartdc 0.2.0 gets a folder that is gone afterwards. What is not given is left out. With
all of them it takes about eight minutes, most of which is waiting.
"""

# ruff: noqa: T201 (a script prints what it has found out)

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from kits.client_scenes import OUTCOMES, READ_SCENES, SCENES, Client, Key, try_creates, try_reads, write_key
from kits.other_clients import node_clients, original_client, python_clients
from peers.record_original import ORIGINAL


def column(client: Client, key: Key, limit: int) -> list[str]:
    """Return what came of every scene with one client."""
    cells = []
    for scene in SCENES:
        count = min(client.count, limit)
        tried = try_creates(client, scene, key, count)
        cell, *others = tried.outcomes
        if others:
            cell = ", ".join(f"{outcome} {times}" for outcome, times in tried.outcomes.items())
        print(f"{client.title}, {scene.title}: {cell}, of {count}, in {tried.seconds:.1f} s each", file=sys.stderr)
        cells.append(cell)
    return cells + [str(try_reads(client, title, key)) for title in READ_SCENES]


def clients(options: argparse.Namespace, library: Path) -> list[Client]:
    """Return the clients that are there."""
    ours, *plain = python_clients()
    programs = node_clients(options.node_modules.absolute()) if options.node_modules else []
    if options.python2:
        install = [options.python2, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--target", library]
        subprocess.run([*install, *ORIGINAL], check=True)
        programs.append(original_client(options.python2, library))
    return [ours, *programs, *plain]


def line(cells: Sequence[str]) -> str:
    """Return a row of the table."""
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Try everything once, all clients at the same time, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--node-modules", type=Path, metavar="FOLDER", help="where npm has put triton and smartdc")
    parser.add_argument("--python2", type=Path, metavar="PATH", help="a Python 2.7 with pip, for py-smartdc 0.2.0")
    parser.add_argument("--count", type=int, default=100, metavar="N", help="the most creates of a client in a scene")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        key, found = write_key(home), clients(options, home / "library")
        with ThreadPoolExecutor(len(found)) as pool:
            columns = list(pool.map(lambda client: column(client, key, options.count), found))
    print(line(["what goes wrong", *(client.title for client in found)]))
    print(line(["---"] * (len(found) + 1)))
    for title, *cells in zip([*(scene.title for scene in SCENES), *READ_SCENES], *columns, strict=True):
        print(line([title, *cells]))
    for outcome, meaning in OUTCOMES.items():
        print(f"{outcome}: {meaning}")


if __name__ == "__main__":
    main()
