"""`smartdc.auth.signing` by itself: what is signed, how it is written, and that CloudAPI's own verifier accepts it.

Keys come from files here; `test_private_key.py` and `test_agent.py` try every kind of key.
"""

from __future__ import annotations

import base64
import copy
import logging
import pickle
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, Self

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from kits.signing import KEY_ID, prepared
from smartdc.auth import ssh_key
from smartdc.auth.private_key import load_private_key
from smartdc.auth.signing import HTTPSignatureAuth, host_of, signing_string
from smartdc.auth.ssh_key import is_fingerprint, matches, public_blob_of
from smartdc.emulator import Emulator, EmulatorAdapter, WallClock
from smartdc.errors import ConfigError, InputError, KeyFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kits.signing import KeyFile, KeyShelf, Verifier
    from smartdc.auth.private_key import PrivateKey

pytest_plugins = ("kits.signing_fixtures",)

OLD = tuple(map(int, requests.__version__.split(".")[:2])) < (2, 34)

# The key of RFC 8032, section 7.1, test 1; the signature below was made with openssl pkeyutl -sign -rawin.
RFC8032_SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
RFC8032_PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
FIXED_DATE = "Tue, 06 Jan 2015 10:20:30 GMT"


class CountingSigner:
    """A signer that needs no key: it tells what it was asked."""

    algorithm = "rsa-sha256"
    public_blob = b""

    def __init__(self, signature: bytes = b"signature") -> None:
        self.asked: list[bytes] = []
        self.signature = signature

    def sign(self, data: bytes, /) -> bytes:
        """Keep `data`."""
        self.asked.append(data)
        return self.signature


@pytest.fixture
def signer() -> CountingSigner:
    """A signer without a key."""
    return CountingSigner()


@pytest.fixture
def key_file(key_of: KeyShelf) -> KeyFile:
    """An Ed25519 key."""
    return key_of("ed25519")


@pytest.fixture
def key(key_file: KeyFile) -> PrivateKey:
    """The same key, loaded."""
    return load_private_key(key_file.path)


@pytest.fixture
def auth(key: PrivateKey) -> HTTPSignatureAuth:
    """What signs with that key."""
    return HTTPSignatureAuth(KEY_ID, key)


# What is signed.


def test_the_signing_string_has_a_line_for_each_name() -> None:
    """Lines follow the order of the names, joined by newlines, with none at the end."""
    headers = {"host": "cloudapi.example", "date": FIXED_DATE}

    text = signing_string(("(request-target)", "host", "date"), "POST", "/my/machines?a=1", headers)

    assert text == f"(request-target): post /my/machines?a=1\nhost: cloudapi.example\ndate: {FIXED_DATE}"


def test_a_header_to_be_signed_must_be_there() -> None:
    """A missing header is refused by name instead of being signed as nothing."""
    with pytest.raises(InputError, match="header host is to be signed"):
        signing_string(("host",), "GET", "/", {})


@pytest.mark.parametrize("value", ["a\nb", "a\r\nb", b"a\rb"])
def test_line_breaks_in_a_signed_header_are_refused(value: str | bytes) -> None:
    """One value cannot pose as two lines of the signing string."""
    with pytest.raises(InputError, match="line break"):
        signing_string(("host",), "GET", "/", {"host": value})


def test_a_line_break_in_the_target_is_refused() -> None:
    """The target cannot pose as two lines either."""
    with pytest.raises(InputError, match=r"\(request-target\) contains a line break"):
        signing_string(("(request-target)",), "GET", "/\ndate: x", {})


def test_host_and_date_are_added_when_missing(signer: CountingSigner) -> None:
    """A plain request gets the headers that are signed."""
    request = prepared(HTTPSignatureAuth(KEY_ID, signer), url="http://cloudapi.example:8080/my")

    assert request.headers["Host"] == "cloudapi.example:8080"
    assert signer.asked == [
        b"(request-target): get /my\nhost: cloudapi.example:8080\ndate: " + request.headers["Date"].encode()
    ]


def test_the_date_of_the_request_is_signed(signer: CountingSigner) -> None:
    """Whoever builds the request decides about its date."""
    prepared(HTTPSignatureAuth(KEY_ID, signer), headers={"Date": FIXED_DATE})

    assert signer.asked[0].endswith(f"date: {FIXED_DATE}".encode())


