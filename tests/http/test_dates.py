"""CloudAPI's timestamps and HTTP's dates are read and written in UTC, whatever the machine's own zone is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartdc.http.clock import SystemClock
from smartdc.http.dates import format_date, http_date, parse_date, parse_http_date

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(params=["UTC", "America/St_Johns", "Asia/Kathmandu"], autouse=True)
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The time zone of this machine."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01T12:00:00.000Z", NOON),
        ("2026-03-01T12:00:00Z", NOON),
        ("2026-03-01T12:00:00", NOON),
        ("2026-03-01T13:30:00+01:30", NOON),
        ("2026-03-01T12:00:00.123Z", NOON + timedelta(milliseconds=123)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
    ],
)
def test_timestamps_are_aware_and_in_utc(text: str, moment: datetime) -> None:
    """One without a zone is UTC: that is how CloudAPI means it."""
    assert parse_date(text) == moment
    assert parse_date(text).tzinfo is UTC


def test_a_timestamp_that_is_none_is_refused() -> None:
    """Whoever asks for a date does not get something else."""
    with pytest.raises(ValueError, match="yesterday"):
        parse_date("yesterday")


def test_timestamps_are_written_as_cloudapi_does() -> None:
    """Milliseconds and a Z, also for a moment of another zone."""
    assert format_date(NOON + timedelta(microseconds=123_999)) == "2026-03-01T12:00:00.123Z"
    assert format_date(NOON.astimezone(timezone(timedelta(hours=-5)))) == "2026-03-01T12:00:00.000Z"


def test_http_dates_are_written_in_gmt() -> None:
    """Fractions of a second are cut off."""
    assert http_date(NOON.timestamp()) == "Sun, 01 Mar 2026 12:00:00 GMT"
    assert http_date(NOON.timestamp() + 0.999) == "Sun, 01 Mar 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 01 Mar 2026 12:00:00 GMT",
        "Sunday, 01-Mar-26 12:00:00 GMT",
        "Sun Mar  1 12:00:00 2026",
        "Sun, 01 Mar 2026 12:00:00 -0000",
        "Sun, 01 Mar 2026 07:00:00 -0500",
        "1 Mar 2026 12:00:00",
    ],
)
def test_http_dates_are_read_in_all_their_forms(text: str) -> None:
    """Those of RFC 9110, and some that are no longer right; without a zone it is GMT."""
    assert parse_http_date(text) == NOON.timestamp()


@pytest.mark.parametrize(
    "text",
    [
        *[None, "", " ", "soon", "12", "Sun, 01 Mar", "Sun, 41 Mar 2026 12:00:00 GMT"],
        "Sun, 01 Mar 2026 12:00:00 +9999",
        "Sun, 01 Mar 99999999999999999999 12:00:00 GMT",
        "Sun, 01 Mar 2026 12:00:00 +99999999999999999999",
    ],
)
def test_what_is_no_http_date_says_nothing(text: str | None) -> None:
    """A header of somebody else's making is no reason to fail."""
    assert parse_http_date(text) is None


@given(st.text() | st.from_regex(r"\w{3}, \d+ \w{3} \d+ \d+:\d+:\d+ [-+\w]+"))
@settings(deadline=None)
def test_no_text_is_a_crash(text: str) -> None:
    """Whatever a header holds, it is a date or it is none."""
    assert parse_http_date(text) is None or isinstance(parse_http_date(text), float)


@given(st.integers(0, 4_102_444_800))
@settings(deadline=None)
def test_http_dates_come_back_as_they_were(seconds: int) -> None:
    """To the second."""
    assert parse_http_date(http_date(seconds)) == seconds


def test_the_systems_clock_is_the_default() -> None:
    """It tells the time, never goes backwards, and sleeps."""
    clock = SystemClock()
    before = clock.monotonic()
    clock.sleep(0.001)

    assert abs(clock.time() - time.time()) < 60
    assert clock.monotonic() >= before + 0.001
