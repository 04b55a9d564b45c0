"""Open a WebSocket by a call of the session, with CloudAPI's reason if it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from smartdc.errors import APIError, ConfigError, SmartDCError
from smartdc.http import request as wire
from smartdc.http.deadline import Deadline
from smartdc.http.tracebacks import without_frames

if TYPE_CHECKING:
    from collections.abc import Callable

    from smartdc.datacenter import DataCenter
    from smartdc.websocket.handshake import Handshake
    from smartdc.websocket.stream import WebSocket

__all__ = ["open_websocket"]


@without_frames
def open_websocket(datacenter: DataCenter, path: str, timeout: float | None) -> WebSocket:
    """Open a WebSocket at a path below the account by a usual request: signed, within `timeout`, and retried.

    If CloudAPI refuses an upgrade, its answer has no body. The same request is then sent without the upgrade, to get an
    error with the reason.
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
    """Return the error that has the reason, if the request without the upgrade fails with the same status."""
    if refusal.data or refusal.status >= 500:
        return refusal
    try:
        ask()
    except APIError as error:
        return error if error.status == refusal.status else refusal
    except SmartDCError:
        pass
    return refusal


def _library() -> type[Handshake]:
    """Import the handshake only here: `websockets` is an extra, and nothing else needs it."""
    try:
        from smartdc.websocket.handshake import Handshake  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigError(f"WebSockets need the package {error.name}: pip install 'websockets>=15'") from None
    return Handshake
