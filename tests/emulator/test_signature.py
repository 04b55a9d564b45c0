"""The emulator verifies every signature, in both of CloudAPI's formats and by CloudAPI's clock."""

from __future__ import annotations

import base64
from email.utils import formatdate
from typing import Any
from urllib.parse import quote

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from kits.emulator_signer import Asker, PrivateKey, Signer, private_key, public_line, refusal, sign
from smartdc.emulator import Emulator

HOST = "cloudapi.emulator"
CREDENTIALS = (401, "InvalidCredentials")
HEADER = (400, "InvalidHeader")
INVALID = "Authorization header invalid: "


@pytest.fixture
def ask(cloud: Emulator) -> Asker:
    """A client within the process."""
    return Asker(cloud)


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    """An RSA key."""
    return rsa.generate_private_key(65537, 2048)


def add_key(cloud: Emulator, key: PrivateKey) -> str:
    """Give the account a key and return its key id."""
    known = cloud.state.add_key(cloud.state.accounts["demo"], public_line(key), "another")
    return f"/demo/keys/{known.public.fingerprint}"


def raw(ask: Asker, authorization: str | None, path: str = "/my", **headers: str) -> requests.Response:
    """Send a GET with headers of one's own."""
    ask.session.auth = lambda request: request
    date = formatdate(ask.cloud.clock.time(), usegmt=True)
    given: dict[str, Any] = {"Date": date, "Authorization": authorization, **headers}
    return ask.get(path, headers=given)


def modern(cloud: Emulator, **changed: str | None) -> str:
    """Return a modern header that signs the date, with some of its parameters changed."""
    date = formatdate(cloud.clock.time(), usegmt=True)
    parameters: dict[str, str | None] = {
        "keyId": cloud.key_id,
        "algorithm": "ed25519-sha512",
        "signature": sign(private_key(cloud), "ed25519-sha512", f"date: {date}"),
        **changed,
    }
    return "Signature " + ",".join(f'{name}="{value}"' for name, value in parameters.items() if value is not None)


@pytest.mark.parametrize("algorithm", ["rsa-sha1", "rsa-sha256", "rsa-sha512", "RSA-SHA256"])
def test_rsa_signature_is_accepted(cloud: Emulator, ask: Asker, rsa_key: rsa.RSAPrivateKey, algorithm: str) -> None:
    """RSA keys sign with SHA-1, SHA-256 and SHA-512, and case does not matter."""
    signer = Signer(cloud, rsa_key, key_id=add_key(cloud, rsa_key), algorithm=algorithm.lower())
    ask.session.auth = signer

    assert ask.get("/my").status_code == 200


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
@pytest.mark.parametrize("algorithm", ["ecdsa-sha256", "ecdsa-sha512"])
def test_ecdsa_signature_is_accepted(cloud: Emulator, ask: Asker, curve: ec.EllipticCurve, algorithm: str) -> None:
    """Keys on all three curves sign with SHA-256 and SHA-512."""
    key = ec.generate_private_key(curve)
    ask.session.auth = Signer(cloud, key, key_id=add_key(cloud, key), algorithm=algorithm)

    assert ask.get("/my").status_code == 200


@pytest.mark.parametrize("algorithm", ["rsa-sha384", "ecdsa-sha384", "ed25519", "hs2019", "ed448-sha512", "rsa-sha-1"])
def test_unknown_digest_is_refused_by_name(cloud: Emulator, ask: Asker, algorithm: str) -> None:
    """SHA-384 is in CloudAPI's table and refused all the same, as are algorithms without two parts."""
    answer = raw(ask, modern(cloud, algorithm=algorithm))

    assert refusal(answer) == HEADER
    assert answer.json()["message"] == f"{INVALID}{algorithm} is not supported"