def test_the_host_of_the_request_is_signed(signer: CountingSigner) -> None:
    """A Host header that was set by hand is what will be sent, hence what is signed."""
    prepared(HTTPSignatureAuth(KEY_ID, signer), headers={"Host": "other.example"})

    assert b"\nhost: other.example\n" in signer.asked[0]


def test_the_md5_of_a_body_is_signed(signer: CountingSigner) -> None:
    """A request with Content-MD5 has it covered, after what is always covered."""
    request = prepared(HTTPSignatureAuth(KEY_ID, signer), "POST", headers={"Content-MD5": "abc=="})

    assert signer.asked[0].endswith(b"\ncontent-md5: abc==")
    assert 'headers="(request-target) host date content-md5"' in request.headers["Authorization"]


def test_bytes_as_a_header_are_signed_as_sent(signer: CountingSigner) -> None:
    """`requests` lets a header be bytes; it is signed as the text that the server reads."""
    prepared(HTTPSignatureAuth(KEY_ID, signer), headers={"Content-MD5": b"abc=="})

    assert signer.asked[0].endswith(b"\ncontent-md5: abc==")


def test_what_is_covered_already_is_not_covered_twice(signer: CountingSigner) -> None:
    """Naming content-md5 oneself does not repeat it."""
    auth = HTTPSignatureAuth(KEY_ID, signer, headers=("date", "Content-MD5"))

    request = prepared(auth, headers={"Content-MD5": "abc=="})

    assert 'headers="date content-md5"' in request.headers["Authorization"]


def test_the_host_can_be_left_out(signer: CountingSigner) -> None:
    """Behind a proxy that rewrites Host, target and date are signed, and Host is left alone."""
    request = prepared(HTTPSignatureAuth(KEY_ID, signer, host_covered=False))

    assert 'headers="(request-target) date"' in request.headers["Authorization"]
    assert "Host" not in request.headers


@pytest.mark.parametrize("names", [("host",), ("date", "date"), ("date", "a b"), ("date", "(created)"), ()])
def test_names_that_cloudapi_would_not_take_are_refused(names: tuple[str, ...], signer: CountingSigner) -> None:
    """The date must be signed, and a name must be one, and only once."""
    with pytest.raises(ConfigError):
        HTTPSignatureAuth(KEY_ID, signer, headers=names)


def test_the_authorization_header_cannot_be_signed(signer: CountingSigner) -> None:
    """A signature cannot cover itself."""
    with pytest.raises(ConfigError, match="'authorization' cannot be signed"):
        HTTPSignatureAuth(KEY_ID, signer, headers=("date", "Authorization"))


# How it is written.


def test_a_fixed_request_has_a_fixed_header() -> None:
    """Key, date and target given, every byte of the header is given."""
    key = load_private_key(_pkcs8_of(RFC8032_SEED))
    auth = HTTPSignatureAuth(KEY_ID, key)

    request = prepared(auth, url="https://cloudapi.example/my", headers={"Date": FIXED_DATE})

    assert key.public_blob.endswith(RFC8032_PUBLIC)
    assert request.headers["Authorization"] == (
        'Signature keyId="/demo/keys/laptop",algorithm="ed25519-sha512",headers="(request-target) host date",'
        'signature="Q4o27ok8Qx/yefO6yqqllmAMAWzt/SXgaigJC8LJa52nGi/LBdQMNdnbryzXCstt42QiB53RdPGnrN3T/IGYDg=="'
    )


def _pkcs8_of(seed: bytes) -> str:
    der = bytes.fromhex("302e020100300506032b657004220420") + seed
    return f"-----BEGIN PRIVATE KEY-----\n{base64.b64encode(der).decode()}\n-----END PRIVATE KEY-----\n"


def test_a_second_attempt_replaces_the_first_signature(signer: CountingSigner) -> None:
    """Signing again with another date leaves one Authorization header, the new one."""
    auth = HTTPSignatureAuth(KEY_ID, signer)
    request = prepared(auth, headers={"Date": FIXED_DATE})
    signer.signature = b"another"
    request.headers["Date"] = formatdate(usegmt=True)

    auth(request)

    assert base64.b64encode(b"another").decode() in request.headers["Authorization"]


