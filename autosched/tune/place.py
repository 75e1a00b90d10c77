"""Where studies are kept, and who works on them: a SQLite file for one tuner, or a PostgreSQL database for many.

In SQLite a study belongs to the process that holds a lock file. In PostgreSQL tuners on identical machines share a
study: each holds an advisory lock for as long as its connection lives, so that the trials of one that was killed are
known.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import platformdirs
import psutil
import sqlalchemy
from filelock import FileLock, Timeout
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from autosched.errors import TuneError

#: The variable that names the directory of studies.
VARIABLE = "AUTOSCHED_STATE_DIR"
#: First key of all advisory locks of autosched, and the second of the one for opening.
_SPACE, _OPENING = 0x61757473, 0
#: Bytes without which SQLite cannot write.
_LITTLE = 1 << 20
#: File systems that other machines may write to as well.
NETWORKED = {"nfs", "nfs4", "lustre", "gpfs", "beegfs", "ceph", "cifs", "smb3", "afs", "panfs", "pvfs2", "fuse.sshfs"}


class BusyError(TuneError):
    """Another process works on the study."""


def state_directory() -> Path:
    """Where studies are kept: AUTOSCHED_STATE_DIR, or the user's state directory."""
    given = os.environ.get(VARIABLE)
    return (Path(given) if given else Path(platformdirs.user_state_dir("autosched"))) / "studies"


def study_file(pipeline: str, directory: Path | None = None) -> Path:
    """The SQLite file of a pipeline's studies."""
    return (directory or state_directory()) / (re.sub(r"[^A-Za-z0-9._-]", "_", pipeline) + ".db")


@dataclass(frozen=True)
class Place:
    """An open storage. `shared` is whether other tuners may work on the same study meanwhile.

    `owner` marks the trials of this process, `alive` says whether the process of an owner is still there, and `close`
    gives everything back. `where` is for messages and has no password.
    """

    storage: BaseStorage
    where: str
    shared: bool
    owner: int
    alive: Callable[[int], bool]
    close: Callable[[], None]


def open_place(file: str, name: str, directory: Path | None, url: str | None) -> Place:
    """Storage for study `name` of pipeline `file`: at `url`, or a SQLite file in `directory`. Raises TuneError.

    "memory:" keeps nothing: for simulations.
    """
    if url is None:
        return _sqlite(study_file(file, directory), name)
    if url == "memory:":
        return Place(InMemoryStorage(), url, False, 0, lambda _: False, lambda: None)
    parsed = checked(url)
    if parsed.drivername == "sqlite":
        return _sqlite(Path(parsed.database or ""), name)
    return _postgresql(parsed)