@pytest.mark.parametrize("algorithm", ["hmac-sha256", "dsa-sha512", "ed25519-sha256"])
def test_algorithm_outside_the_table_is_refused(cloud: Emulator, ask: Asker, algorithm: str) -> None:
    """What the parser knows but CloudAPI does not list is refused in other words."""
    answer = raw(ask, modern(cloud, algorithm=algorithm))

    assert answer.json()["message"] == f"{INVALID}{algorithm} is not a supported algorithm"


def test_family_must_be_the_keys_own(cloud: Emulator, ask: Asker) -> None:
    """The request's algorithm never chooses how a key is used."""
    assert refusal(raw(ask, modern(cloud, algorithm="ecdsa-sha512"))) == CREDENTIALS


def test_wrong_key_is_refused(cloud: Emulator, ask: Asker) -> None:
    """A signature by somebody else's key is a 401 that does not say what is wrong."""
    ask.session.auth = Signer(cloud, ed25519.Ed25519PrivateKey.generate())

    answer = ask.get("/my")

    assert refusal(answer) == CREDENTIALS
    assert answer.json()["message"] == "Invalid authorization credentials supplied"


@pytest.mark.parametrize("signature", ["AAAA", "not base64!", "A"])
def test_malformed_signature_is_refused(cloud: Emulator, ask: Asker, signature: str) -> None:
    """Bytes that are no signature are a 401, not an error of the emulator's own."""
    assert refusal(raw(ask, modern(cloud, signature=signature))) == CREDENTIALS


@pytest.mark.parametrize(
    "key_id", ["/nobody/keys/x", "/demo/keys/unknown", "/demo/keys/SHA256:abc", "/demo/users/sub/keys/x"]
)
def test_unknown_key_id_is_refused(cloud: Emulator, ask: Asker, key_id: str) -> None:
    """Accounts, keys and sub-users that are not there look alike."""
    assert raw(ask, modern(cloud, keyId=key_id)).json()["message"] == "Invalid authorization credentials supplied"


@pytest.mark.parametrize("key_id", ["demo", "/demo/key/x", "/demo/keys/a/b", "/demo/users/sub/keys/x/y"])
def test_key_id_of_another_shape_is_named(cloud: Emulator, ask: Asker, key_id: str) -> None:
    """A key id that cannot be split is repeated in the answer."""
    answer = raw(ask, modern(cloud, keyId=key_id))

    assert refusal(answer) == CREDENTIALS
    assert answer.json()["message"] == f"Invalid KeyId {key_id} in authorization header"


def test_sub_user_key_id_needs_a_later_version(cloud: Emulator, ask: Asker) -> None:
    """Before 7.2 there were no sub-users, so their key ids have no shape."""
    answer = raw(ask, modern(cloud, keyId="/demo/users/sub/keys/x"), **{"Accept-Version": "~7.1"})

    assert answer.json()["message"].startswith("Invalid KeyId")


def test_key_is_found_by_name(cloud: Emulator, ask: Asker) -> None:
    """A key id may hold the key's name, and an account's id instead of its login."""
    account = cloud.state.accounts["demo"]

    assert raw(ask, modern(cloud, keyId=f"/{account.id}/keys/emulator")).status_code == 200


@pytest.mark.parametrize(("offset", "status"), [(0, 200), (-300, 200), (300, 200), (-301, 400), (301, 400)])
def test_date_may_differ_by_300_seconds(cloud: Emulator, ask: Asker, offset: int, status: int) -> None:
    """A signed date further off than that, in either direction, is a 400."""
    date = formatdate(cloud.clock.time() + offset, usegmt=True)

    answer = ask.get("/my", headers={"Date": date})

    assert answer.status_code == status
    if status == 400:
        expected = {"code": "InvalidHeader", "message": f"{INVALID}clock skew of 301s was greater than 300s"}
        assert answer.json() == expected


def test_fraction_of_a_second_is_told(cloud: Emulator, ask: Asker) -> None:
    """The skew in the message is as exact as this side's clock."""
    date = formatdate(cloud.clock.time(), usegmt=True)
    cloud.clock.sleep(300.25)

    assert "clock skew of 300.25s" in ask.get("/my", headers={"Date": date}).json()["message"]