def test_a_failed_signature_leaves_no_old_one(signer: CountingSigner) -> None:
    """When signing again fails, the request does not go out under its old signature."""
    auth = HTTPSignatureAuth(KEY_ID, signer)
    request = prepared(auth)
    del request.headers["Host"]
    request.headers["Date"] = "a\nb"

    with pytest.raises(InputError):
        auth(request)

    assert "Authorization" not in request.headers


@pytest.mark.parametrize("key_id", ["", 'a"b', "a\r\nb", "a\0b", "a\\b", "ключ", "a\x7fb"])
def test_a_key_id_that_breaks_the_header_is_refused(key_id: str, signer: CountingSigner) -> None:
    """What would end the quoted value, or the header, or cannot be sent, is refused."""
    with pytest.raises(ConfigError, match="key id"):
        HTTPSignatureAuth(key_id, signer)


@pytest.mark.parametrize("algorithm", ["ecdsa-sha384", "rsa-sha1", "hmac-sha256", "", "ed25519"])
def test_an_algorithm_that_cloudapi_refuses_is_not_used(algorithm: str, signer: CountingSigner) -> None:
    """An unknown algorithm ends in a refusal before anything is signed."""
    signer.algorithm = algorithm

    with pytest.raises(KeyFileError, match="does not verify"):
        prepared(HTTPSignatureAuth(KEY_ID, signer))

    assert signer.asked == []


def test_an_empty_signature_is_refused() -> None:
    """A signer that gives nothing is an error, not a request that will be refused."""
    with pytest.raises(KeyFileError, match="empty rsa-sha256 signature"):
        prepared(HTTPSignatureAuth(KEY_ID, CountingSigner(b"")))


# One signature for repeated requests.


def test_the_same_request_in_the_same_second_is_signed_once(signer: CountingSigner) -> None:
    """Polling asks for the same signature again, and gets it without the key."""
    auth = HTTPSignatureAuth(KEY_ID, signer)

    first, second = (prepared(auth, headers={"Date": FIXED_DATE}) for _ in range(2))

    assert first.headers["Authorization"] == second.headers["Authorization"]
    assert len(signer.asked) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"method": "DELETE"},
        {"url": "https://cloudapi.example/my/machines?limit=11"},
        {"url": "https://cloudapi2.example/my/machines?limit=10"},
        {"headers": {"Date": "Tue, 06 Jan 2015 10:20:31 GMT"}},
        {"headers": {"Date": FIXED_DATE, "Content-MD5": "x"}},
    ],
    ids=["method", "query", "host", "date", "body"],
)
def test_another_request_has_another_signature(change: dict[str, Any], signer: CountingSigner) -> None:
    """Whatever is signed and differs is signed anew."""
    auth = HTTPSignatureAuth(KEY_ID, signer)
    prepared(auth, headers={"Date": FIXED_DATE})

    prepared(auth, **{"headers": {"Date": FIXED_DATE}, **change})

    assert len(signer.asked) == 2


def test_threads_never_get_the_signature_of_another_request(key_file: KeyFile, verifier: Verifier) -> None:
    """With one auth in many threads, each request carries its own signature."""
    auth = HTTPSignatureAuth(KEY_ID, load_private_key(key_file.path))
    urls = [f"https://cloudapi.example/my/machines/{i % 7}" for i in range(400)]

    with ThreadPoolExecutor(8) as pool:
        requests_ = list(pool.map(lambda url: prepared(auth, url=url), urls))

    assert all(verifier.verdict_on(request, key_file.public_line)["ok"] for request in requests_)


# Without the rest of the library.


@pytest.mark.parametrize("form", ["path", "text", "signer"])
def test_auth_of_requests_alone(tmp_path: Path, form: str) -> None:
    """With a key id and a secret it signs for anybody who uses `requests`, and CloudAPI accepts that."""
    cloud, path = Emulator(clock=WallClock()), tmp_path / "id_rsa"
    path.touch(0o600)
    path.write_text(str(cloud.private_key))
    secret: Any = {"path": str(path), "text": str(cloud.private_key), "signer": load_private_key(path)}[form]
    auth = HTTPSignatureAuth(key_id=cloud.key_id, secret=secret)
    with requests.Session() as session:
        session.mount("http://", EmulatorAdapter(cloud))
        assert session.get("http://cloudapi.emulator/my/keys", auth=auth).status_code == 200
        assert session.get("http://cloudapi.emulator/my/keys").status_code == 401


