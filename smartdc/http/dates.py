"""Parse CloudAPI's timestamps as aware UTC datetimes, and format them."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache

from smartdc.http.tracebacks import let_pass

__all__ = ["format_date", "http_date", "parse_date", "parse_http_date"]


def parse_date(text: str) -> datetime:
    """Parse an ISO 8601 timestamp as an aware UTC datetime; one without a zone is in UTC, as CloudAPI means it."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def format_date(moment: datetime) -> str:
    """Format an aware datetime as CloudAPI does: with milliseconds and a Z."""
    utc = moment.astimezone(UTC)
    return utc.strftime("%Y-%m-%dT%H:%M:%S.") + f"{utc.microsecond // 1000:03d}Z"


def http_date(seconds: float) -> str:
    """Format epoch seconds as the value of an HTTP Date header."""
    return _date_of_second(int(seconds))


@lru_cache(maxsize=16)
def _date_of_second(second: int) -> str:
    return formatdate(second, usegmt=True)


def parse_http_date(text: str | None) -> float | None:
    """Parse the value of an HTTP date header as epoch seconds; None if it is missing or not a date."""
    try:
        moment = parsedate_to_datetime(text or "")
    except (ValueError, OverflowError) as error:
        let_pass(error)
        return None
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).timestamp()
