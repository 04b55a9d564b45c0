"""CloudAPI's token bucket, one per account and area, refilled by the emulator's clock."""

from smartdc.emulator.core.reply import ApiError
from smartdc.emulator.pipeline.call import Call
from smartdc.emulator.state.records import Bucket

_MACHINE_AREAS = ("machines", "fwrules")


def check_rate(call: Call) -> None:
    """Take a token for this call, or refuse it with a 429, which has no Retry-After."""
    limit = call.settings.throttle
    if not limit:
        return
    now = call.state.clock.monotonic()
    name = (call.account.login, _area(call.request.path))
    bucket = call.state.buckets.setdefault(name, Bucket(limit.burst, now))
    bucket.tokens = min(limit.burst, bucket.tokens + (now - bucket.counted) * limit.rate)
    bucket.counted = now
    if bucket.tokens < 1:
        raise ApiError(429, "TooManyRequestsError", f"You have exceeded your request rate of {limit.rate} r/s.")
    bucket.tokens -= 1


def _area(path: str) -> str:
    """Return the part of the API that shares one limit."""
    parts = path.split("/")
    if any(area in parts for area in _MACHINE_AREAS):
        return "machines"
    return parts[2] if len(parts) > 2 else "account"
