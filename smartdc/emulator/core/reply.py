"""The results of a handler: a Reply, or an ApiError with CloudAPI's own message."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import socket

NOTHING: Final = object()
"""Marks a reply without a body, since None is a JSON value."""


@dataclass(slots=True)
class Reply:
    """A status, a body to be encoded as JSON (bytes are sent as they are), and extra headers."""

    status: int = 200
    body: Any = NOTHING
    headers: dict[str, str] = field(default_factory=dict)
    upgrade: "Callable[[socket.socket], None] | None" = None
    """What takes over the connection: after a 101 or the head of a stream, or instead of a response if the status is 0."""


class ApiError(Exception):
    """An error response with the status, code and message of CloudAPI.

    With a code of None the body is that of a plain JavaScript error, which is a message only.
    ``errors`` are dicts with field, code and message.
    """

    def __init__(
        self,
        status: int,
        code: str | None,
        message: str,
        errors: list[dict[str, str]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors
        self.headers = headers or {}

    def reply(self) -> Reply:
        """Return the error as a reply."""
        body: dict[str, Any] = {"message": self.message}
        if self.code is not None:
            body = {"code": self.code, "message": self.message}
        if self.errors is not None:
            body["errors"] = self.errors
        return Reply(self.status, body, self.headers)


def invalid_argument(message: str) -> ApiError:
    """Return the 409 for an invalid value."""
    return ApiError(409, "InvalidArgument", message)


def missing_parameter(message: str) -> ApiError:
    """Return the 409 for a missing value."""
    return ApiError(409, "MissingParameter", message)


def not_found(message: str) -> ApiError:
    """Return the 404 for a resource that does not exist, or is not the caller's."""
    return ApiError(404, "ResourceNotFound", message)


def not_authorized(message: str) -> ApiError:
    """Return the 403 for a caller who may not do this."""
    return ApiError(403, "NotAuthorized", message)


def invalid_credentials(message: str = "Invalid authorization credentials supplied") -> ApiError:
    """Return the 401, which never says what was wrong."""
    return ApiError(401, "InvalidCredentials", message)


def invalid_header(message: str) -> ApiError:
    """Return the 400 for an Authorization header that does not parse."""
    return ApiError(400, "InvalidHeader", message)


def validation_failed(message: str, field_name: str, code: str, reason: str) -> ApiError:
    """Return VMAPI's 409 for one field."""
    errors = [{"field": field_name, "code": code, "message": reason}]
    return ApiError(409, "ValidationFailed", message, errors)
