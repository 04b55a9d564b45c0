"""What a request meets before it reaches an operation, as the server's own sources have it.

Each test names the file of the server that it follows: ``sdc-cloudapi`` where nothing else is said, and version 4.3.3 of
``restify``, the framework that it is built on.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from kits.emulator_signer import Asker, refusal
from smartdc.emulator import Emulator
from smartdc.emulator.core.message import Request, merge_headers

pytest_plugins = ("kits.emulator_fixtures",)

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize("path", ["/--ping", "/my", "/my/machines", f"/my/machines/{UNKNOWN}"])
def test_server_header_is_the_servers(ask: Asker, path: str) -> None:
    """lib/app.js names the server ``'cloudapi/' + version()``, and package.json has the version 9.20.0."""
    answer = ask.get(path)

    assert answer.headers["Server"] == "cloudapi/9.20.0"
    assert answer.headers["X-Emulator"] == "smartdc"


def test_early_refusal_tells_an_emulator_too(ask: Asker) -> None:
    """Restify's full_response.js comes after the body; until then there is no ``Server``, but ours is always there."""
    answer = ask.get("/my/nothing/of/the/kind")

    assert answer.status_code == 404
    assert answer.headers["X-Emulator"] == "smartdc"
    assert not answer.headers.get("Server", "").startswith("cloudapi")


# Routes


def test_head_of_one_metadatum_is_not_allowed(ask: Asker) -> None:
    """lib/metadata.js mounts two routes by the name HeadMachineMetadata, and restify's router.js keeps the first."""
    machine = ask.create(**{"metadata.greeting": "hello"})
    answer = ask("HEAD", f"/my/machines/{machine}/metadata/greeting")

    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, DELETE"
    assert ask("HEAD", f"/my/machines/{machine}/metadata").status_code == 200


@pytest.mark.parametrize("path", ["/my/accesskeys", "/my/accesskeys/x", "/my/users/x/accesskeys", "/my/volumes"])
def test_405_names_the_path_known_first(ask: Asker, path: str) -> None:
    """lib/app.js mounts role tags before access keys and volumes; restify's router.js tells of the first that fits."""
    ask.cloud.state.settings.volumes = True
    answer = ask("PATCH", path)

    assert (refusal(answer), answer.headers["Allow"]) == ((405, "MethodNotAllowedError"), "PUT")


def test_405_of_other_paths_names_their_own(ask: Asker) -> None:
    """lib/app.js mounts the account's settings before role tags."""
    assert ask("PATCH", "/my/config").headers["Allow"] == "GET, HEAD, PUT"


def test_404_of_a_path_leaves_out_the_query(ask: Asker) -> None:
    """Restify's router.js puts the path alone in the message."""
    assert ask.get("/my/a/b/c?d=e").json()["message"] == "/my/a/b/c does not exist"


def test_broken_escape_in_a_path(cloud: Emulator) -> None:
    """Restify's router.js answers what decodeURIComponent throws."""
    for path in ("/my/packages/%ZZ", "/my/packages/%E0%A4", "/my/packages/%"):
        answer = cloud.handle(Request("GET", path, {"host": "127.0.0.1"}))
        assert (answer.status, json.loads(answer.body)) == (
            400,
            {"code": "BadRequestError", "message": "URI malformed"},
        )


def test_redirects_have_a_name_of_their_own(ask: Asker) -> None:
    """lib/docs.js sets ``Server`` to ``Cloud API``."""
    for path in ("/", "/docs", "/favicon.ico"):
        assert ask.get(path).headers["Server"] == "Cloud API"


def test_ping_lists_versions_in_their_order(ask: Asker) -> None:
    """lib/app.js hands its list of versions to restify, whose router.js sorts it in place."""
    versions = ["7.0.0", "7.1.0", "7.2.0", "7.3.0", "8.0.0", "9.0.0"]
    assert ask.get("/--ping").json() == {"ping": "pong", "cloudapi": {"versions": versions}}


# Headers


def test_empty_accept_takes_anything(ask: Asker) -> None:
    """Restify's request.js reads ``h.accept || '*/*'``."""
    answer = ask.get("/my", headers={"Accept": ""})

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")


def test_406_lists_what_the_server_writes(ask: Asker) -> None:
    """Restify's formatters, in the order of their quality, are in the message of accept.js."""
    answer = ask.get("/my", headers={"Accept": "image/png"})
    kinds = "application/json,text/plain,application/octet-stream,application/javascript"

    assert (answer.status_code, answer.json()["message"]) == (406, f"Server accepts: {kinds}")


def test_first_authorization_counts() -> None:
    """Node's http drops all Authorization headers but the first."""
    assert merge_headers([("Authorization", "a"), ("authorization", "b"), ("Via", "c"), ("via", "d")]) == {
        "authorization": "a",
        "via": "c, d",
    }


