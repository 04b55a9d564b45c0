"""Measure how the emulator's costs grow with the number of machines.

    python tests/benchmarks/emulator_growth.py [--rounds 9] [--sizes 1000,10000,100000]

Each row is an operation, each column a population. The emulators of all populations are alive in one process and asked
in turns, so that ratios hold on a busy computer too. The whole list is measured per machine: linear is 1.00.
Times are CPU time of the emulator: verifying, handling and rendering, without signing. Ratios are medians over rounds.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import statistics
import time
from collections.abc import Iterable, Iterator
from email.utils import formatdate
from itertools import count
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from smartdc.emulator import Emulator
from smartdc.emulator.core.message import Request

PAGE = 1000
CALLS = {"create": 20, "get": 20, "by name": 20, "page of 10": 10, "page of 1,000": 1, "whole list": 1}
"""How often an operation is repeated in each round."""


class Result(NamedTuple):
    """One operation on one population: its seconds in each round, per call or per machine."""

    operation: str
    size: int
    seconds: list[float]


class Population:
    """An emulator with a number of machines, and the requests that are sent to it."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.cloud = Emulator(seed=size)
        self.machines = self.cloud.populate(size)
        key = load_ssh_private_key(str(self.cloud.private_key).encode(), None)
        assert isinstance(key, Ed25519PrivateKey)
        self.key = key
        self.random = random.Random(size)  # noqa: S311 (repeatable on purpose)
        self.image = self.machines[0].image
        self.fresh = count()

    def request(self, method: str, target: str, body: object = None) -> Request:
        """Return a signed request."""
        date = formatdate(self.cloud.clock.time(), usegmt=True)
        text = f"(request-target): {method.lower()} {target}\ndate: {date}"
        signature = base64.b64encode(self.key.sign(text.encode())).decode()
        parameters = f'keyId="{self.cloud.key_id}",algorithm="ed25519-sha512",headers="(request-target) date"'
        headers = {
            "host": "localhost",
            "date": date,
            "content-type": "application/json",
            "authorization": f'Signature {parameters},signature="{signature}"',
        }
        return Request(method, target, headers, json.dumps(body).encode() if body else b"")

    def requests_for(self, operation: str) -> Iterator[Request]:
        """Yield the requests of one round of an operation, at places drawn at random."""
        for _ in range(CALLS[operation]):
            number = self.random.randrange(self.size)
            if operation == "create":
                body = {"name": f"new-{next(self.fresh)}", "image": self.image, "package": "g1-small"}
                yield self.request("POST", "/my/machines", body)
            elif operation == "get":
                yield self.request("GET", f"/my/machines/{self.machines[number].id}")
            elif operation == "by name":
                yield self.request("GET", f"/my/machines?name=machine-{self.size - 1 - number % (self.size // 10)}")
            elif operation == "whole list":
                yield from self.pages()
            else:
                limit = PAGE if operation == "page of 1,000" else 10
                yield self.request(
                    "GET", f"/my/machines?limit={limit}&offset={self.random.randrange(self.size - limit + 1)}"
                )

    def pages(self) -> Iterator[Request]:
        """Yield the requests that list the whole population."""
        for offset in range(0, self.size, PAGE):
            yield self.request("GET", f"/my/machines?limit={PAGE}&offset={offset}")

    def measure(self, operation: str) -> float:
        """Return the seconds of one call; of the whole list those for each machine."""
        prepared = list(self.requests_for(operation))
        began = time.process_time()
        answers = [self.cloud.handle(request) for request in prepared]
        seconds = time.process_time() - began
        assert {answer.status for answer in answers} <= {200, 201}, answers[-1]
        if operation == "create":
            self.remove(json.loads(answer.body)["id"] for answer in answers)
        return seconds / (self.size if operation == "whole list" else len(prepared))

    def remove(self, created: Iterable[str]) -> None:
        """Remove created machines, so that each round finds the same population."""
        for identity in created:
            self.cloud.state.release(self.cloud.state.machines.pop(identity).nics)


def measured(sizes: list[int], rounds: int) -> list[Result]:
    """Return the results of all operations on all populations, measured in turns."""
    populations = [Population(size) for size in sizes]
    results = [Result(operation, each.size, []) for operation in CALLS for each in populations]
    for _ in range(rounds):
        for operation in CALLS:
            for each in random.sample(populations, len(populations)):
                found = next(result for result in results if (result.operation, result.size) == (operation, each.size))
                found.seconds.append(each.measure(operation))
    return results


def table(results: list[Result], sizes: list[int]) -> Iterator[str]:
    """Yield the lines of a table: medians in microseconds, and the ratio of the largest population to the smallest."""
    titles = "".join(f"{size:>12,}" for size in sizes)
    yield f"{'microseconds':<16}{titles}{'growth':>10}{'quartiles':>16}"
    for operation in CALLS:
        row = {result.size: result.seconds for result in results if result.operation == operation}
        ratios = [large / small for small, large in zip(row[sizes[0]], row[sizes[-1]], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        cells = "".join(f"{statistics.median(row[size]) * 1e6:>12,.1f}" for size in sizes)
        yield f"{operation:<16}{cells}{middle:>10.2f}{f'{low:.2f} - {high:.2f}':>16}"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--sizes", default="1000,10000,100000")
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    for line in table(measured(sizes, options.rounds), sizes):
        print(line)  # noqa: T201 (a script prints its results)


if __name__ == "__main__":
    main()
