"""Content negotiation: the type of an answer, by the ``Accept`` header."""

from functools import lru_cache

ACCEPTABLE = ("application/json", "text/plain", "application/octet-stream", "application/javascript")


@lru_cache(maxsize=256)
def choose_type(accept: str) -> str | None:
    """Return the type that CloudAPI answers with; None if the client accepts none of its types."""
    ranges = [_media_range(part) for part in accept.split(",")]
    best: tuple[float, int, int, int] | None = None
    chosen = None
    for index, offered in enumerate(ACCEPTABLE):
        fits = [
            (exact, quality, -place) for place, (name, quality) in enumerate(ranges) if (exact := _fit(name, offered))
        ]
        if not fits:
            continue
        exact, quality, place = max(fits)
        rank = (quality, exact, place, -index)
        if quality > 0 and (best is None or rank > best):
            best, chosen = rank, offered
    return chosen


def _media_range(text: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            return name, _quality(parameter[2:])
    return name, 1.0


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _fit(name: str, offered: str) -> int:
    """Rate how closely a media range matches: 3 exactly, 2 by its main type, 1 as ``*/*``, 0 not at all."""
    if name == offered:
        return 3
    if name == f"{offered.partition('/')[0]}/*":
        return 2
    return 1 if name == "*/*" else 0