def test_date_that_is_none_passes(cloud: Emulator, ask: Asker) -> None:
    """What is no date at all is not checked, as JavaScript's comparison with NaN is false."""
    ask.session.auth = Signer(cloud)

    assert ask.get("/my", headers={"Date": "yesterday"}).status_code == 200


def test_old_date_without_signature_expires(ask: Asker) -> None:
    """An old Date is refused on requests that nobody signed, too; a future one is not."""
    old, future = (formatdate(ask.cloud.clock.time() + offset, usegmt=True) for offset in (-301, 301))

    assert refusal(raw(ask, None, "/--ping", Date=old)) == (400, "RequestExpired")
    assert raw(ask, None, "/--ping", Date=future).status_code == 200


def test_x_date_takes_the_place_of_date(cloud: Emulator, ask: Asker) -> None:
    """With an X-Date header it is that one which must be signed."""
    date = formatdate(cloud.clock.time(), usegmt=True)
    signature = sign(private_key(cloud), "ed25519-sha512", f"x-date: {date}")

    assert raw(ask, modern(cloud, signature=signature), **{"X-Date": date}).status_code == 200
    assert raw(ask, modern(cloud, headers="date"), **{"X-Date": date}).json()["message"] == (
        f"{INVALID}x-date was not a signed header"
    )


def change_method(request: requests.PreparedRequest) -> None:
    """Make it a HEAD."""
    request.method = "HEAD"


def change_path(request: requests.PreparedRequest) -> None:
    """Ask for one letter more."""
    request.url = str(request.url).replace("/my/", "/mz/")


def change_query(request: requests.PreparedRequest) -> None:
    """Ask for another page."""
    request.url = str(request.url).replace("limit=5", "limit=6")


def change_host(request: requests.PreparedRequest) -> None:
    """Use another name of the same host."""
    request.headers["Host"] = "localhost"


def change_date(request: requests.PreparedRequest) -> None:
    """Make it a second later."""
    request.headers["Date"] = str(request.headers["Date"]).replace(":00 GMT", ":01 GMT")


@pytest.mark.parametrize("change", [change_method, change_path, change_query, change_host, change_date])
def test_what_is_signed_cannot_be_changed(cloud: Emulator, ask: Asker, change: Any) -> None:
    """One other byte in method, path, query, host or date breaks the signature."""
    signer = Signer(cloud)

    def tampered(request: requests.PreparedRequest) -> requests.PreparedRequest:
        change(signer(request))
        return request

    assert ask.get("/my/machines?limit=5").status_code == 200
    ask.session.auth = tampered
    assert ask.get("/my/machines?limit=5").status_code == 401


def test_body_is_bound_by_its_digest(cloud: Emulator, ask: Asker) -> None:
    """A signed Content-MD5 that does not fit the body is a 400 BadDigest."""
    ask.session.auth = Signer(cloud, names="(request-target) date content-md5")
    headers = {"Content-MD5": base64.b64encode(b"0" * 16).decode()}

    assert refusal(ask.post("/my", {"city": "Bergen"}, headers=headers)) == (400, "BadDigest")


@pytest.mark.parametrize("name", ["(keyid)", "(algorithm)", "(created)", "(expires)", "(opaque)", "request-line"])
def test_pseudo_headers_can_be_signed(cloud: Emulator, ask: Asker, name: str) -> None:
    """All names in brackets, and the old request line, have a place in the signed text."""
    date = formatdate(cloud.clock.time(), usegmt=True)
    now = str(int(cloud.clock.time()))
    line = {
        "(keyid)": f"(keyid): {cloud.key_id}",
        "(algorithm)": "(algorithm): ed25519-sha512",
        "(created)": f"(created): {now}",
        "(expires)": f"(expires): {now}",
        "(opaque)": "(opaque): x",
        "request-line": "GET /my HTTP/1.1",
    }[name]
    signature = sign(private_key(cloud), "ed25519-sha512", f"date: {date}\n{line}")
    header = modern(cloud, headers=f"date {name}", opaque="x", created=now, expires=now, signature=signature)

    assert raw(ask, header).status_code == 200


