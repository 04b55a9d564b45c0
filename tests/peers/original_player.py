"""Make every step of a script and write down what came of it; the same file runs with py-smartdc 0.2 on Python 2.7.

A step is source text. It is made in a cloud that was reset for it, with names such as `dc` and `machine` at hand, and
what comes before a line ``# then`` only prepares it. What is written down is the value of its last line or the
exception that ended it, and the requests that the emulator saw.

In requests, three things count as the same, and have steps of their own in which they show: a flag that is set, whatever
it is set to; the page that CloudAPI gives when none is asked for; and a create with or without a token.
"""

# ruff: noqa: ANN001, ANN003, ANN201, ANN202, ANN204, UP004, UP010, UP020, UP031 (this is Python 2 as well)
# mypy: ignore-errors
from __future__ import print_function

import ast
import contextlib
import datetime as dt
import inspect
import io
import json
import os
import re
import sys
import warnings

import requests

import smartdc

TEXT = type(json.loads('""'))
FLAG = re.compile(r"^(credentials|tombstone)=.+$")
USUAL_PAGE = ("limit=1000", "offset=0")
TOKEN_TAG = "tag.smartdc_token"

RANDOM = ((re.compile(r"\bt[0-9a-f]{32}\b"), "TOKEN"), (re.compile(r"\bmachine-[0-9a-f]{16}\b"), "machine-TOKEN"))
"""What is another text each time, and what stands for it."""


class Cloud(object):
    """The controls of the emulator that the script is played against."""

    def __init__(self, url, token):
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["X-Emulator-Token"] = token

    def __call__(self, method, control, **body):
        """Use a control and return what it says."""
        answer = self._session.request(method, self.url + "/--emulator/" + control, data=json.dumps(body))
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def fail(self, operation, status, times=1):
        """Let coming requests for an operation fail."""
        self("POST", "faults", operation=operation, status=status, code="Oops", message="no luck", times=times)


def fresh_names(cloud, given):
    """Reset the cloud and return the names that a step may use."""
    cloud("POST", "reset")
    tags, metadata = {"role": "web"}, {"motd": "hello", "user-script": "#!/bin/sh\n"}
    web = cloud("POST", "populate", count=1, name="web-1", tags=tags, metadata=metadata)[0]
    db = cloud("POST", "populate", count=1, name="db-1", state="stopped", package="g1-medium")[0]
    names = dict(given, cloud=cloud, smartdc=smartdc, requests=requests, json=json, os=os, datetime=dt)
    names.update(printed=printed, names_in=names_in)
    names.update(DataCenter=smartdc.DataCenter, Machine=smartdc.Machine, Snapshot=smartdc.Snapshot)
    names["connection"] = {
        "location": "here",
        "known_locations": {"here": cloud.url},
        "key_id": given["key_id"],
        "secret": given["secret"],
    }
    names["dc"] = smartdc.DataCenter(**names["connection"])
    names.update(WEB=web, DB=db, machine=names["dc"].machine(web), stopped=names["dc"].machine(db))
    return names


def play(steps, cloud, given, hidden):
    """Return what came of every step, by its name; `hidden` are texts of this run and what stands for them."""
    return {name: _outcome(source, cloud, given, hidden) for name, source in steps}


def _outcome(source, cloud, given, hidden):
    names = fresh_names(cloud, given)
    first, _, then = source.rpartition("# then\n")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        _run(first, names)
        before = len(cloud("GET", "trace"))
        del warned[:]
        try:
            outcome = {"value": encoded(_run(then, names))}
        except Exception as error:  # noqa: BLE001 (whatever it raises is what came of it)
            outcome = {"error": _error(error)}
    told = sorted({each.category.__name__ for each in warned if "dataset" in str(each.message)})
    if told:
        outcome["warned"] = told
    outcome["sent"] = [_request(asked) for asked in cloud("GET", "trace")[before:]]
    return _without(outcome, [(names["WEB"], "WEB"), (names["DB"], "DB")] + hidden)  # noqa: RUF005 (Python 2)


