"""Paths, queries, headers and bodies are written in one way, or refused before a byte is sent."""

from __future__ import annotations

import json
import string
from collections import UserDict
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given as having
from hypothesis import settings
from hypothesis import strategies as st

from smartdc.errors import InputError
from smartdc.http import request as wire

ODD = ["", ".", "..", "a\0b", "a\r\nb", "\x7f", "\ud800"]
"""What cannot be a segment: another resource's address, control characters, half a character."""

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(lambda text: text not in {".", ".."})


# Paths


def test_segments_are_quoted_each_for_itself() -> None:
    """A slash within a name is no border between names."""
    assert wire.segments("machines", "a/b", "tags", "x y?#%", 5) == "/machines/a%2Fb/tags/x%20y%3F%23%25/5"
    assert wire.segments() == ""
    assert wire.segments("ü", "...") == "/%C3%BC/..."


@pytest.mark.parametrize("name", ODD)
def test_segments_that_mean_something_else_are_refused(name: str) -> None:
    """Percent-encoding would not protect them: some hop resolves dots, and cuts at control characters."""
    with pytest.raises(InputError, match=r"cannot be"):
        wire.segments("machines", name)
    with pytest.raises(InputError, match=r"cannot be"):
        wire.checked_path(f"/machines/{name}/tags")


@having(st.lists(TEXT))
@settings(deadline=None)
def test_segments_come_back_as_they_were(names: list[str]) -> None:
    """Whatever they hold, the server sees as many names, and the same ones."""
    path = wire.segments(*names)

    assert [unquote(part) for part in path.split("/")[1:]] == names
    assert set(path) <= set(string.ascii_letters + string.digits + "-._~%/")
    assert wire.checked_path(path) == path


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("", ""),
        ("/machines", "/machines"),
        ("machines", "/machines"),
        ("keys/my key", "/keys/my%20key"),
        ("/my-keys/a.b_c~1", "/my-keys/a.b_c~1"),
        ("/keys/my key", "/keys/my%20key"),
        ("/keys/a%2fb", "/keys/a%2Fb"),
        ("/keys/a%41", "/keys/aA"),
        ("/keys/aa:bb", "/keys/aa%3Abb"),
        ("/keys/...", "/keys/..."),
        ("/keys/.ssh", "/keys/.ssh"),
        ("/keys/100%", "/keys/100%25"),
    ],
)
def test_a_ready_made_path_is_written_in_one_way(path: str, written: str) -> None:
    """What is signed is what is sent, so there is one way to write each address."""
    assert wire.checked_path(path) == written


@pytest.mark.parametrize(
    "path",
    [
        "machines/",
        "../x",
        "//",
        "/",
        "/machines/",
        "/a//b",
        "/a/./b",
        "/a/%2e%2E/b",
        "/a?b=1",
        "/a#b",
        "/a/%00",
        "/%ff",
    ],
)
def test_a_path_that_means_something_else_is_refused(path: str) -> None:
    """Also where it is disguised by percent-encoding."""
    with pytest.raises(InputError):
        wire.checked_path(path)


# Queries


def test_queries_say_what_was_said() -> None:
    """None is not said; 0, False and '' are values."""
    params = {"a": None, "b": 0, "c": False, "d": "", "e": True, "f": "x y/ü&=", "g": 1.5, "h": ["1", 2], "i": []}

    assert wire.query(params) == "b=0&c=false&d=&e=true&f=x%20y%2F%C3%BC%26%3D&g=1.5&h=1&h=2"
    assert wire.query(None) == ""


@pytest.mark.parametrize(
    ("value", "written"),
    [(1.0, "1"), (-2.0, "-2"), (0.5, "0.5"), (1e20, "1" + "0" * 20), (1e21, "1e%2B21"), (-0.0, "0")],
)
def test_numbers_in_a_query_are_written_as_javascript_does(value: float, written: str) -> None:
    """CloudAPI compares texts, and knows no ``1.0``."""
    assert wire.query({"tag.rank": value}) == f"tag.rank={written}"


@having(st.dictionaries(TEXT.filter(lambda key: key not in wire.PRESIGNED and not {*"[]"} & {*key}), TEXT))
@settings(deadline=None)
def test_queries_come_back_as_they_were(params: dict[str, str]) -> None:
    """Whatever is in a value, it does not become another parameter."""
    assert dict(parse_qsl(wire.query(params), keep_blank_values=True, max_num_fields=None)) == params


@pytest.mark.parametrize("name", ["a[b]", "a[]", "tag.a[b]", "[", "]"])
def test_queries_whose_names_hold_brackets_are_refused(name: str) -> None:
    """CloudAPI would read ``a[b]=c`` as an ``a`` that has a ``b``."""
    with pytest.raises(InputError, match="brackets"):
        wire.query({name: "x"})


@pytest.mark.parametrize("name", ["algorithm", "expires", "keyId", "signature", "method"])
def test_queries_that_look_presigned_are_refused(name: str) -> None:
    """CloudAPI would check another signature than the one in the header."""
    with pytest.raises(InputError, match="pre-signed"):
        wire.query({name: "x"})
    assert wire.query({name: None}) == ""


