"""Keep requests and their results on disk, so that a killed run can resume.

A journal is a file of JSON lines. The first line is the header: the task, the machines that were selected at the first
run, and the ids of the names at that time. Each other line is about one part of one step: ``sent`` before a request is
sent, ``accepted`` or ``refused`` when its answer has come, ``done`` when its result was seen. The last line says that
the run is over. A line is on the disk before the request that it announces is sent. If the last line is incomplete, the
process died while writing it, and its request was not sent.

The task may contain secrets, such as user data. So the header has only a salted, slow digest of it, which is enough to
recognise the same task.
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
from smartdc.http.tracebacks import let_pass

try:
    import fcntl
except ImportError:  # without flock there are no journals
    fcntl = None  # type: ignore[assignment]

__all__ = ["Journal", "JournalFinished", "Wishes"]

log = logging.getLogger(__name__)

VERSION = 1
KIND = "smartdc fleet"
BEGINNING = f'{{"journal": "{KIND}"'.encode()
DIGEST_ROUNDS = 100_000

Record = dict[str, Any]


class JournalFinished(SmartDCError):
    """The journal belongs to a run that has ended; a recurring job needs a new journal for each run."""


class Wishes:
    """The task of a run: the action, the account and everything else that must be the same when it resumes."""

    def __init__(self, action: str, account: str, **rest: Any) -> None:
        self.action = action
        self.account = account
        self._rest = rest

    def digest(self, salt: str) -> str:
        """Return a digest that recognises the same task and does not reveal it."""
        text = json.dumps({"action": self.action, "account": self.account, **_plain(self._rest)}, sort_keys=True)
        return hashlib.pbkdf2_hmac("sha256", text.encode(), salt.encode(), DIGEST_ROUNDS).hex()


def _plain(value: Any) -> Any:
    """Return a value for JSON: resources as their ids, and values that JSON does not have as their text."""
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
        """Open the journal, or create it with the result of `plan`, which may send requests to the server.

        A journal of another task or another version, or one that is in use or finished, is refused before anything is
        sent.
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
                        "give each run a new journal, for example with the date in its name"
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
        """Return the header, if this run may resume from it."""
        if header.get("version") != VERSION:
            version = header.get("version")
            raise InputError(f"journal {self.path} is of version {version!r}; this library reads version {VERSION}")
        for key, wanted in (("action", wishes.action), ("account", wishes.account)):
            if header.get(key) != wanted:
                raise InputError(f"journal {self.path} is of the {key} {header.get(key)}, not {wanted}")
        if header.get("wishes") != wishes.digest(str(header.get("salt"))):
            raise InputError(
                f"journal {self.path} is of a {wishes.action} with other arguments, begun at {header.get('began')}; "
                "give the same ones to continue it, or another journal"
            )
        return header

    def _read(self, path: Path) -> list[Record]:
        """Return the complete lines, and cut off an incomplete last one."""
        text = path.read_bytes()
        whole, _, rest = text.rpartition(b"\n")
        if not (text.startswith(BEGINNING) or BEGINNING.startswith(text[: len(BEGINNING)])):
            raise InputError(f"{self.path} is not a journal; give the path of a new file")
        if rest:
            log.info("journal %s: its last line is incomplete, and is dropped", self.path)
            os.truncate(path, len(text) - len(rest))
        return [self._parsed(number, line) for number, line in enumerate(whole.splitlines(), 1)]

    def _parsed(self, number: int, line: bytes) -> Record:
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict) or not (
            number == 1 or "ended" in record or all(isinstance(record.get(key), str) for key in ("step", "part", "now"))
        ):
            raise InputError(f"journal {self.path} is damaged in line {number}; check by hand what it recorded")
        return record

    def past(self, step: str, part: str) -> Record | None:
        """Return the last entry about a part of a step; None if there is none."""
        return self._steps.get(step, {}).get(part)

    def write(self, step: str, part: str, now: str, **facts: Any) -> Record:
        """Write what will happen, or has happened, with part of a step; it is on the disk when this returns."""
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
        """Close the file; nothing is written any more."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None


def _opened(path: Path) -> int:
    """Open a journal for this process only, readable only by its owner."""
    if fcntl is None:
        raise InputError("journals need flock, which this system does not have")
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except (OSError, ValueError) as error:
        let_pass(error)
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"journal {str(path)!r} cannot be opened: {reason}") from None
    if not stat.S_ISREG(os.fstat(file).st_mode):  # a device or a pipe may be read without end
        os.close(file)
        raise InputError(f"a journal must be a regular file, not {path}")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(file)
        let_pass(error)
        raise InputError(f"journal {path} is in use by another run, in this process or another one") from None
    return file


def _sync_folder(folder: Path) -> None:
    """Write the name of a new file to the disk too."""
    file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _moment() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
