"""Find out whether a tool observes calls: recorders, tracers and mocks replace functions of urllib3 and `http.client`.

The short way of this library (`smartdc.http.lean`) must not bypass such tools. So a call checks here first. If one of
the functions was replaced, or urllib3's debug log is on, the call takes the usual way through urllib3.
"""

from __future__ import annotations

import http.client
import logging
import sys
from operator import attrgetter, is_
from types import FunctionType
from typing import Any

from urllib3 import connection, connectionpool

__all__ = ["connections_replaced", "hooked"]

_LOG = logging.getLogger(connectionpool.__name__)

_HOOKS = (
    (connectionpool.HTTPConnectionPool, ("urlopen", "_make_request", "_get_conn", "_new_conn", "_put_conn")),
    (connection.HTTPConnection, ("request", "getresponse", "connect")),
    (http.client.HTTPConnection, ("request", "_send_request", "putrequest", "endheaders", "send", "getresponse")),
    (http.client.HTTPResponse, ("begin", "read")),
)
"""Functions on the usual way of a call that tools replace."""
_POOLS: tuple[Any, ...] = (connectionpool.HTTPConnectionPool, connectionpool.HTTPSConnectionPool)


def _own(owner: type, found: Any) -> Any:
    """Return `found` if it is defined in its owner's module, and None if a tool has already replaced it."""
    own = type(found) is FunctionType and found.__globals__ is vars(sys.modules[owner.__module__])
    return found if own else None


_LOOK_UPS = [(owner, attrgetter(*names)) for owner, names in _HOOKS]
_OWN = [(owner, look_up, tuple(_own(owner, found) for found in look_up(owner))) for owner, look_up in _LOOK_UPS]
_PLAIN, _SECURE = (cls.ConnectionCls if cls.ConnectionCls.__module__ == connection.__name__ else None for cls in _POOLS)


def hooked() -> bool:
    """Return whether a tool observes the usual way of a call, or has replaced a function there."""
    for owner, look_up, own in _OWN:
        # Compared by identity: a wrapper may be equal to the function that it wraps.
        if not all(map(is_, look_up(owner), own)):
            return True
    return _LOG.isEnabledFor(logging.DEBUG)


def connections_replaced() -> bool:
    """Return whether a tool has replaced the connections of urllib3, which our own pools would not use."""
    plain, secure = _POOLS
    return plain.ConnectionCls is not _PLAIN or secure.ConnectionCls is not _SECURE