@pytest.mark.parametrize(
    ("name", "towards", "words"),
    [
        ("created", 1, "Created lies in the future (with skew 301s greater than allowed 300s"),
        ("expires", -1, "Request expired with skew 301s greater than allowed 300s"),
    ],
)
def test_lifetime_may_be_off_by_300_seconds(cloud: Emulator, ask: Asker, name: str, towards: int, words: str) -> None:
    """One second more is refused; the open bracket is the library's own."""
    now = int(cloud.clock.time())
    taken, answer = (raw(ask, modern(cloud, **{name: str(now + towards * skew)})) for skew in (300, 301))

    assert taken.status_code == 200
    assert (refusal(answer), answer.json()["message"]) == (HEADER, INVALID + words)


def test_number_needs_no_quotes(cloud: Emulator, ask: Asker) -> None:
    """Digits may stand bare when a comma follows."""
    header = modern(cloud).replace("Signature ", f"Signature created={int(cloud.clock.time())},")

    assert raw(ask, header).status_code == 200


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"keyId": None}, "keyId was not specified"),
        ({"algorithm": None}, "algorithm was not specified"),
        ({"signature": None}, "signature was not specified"),
        ({"headers": "(request-target)"}, "date was not a signed header"),
        ({"headers": "date x-missing"}, "x-missing was not in the request"),
        ({"headers": "date (opaque)"}, "opaque param was not in the undefined header"),
        ({"created": "99999999999"}, "Created lies in the future"),
        ({"expires": "1"}, "Request expired with skew"),
    ],
)
def test_header_that_lacks_something_is_refused(
    cloud: Emulator, ask: Asker, changed: dict[str, str | None], reason: str
) -> None:
    """The words are those of the library that CloudAPI parses with."""
    answer = raw(ask, modern(cloud, **changed))

    assert refusal(answer) == HEADER
    assert answer.json()["message"].startswith(INVALID + reason)


@pytest.mark.parametrize(
    "header",
    [
        'Signature keyId="a", algorithm="rsa-sha256"',
        "Signature keyId=a",
        'Signature key-id="a"',
        'Signature keyId"a"',
        'Signature keyId="a"algorithm="b"',
        'Signature ="a"',
        "Signature created=12x,",
        "Signature keyId=,",
    ],
)
def test_header_of_a_bad_form_is_refused(ask: Asker, header: str) -> None:
    """A space after a comma is as wrong as anything else."""
    answer = raw(ask, header)

    assert refusal(answer) == HEADER
    assert answer.json()["message"] == f"{INVALID}bad param format"


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ('Signature keyId="open', "keyId was not specified"),
        ("Signature keyId", "keyId was not specified"),
        ("signature keyId", 'scheme was not "Signature"'),
        ("Signature created=12", "keyId was not specified"),
    ],
)
def test_header_that_ends_too_soon_is_refused(ask: Asker, header: str, reason: str) -> None:
    """What is cut off counts as not there."""
    assert raw(ask, header).json()["message"] == INVALID + reason


def test_header_without_a_space_is_refused(ask: Asker) -> None:
    """The words about Basic are CloudAPI's, whatever the scheme."""
    answer = raw(ask, "Signature")

    assert refusal(answer) == HEADER
    assert answer.json()["message"] == "BasicAuth content is invalid."


@pytest.mark.parametrize("header", [None, "Basic ZGVtbzpwYXNz", "Bearer token"])
def test_request_without_a_signature_is_refused(ask: Asker, header: str | None) -> None:
    """Nothing but a signature authenticates, and no challenge is sent."""
    answer = raw(ask, header)

    assert refusal(answer) == CREDENTIALS
    assert answer.json()["message"] == "You must make authenticated requests to use CloudAPI"
    assert "WWW-Authenticate" not in answer.headers


