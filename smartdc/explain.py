"""Explain how a data centre is reached and signed for: what comes from where, what works, and what to do if not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smartdc.agent import AgentKey
from smartdc.dates import parse_http_date
from smartdc.errors import InvalidCredentials, NotAuthorized, SmartDCError, TLSError, TransportError
from smartdc.identity import Identity
from smartdc.signing import key_type_of, md5_fingerprint, sha256_fingerprint

if TYPE_CHECKING:
    from smartdc.datacenter import DataCenter

__all__ = ["Explanation", "Finding", "examine"]

SKEW = 300
"""Seconds by which CloudAPI lets the clocks differ."""
PATIENCE = 10.0
"""Seconds that each question to the server may take."""

MARKS = {True: "ok", None: "note", False: "FAILED"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: `ok` is None where it works but deserves a word."""

    subject: str
    ok: bool | None
    text: str
    advice: str = ""

    def __str__(self) -> str:
        line = f"{self.subject:<10} {MARKS[self.ok]:<7} {self.text}"
        return f"{line}\n{'':<18} {self.advice}" if self.advice else line


@dataclass(frozen=True)
class Explanation:
    """Everything that was looked at, in order; it ends where looking further would tell nothing."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return all(finding.ok is not False for finding in self.findings)

    @property
    def problem(self) -> Finding | None:
        """What failed."""
        return next((finding for finding in self.findings if finding.ok is False), None)

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings))

    __repr__ = __str__


def examine(dc: DataCenter) -> Explanation:
    """Look at everything that signing depends on, first here and then at the server; a failure ends the search."""
    findings: list[Finding] = []
    for look in (_location, _account, _key, _key_id, _server, _answer):
        for finding in look(dc):
            findings.append(finding)
            if finding.ok is False:
                return Explanation(tuple(findings))
    return Explanation(tuple(findings))


def _from(dc: DataCenter, setting: str) -> str:
    """Say where a setting of the profile comes from."""
    origin = dc.profile.origins.get(setting)
    return f" (from {origin})" if origin else ""


def _location(dc: DataCenter) -> Iterator[Finding]:
    given = dc.location != dc.profile.url
    yield Finding("location", True, dc.base_url + (" (as given)" if given else _from(dc, "url")))
    if dc.verify is False and dc.base_url.startswith("https"):
        why = _from(dc, "insecure") or " (as given)"
        yield Finding("TLS", None, f"certificates are not checked{why}", "name your CA's bundle instead: verify=PATH")


def _account(dc: DataCenter) -> Iterator[Finding]:
    auth = dc.auth
    if auth is None:
        advice = "give key_id= or secret=, or set TRITON_ACCOUNT and TRITON_KEY_ID"
        yield Finding("account", False, "nothing says with which key to sign", advice)
    elif not isinstance(auth, Identity):
        yield Finding("account", None, f"requests are signed by {type(auth).__name__}, which was given as auth=")
    else:
        user = f", its user {auth.user}" if auth.user else ""
        other = "" if dc.login in {"my", auth.account} else f", acting on the account {dc.login}"
        roles = f", as {', '.join(dc.active_roles)}" if dc.active_roles else ""
        yield Finding("account", True, f"{auth.account}{user}{other}{roles}{_from(dc, 'account')}")


def _key(dc: DataCenter) -> Iterator[Finding]:
    """Find the private key; what cannot be had says so in its own words."""
    if not isinstance(dc.auth, Identity):
        return
    try:
        signer = dc.auth.signer()
    except (SmartDCError, OSError) as error:
        yield Finding("key", False, str(error))
        return
    where = f"ssh-agent, {signer.comment}" if isinstance(signer, AgentKey) else dc.auth.origin
    blob = signer.public_blob
    text = f"{key_type_of(blob)} {md5_fingerprint(blob)} {sha256_fingerprint(blob)} (from {where})"
    yield Finding("key", True, text)


def _key_id(dc: DataCenter) -> Iterator[Finding]:
    if isinstance(dc.auth, Identity):
        yield Finding("key id", True, f"{dc.auth.key_id()} is what CloudAPI is told{_from(dc, 'key_id')}")


def _server(dc: DataCenter) -> Iterator[Finding]:
    """Ask for what needs no signature, and compare the clocks."""
    try:
        _, response = dc.unsigned().request("GET", "/--ping", timeout=PATIENCE)
    except TLSError as error:
        yield Finding("server", False, f"its certificate is not trusted: {error}", "verify=PATH of your CA's bundle")
        return
    except TransportError as error:
        yield Finding("server", False, f"it cannot be reached: {error}", "check the location, the network and proxies")
        return
    except SmartDCError as error:
        yield Finding("server", False, f"it does not answer as CloudAPI does: {error}", "check the location")
        return
    yield Finding("server", True, f"{response.headers.get('Server', 'something')} answers")
    server = parse_http_date(response.headers.get("Date"))
    if server is not None:
        yield _clock(server - dc.clock.time())


def _clock(difference: float) -> Finding:
    if abs(difference) <= SKEW:
        return Finding(
            "clock", True, f"the server's differs from ours by {abs(difference):.0f} s; up to {SKEW} s are taken"
        )
    text = f"ours is {abs(difference):.0f} s {'behind' if difference > 0 else 'ahead of'} the server's"
    return Finding("clock", None, f"{text}; requests are signed with its time", "set this machine's clock")


def _answer(dc: DataCenter) -> Iterator[Finding]:
    """Ask for the account, which needs everything."""
    try:
        account = dc.account()
    except InvalidCredentials as error:
        yield _refused(dc, error)
    except NotAuthorized as error:
        yield _forbidden(dc, error)
    except SmartDCError as error:
        yield Finding("answer", False, f"CloudAPI does not give the account: {error}")
    else:
        yield Finding("answer", True, f"CloudAPI knows this key and gives the account {account.login} ({account.id})")


def _refused(dc: DataCenter, error: InvalidCredentials) -> Finding:
    auth = dc.auth
    if not isinstance(auth, Identity):
        return Finding("answer", False, f"CloudAPI refuses the signature of {type(auth).__name__}: {error}")
    if auth.user:
        text = f"CloudAPI knows no user {auth.user!r} of {auth.account!r}, or not this key on that user"
        return Finding(
            "answer", False, f"{text}: {error}", "add the key to the user; a new one takes some seconds to count"
        )
    text = f"CloudAPI knows no account {auth.account!r}, or the key {auth.key_id()} is not on it"
    return Finding(
        "answer", False, f"{text}: {error}", "add the key to the account; a new one takes some seconds to count"
    )


def _forbidden(dc: DataCenter, error: NotAuthorized) -> Finding:
    if "disabled" in error.message:
        return Finding("answer", False, f"the account or user is disabled: {error}", "ask the operator")
    if dc.active_roles:
        text = f"CloudAPI does not grant the roles {', '.join(dc.active_roles)}: {error}"
        return Finding("answer", False, text, "check that they exist and that the caller is a member")
    return Finding(
        "answer", False, f"the key is right, but may not read the account: {error}", "check roles and policies"
    )
