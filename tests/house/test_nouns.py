"""A noun has all that users meet: its columns show what it has."""

from __future__ import annotations

import pytest

from kits.docs import owners
from smartdc import Account
from smartdc.core.field import Field
from smartdc.core.resource import Resource

NOUNS = [noun for noun in owners() if issubclass(noun, Resource) and noun is not Account]
"""All nouns of which there are lists."""


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.__name__)
def test_columns_show_fields(noun: type[Resource]) -> None:
    """A column of a table shows an entry that the noun has as a field, rather than nothing at all."""
    fields = {field._key for part in noun.__mro__ for field in vars(part).values() if isinstance(field, Field)}
    shown = {column for column in noun.columns.values() if isinstance(column, str)}

    assert shown <= fields, "give the class columns of its own: columns = in_columns(...)"