def _run(source, names):
    """Run a text and return the value of its last line, if that is an expression."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<step>", "exec"), names)  # noqa: S102 (that is what it is for)
    if last is None:
        return None
    expression = ast.Expression(last.value)
    return eval(compile(expression, "<step>", "eval"), names)  # noqa: S307 (the same)


def encoded(value):
    """Return a value as JSON can hold it, with its type where JSON has none for it."""
    if value is None or isinstance(value, (bool, int, float, TEXT)):
        return value
    for kinds, write in KINDS:
        if isinstance(value, kinds):
            return write(value)
    if hasattr(value, "keys") and hasattr(value, "__getitem__"):
        return {str(key): encoded(value[key]) for key in value}
    return {"instance": type(value).__name__}


def _several(values):
    return [encoded(each) for each in values]


KINDS = (
    (smartdc.DataCenter, lambda value: {"DataCenter": str(value)}),
    (smartdc.Machine, lambda value: {"Machine": str(value)}),
    (smartdc.Snapshot, lambda value: {"Snapshot": str(value)}),
    (bytes, lambda value: value.decode("utf-8") if bytes is str else {"bytes": value.decode("utf-8")}),
    (dt.datetime, lambda value: {"datetime": value.isoformat()}),
    (list, _several),
    (tuple, lambda value: {"tuple": _several(value)}),
    (set, lambda value: {"set": sorted(_several(value))}),
    (type, lambda value: {"class": value.__name__}),
    (requests.Response, lambda value: {"Response": value.status_code}),
)
"""How what JSON has no type for is written; everything else that CloudAPI describes is compared as a mapping."""


def _error(error):
    """Name an exception by what old scripts catch it by: its nearest class that is not this library's own."""
    if isinstance(error, EnvironmentError) and not isinstance(error, requests.RequestException):
        return "IOError"
    known = [cls for cls in type(error).__mro__ if not cls.__module__.startswith("smartdc")]
    response = getattr(error, "response", None)
    status = "" if response is None else " %d" % response.status_code
    return known[0].__name__ + status


def _request(asked):
    """Return a request as the emulator saw it: method, path, query and body."""
    path, _, query = asked["path"].partition("?")
    said = sorted(FLAG.sub(r"\1=set", part) for part in query.split("&") if part and part not in USUAL_PAGE)
    body = {name: value for name, value in asked["body"].items() if name != TOKEN_TAG}
    text = asked["method"] + " " + path + ("?" + "&".join(said) if said else "")
    return text + (" " + json.dumps(body, sort_keys=True) if body else "")


def _without(outcome, hidden):
    """Put what stands for them in the place of texts that are others in each run."""
    text = json.dumps(outcome, sort_keys=True)
    for this, that in hidden:
        text = text.replace(json.dumps(this)[1:-1], that)
    for pattern, that in RANDOM:
        text = pattern.sub(that, text)
    return json.loads(text)


@contextlib.contextmanager
def printed():
    """Collect what a with-block prints on stderr, in a list of lines without their times."""
    lines, stream = [], sys.stderr
    sys.stderr = io.BytesIO() if bytes is str else io.StringIO()
    try:
        yield lines
        lines.extend(re.sub(r"^[0-9T:.+-]+\t", "TIME\t", line) for line in sys.stderr.getvalue().splitlines())
    finally:
        sys.stderr = stream


def names_in(thing):
    """Return the public names of a module or an object."""
    return sorted(name for name in dir(thing) if not name.startswith("_"))


def _parameters(method):
    if not hasattr(inspect, "signature"):
        return inspect.getargspec(method).args[1:]
    several = inspect.signature(method).parameters.values()
    return [each.name for each in several if each.kind is each.POSITIONAL_OR_KEYWORD and each.name != "self"]


def signatures():
    """Return the public methods of the three classes, each with the names of its positional parameters."""
    return {
        cls.__name__: {
            name: _parameters(getattr(cls, name))
            for name in ["__init__"] + names_in(cls)  # noqa: RUF005 (Python 2)
            if inspect.isroutine(getattr(cls, name))
        }
        for cls in (smartdc.DataCenter, smartdc.Machine, smartdc.Snapshot)
    }


def main(task):
    """Play the scripts of a task, which is a file of JSON, and print what came of them as JSON."""
    with io.open(task, encoding="utf-8") as file:
        told = json.load(file)
    cloud = Cloud(told["url"], told["token"])
    given, hidden = told["given"], told["hidden"]
    scripts = {name: play(steps, cloud, given, hidden) for name, steps in told["scripts"].items()}
    print(json.dumps({"scripts": scripts, "signatures": signatures()}, sort_keys=True))  # noqa: T201 (a command prints)


if __name__ == "__main__":
    main(sys.argv[1])
