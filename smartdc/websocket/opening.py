"""Turn a call into a WebSocket, and tell why where CloudAPI refuses to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from smartdc.errors import APIError, ConfigError, SmartDCError
from smartdc.http import request as wire
from smartdc.http.tracebacks import without_frames
from smartdc.http.transport import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from smartdc.datacenter import DataCenter
    from smartdc.websocket.stream import Handshake, WebSocket

__all__ = ["open_websocket"]


@without_frames
def open_websocket(datacenter: DataCenter, path: str, timeout: float | None) -> WebSocket:
    """Ask for a WebSocket at a path below the account as for anything else: signed, in time, and tried again.

    A refusal has no body there, so the same is asked without a WebSocket, to raise the error that has the reason.
    """
    handshake, deadline = _library()(datacenter.session), Deadline(timeout)
    try:
        _ask(datacenter, path, timeout, through=handshake.attempt)
    except APIError as refusal:
        raise _with_reason(refusal, lambda: _ask(datacenter, path, deadline.left())) from None
    return cast("WebSocket", handshake.websocket)


def _ask(datacenter: DataCenter, path: str, timeout: float | None, **options: Any) -> None:
    target, params = wire.segments(datacenter.login) + path, wire.with_roles("GET", path, None, datacenter.active_roles)
    datacenter.session.request("GET", target, params=params, timeout=timeout, **options)


def _with_reason(refusal: APIError, ask: Callable[[], None]) -> APIError:
    """Return the error that tells why, if asking in the usual way brings one of the same status."""
    if refusal.data or refusal.status >= 500:
        return refusal
    try:
        ask()
    except APIError as told:
        return told if told.status == refusal.status else refusal
    except SmartDCError:
        pass
    return refusal


def _library() -> type[Handshake]:
    """Import what speaks WebSocket."""
    # The package is an extra: who needs no WebSocket need not have it.
    try:
        from smartdc.websocket.stream import Handshake  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigError(f"WebSockets need the package {error.name}: pip install 'smartdc[changefeed]'") from None
    return Handshake