def test_auth_of_an_encrypted_key(key_of: KeyShelf) -> None:
    """A passphrase decrypts the key that is given."""
    locked_file = key_of("ed25519", encrypted=True)
    auth = HTTPSignatureAuth(KEY_ID, secret=locked_file.path, passphrase=locked_file.passphrase)
    assert "Signature keyId=" in prepared(auth).headers["Authorization"]


def test_auth_needs_a_key() -> None:
    """Without a signer and a secret there is nothing to sign with."""
    with pytest.raises(ConfigError, match="no key to sign with: give secret="):
        HTTPSignatureAuth(KEY_ID)


# The verifier that CloudAPI itself uses.


def test_cloudapis_verifier_accepts_the_signature(
    auth: HTTPSignatureAuth, key_file: KeyFile, verifier: Verifier
) -> None:
    """The header is read, and the signature verified, by the package that CloudAPI uses."""
    verdict = verifier.verdict_on(prepared(auth), key_file.public_line)

    assert verdict == {
        "ok": True,
        "keyId": KEY_ID,
        "algorithm": "ed25519-sha512",
        "headers": ["(request-target)", "host", "date"],
    }


@pytest.mark.parametrize(
    "url",
    [
        "https://cloudapi.example",
        "https://cloudapi.example/my/machines/a%2Fb%20c?tag.x=%C3%A9&name=a+b&empty=",
        "https://cloudapi.example/my/ü?q=ü~'()*!",
        "http://cloudapi.example:8080/my/x;y=z@:$?&&a=b#fragment",
        "https://[2001:db8::1]:8443/my?x=1",
    ],
)
def test_cloudapis_verifier_accepts_odd_urls(
    url: str, auth: HTTPSignatureAuth, key_file: KeyFile, verifier: Verifier
) -> None:
    """The target is signed as it is sent, whatever is in it."""
    assert verifier.verdict_on(prepared(auth, url=url), key_file.public_line)["ok"]


def test_cloudapis_verifier_accepts_a_request_with_x_date(
    auth: HTTPSignatureAuth, key_file: KeyFile, verifier: Verifier
) -> None:
    """An X-Date header, which CloudAPI believes before Date and wants signed, is signed."""
    request = prepared(auth, headers={"X-Date": formatdate(usegmt=True)})

    assert verifier.verdict_on(request, key_file.public_line)["ok"]


def test_cloudapis_verifier_accepts_a_signature_without_host(
    key: PrivateKey, key_file: KeyFile, verifier: Verifier
) -> None:
    """The form for proxies that rewrite the host is accepted, whatever the host is then."""
    request = prepared(HTTPSignatureAuth(KEY_ID, key, host_covered=False))
    request.headers["Host"] = "inner.example"

    assert verifier.verdict_on(request, key_file.public_line)["ok"]


@pytest.mark.parametrize(
    ("part", "place"),
    [("method", 1), ("target", 5), ("target", -1), ("host", 0), ("date", -5), ("content-md5", 0)],
    ids=["method", "path", "query", "host", "date", "body"],
)
def test_one_changed_byte_voids_the_signature(
    part: str, place: int, auth: HTTPSignatureAuth, key_file: KeyFile, verifier: Verifier
) -> None:
    """Method, path, query, host, date and body are bound: none can be changed by a byte."""
    request = prepared(auth, "POST", headers={"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="})
    sent = {"method": "POST", "target": request.path_url, **{k.lower(): v for k, v in request.headers.items()}}
    assert _verified(verifier, sent, key_file)["ok"]

    text = bytearray(sent[part].encode())
    text[place] ^= 1
    sent[part] = text.decode()

    verdict = _verified(verifier, sent, key_file)
    assert (verdict["ok"], verdict.get("error")) == (False, None)


def _verified(verifier: Verifier, sent: dict[str, str], key_file: KeyFile) -> dict[str, Any]:
    headers = {k: v for k, v in sent.items() if k not in {"method", "target"}}
    return verifier.verdict(sent["method"], sent["target"], headers, key_file.public_line)


