"""The ``Authorization`` header, parsed and checked as CloudAPI does, in both of its formats.

The format of http-signature 1.4, with the signature among the parameters, is tried first. If it is refused, the old
format 0.9 is tried, in which the signature follows a space, and header names are not signed. If both are refused, the
message is the first one's.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from smartdc.emulator.core.clock import parse_date
from smartdc.emulator.core.public_key import HASHES
from smartdc.emulator.core.reply import invalid_header

MAX_SKEW_SECONDS = 300
"""The largest accepted difference of a signed date, in seconds."""

ALGORITHMS = frozenset(
    {
        "rsa-sha1",
        "rsa-sha256",
        "rsa-sha384",
        "rsa-sha512",
        "dsa-sha1",
        "dsa-sha256",
        "ecdsa-sha256",
        "ecdsa-sha384",
        "ecdsa-sha512",
        "ed25519-sha512",
    }
)
"""CloudAPI's table; those with sha384 are never reached, since the parser has no sha384."""

LEGACY_ALGORITHMS = frozenset({"rsa-sha1", "rsa-sha256", "rsa-sha512", "dsa-sha1"})

_FAMILIES = frozenset({"rsa", "dsa", "ecdsa", "ed25519", "hmac"})


class HeaderRefused(Exception):
    """A refused header, with the message of CloudAPI's signature library."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The claimed signer and signature, not verified yet."""

    key_id: str
    algorithm: str
    signature: str
    signed: str


@dataclass(frozen=True, slots=True)
class Signable:
    """The parts of a request that a signature can cover; header names are lower case."""

    method: str
    target: str
    headers: Mapping[str, str]

    @property
    def date_name(self) -> str:
        """The header that dates the request and must be signed."""
        return "x-date" if self.headers.get("x-date") else "date"


def parse_authorization(request: Signable, now: float) -> Credentials | None:
    """Return the credentials of a request; None if it has none, or none that CloudAPI considers.

    Anything that does not parse, and a date more than 300 seconds off, is a 400 InvalidHeader.
    """
    header = request.headers.get("authorization")
    if not header:
        return None
    scheme, space, parameters = header.partition(" ")
    if not space:
        raise invalid_header("BasicAuth content is invalid.")
    if scheme.lower() != "signature":
        return None
    try:
        return _parse(request, scheme, _modern_parameters(parameters), now)
    except HeaderRefused as error:
        try:
            return _parse_legacy(request, scheme, parameters, now)
        except HeaderRefused:
            raise invalid_header(f"Authorization header invalid: {error}") from error


def _parse(request: Signable, scheme: str, parameters: dict[str, str], now: float) -> Credentials:
    names = _signed_names(request, parameters)
    _require(scheme, parameters, "keyId", "algorithm", "signature")
    algorithm = parameters["algorithm"]
    _check_digest(algorithm)
    signed = "\n".join(_line(request, name, parameters) for name in names)
    _check_date(request, now)
    _check_lifetime(parameters, now)
    _check_covered(request, names)
    if algorithm.lower() not in ALGORITHMS:
        raise HeaderRefused(f"{algorithm.lower()} is not a supported algorithm")
    return Credentials(parameters["keyId"], algorithm.upper(), parameters["signature"], signed)


def _parse_legacy(request: Signable, scheme: str, text: str, now: float) -> Credentials:
    parameters, signature = _legacy_parameters(text)
    names = _signed_names(request, parameters)
    _require(scheme, parameters, "keyId", "algorithm")
    algorithm = parameters["algorithm"].lower()
    if not signature:
        raise HeaderRefused("signature was empty")
    if algorithm not in LEGACY_ALGORITHMS:
        raise HeaderRefused(f"{algorithm} is not supported")
    signed = "\n".join(_legacy_line(request, name) for name in names)
    _check_date(request, now)
    _check_covered(request, names)
    return Credentials(parameters["keyId"], algorithm.upper(), signature, signed)


def _modern_parameters(text: str) -> dict[str, str]:
    """Parse ``name="value"`` pairs, separated by commas alone; digits need no quotes."""
    parameters: dict[str, str] = {}
    position = 0
    while position < len(text):
        equals = text.find("=", position)
        name = text[position : equals if equals >= 0 else len(text)]
        if not (name.isascii() and name.isalpha()):
            raise HeaderRefused(_BAD_FORMAT)
        if equals < 0:
            break
        position = _value(text, equals + 1, name, parameters)
    return parameters


_BAD_FORMAT = "bad param format"