@pytest.mark.parametrize("value", [b"bytes", {"a": 1}, {1}, object(), [None], [[1]], "\ud800"])
def test_values_that_a_query_cannot_hold_are_refused(value: Any) -> None:
    """They would arrive as Python writes them, and mean nothing."""
    with pytest.raises(InputError, match="cannot be sent"):
        wire.query({"a": value})


@pytest.mark.parametrize("name", [None, True, b"x"])
def test_what_is_no_name_is_no_part_of_a_path(name: Any) -> None:
    """It would name another thing, such as one that is called None."""
    with pytest.raises(InputError, match="cannot be a path segment"):
        wire.segments("tags", name)


# Methods and headers


def test_methods_are_written_in_capitals() -> None:
    """As HTTP wants them."""
    assert wire.checked_method("get") == "GET"
    with pytest.raises(InputError):
        wire.checked_method("GET ")


def test_headers_that_were_not_said_are_left_out() -> None:
    """None is not said, and '' is a value."""
    assert wire.checked_headers({"A": "1", "B": None, "C": "", "D": "ä\t!"}) == {"A": "1", "C": "", "D": "ä\t!"}
    assert wire.checked_headers(None) == {}


@pytest.mark.parametrize("name", ["", "a b", "a:", "ä", "a\r\n", "Content-Length", "transfer-encoding"])
def test_header_names_that_are_none_are_refused(name: str) -> None:
    """So are those by which a request could pose as two."""
    with pytest.raises(InputError, match="invalid header name"):
        wire.checked_headers({name: "1"})


@pytest.mark.parametrize("value", ["a\nb", "a\r", "a\0", "\u20ac", 5, b"bytes"])
def test_header_values_that_are_none_are_refused(value: Any) -> None:
    """Without repeating them: a header may hold a secret."""
    with pytest.raises(InputError, match=r"header X-Secret must be") as caught:
        wire.checked_headers({"X-Secret": value})

    assert repr(value) not in str(caught.value)


# Bodies


def test_bodies_are_json_in_few_bytes() -> None:
    """Text stays text, so that a script of 100,000 bytes is not blown up by escapes."""
    assert wire.json_body({"a": "ü", "b": [1, None]}) == '{"a":"ü","b":[1,null]}'.encode()
    assert wire.json_body(None) is None
    assert wire.json_body({}) == b"{}"
    assert wire.json_body(False) == b"false"


def deep() -> list[Any]:
    """Return a list within a list within a list."""
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    return nested


@pytest.mark.parametrize(
    "data",
    [float("nan"), b"bytes", {1, 2}, object(), UserDict(a=1), "\ud800", deep()],
    ids=lambda data: type(data).__name__,
)
def test_what_json_cannot_hold_is_refused(data: Any) -> None:
    """Before a byte is sent."""
    with pytest.raises(InputError, match="cannot be encoded as JSON"):
        wire.json_body({"a": data})


def test_bodies_beyond_cloudapis_limit_are_refused() -> None:
    """100,000 bytes are the most, and bytes are what counts."""
    fits = "x" * (100_000 - 2)
    assert wire.json_body(fits) == json.dumps(fits).encode()
    with pytest.raises(InputError, match="100,001 bytes; CloudAPI takes at most 100,000"):
        wire.json_body(fits + "x")
    with pytest.raises(InputError):
        wire.json_body("ü" * 50_000)


def test_digests_are_in_base64() -> None:
    """As Content-MD5 wants them."""
    assert wire.md5_of(b"") == "1B2M2Y8AsgTpgAmY7PhCfg=="


def test_only_what_was_said_is_kept() -> None:
    """None is not said."""
    assert wire.given(a=1, b=None, c=0, d="") == {"a": 1, "c": 0, "d": ""}


def test_mappings_become_flat_keys() -> None:
    """As CloudAPI takes tags and metadata of a new machine."""
    assert wire.flat("tag", {"a": 1, "b": None, "c": False}) == {"tag.a": 1, "tag.c": False}
    assert wire.flat("tag", None) == {}


def test_forms_merge_a_mapping_with_keywords() -> None:
    """Keys that are no identifiers go into the mapping; keywords count more."""
    assert wire.form_names({"a-b": 1, "c": 2}, {"c": True}, (), "tag") == {"a-b": 1, "c": True}


@pytest.mark.parametrize("name", ["machine", "root_pw", "", "..", "a\0"])
def test_forms_refuse_names_that_cloudapi_takes_for_its_own(name: str) -> None:
    """They would re-address the call, or vanish."""
    with pytest.raises(InputError):
        wire.form_names({name: "x"}, {}, {"machine"}, "tag")


@pytest.mark.parametrize("value", [None, [], {}, b"x"])
def test_forms_refuse_values_that_are_no_scalars(value: Any) -> None:
    """CloudAPI stores strings, numbers and booleans."""
    with pytest.raises(InputError, match="tag 'a' must be a string, number or boolean"):
        wire.form_names({"a": value}, {}, (), "tag")


def test_forms_refuse_to_say_nothing() -> None:
    """An empty body would mean something else, such as everything."""
    with pytest.raises(InputError, match="at least one tag"):
        wire.form_names(None, {}, (), "tag")