def test_the_judge_refuses_what_is_avoided(auth: HTTPSignatureAuth, key_file: KeyFile, verifier: Verifier) -> None:
    """Spaces after the commas and SHA-384 are refused by the verifier, which is why neither is written."""
    header = prepared(auth).headers["Authorization"]
    spaced = prepared(headers={"Date": formatdate(usegmt=True), "Authorization": header.replace('",', '", ')})
    sha384 = prepared(headers={"Date": formatdate(usegmt=True), "Authorization": header.replace("512", "384")})

    assert "bad param format" in verifier.verdict_on(spaced, key_file.public_line)["error"]
    assert "sha384 is not supported" in verifier.verdict_on(sha384, key_file.public_line)["error"]


# What is signed is what goes over the wire.


class Wire:
    """A server that keeps the heads of requests as they came, and answers with an empty 200."""

    def __init__(self, family: socket.AddressFamily, address: str) -> None:
        self.heads: list[bytes] = []
        self._listener = socket.create_server((address, 0), family=family)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with peer, peer.makefile("rb") as lines:
                self.heads.append(b"".join(iter(lines.readline, b"\r\n")))
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A server on 127.0.0.1."""
    with Wire(socket.AF_INET, "127.0.0.1") as wire:
        yield wire


@pytest.fixture
def wire6() -> Iterator[Wire]:
    """A server on ::1."""
    try:
        server = Wire(socket.AF_INET6, "::1")
    except OSError as error:
        pytest.skip(f"no IPv6 on the loopback interface: {error}")
    with server:
        yield server


def _verified_as_received(verifier: Verifier, head: bytes, key_file: KeyFile) -> dict[str, Any]:
    first, *rest = head.decode("latin-1").removesuffix("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in rest)}
    return verifier.verdict(method, target, headers, key_file.public_line)


@pytest.mark.parametrize(
    "target",
    [
        "",
        "/my/a%2fb?x=%c3%a9&y=a+b",
        "/my/ü/'()*!~;=@:$?q=[]|^`{}\"<>",
        pytest.param("//my//x", marks=pytest.mark.skipif(OLD, reason="requests before 2.34 sends one slash here")),
        "/my?",
        "/my#fragment",
    ],
)
def test_the_bytes_signed_are_the_bytes_received(
    target: str, wire: Wire, auth: HTTPSignatureAuth, key_file: KeyFile, verifier: Verifier
) -> None:
    """A server that goes by the request line and the headers it got verifies the signature."""
    with requests.Session() as session:
        session.trust_env = False
        session.post(f"http://127.0.0.1:{wire.port}{target}", auth=auth, headers={"Content-MD5": "x"}, timeout=5)

    assert _verified_as_received(verifier, wire.heads[0], key_file)["ok"]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.text("%2fFzZ/?&=#ab", max_size=20))
def test_whatever_requests_prepares_can_be_signed(wild: str, percents: str) -> None:
    """What `requests` makes of any path is in the form in which it is sent."""
    auth = HTTPSignatureAuth(KEY_ID, CountingSigner())
    try:
        request = requests.Request("GET", f"https://cloudapi.example/{wild}{percents}").prepare()
    except requests.RequestException:
        return

    assert "Authorization" in auth(request).headers


@pytest.mark.parametrize("target", ["/my/a%2fb", "/my/a b", "/my/%zz", "/my/ü", "/my?q=[hush]", "/my%"])
def test_a_target_that_would_be_changed_is_refused(target: str, auth: HTTPSignatureAuth) -> None:
    """A request that was built by hand and would be sent in other bytes than were signed is refused."""
    request = prepared()
    request.url = f"https://cloudapi.example{target}"

    with pytest.raises(InputError, match="would be rewritten after signing") as caught:
        auth(request)

    assert "hush" not in str(caught.value)


def test_an_ipv6_host_is_signed_as_received(
    wire6: Wire, auth: HTTPSignatureAuth, key_file: KeyFile, verifier: Verifier
) -> None:
    """An address in brackets is signed as the server gets it."""
    with requests.Session() as session:
        session.trust_env = False
        session.get(f"http://[::1]:{wire6.port}/my", auth=auth, timeout=5)

    assert f"Host: [::1]:{wire6.port}\r\n".encode() in wire6.heads[0]
    assert _verified_as_received(verifier, wire6.heads[0], key_file)["ok"]


def test_the_host_is_the_one_that_http_client_sends(wire: Wire) -> None:
    """The standard library writes the same Host header for the same address."""
    connection = HTTPConnection("127.0.0.1", wire.port, timeout=5)
    connection.request("GET", "/")
    connection.getresponse().read()
    connection.close()

    assert f"Host: {host_of(f'http://127.0.0.1:{wire.port}/')}\r\n".encode() in wire.heads[0]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://cloudapi.example", "cloudapi.example"),
        ("https://cloudapi.example:443/my", "cloudapi.example"),
        ("http://cloudapi.example:80/my", "cloudapi.example"),
        ("http://cloudapi.example:443/my", "cloudapi.example:443"),
        ("https://CloudAPI.Example:8443/my", "cloudapi.example:8443"),
        ("https://user:password@cloudapi.example/my", "cloudapi.example"),
        ("https://cloudapi.example./my", "cloudapi.example"),
        ("https://[2001:db8::1]/my", "[2001:db8::1]"),
        ("https://[2001:db8::1]:8443/my", "[2001:db8::1]:8443"),
        ("https://[fe80::1%25eth0]:8443/my", "[fe80::1]:8443"),
    ],
)
def test_the_host_of_a_url(url: str, host: str) -> None:
    """A port is named unless it is the scheme's own; IPv6 has brackets and no zone; credentials stay out."""
    assert host_of(url) == host