def _value(text: str, start: int, name: str, parameters: dict[str, str]) -> int:
    """Parse one value into the parameters, and return where the next name starts."""
    if text[start : start + 1] == '"':
        end = text.find('"', start + 1)
        if end < 0:
            return len(text)
        parameters[name] = text[start + 1 : end]
        if text[end + 1 : end + 2] not in ("", ","):
            raise HeaderRefused(_BAD_FORMAT)
        return end + 2
    digits, comma, _ = text[start:].partition(",")
    if (digits or comma) and not (digits.isascii() and digits.isdigit()):
        raise HeaderRefused(_BAD_FORMAT)
    if comma:
        parameters[name] = digits
    return start + len(digits) + 1


def _legacy_parameters(text: str) -> tuple[dict[str, str], str]:
    """Parse the parameters up to the first space outside quotes; the signature follows it."""
    parameters: dict[str, str] = {}
    name = ""
    position = 0
    while position < len(text):
        letter = text[position]
        position += 1
        if letter == " ":
            return parameters, text[position:]
        if letter == '"':
            end = text.find('"', position)
            end = len(text) if end < 0 else end
            parameters[name] = text[position:end]
            name = ""
            position = end + 1
        elif letter not in "=,":
            name += letter
    return parameters, ""


def _signed_names(request: Signable, parameters: dict[str, str]) -> list[str]:
    return (parameters.get("headers") or request.date_name).lower().split(" ")


def _require(scheme: str, parameters: dict[str, str], *names: str) -> None:
    if scheme != "Signature":
        raise HeaderRefused('scheme was not "Signature"')
    for name in names:
        if not parameters.get(name):
            raise HeaderRefused(f"{name} was not specified")


def _check_digest(algorithm: str) -> None:
    family, _, digest = algorithm.lower().partition("-")
    if family not in _FAMILIES or digest not in HASHES:
        raise HeaderRefused(f"{algorithm} is not supported")


def _line(request: Signable, name: str, parameters: dict[str, str]) -> str:
    """Return the line of one name in the signed text."""
    match name:
        case "request-line":
            return f"{request.method} {request.target} HTTP/1.1"
        case "(request-target)":
            return f"(request-target): {request.method.lower()} {request.target}"
        case "(keyid)" | "(algorithm)" | "(opaque)" | "(created)" | "(expires)":
            return f"{name}: {_parameter(name[1:-1], parameters)}"
    return f"{name}: {_header(request, name)}"


def _parameter(name: str, parameters: dict[str, str]) -> str:
    if name == "opaque" and name not in parameters:
        # The library's message has the name of a header that CloudAPI does not pass.
        raise HeaderRefused("opaque param was not in the undefined header")
    return parameters.get("keyId" if name == "keyid" else name, "undefined")


def _legacy_line(request: Signable, name: str) -> str:
    """Return the line of one name in the old format: a value, which must not be empty."""
    if name == "request-line":
        return f"{request.method} {request.target} HTTP/1.1"
    if value := _header(request, name):
        return value
    raise HeaderRefused(f"{name} was not in the request")


def _header(request: Signable, name: str) -> str:
    value = request.headers.get(name)
    if value is None:
        raise HeaderRefused(f"{name} was not in the request")
    return value


def _check_date(request: Signable, now: float) -> None:
    """Refuse a date too far off in either direction; an unparsable one passes, as in CloudAPI."""
    text = request.headers.get(request.date_name)
    sent = parse_date(text) if text else None
    if sent is None:
        return
    skew = round(abs(now - sent) * 1000)
    if skew > MAX_SKEW_SECONDS * 1000:
        raise HeaderRefused(f"clock skew of {skew / 1000:.15g}s was greater than {MAX_SKEW_SECONDS}s")


def _check_lifetime(parameters: dict[str, str], now: float) -> None:
    created = parameters.get("created", "")
    expires = parameters.get("expires", "")
    ahead = int(created) - int(now) if created.isdigit() else 0
    if ahead > MAX_SKEW_SECONDS:
        raise HeaderRefused(f"Created lies in the future (with skew {ahead}s greater than allowed {MAX_SKEW_SECONDS}s")
    behind = int(now) - int(expires) if expires.isdigit() else 0
    if behind > MAX_SKEW_SECONDS:
        raise HeaderRefused(f"Request expired with skew {behind}s greater than allowed {MAX_SKEW_SECONDS}s")


def _check_covered(request: Signable, names: list[str]) -> None:
    if request.date_name not in names:
        raise HeaderRefused(f"{request.date_name} was not a signed header")