def legacy(cloud: Emulator, key: PrivateKey, text: str, headers: str = "", algorithm: str = "rsa-sha256") -> str:
    """Return a header of the old form, which signs values without names."""
    key_id = add_key(cloud, key) if len(cloud.state.accounts["demo"].keys) == 1 else "/demo/keys/another"
    listed = f',headers="{headers}"' if headers else ""
    return f'Signature keyId="{key_id}",algorithm="{algorithm}"{listed} {sign(key, algorithm, text)}'


def test_legacy_form_is_accepted(cloud: Emulator, ask: Asker, rsa_key: rsa.RSAPrivateKey) -> None:
    """The signature may follow the parameters, over the bare date or over listed values."""
    date = formatdate(cloud.clock.time(), usegmt=True)

    assert raw(ask, legacy(cloud, rsa_key, date)).status_code == 200
    listed = legacy(cloud, rsa_key, f"{date}\nGET /my HTTP/1.1\n{HOST}", "date request-line host")
    assert raw(ask, listed).status_code == 200


def test_legacy_form_knows_no_request_target(cloud: Emulator, ask: Asker, rsa_key: rsa.RSAPrivateKey) -> None:
    """What the old form refuses too is reported in the words of the new one."""
    header = legacy(cloud, rsa_key, "x", "date (request-target)")

    assert raw(ask, header).json()["message"] == f"{INVALID}bad param format"


@pytest.mark.parametrize(("algorithm", "headers"), [("rsa-sha384", ""), ("rsa-sha256", "host")])
def test_legacy_form_has_the_same_limits(
    cloud: Emulator, ask: Asker, rsa_key: rsa.RSAPrivateKey, algorithm: str, headers: str
) -> None:
    """Digest and date are required of the old form as well."""
    assert refusal(raw(ask, legacy(cloud, rsa_key, HOST, headers, algorithm))) == HEADER


def test_legacy_form_signs_no_empty_value(cloud: Emulator, ask: Asker, rsa_key: rsa.RSAPrivateKey) -> None:
    """A header without a value counts as not there."""
    date = formatdate(cloud.clock.time(), usegmt=True)
    header = legacy(cloud, rsa_key, f"{date}\n", "date x-empty")

    assert refusal(raw(ask, header, **{"X-Empty": ""})) == HEADER


def test_legacy_form_is_checked_for_skew(cloud: Emulator, ask: Asker, rsa_key: rsa.RSAPrivateKey) -> None:
    """A stale date in the old form is reported as a bad form."""
    date = formatdate(cloud.clock.time() - 400, usegmt=True)

    assert raw(ask, legacy(cloud, rsa_key, date), Date=date).json()["message"] == f"{INVALID}bad param format"


def test_legacy_form_without_a_signature_is_refused(ask: Asker) -> None:
    """An empty signature is none."""
    assert refusal(raw(ask, 'Signature keyId="a",algorithm="rsa-sha256" ')) == HEADER


def test_legacy_form_with_an_open_quote_is_refused(ask: Asker) -> None:
    """A value that never ends leaves no room for a signature."""
    assert refusal(raw(ask, 'Signature keyId="a" algorithm="b')) == HEADER


def test_token_is_refused(cloud: Emulator, ask: Asker) -> None:
    """No key service has given out tokens here, so none is good."""
    answer = raw(ask, modern(cloud), **{"X-Auth-Token": "{}"})

    assert refusal(answer) == CREDENTIALS
    assert answer.json()["message"] == "The token provided is not authorized for this application"


def test_disabled_account_is_refused(cloud: Emulator, ask: Asker) -> None:
    """A signature that is right does not help an account that is switched off."""
    cloud.state.accounts["demo"].disabled = True

    answer = ask.get("/my")

    assert refusal(answer) == (403, "NotAuthorized")
    assert answer.json()["message"] == "Account or user is disabled"