# Nothing leaks.


def test_the_log_shows_each_stage_and_no_secret(
    auth: HTTPSignatureAuth, key: PrivateKey, caplog: pytest.LogCaptureFixture
) -> None:
    """At DEBUG the covered parts, host, date, key id and algorithm are told; no signature, no values of a query."""
    with caplog.at_level(logging.DEBUG, "smartdc.auth.signing"):
        request = prepared(auth, url="https://cloudapi.example/my/machines?password=hush&tag.a=b")
        auth(request)

    signature = request.headers["Authorization"].split('"')[-2]
    assert [record.name for record in caplog.records] == ["smartdc.auth.signing"] * 6
    assert "signing GET /my/machines?password=…&tag.a=…, covering (request-target) host date" in caplog.text
    assert f"host cloudapi.example, date {request.headers['Date']}" in caplog.text
    assert f"signed as {KEY_ID} with ed25519-sha512, 64 bytes" in caplog.text
    assert "used again" in caplog.text
    for secret in (signature, "hush", base64.b64encode(key.public_blob).decode()):
        assert secret not in caplog.text


def test_repr_shows_key_id_and_algorithm(auth: HTTPSignatureAuth) -> None:
    """An auth that was used names its key and algorithm, and nothing else."""
    prepared(auth)

    assert repr(auth) == "HTTPSignatureAuth(key_id='/demo/keys/laptop', algorithm='ed25519-sha512')"


def test_the_signer_is_not_asked_before_the_first_request() -> None:
    """Making and showing an auth does not load a key, which might ask for a passphrase."""

    class LockedSigner:
        @property
        def algorithm(self) -> str:
            raise AssertionError

        public_blob = algorithm
        sign = None

    auth = HTTPSignatureAuth(KEY_ID, LockedSigner())  # type: ignore[arg-type]

    assert repr(auth) == "HTTPSignatureAuth(key_id='/demo/keys/laptop', algorithm=None)"


@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
def test_an_auth_is_not_duplicated(duplicate: Callable[[object], object], auth: HTTPSignatureAuth) -> None:
    """Pickling and copying are refused with words that say what to do."""
    with pytest.raises(TypeError, match="holds a key and cannot be pickled or copied; make another"):
        duplicate(auth)


def test_importing_it_does_not_import_cryptography() -> None:
    """Whoever only needs the scheme does not pay for `cryptography`."""
    code = "import sys, smartdc.auth.signing; print('cryptography' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


# Fingerprints and public keys.


