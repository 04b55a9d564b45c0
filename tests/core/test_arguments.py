"""Arguments of a wrong type are refused by name, and what CloudAPI reads oddly is never sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from smartdc import InputError
from smartdc.core import arguments

RIGHT: dict[Callable[..., dict[str, Any]], list[tuple[Any, Any]]] = {
    arguments.strings: [("", ""), ("a", "a")],
    arguments.integers: [(0, 0), (-1, -1), ("1024", 1024)],
    arguments.booleans: [(True, True), (False, False)],
    arguments.flags: [(True, True), (30, True)],
    arguments.lists: [([], []), ("a", ["a"]), (("a", "b"), ["a", "b"]), (iter("ab"), ["a", "b"])],
    arguments.dicts: [({}, {}), ({"a": [1]}, {"a": [1]})],
    arguments.mappings: [({}, {}), ({"a": 1, "b": False, "c": 0.5, "d": ""}, {"a": 1, "b": False, "c": 0.5, "d": ""})],
}
WRONG: dict[Callable[..., dict[str, Any]], list[Any]] = {
    arguments.strings: [0, False, b"a", ["a"], {}],
    arguments.integers: ["1.0", "-1", "", " 1", "²", "GiB", "9" * 5000, True, False, 1.0, b"1"],
    arguments.booleans: ["true", "false", "", 0, 1, []],
    arguments.flags: ["true", "false", "", 1.0, []],
    arguments.lists: [b"a", {"a": "b"}, 5, True, [1], ["a", None], [["a"]]],
    arguments.dicts: ["a", [("a", "b")], 5, False],
    arguments.mappings: ["a", [("a", "b")], {1: "a"}, {"a": None}, {"a": ["b"]}, {"a": {}}, {"a": b"b"}],
}


@pytest.mark.parametrize(("take", "given", "sent"), [(take, *pair) for take, pairs in RIGHT.items() for pair in pairs])
def test_right(take: Callable[..., dict[str, Any]], given: Any, sent: Any) -> None:
    """What is right goes on as it is, under its name."""
    told = take(size=given)
    assert told == {"size": sent}
    assert type(told["size"]) is type(sent)


@pytest.mark.parametrize(("take", "given"), [(take, value) for take, values in WRONG.items() for value in values])
def test_wrong(take: Callable[..., dict[str, Any]], given: Any) -> None:
    """What is wrong is refused by name."""
    with pytest.raises(InputError, match=r"size.* must be "):
        take(size=given)


@pytest.mark.parametrize("take", RIGHT)
def test_nothing(take: Callable[..., dict[str, Any]]) -> None:
    """None is not said."""
    assert take(size=None) == {}


@pytest.mark.parametrize("value", [False, 0])
def test_flag_that_is_off(value: Any) -> None:
    """CloudAPI takes "false" and "0" for true where there is a flag, so that one that is off is not sent."""
    assert arguments.flags(sync=value) == {}


def test_values_are_not_told() -> None:
    """What was wrong may be a secret."""
    with pytest.raises(InputError) as caught:
        arguments.strings(password=b"secret")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("given", "taken"), [("a", ["a"]), ({"id": "a"}, [{"id": "a"}]), (("a", "b"), ["a", "b"])])
def test_one_thing_or_several(given: Any, taken: list[Any]) -> None:
    """A text and a dict are one thing, though one could iterate over them."""
    assert arguments.as_list("members", given) == taken


@pytest.mark.parametrize("given", [5, None, b"a", True])
def test_neither_one_thing_nor_several(given: Any) -> None:
    """What is neither is refused by name."""
    with pytest.raises(InputError, match="members must be a list"):
        arguments.as_list("members", given)
