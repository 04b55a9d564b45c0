"""Create a machine, or list the packages many times, with py-smartdc 0.2.0 on Python 2.7, as its own tutorial does."""

# ruff: noqa: ANN001, ANN002, ANN201, BLE001, S110, SIM105, T201, UP010 (this is Python 2, and a program that prints)
# mypy: ignore-errors
from __future__ import print_function

import sys

import smartdc


def main(url, login, key_id, secret, what, *more):
    """Print the id of the new machine when it runs, or how many of the lists came."""
    dc = smartdc.DataCenter("here", key_id, secret, known_locations={"here": url}, login=login)
    if what == "create":
        machine = dc.create_machine(*more[2:], image=more[0], package=more[1])
        machine.poll_until("running")
        print(machine.id)
        return
    answers = 0
    for _ in range(int(more[0])):
        try:
            answers += len(dc.packages()) > 1
        except Exception:
            pass
    print(answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
