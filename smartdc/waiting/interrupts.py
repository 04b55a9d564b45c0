"""Notes in exceptions that interrupt the library: what may have been done, and where to look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from smartdc.errors import SmartDCError, printable

__all__ = ["is_interrupt", "noting_interrupts"]


def is_interrupt(error: BaseException | None) -> bool:
    """Return whether an exception is not this library's own.

    Then it is ``KeyboardInterrupt``, the ``SystemExit`` of a handler of SIGTERM, or whatever an alarm of the program
    raises. Failures of the network never come out as they are: they are errors of this library by then.
    """
    return error is not None and not isinstance(error, SmartDCError)


@contextmanager
def noting_interrupts(note: str) -> Iterator[None]:
    """Add a note to whatever interrupts the block, such as ``dc.volumes(name='data') shows whether it was made``."""
    try:
        yield
    except BaseException as error:
        if is_interrupt(error):
            error.add_note(printable(note))
        raise