@pytest.mark.parametrize("kind", ["rsa-2048", "ecdsa-521", "ed25519"])
def test_fingerprints_are_those_of_ssh_keygen(kind: str, key_of: KeyShelf) -> None:
    """Both forms agree with what ssh-keygen -l prints."""
    file = key_of(kind)
    blob = public_blob_of(file.public_line)

    assert "MD5:" + ssh_key.md5_fingerprint(blob) == file.fingerprint("md5")
    assert ssh_key.sha256_fingerprint(blob) == file.fingerprint("sha256")


def test_a_key_matches_all_forms_of_its_fingerprint(key_file: KeyFile, key: PrivateKey) -> None:
    """MD5 with and without prefix, in either case, and SHA256 with and without padding, are the same key's."""
    md5, sha256 = key_file.fingerprint("md5"), key_file.fingerprint("sha256")
    forms = [md5, md5.removeprefix("MD5:"), md5.removeprefix("MD5:").upper(), sha256, sha256 + "="]

    assert all(is_fingerprint(form) and matches(key.public_blob, form) for form in forms)


def test_another_key_does_not_match(key_file: KeyFile, key_of: KeyShelf) -> None:
    """A fingerprint is of one key."""
    blob = public_blob_of(key_of("ecdsa-256").public_line)

    assert not matches(blob, key_file.fingerprint("md5"))
    assert not matches(blob, key_file.fingerprint("sha256"))


@pytest.mark.parametrize("text", ["", "laptop", "MD5:laptop", "SHA256:abc", "aa:bb", "/demo/keys/laptop", "0" * 32])
def test_other_text_is_no_fingerprint(text: str) -> None:
    """A name or a piece of a fingerprint is not taken for one, and no key matches it."""
    assert not is_fingerprint(text)
    assert not matches(b"blob", text)


def test_a_public_line_needs_no_comment(key_file: KeyFile) -> None:
    """Type and key are enough; blanks around them do no harm."""
    line = " ".join(key_file.public_line.split()[:2])

    assert public_blob_of(f"  {line}\n") == public_blob_of(key_file.public_line)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "laptop",
        "ssh-ed25519",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI",
        "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAA",
        "ssh-rsa AAAA",
        "ssh-rsa AAAA\nssh-rsa AAAA",
    ],
)
def test_what_is_no_public_key_is_refused(text: str) -> None:
    """Words, torn lines, several lines and keys of another type than they say are refused."""
    with pytest.raises(KeyFileError, match="public key"):
        public_blob_of(text)


def test_a_private_key_in_place_of_a_public_one_is_not_quoted(key_file: KeyFile) -> None:
    """The mistake is named, and the key is not."""
    text = key_file.path.read_text()

    with pytest.raises(KeyFileError, match="private one, which must not be shared") as caught:
        public_blob_of(text)

    assert text.split("\n")[1] not in str(caught.value)


@pytest.mark.parametrize(
    ("key_type", "why"),
    [
        ("ssh-rsa-cert-v01@openssh.com", "certificate"),
        ("sk-ssh-ed25519@openssh.com", "hardware token"),
        ("ssh-dss", "DSA keys are too weak"),
        ("ssh-xmss@openssh.com", "keys of type 'ssh-xmss@openssh.com'"),
    ],
)
def test_key_types_without_an_algorithm_are_refused(key_type: str, why: str) -> None:
    """Each kind of key that cannot be used is refused with the reason."""
    with pytest.raises(KeyFileError, match=why):
        ssh_key.algorithm_of(len(key_type).to_bytes(4, "big") + key_type.encode())


@pytest.mark.parametrize("blob", [b"", b"\0\0\0\7ssh", b"\0\0\0\1\xff"])
def test_a_torn_public_key_has_no_type(blob: bytes) -> None:
    """What does not even name its type is refused like an unknown type."""
    with pytest.raises(KeyFileError, match=r"keys of type '\?'"):
        ssh_key.algorithm_of(blob)


@given(st.lists(st.binary(max_size=300)), st.binary(max_size=3))
def test_strings_of_the_wire_format_read_back(strings: list[bytes], torn: bytes) -> None:
    """Strings that were written one after another are read one after another, and a torn one is refused."""
    data = b"".join(len(s).to_bytes(4, "big") + s for s in strings) + torn
    place = 0
    for string in strings:
        found, place = ssh_key.read_string(data, place)
        assert found == string

    with pytest.raises(ValueError, match="cut off"):
        ssh_key.read_string(data, place)
