"""Diagnose the connection and the signatures of a data centre: the source of each setting, the result of each check, advice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smartdc.auth.agent import AgentKey
from smartdc.auth.identity import Identity
from smartdc.auth.profile import lacking, missing_settings
from smartdc.auth.ssh_key import is_fingerprint, key_type_of, md5_fingerprint, sha256_fingerprint
from smartdc.errors import (
    AgentError,
    CallError,
    ConfigError,
    InvalidCredentials,
    NotAuthorized,
    PassphraseRequired,
    ResourceNotFound,
    SmartDCError,
    TLSError,
    TransportError,
    printable,
)
from smartdc.http.dates import parse_http_date
from smartdc.http.tracebacks import let_pass

if TYPE_CHECKING:
    from smartdc.datacenter import DataCenter

__all__ = ["TEXT_COLUMN", "Explanation", "Finding", "examine", "examine_settings"]

MAX_SKEW_SECONDS = 300
"""Largest difference between the clocks that CloudAPI accepts."""
PING_TIMEOUT_SECONDS = 10.0

POLICY = re.compile(r"\(\w+\)$")
"""CloudAPI ends a refusal by policy with the name of the action, in parentheses."""

MARKS = {True: "ok", None: "note", False: "FAILED"}

TEXT_COLUMN = 19
"""The column in which the text of a result begins."""


@dataclass(frozen=True)
class Finding:
    """The result of one check: `ok` is None if it works but deserves a note."""

    subject: str
    ok: bool | None
    text: str
    advice: str = ""

    def __str__(self) -> str:
        line = f"{self.subject:<10} {MARKS[self.ok]:<7} {self.text}"
        return printable(f"{line}\n{'':{TEXT_COLUMN}}{self.advice}" if self.advice else line)


@dataclass(frozen=True)
class Explanation:
    """The results of all checks, in order, up to the first failure."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return all(finding.ok is not False for finding in self.findings)

    @property
    def problem(self) -> Finding | None:
        """The check that failed."""
        return next((finding for finding in self.findings if finding.ok is False), None)

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings))

    def __repr__(self) -> str:
        """Show only the result: at a prompt, this follows the output of `explain_auth`."""
        return f"<Explanation: {self.problem.subject} FAILED>" if self.problem else "<Explanation: ok>"


def examine(dc: DataCenter, tell: Callable[[str], object] | None = None) -> Explanation:
    """Check everything that signing needs, first locally and then at the server, up to the first failure.

    `tell` is called with the text of each result as soon as it is known, and with what is asked before the server is.
    """
    findings: list[Finding] = []
    for look in (_location, _account, _key, _key_id, _server, _answer):
        if tell and look is _server:
            tell(f"{'server':<10} {'asking':<7} {dc.base_url} for up to {PING_TIMEOUT_SECONDS:.0f} s ...")
        for finding in look(dc):
            findings.append(finding)
            if tell:
                tell(str(finding))
            if finding.ok is False:
                return Explanation(tuple(findings))
    return Explanation(tuple(findings))


def examine_settings(
    make: Callable[[], DataCenter], profile: str | None, tell: Callable[[str], object] | None = None
) -> Explanation:
    """Check everything that signing needs, also for settings with which creating a `DataCenter` fails."""
    try:
        dc = make()
    except SmartDCError as error:
        finding = Finding("settings", False, str(error), missing_settings(profile))
        if tell:
            tell(str(finding))
        return Explanation((finding,))
    with dc:
        return examine(dc, tell)


def _from(dc: DataCenter, setting: str, used: object) -> str:
    """Return where a setting comes from, if the profile's value is used."""
    origin = dc.profile.origins.get(setting)
    return f" (from {origin})" if origin and getattr(dc.profile, setting) == used else ""


def _location(dc: DataCenter) -> Iterator[Finding]:
    yield Finding("location", True, dc.base_url + (_from(dc, "url", dc.location) or " (as given)"))
    if dc.verify is False and dc.base_url.startswith("https"):
        why = _from(dc, "insecure", True) or " (as given)"
        yield Finding("TLS", None, f"certificates are not checked{why}", "name your CA's bundle instead: verify=PATH")