def checked(url: str) -> sqlalchemy.URL:
    """The URL of a storage that can be used as far as it says itself. Raises TuneError; nothing is connected to."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise TuneError(f"storage {url!r} is not a URL; write postgresql://user@host/database") from None
    if parsed.drivername == "sqlite" and parsed.database:
        return parsed
    if parsed.drivername not in ("postgresql", "postgresql+psycopg"):
        raise TuneError(
            f"storage {parsed.render_as_string()} is not supported; use postgresql://user@host/database, which many "
            "nodes may share, or sqlite:///path on a local disk"
        )
    if find_spec("psycopg") is None:
        raise TuneError("PostgreSQL needs psycopg; install it: pip install 'autosched[postgresql]'")
    return parsed.set(drivername="postgresql+psycopg")


def unreachable(url: str) -> str:
    """Why a database cannot be connected to from here; empty where it can, and for SQLite. Raises TuneError."""
    parsed = checked(url)
    if parsed.drivername == "sqlite":
        return ""
    engine = sqlalchemy.create_engine(parsed, poolclass=sqlalchemy.NullPool, connect_args={"connect_timeout": 5})
    try:
        engine.connect().close()
    except SQLAlchemyError as error:
        return str(unusable(_shown(parsed), error))
    return ""


def _shown(url: sqlalchemy.URL) -> str:
    """A URL of PostgreSQL without password, for messages."""
    return url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)


def networked(path: Path) -> bool:
    """Whether `path` is on a file system that other machines may write to as well."""
    parents = {str(p) for p in (path.resolve(), *path.resolve().parents)}
    mounts = [m for m in psutil.disk_partitions(all=True) if m.mountpoint in parents]
    return bool(mounts) and max(mounts, key=lambda m: len(m.mountpoint)).fstype.lower() in NETWORKED


def _sqlite(path: Path, name: str) -> Place:
    """SQLite with a write-ahead log: a killed process loses nothing, and a trial costs milliseconds on a busy disk.

    The log is memory that processes of one machine share, so on a file system of many machines there is none.
    """
    lock = FileLock(path.parent / f".{sha256(f'{path.name} {name}'.encode()).hexdigest()[:16]}.lock", timeout=0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise BusyError(f"another tuner works on this study ({name} in {path}); wait for it, or end it") from None
    except OSError as error:
        raise TuneError(
            f"studies cannot be kept in {path.parent}: {error.strerror or error}; set {VARIABLE} to a directory that "
            "you can write to"
        ) from None
    try:
        storage = RDBStorage(f"sqlite:///{path}")
    except SQLAlchemyError as error:
        lock.release()
        raise unusable(str(path), error) from None

    settings = ("journal_mode=DELETE",) if networked(path) else ("journal_mode=WAL", "synchronous=NORMAL")

    def configure(connection: Any, _: Any) -> None:
        for setting in settings:
            connection.execute(f"PRAGMA {setting}")

    event.listen(storage.engine, "connect", configure)
    storage.engine.dispose()  # connections from here on are configured

    def close() -> None:
        storage.remove_session()
        storage.engine.dispose()
        lock.release()

    return Place(storage, str(path), False, secrets.randbits(31), lambda _: False, close)


def _postgresql(url: sqlalchemy.URL) -> Place:
    where = _shown(url)
    owner = secrets.randbits(31)
    try:
        own = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool, isolation_level="AUTOCOMMIT")
        connection = own.connect()
        _ask(connection, "pg_advisory_lock", owner)
        with _alone(connection):  # or two that start at once would both make the tables
            storage = RDBStorage(url.render_as_string(hide_password=False), engine_kwargs={"pool_pre_ping": True})
    except SQLAlchemyError as error:
        raise unusable(where, error) from None

    def alive(other: int) -> bool:
        if other == owner:
            return True
        free = bool(_ask(connection, "pg_try_advisory_lock", other))
        if free:
            _ask(connection, "pg_advisory_unlock", other)
        return not free

    def close() -> None:
        storage.remove_session()
        storage.engine.dispose()
        connection.close()
        own.dispose()

    return Place(storage, where, True, owner, alive, close)


@contextmanager
def _alone(connection: sqlalchemy.Connection) -> Iterator[None]:
    _ask(connection, "pg_advisory_lock", _OPENING)
    try:
        yield
    finally:
        _ask(connection, "pg_advisory_unlock", _OPENING)


def _ask(connection: sqlalchemy.Connection, function: str, key: int) -> Any:
    return connection.execute(sqlalchemy.text(f"select {function}({_SPACE}, {key})")).scalar()


def names(path: Path) -> list[str]:
    """The studies in an SQLite file. Raises TuneError where it is none."""
    engine = sqlalchemy.create_engine(f"sqlite:///{path}", poolclass=sqlalchemy.NullPool)
    try:
        with engine.connect() as connection:
            return [row[0] for row in connection.execute(sqlalchemy.text("select study_name from studies"))]
    except SQLAlchemyError as error:
        raise unusable(str(path), error) from None
    finally:
        engine.dispose()


def ended(where: str, error: Exception) -> TuneError:
    """What to say when a database that was open does not work any more."""
    kept = "what was finished is kept, and the same command goes on when"
    if full(where, error):
        return TuneError(f"{_no_space(where)}; {kept} there is")
    said = str(error).splitlines()[0]
    return TuneError(f"the database {where} does not answer any more ({said}); {kept} it is back")


def full(where: str, error: BaseException | None) -> bool:
    """Whether an error comes of a full disk, under SQLite."""
    if where.startswith("postgresql"):
        return False
    while error is not None:
        if isinstance(error, sqlite3.Error):
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            return code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _free(Path(where)) < _LITTLE)
        error = error.__cause__ or error.__context__
    return False


def _free(path: Path) -> int:
    """Bytes that are free on the disk of a file."""
    try:
        return shutil.disk_usage(path.parent).free
    except OSError:
        return _LITTLE


def _no_space(where: str) -> str:
    return (
        f"no space is left for studies on the disk of {where}: free some, or set {VARIABLE} to a directory on another "
        "disk"
    )


def unusable(where: str, error: Exception) -> TuneError:
    """What to say when a database does not work."""
    if full(where, error):
        return TuneError(_no_space(where))
    said = str(error).splitlines()[0]
    if where.startswith("postgresql"):
        return TuneError(f"the database {where} cannot be used ({said}); see that the server runs and lets you in")
    return TuneError(
        f"the study database {where} cannot be used ({said}); move it away and tune anew, or set {VARIABLE} to another "
        "directory"
    )
