"""Keep on disk what was asked for and what came of it, so that a run that was killed goes on where it was.

A journal is a file of JSON lines. The first is the header: what was asked for, the machines that this meant at the
first run, and the ids that names were resolved to. Each other line is about one part of one step: ``sent`` before a
request goes out, ``accepted`` or ``refused`` when its answer has come, ``done`` when its outcome was seen; and the last
says that all is over. A line is on the disk before what it announces is sent. Where the last line has no end, the
process died while it was written, and what it announces was not sent.

What is asked for may hold secrets, such as user data. So the header has no more of it than a salted, slow digest, by
which the same wishes are recognised.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import stat
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from smartdc.core.resource import Resource
from smartdc.errors import InputError, SmartDCError

try:
    import fcntl
except ImportError:  # where there is no flock there are no journals
    fcntl = None  # type: ignore[assignment]

__all__ = ["Journal", "JournalFinished", "Wishes"]

log = logging.getLogger(__name__)

VERSION = 1
KIND = "smartdc fleet"
BEGINNING = f'{{"journal": "{KIND}"'.encode()
DIGEST_ROUNDS = 100_000

Record = dict[str, Any]


class JournalFinished(SmartDCError):
    """The journal is of a run that has ended; a recurring job gives each run a journal of its own."""


class Wishes:
    """What a run was asked to do: the action, the account and everything else that must be the same next time."""

    def __init__(self, action: str, account: str, **rest: Any) -> None:
        self.action = action
        self.account = account
        self._rest = rest

    def digest(self, salt: str) -> str:
        """Return what recognises the same wishes and does not tell them."""
        text = json.dumps({"action": self.action, "account": self.account, **_plain(self._rest)}, sort_keys=True)
        return hashlib.pbkdf2_hmac("sha256", text.encode(), salt.encode(), DIGEST_ROUNDS).hex()


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: resources as their ids, and what has no JSON as its text."""
    if isinstance(value, Resource):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


class Journal:
    """The memory of a run: on disk, or without a path only in this process.

    Threads may write to it. `is_new` says whether this run is the first one.
    """

    def __init__(self, path: str | os.PathLike[str] | None, wishes: Wishes, plan: Callable[[], Record]) -> None:
        """Open the journal, and make it with what `plan` returns, which may ask the server, where there is none yet.

        One that is of other wishes, of another version, in use or finished is refused before anything is sent.
        """
        self._lock = threading.Lock()
        self._file: int | None = None
        self._steps: dict[str, dict[str, Record]] = {}
        self.is_new = True
        self.path: Path | None = None
        if path is None:
            self.header = plan()
            return
        self.path = Path(path).expanduser()
        self._file = _opened(self.path)
        try:
            self._begin(self.path, wishes, plan)
        except BaseException:
            self.close()
            raise

    def _begin(self, path: Path, wishes: Wishes, plan: Callable[[], Record]) -> None:
        records = self._read(path)
        if records:
            self.is_new = False
            self.header = self._checked(records[0], wishes)
            for record in records[1:]:
                if "ended" in record:
                    raise JournalFinished(
                        f"journal {self.path} is of a {wishes.action} that ended at {record['ended']}; "
                        "give a new run a journal of its own, with the date in its name for instance"
                    )
                self._steps.setdefault(record["step"], {})[record["part"]] = record
            return
        self.header = plan()
        salt = secrets.token_hex(16)
        head = {
            "journal": KIND,
            "version": VERSION,
            "action": wishes.action,
            "account": wishes.account,
            "began": _moment(),
            "salt": salt,
            "wishes": wishes.digest(salt),
        }
        self._write({**head, **self.header})
        _sync_folder(path.parent)

    def _checked(self, header: Record, wishes: Wishes) -> Record:
        """Return a header that this run may go on from."""
        if header.get("version") != VERSION:
            version = header.get("version")
            raise InputError(f"journal {self.path} is of version {version!r}; this library reads version {VERSION}")
        for key, wanted in (("action", wishes.action), ("account", wishes.account)):
            if header.get(key) != wanted:
                raise InputError(f"journal {self.path} is of the {key} {header.get(key)}, not {wanted}")
        if header.get("wishes") != wishes.digest(str(header.get("salt"))):
            raise InputError(
                f"journal {self.path} is of a {wishes.action} with other arguments, begun at {header.get('began')}; "
                "give the same ones to go on with it, or another journal"
            )
        return header

    def _read(self, path: Path) -> list[Record]:
        """Return the whole lines, and cut off a last one that was never finished."""
        text = path.read_bytes()
        whole, _, rest = text.rpartition(b"\n")
        if not (text.startswith(BEGINNING) or BEGINNING.startswith(text[: len(BEGINNING)])):
            raise InputError(f"{self.path} is no journal; give a path that is free")
        if rest and self._file is not None:
            log.info("journal %s: its last line was not written to its end", self.path)
            os.ftruncate(self._file, len(text) - len(rest))
        return [self._parsed(number, line) for number, line in enumerate(whole.splitlines(), 1)]

    def _parsed(self, number: int, line: bytes) -> Record:
        try:
            record = json.loads(line)
            sound = number == 1 or "ended" in record or {"step", "part", "now"} <= record.keys()
        except (ValueError, AttributeError):
            sound = False
        if not sound:
            raise InputError(f"journal {self.path} is damaged in line {number}; look up what it was to remember")
        return dict(record)

    def past(self, step: str, part: str) -> Record | None:
        """Return what was last written of a part of a step; None where nothing was."""
        return self._steps.get(step, {}).get(part)

    def write(self, step: str, part: str, now: str, **facts: Any) -> Record:
        """Write what is about to happen, or has, with part of a step; it is on the disk when this returns."""
        record = {"step": step, "part": part, "now": now, **facts}
        with self._lock:
            self._steps.setdefault(step, {})[part] = record
            self._write(record)
        return record

    def end(self, **numbers: int) -> None:
        """Write that the run is over."""
        with self._lock:
            self._write({"ended": _moment(), **numbers})

    def _write(self, record: Record) -> None:
        if self._file is None:
            return
        line = json.dumps(record).encode() + b"\n"
        end = os.fstat(self._file).st_size
        try:
            while line:
                line = line[os.write(self._file, line) :]
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, end)  # half a line would spoil the next one
            raise

    def close(self) -> None:
        """Let go of the file; nothing is written any more."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None


def _opened(path: Path) -> int:
    """Open a journal for this process alone, readable by its owner alone."""
    if fcntl is None:
        raise InputError("journals need flock, which this system does not have")
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"journal {str(path)!r} cannot be opened: {reason}") from None
    if not stat.S_ISREG(os.fstat(file).st_mode):  # a device or a pipe may be read without end
        os.close(file)
        raise InputError(f"{path} is no regular file, which a journal must be")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise InputError(f"journal {path} is in use by another run, in this process or another one") from None
    return file


def _sync_folder(folder: Path) -> None:
    """Bring the name of a new file to the disk, too."""
    file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _moment() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
