"""Find out whether somebody looks at calls: recorders, tracers and mocks replace functions of urllib3 and `http.client`.

What this library does on a way of its own must not pass them by. So a call asks here first, and where one of the
functions is not the library's own any more, or urllib3's debug log is read, it takes the way that everybody knows.
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
"""Functions of a call's long way that tools replace."""
_POOLS: tuple[Any, ...] = (connectionpool.HTTPConnectionPool, connectionpool.HTTPSConnectionPool)


def _own(owner: type, found: Any) -> Any:
    """Return `found` if it was defined beside its owner, and None if a tool was there before us."""
    own = type(found) is FunctionType and found.__globals__ is vars(sys.modules[owner.__module__])
    return found if own else None


_LOOK_UPS = [(owner, attrgetter(*names)) for owner, names in _HOOKS]
_OWN = [(owner, look_up, tuple(_own(owner, found) for found in look_up(owner))) for owner, look_up in _LOOK_UPS]
_PLAIN, _SECURE = (cls.ConnectionCls if cls.ConnectionCls.__module__ == connection.__name__ else None for cls in _POOLS)


def hooked() -> bool:
    """Return whether somebody looks at what a call does on the long way, or has replaced a function there."""
    for owner, look_up, own in _OWN:
        # Compared by identity: a wrapper may claim to be equal to what it wraps.
        if not all(map(is_, look_up(owner), own)):
            return True
    return _LOG.isEnabledFor(logging.DEBUG)


def connections_replaced() -> bool:
    """Return whether somebody has replaced the connections of urllib3, which our own pools would not use."""
    plain, secure = _POOLS
    return plain.ConnectionCls is not _PLAIN or secure.ConnectionCls is not _SECURE