def _account(dc: DataCenter) -> Iterator[Finding]:
    auth = dc.auth
    if auth is None:
        advice = lacking(dc.profile) or "set TRITON_ACCOUNT and TRITON_KEY_ID"
        yield Finding("account", False, "no key to sign with", f"give key_id= or secret=; {advice}")
    elif not isinstance(auth, Identity):
        yield Finding("account", None, f"requests are signed by {type(auth).__name__}, given as auth=")
    else:
        user = f", its user {auth.user}{_from(dc, 'user', auth.user)}" if auth.user else ""
        other = f", acting on the account {dc.login}" if _elsewhere(dc, auth) else ""
        roles = f", as {', '.join(dc.active_roles)}" if dc.active_roles else ""
        account = f"{auth.account}{_from(dc, 'account', auth.account)}"
        yield Finding("account", True, account + user + other + roles)
        yield from _of_no_use(dc, auth)


def _elsewhere(dc: DataCenter, auth: Identity) -> bool:
    return dc.login not in {"my", auth.account}


def _of_no_use(dc: DataCenter, auth: Identity) -> Iterator[Finding]:
    """Note settings that have no effect."""
    if auth.unused_user:
        text = f"{auth.unused_user} is not used: the key id names the signer"
        yield Finding("user", None, text, "give the key's name or fingerprint alone as key_id=, or no user")
    if auth.user and _elsewhere(dc, auth):
        text = f"CloudAPI ignores the account {dc.login}: a user can act on its own account only"
        yield Finding("login", None, text, "leave login= out, or sign with a key of the account itself")
    if dc.active_roles and not auth.user and not _elsewhere(dc, auth):
        text = "CloudAPI ignores roles when an account acts on itself: it may do everything"
        yield Finding("roles", None, text, "leave roles= out, or name the user whose key it is")


def _key(dc: DataCenter) -> Iterator[Finding]:
    """Find the private key; a failure shows the text of its error."""
    if not isinstance(dc.auth, Identity):
        return
    try:
        signer = dc.auth.signer()
        algorithm = signer.algorithm
    except (SmartDCError, OSError) as error:
        let_pass(error)
        yield Finding("key", False, str(error), _how_to_find(dc.auth, error))
        return
    where = f"the ssh-agent, {signer.comment}" if isinstance(signer, AgentKey) else dc.auth.origin
    if dc.profile.key_material and dc.auth.uses(dc.profile.key_material):
        where = dc.profile.origins["key_material"]
    blob = signer.public_blob
    kind = f"{key_type_of(blob)} {md5_fingerprint(blob)} {sha256_fingerprint(blob)}"
    yield Finding("key", True, f"{kind} (from {where}), signing {algorithm}")


def _how_to_find(auth: Identity, error: Exception) -> str:
    """Return what to do about a private key that cannot be found or used."""
    if isinstance(error, ConfigError):
        return "give the key id of this private key, or the private key that has this fingerprint"
    if isinstance(error, PassphraseRequired):
        return "passphrase= takes a string, or smartdc.auth.private_key.prompt_passphrase to prompt for it"
    if isinstance(error, AgentError) or auth.uses(None):
        return "ssh-add -l shows what the agent has; secret= takes the path of any other private key"
    return "ssh-keygen -y -f FILE shows whether OpenSSH can use a key file, and prompts for its passphrase"


def _key_id(dc: DataCenter) -> Iterator[Finding]:
    if isinstance(dc.auth, Identity):
        named = dc.auth.key in (dc.profile.key_id or "").rpartition("/keys/")
        why = _from(dc, "key_id", dc.profile.key_id) if named else ""
        yield Finding("key id", True, f"{dc.auth.key_id()} is sent to CloudAPI{why}")


