"""A dict that cannot be changed, since the change would never reach the server."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["ReadOnlyDict"]


class ReadOnlyDict(dict[str, Any]):
    """A dict that shows the server's answer and refuses changes; `advice` names the method to call instead.

    Its copies and pickles are plain dicts.
    """

    def __init__(self, entries: dict[str, Any], advice: str) -> None:
        super().__init__(entries)
        self._advice = advice

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError(
            f"this dict shows what the server said, and cannot be changed: {self._advice}, or change a copy()"
        )

    __setitem__ = __delitem__ = __ior__ = update = setdefault = pop = popitem = clear = _refuse

    def __reduce__(self) -> tuple[type, tuple[dict[str, Any]]]:
        """Become a plain dict when copied or unpickled."""
        return dict, (dict(self),)
