"""Show what work under CloudAPI's throttle costs, in ratios to the least time that the server's rate allows.

    python tests/benchmarks/throttle.py [--mixed 50000]

The emulator throttles as CloudAPI does by default, 30 calls at once and then 10 a second, over HTTP and by the real
time; the mixed calls go by a virtual one. A call that fails ends the script.
"""

# ruff: noqa: T201 (a script prints what it has found out)

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from kits.throttle import Throttled, from_processes, mixed_calls, single_resets


def show(what: str, right: int, of: int, seconds: float, least: float) -> None:
    """Print one line, the ratio in it."""
    print(f"{what:<44} {right:>6,} of {of:>6,}   {seconds / least:.2f} of the ideal", flush=True)
    assert right == of


def main() -> None:
    """Measure everything once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mixed", type=int, default=50_000, help="how many mixed calls, from 32 threads")
    mixed = parser.parse_args().mixed // 32 * 32
    for threads in (8, 16, 32):
        with Throttled() as site:
            began = time.monotonic()
            made = site.creates(threads, 60)
            show(f"60 creates from {threads} threads", made, 60, time.monotonic() - began, site.ideal(60))
    for threads in (4, 16, 32):
        with Throttled() as site:
            began = time.monotonic()
            right = site.accounts(threads, 400)
            show(f"400 reads from {threads} threads", right, 400, time.monotonic() - began, site.ideal(400))
    for processes in (2, 3):
        with Throttled() as site:
            right, seconds = from_processes(site, processes, threads=8, count=150)
            calls = processes * 150
            show(f"150 reads from each of {processes} processes", right, calls, seconds, site.ideal(calls))
    print(f"{'100 reads with one reset each':<44} {single_resets(100):>6,} of    100", flush=True)
    right, seconds, asked = mixed_calls(32, mixed)
    # Of five mixed calls one is answered before the throttle is asked.
    show(f"mixed calls from 32 threads, {asked:,} requests", right, mixed, seconds, (mixed * 4 / 5 - 30) / 10)


if __name__ == "__main__":
    main()