def _server(dc: DataCenter) -> Iterator[Finding]:
    """Call ``Ping``, which needs no signature, and compare the clocks."""
    try:
        with closing(dc.unsigned()) as session:
            answer, response = session.request("GET", "/--ping", timeout=PING_TIMEOUT_SECONDS)
    except TLSError as error:
        advice = "verify= takes the path of your CA's bundle, and so does REQUESTS_CA_BUNDLE"
        yield Finding("server", False, f"certificate verification failed: {_reason(error)}", advice)
        return
    except TransportError as error:
        advice = "check the location (http or https? the port?), the network and the proxy settings of the environment"
        yield Finding("server", False, f"connection failed: {_reason(error)}", advice)
        return
    except SmartDCError as error:
        yield Finding("server", False, f"this does not look like CloudAPI: {error}", "check the location")
        return
    if not isinstance(answer, dict) or "ping" not in answer:
        yield Finding("server", False, "something responds, but it does not look like CloudAPI", "check the location")
        return
    yield Finding("server", True, f"{response.headers.get('Server', 'CloudAPI')} responds")
    server = parse_http_date(response.headers.get("Date"))
    if server is not None:
        yield _clock(server - dc.clock.time())


def _reason(error: CallError) -> str:
    """Return the innermost reason of an error, without our request."""
    return str(error.__cause__ or error)


def _clock(difference: float) -> Finding:
    if abs(difference) <= MAX_SKEW_SECONDS:
        return Finding(
            "clock",
            True,
            f"differs from the server's by {abs(difference):.0f} s; up to {MAX_SKEW_SECONDS} s are accepted",
        )
    text = f"ours is {abs(difference):.0f} s {'behind' if difference > 0 else 'ahead of'} the server's"
    return Finding("clock", None, f"{text}; requests are signed with its time", "set this machine's clock")


def _answer(dc: DataCenter) -> Iterator[Finding]:
    """Call ``GetAccount``, which needs everything to work."""
    try:
        account = dc.account()
    except InvalidCredentials as error:
        yield _refused(dc, error)
    except NotAuthorized as error:
        yield _forbidden(dc, error)
    except ResourceNotFound as error:
        text = f"there is no account {dc.login!r} to act on: {error}"
        yield Finding("answer", False, text, "check login=, or TRITON_ACT_AS, or actAsAccount in the profile")
    except AgentError as error:
        yield Finding("answer", False, str(error), "ssh-add -l shows what the agent has")
    except SmartDCError as error:
        advice = "this is not about keys: try again later, or ask the operator"
        yield Finding("answer", False, f"GetAccount failed: {error}", advice)
    else:
        yield Finding("answer", True, f"authenticated; the account is {account.login} ({account.id})")


def _refused(dc: DataCenter, error: InvalidCredentials) -> Finding:
    auth = dc.auth
    if not isinstance(auth, Identity):
        text = f"CloudAPI rejected the signature of {type(auth).__name__}: {error}"
        return Finding("answer", False, text, "check its key id and key, which explain_auth cannot see")
    new = "; a new key takes some seconds to take effect"
    named = "" if is_fingerprint(auth.key) or not auth.key else ", or has that label for another key"
    if auth.user:
        text = (
            f"CloudAPI knows no user {auth.user!r} of the account {auth.account!r}, or that user lacks this key{named}"
        )
        return Finding("answer", False, f"{text}: {error}", f"check the names, and give the user the public key{new}")
    text = f"CloudAPI knows no account {auth.account!r}, or it lacks the key {auth.key_id()}{named}"
    return Finding("answer", False, f"{text}: {error}", f"check the name, and give the account the public key{new}")


def _forbidden(dc: DataCenter, error: NotAuthorized) -> Finding:
    """Distinguish a caller who may do nothing from one who only lacks the right to read the account."""
    if "disabled" in error.message:
        text = f"the account or the user is disabled: {error}"
        return Finding("answer", False, text, "ask the operator of the cloud to enable it")
    if not POLICY.search(error.message) and dc.active_roles:
        text = f"CloudAPI does not grant the roles {', '.join(dc.active_roles)}: {error}"
        return Finding("answer", False, text, "check that these roles exist and that the caller is a member")
    foreign = dc.login != "my" and isinstance(dc.auth, Identity) and not dc.auth.user and _elsewhere(dc, dc.auth)
    if foreign and not dc.active_roles:
        text = f"the key is valid, but may not act on the account {dc.login!r}: {error}"
        return Finding("answer", False, text, "name a role there with roles=, or leave login= out")
    who = f"the roles {', '.join(dc.active_roles)}" if dc.active_roles else "this user"
    text = f"the key is valid, but {who} may not read the account: {error}"
    return Finding("answer", None, text, "if other calls are refused too, check roles= and the policies of these roles")