def test_other_account_is_refused(cloud: Emulator, ask: Asker) -> None:
    """Somebody else's account is a 403, one that nobody has a 404, and one's own goes by three names."""
    other = cloud.state.add_account("other")
    own = cloud.state.accounts["demo"]

    assert refusal(ask.get(f"/{other.id}/machines")) == (403, "NotAuthorized")
    assert ask.get("/nobody/machines").json()["message"] == "nobody does not exist"
    assert [ask.get(f"/{name}").json()["login"] for name in ("my", "demo", own.id)] == ["demo"] * 3


def test_operator_may_act_for_others(cloud: Emulator, ask: Asker) -> None:
    """An operator sees any account."""
    cloud.state.add_account("other")
    cloud.state.accounts["demo"].operator = True

    assert ask.get("/other").json()["login"] == "other"


def presigned(cloud: Emulator, **changed: str | None) -> str:
    """Return the path of a presigned listing, with some of its parameters changed."""
    given: dict[str, str | None] = {
        "algorithm": "ED25519-SHA512",
        "expires": str(int(cloud.clock.time()) + 60),
        "keyId": cloud.key_id,
        "limit": "5",
        "method": "GET,HEAD",
        **changed,
    }
    pairs = {name: value for name, value in given.items() if value is not None}
    query = "&".join(f"{quote(name, safe='')}={quote(pairs[name], safe='')}" for name in sorted(pairs, key=str.lower))
    methods = ",".join(sorted((pairs.get("method") or "GET").split(",")))
    signature = sign(private_key(cloud), "ed25519-sha512", f"{methods}\n{HOST}\n/my/machines\n{query}")
    return f"/my/machines?{query}&signature={quote(signature, safe='')}"


def test_presigned_url_needs_no_header(cloud: Emulator, ask: Asker) -> None:
    """Everything can be in the query; the method in it is optional."""
    ask.session.auth = lambda request: request

    assert ask.get(presigned(cloud)).headers["x-query-limit"] == "5"
    assert ask.get(presigned(cloud, method=None)).status_code == 200
    assert ask("HEAD", presigned(cloud)).status_code == 200


def test_presigned_digest_is_checked_late(cloud: Emulator, ask: Asker) -> None:
    """CloudAPI's table has SHA-384, and only the verification finds that it cannot be."""
    ask.session.auth = lambda request: request

    assert refusal(ask.get(presigned(cloud, algorithm="rsa-sha384"))) == CREDENTIALS


def test_presigned_signature_is_verified(cloud: Emulator, ask: Asker) -> None:
    """A query that was changed afterwards is a 401."""
    ask.session.auth = lambda request: request

    assert refusal(ask.get(presigned(cloud).replace("limit=5", "limit=6"))) == CREDENTIALS


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"keyId": None, "expires": None}, 'parameters "expires, keyId" are required'),
        ({"expires": "soon"}, "expires is invalid"),
        ({"expires": "1"}, "request expired"),
        ({"algorithm": "rsa-md5"}, "RSA-MD5 is not a supported signing algorithm"),
        ({"method": "POST"}, "GET was not a signed method"),
    ],
)
def test_presigned_failure_is_a_bare_500(
    cloud: Emulator, ask: Asker, changed: dict[str, str | None], message: str
) -> None:
    """These are plain errors without a code."""
    ask.session.auth = lambda request: request

    answer = ask.get(presigned(cloud, **changed))

    assert (answer.status_code, answer.json()) == (500, {"message": message})


def test_trace_keeps_no_signature(cloud: Emulator, ask: Asker) -> None:
    """Neither the header nor the parameter that proves who asked is kept."""
    ask.get("/my")
    ask.session.auth = lambda request: request
    ask.get(presigned(cloud))

    assert "authorization" not in cloud.trace[0].headers
    assert cloud.trace[1].path.endswith("&signature=...")
    assert "signature" not in cloud.trace[1].query
