"""The core of the emulator: a request goes in, a response comes out, and no socket is involved."""

import logging
import re
import secrets
import threading
from collections.abc import Callable, Iterable
from typing import Any

from smartdc.emulator.controls import PREFIX, answer_control
from smartdc.emulator.core.clock import Clock, VirtualClock
from smartdc.emulator.core.message import IN_PROCESS_HOST, Request, Response
from smartdc.emulator.core.reply import ApiError, Reply
from smartdc.emulator.core.settings import Throttle
from smartdc.emulator.doors.adapter import EmulatorAdapter
from smartdc.emulator.doors.wsgi import StartResponse, read_environ, write_response
from smartdc.emulator.faults.answers import ANSWERS, AnswerContext
from smartdc.emulator.faults.plan import BEFORE, ON_THE_WIRE, Fault, FaultPlan
from smartdc.emulator.nouns import NOUNS
from smartdc.emulator.page import page_data
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.pipeline.decode import parse_body, parse_query
from smartdc.emulator.pipeline.render import render
from smartdc.emulator.pipeline.router import ROUTER
from smartdc.emulator.pipeline.stages import EARLY, LOADED, OPEN, SIGNED
from smartdc.emulator.pipeline.trace import Trace
from smartdc.emulator.resources.role_tag import follow_role_tags
from smartdc.emulator.signature.host_check import check_host
from smartdc.emulator.signature.throwaway_key import throwaway_key
from smartdc.emulator.state.feed import Feed
from smartdc.emulator.state.invariants import check_invariants, summarize
from smartdc.emulator.state.records import MachineRecord
from smartdc.emulator.state.state import State
from smartdc.emulator.state.transitions import AT_ONCE, SECONDS, USUAL_SECONDS, AfterSeconds, Policy, Transitions

__all__ = ["NOUNS", "Emulator"]

log = logging.getLogger("smartdc.emulator")

LOGIN = re.compile(r"(?!\.{1,2}$)[!-.0-~][ -.0-~]*")
"""What can be a segment of a path and a part of a key id: ASCII without a slash."""


