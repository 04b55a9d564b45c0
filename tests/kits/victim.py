"""A process that creates machines and is killed: it forks for each, since starting Python takes longer than a create.

It reads an order in JSON from each line of its standard input, and prints the pid of the process that carries it out,
and then how that ended.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import traceback
from typing import Any

from kits.campaign import FastClock
from smartdc import DataCenter
from smartdc.auth.private_key import load_private_key


def main() -> None:
    """Carry out orders until there are no more."""
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            carry_out(order)
        say(pid)
        _, status = os.waitpid(pid, 0)
        say(os.waitstatus_to_exitcode(status))


def say(number: int) -> None:
    """Tell the test a number."""
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def carry_out(order: dict[str, Any]) -> None:
    """Do what is asked for, log to a file, and end the process; an exception goes to the log as a crash reporter has it."""
    code = 1
    with open(order["log"], "w") as log:  # noqa: PTH123 (a file that is written to at once)
        try:
            logging.basicConfig(stream=log, level=logging.INFO)
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
            act(order)
            code = 0
        except SystemExit as stop:
            code = int(str(stop.code))
            report(stop, log)
        except BaseException as error:  # noqa: BLE001 (it is what is looked at)
            report(error, log)
        finally:
            log.flush()
            os._exit(code)


def act(order: dict[str, Any]) -> None:
    """Create the machine, and wait until it runs; or call what the order names, of the data centre or of a fleet."""
    key = load_private_key(order["secret"])
    place = {"location": order["url"], "login": "demo", "key_id": order["key_id"], "secret": key}
    with DataCenter(**place, clock=FastClock(), timeout=10, settle=20) as dc:
        if "machine" in order:
            dc.create_machine(**order["machine"], wait=True)
        else:
            owner = dc.fleet(**order["fleet"]) if "fleet" in order else dc
            getattr(owner, order["call"])(**order["arguments"])


def report(error: BaseException, log: Any) -> None:
    """Write down an exception, its notes and the variables of all frames but our own."""
    told = traceback.TracebackException(type(error), error, error.__traceback__, capture_locals=True)
    for frame in told.stack:
        if frame.filename == __file__:
            frame.locals = None
    log.write("".join(told.format()))


if __name__ == "__main__":
    main()