@pytest.mark.parametrize("path", ["/my/accesskeys", "/my/users/robot/accesskeys", "/my/keys"])
def test_body_of_another_type_is_refused(ask: Asker, path: str) -> None:
    """lib/endpoints/accesskeys.js and lib/keys.js list four media types."""
    ask.cloud.state.add_user("robot")
    answer = ask("POST", path, data="<key/>", headers={"Content-Type": "text/xml"})

    assert refusal(answer) == (415, "UnsupportedMediaTypeError")


# Bodies


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"a":}', "Unexpected token } in JSON at position 5"),
        ('{"a" 1}', "Unexpected number in JSON at position 5"),
        ('{"a":1 "b":2}', "Unexpected string in JSON at position 7"),
        ('{"a":1,}', "Unexpected token } in JSON at position 7"),
        ("[1,2", "Unexpected end of JSON input"),
        ('{"a":"b', "Unexpected end of JSON input"),
        ('{"a":"b\n"}', "Unexpected token \n in JSON at position 7"),
        ('{"a":"\\x"}', "Unexpected token x in JSON at position 7"),
        ("nope", "Unexpected token o in JSON at position 1"),
        ("NaN", "Unexpected token N in JSON at position 0"),
        ("-Infinity", "Unexpected token I in JSON at position 1"),
        ("01", "Unexpected number in JSON at position 1"),
        ("1.x", "Unexpected token x in JSON at position 2"),
        ("{} x", "Unexpected token x in JSON at position 3"),
        ("{a:1}", "Unexpected token a in JSON at position 1"),
    ],
)
def test_broken_json_is_told_in_v8s_words(inside: Asker, body: str, message: str) -> None:
    """Restify's json_body_parser.js passes on the error of JSON.parse; the Makefile has Node 6.17."""
    answer = inside("POST", "/my", data=body, headers={"Content-Type": "application/json"})

    assert refusal(answer) == (400, "InvalidContent")
    assert answer.json()["message"] == f"Invalid JSON: {message}"


@pytest.mark.parametrize(("body", "account"), [("null", "demo"), ("0", "demo"), ('[{"a": 1}]', ""), ('"text"', "")])
def test_json_that_is_no_object(inside: Asker, body: str, account: str) -> None:
    """Restify's json_body_parser.js puts it in the place of all parameters, the path's too, unless it is false.

    Then lib/auth.js looks for an account called undefined.
    """
    answer = inside("POST", "/my", data=body, headers={"Content-Type": "application/json"})

    if account:
        assert (answer.status_code, answer.json()["login"]) == (200, account)
    else:
        assert (answer.status_code, answer.json()["message"]) == (404, "undefined does not exist")


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        ("multipart/form-data", "--x\r\n", "bad content-type header, no multipart boundary"),
        (
            "multipart/form-data; boundary=x",
            "hello",
            "MultipartParser.end(): stream ended unexpectedly: state = START_BOUNDARY",
        ),
        (
            "multipart/form-data; boundary=x",
            '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1',
            "MultipartParser.end(): stream ended unexpectedly: state = PART_DATA",
        ),
    ],
)
def test_broken_multipart(inside: Asker, kind: str, body: str, message: str) -> None:
    """Restify's multipart_body_parser.js passes on the error of formidable."""
    answer = inside("POST", "/my", data=body, headers={"Content-Type": kind})

    assert (refusal(answer), answer.json()["message"]) == ((400, "BadRequestError"), message)


# Values that are of another type than they should be


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (["reboot", True], "reboot,true is not a valid action"),
        ({"a": 1}, "[object Object] is not a valid action"),
        ([], " is not a valid action"),
        (1.0, "1 is not a valid action"),
    ],
)
def test_values_within_messages(inside: Asker, action: Any, message: str) -> None:
    """lib/machines.js has ``'%s is not a valid action'``, and util.format turns what it gets into a text."""
    machine = inside.create()
    answer = inside.post(f"/my/machines/{machine}", {"action": action})

    assert (refusal(answer), answer.json()["message"]) == ((409, "InvalidArgument"), message)


@pytest.mark.parametrize(
    ("given", "status", "message"),
    [
        ({"networks": [{"ipv4_uuid": {}}]}, 409, "ipv4_uuid must be a string"),
        ({"brand": 5}, 500, "brandName (string) is required"),
        (
            {"affinity": [], "locality": {"near": []}},
            409,
            'cannot specify both "locality" (deprecated) and "affinity"',
        ),
        (
            {"affinity": ["a b==c"]},
            409,
            r'invalid key in affinity rule: "a b==c": "a b" does not match /^[a-z_][a-z0-9\-_.]+$/i',
        ),
    ],
)
def test_odd_values_of_a_create(inside: Asker, given: dict[str, Any], status: int, message: str) -> None:
    """lib/validation/networks.js, lib/machines.js (getBrand, getCreateOptions) and lib/triton-affinity.js."""
    image = inside.cloud.state.image_named("base-64-lts")
    assert image
    answer = inside.post("/my/machines", {"image": image.id, "package": "g1-small", **given})

    assert (answer.status_code, answer.json()["message"]) == (status, message)
