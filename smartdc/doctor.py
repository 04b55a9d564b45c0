"""Say what is wrong before anything works: the explanation of a data centre that may not even be made."""

from __future__ import annotations

from typing import Any

from smartdc.datacenter import DataCenter
from smartdc.errors import ConfigError
from smartdc.explain import Explanation, Finding, examine

__all__ = ["explain_auth"]


def explain_auth(**arguments: Any) -> Explanation:
    """Explain where, who and with which key ``DataCenter(**arguments)`` would be, and whether that works."""
    try:
        dc = DataCenter(**arguments)
    except ConfigError as error:
        return Explanation((Finding("settings", False, str(error)),))
    with dc:
        return examine(dc)