class Emulator:
    """A CloudAPI 9.20 with one account and no machines; requests reach it through an adapter, a server or WSGI.

    Args:
        seed: makes ids, addresses and the throw-away key repeatable.
        clock: the source of time; the default stands still until it is advanced or slept on.
        transitions: the default policy for when jobs end; by default at once.
        login: the account's login.
        public_key: an OpenSSH line; without one the emulator generates a key pair.

    """

    def __init__(
        self,
        seed: int = 0,
        *,
        clock: Clock | None = None,
        transitions: Policy = AT_ONCE,
        login: str = "demo",
        public_key: str | None = None,
    ) -> None:
        if not LOGIN.fullmatch(login):
            raise ValueError(f"{login!r} is no login of an account: give ASCII characters without a slash")
        self.seed = seed
        self.clock: Clock = clock or VirtualClock()
        self.login = login
        self.token = secrets.token_hex(16)
        self.private_key: str | None = None
        if public_key is None:
            self.private_key, public_key = throwaway_key(seed)
        self.public_key = public_key
        self._policy = transitions
        self._lock = threading.RLock()
        self.reset()

    def __repr__(self) -> str:
        """Show the account and the seed, never a key."""
        return f"<Emulator of account {self.login!r}, seed {self.seed}>"

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer as a WSGI application."""
        return write_response(self.handle(read_environ(environ)), start_response, self.clock)

    @property
    def wsgi(self) -> Callable[[dict[str, Any], StartResponse], Iterable[bytes]]:
        """The emulator as a WSGI application."""
        return self.__call__

    def reset(self) -> None:
        """Start over with the same seed and account; a virtual clock is set back."""
        with self._lock:
            if isinstance(self.clock, VirtualClock):
                self.clock.rewind()
            if hasattr(self, "state"):
                self.changefeed.drop()
            self.state = State(self.seed, self.clock)
            self.transitions = Transitions(self.clock, self._policy, lock=self._lock, watch=self.state.feed.watch)
            self.faults = FaultPlan(self.state.ids.random)
            self.trace = Trace()
            account = self.state.add_account(self.login, self.public_key)
            self.key_id = f"/{self.login}/keys/{next(iter(account.keys.values())).public.fingerprint}"

    def realistic(self) -> None:
        """Throttle like CloudAPI, and let jobs take as long as in a data centre, until the next reset.

        Changes of tags and metadata are jobs too, so they show late. With a virtual clock this takes no real time.
        """
        with self._lock:
            self.state.settings.throttle = Throttle()
            self.transitions.policy = AfterSeconds(USUAL_SECONDS)
            self.transitions.policies.update({name: AfterSeconds(seconds) for name, seconds in SECONDS.items()})

    def fast(self) -> None:
        """Undo `realistic`: no throttle, and jobs have ended at the next request."""
        with self._lock:
            self.state.settings.throttle = None
            self.transitions.policy = AT_ONCE
            self.transitions.policies.clear()
            self.transitions.settle()

    @property
    def changefeed(self) -> Feed:
        """The listeners of the changefeed; ``drop()`` ends their connections."""
        return self.state.feed

    def connection(self, url: str | None = None, ca: str | None = None) -> dict[str, Any]:
        """Return the keyword arguments of a ``DataCenter`` for this emulator: in-process, or at a server's URL.

        ``ca`` is the file of the certificate authority of a server with TLS.
        """
        arguments: dict[str, Any] = {"login": self.login, "key_id": self.key_id}
        if self.private_key:
            arguments["secret"] = self.private_key
        if isinstance(self.clock, VirtualClock):
            arguments["clock"] = self.clock
        if ca:
            arguments["verify"] = ca
        if url:
            return {"location": url, **arguments}
        return {"location": f"http://{IN_PROCESS_HOST}", **arguments, "adapter": EmulatorAdapter(self)}

    def populate(self, count: int, **choice: Any) -> list[MachineRecord]:
        """Create machines without API requests; the keywords are those of ``State.populate``."""
        with self._lock:
            return self.state.populate(count, **choice)

    def check_invariants(self) -> list[str]:
        """Return the contradictions in the state; the list should be empty, whatever was requested."""
        with self._lock:
            return check_invariants(self.state)

    def summary(self) -> dict[str, Any]:
        """Count the machines by state, the addresses in use and the jobs by their outcome."""
        with self._lock:
            return summarize(self.state)

    def page(self) -> dict[str, Any]:
        """Return the data of the page for browsers, after ending the jobs that are due."""
        with self._lock:
            self.transitions.settle()
            return page_data(self.state, self.trace, self.clock, self.login, len(self.faults.pending()))

    def page_url(self, url: str) -> str:
        """Return the URL of the page for browsers, with the token, on the server with this URL."""
        return f"{url}{PREFIX}#{self.token}"

    def handle(self, request: Request, pause: Callable[[float], None] | None = None) -> Response:
        """Answer a request; ``pause`` replaces the clock's ``sleep`` in delays."""
        call = Call(request, self.state, self.transitions, self.clock.time())
        try:
            check_host(request)
            if request.path.startswith(PREFIX):
                return render(call, answer_control(self, request))
        except ApiError as error:
            return render(call, error.reply())
        call.name = _operation_name(call)
        fault = self.faults.take(call.name, request)
        trace = self.trace
        response = self._answer_with_fault(call, fault, pause or self.clock.sleep)
        trace.record(call, response.status, fault)
        return response

    def interrupt(self, head: Request | None = None, *, tls: bool = True) -> Fault | None:
        """Return the fault that ends a connection before a whole request is read, if there is one.

        Without a ``head`` the connection is new. If an operation's action is in the body, the head does not identify it.
        """
        if head is None:
            return self.faults.connecting(tls=tls)
        call = Call(head, self.state, self.transitions, self.clock.time())
        call.name = _operation_name(call)
        fault = self.faults.arriving(call.name, head)
        if fault:
            self.trace.record(call, 0, fault)
        return fault

    def _answer_with_fault(self, call: Call, fault: Fault | None, pause: Callable[[float], None]) -> Response:
        """Answer a request with a fault applied to it."""
        if not fault:
            return self._answer(call)
        call.request_id = _request_id(call)
        if fault.kind == "clock":
            call.now += fault.seconds
            return self._answer(call)
        if fault.kind == "delay" and fault.when == BEFORE:
            pause(fault.seconds)
            call.now = self.clock.time()
            return self._answer(call)
        response = Response(0, []) if fault.when == BEFORE else self._answer(call)
        if fault.kind == "delay":
            pause(fault.seconds)
        if fault.kind in ANSWERS:
            return self._replace_answer(call, fault)
        response.fault = fault if fault.kind in ON_THE_WIRE else None
        return response

    def _replace_answer(self, call: Call, fault: Fault) -> Response:
        call.past_body = True
        context = AnswerContext(fault, call.request, self.clock, lambda reply: render(call, reply))
        response = ANSWERS[fault.kind](context)
        if call.request.method == "HEAD":
            response.body = b""
        return response

    def _answer(self, call: Call) -> Response:
        call.request_id = call.request_id or _request_id(call)
        try:
            for stage in EARLY:
                stage(call)
            call.past_body = True
            return self._dispatch(call)
        except ApiError as error:
            return render(call, error.reply())
        except Exception:
            log.exception("%s %s went wrong", call.request.method, call.request.path)
            return render(call, Reply(500, {"code": "InternalError", "message": "Internal Error"}))

    def _dispatch(self, call: Call) -> Response:
        """Run the stages after the body, and the handler.

        The signature is verified outside the lock, so that requests verify in parallel. Everything that reads or
        changes the state happens under it: jobs that are due end first, then the call is authorized and handled, so
        that no two calls interleave.
        """
        for stage in OPEN.get(call.name, SIGNED):
            stage(call)
        with self._lock:
            call.transitions.settle()
            for stage in () if call.name in OPEN else LOADED:
                stage(call)
            return _run(call)


def _run(call: Call) -> Response:
    operation = call.match.choose(call.params.get("action"))
    if not operation.handler:
        message = f"{operation.name} is not supported by this emulator"
        raise ApiError(501, "NotImplementedError", message)
    reply = operation.handler(call)
    follow_role_tags(call, operation.name, reply)
    return render(call, reply)


def _request_id(call: Call) -> str:
    headers = call.request.headers
    return headers.get("request-id") or headers.get("x-request-id") or call.state.ids.uuid("request")


def _operation_name(call: Call) -> str | None:
    """Return the operation's name before anything is checked, for faults and the trace."""
    try:
        call.match = ROUTER.find(call.request.method, call.request.target)
        if len(call.match.actions) == 1:
            return call.match.operation.name
        params = {**parse_query(call.request.target.partition("?")[2]), **parse_body(call.request)}
        return call.match.choose(params.get("action")).name
    except ApiError:
        return None
