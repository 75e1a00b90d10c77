"""Files of records: where they are, reading them leniently, writing them so that nothing is ever lost."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from filelock import FileLock, Timeout
from pydantic import ValidationError

from autosched.errors import AutoschedWarning, RecordError
from autosched.files import write_whole
from autosched.records.lookup import Answer, Located, lookup, preference
from autosched.records.merge import merge
from autosched.records.migrate import known, migrate
from autosched.records.model import SCHEMA, Key, Record, RecordFile
from autosched.runtime.cpu import fingerprint
from autosched.schedule import Schedule
from autosched.shipped import VARIABLE, file_name, tuned_directories

#: How often a writer asks for a file that stays as it is while others hold it, and the seconds of each attempt.
PATIENCE = 60
ATTEMPT = 1.0
#: What to do about a file of a newer version.
UPGRADE = "upgrade: `pip install --upgrade autosched`"

_warned: set[tuple[str, str]] = set()

#: The names by which `autosched tune` knows the kernels of a pipeline; none where it knows none.
Kernels: TypeAlias = Callable[[str], Sequence[str]]


def _as_it_is(pipeline: str) -> Sequence[str]:
    return (pipeline,)


@dataclass(frozen=True)
class Contents:
    """What a file held: the records that can be used, and what is wrong with the rest of it.

    `newer` is set where a later version of autosched wrote it.
    """

    records: tuple[Record, ...] = ()
    problem: str = ""
    pipeline: str = ""
    newer: bool = False


def parse(text: str) -> Contents:
    """The records in the text of a file; never raises."""
    try:
        data = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        return Contents(problem=f"it is not JSON ({error})")
    needed = {"schema", "pipeline", "records"}
    if isinstance(data, dict) and "schema" in data and not known(data["schema"]):
        newer = isinstance(data["schema"], int) and data["schema"] > SCHEMA
        return Contents(problem=f"its schema is {data['schema']!r}, this version reads 1 to {SCHEMA}", newer=newer)
    if not isinstance(data, dict) or not needed <= data.keys():
        return Contents(problem="it is not a file of tuned records (it needs 'schema', 'pipeline' and 'records')")
    if not isinstance(data["records"], list):
        return Contents(problem="its 'records' is not a list")
    data = migrate(data)
    found: list[Record] = []
    problem = ""
    for i, item in enumerate(data["records"]):
        try:
            found.append(Record.model_validate(item))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, ("records", i, *first["loc"])))
            problem = problem or f"{place}: {first['msg']}"
    return Contents(tuple(found), problem, str(data["pipeline"]))


def read(path: Path) -> tuple[Record, ...]:
    """The records of a file that can be used. What cannot is passed over with one warning; a missing file is empty."""
    return _leniently(path, _as_it_is).records


def _leniently(path: Path, kernels: Kernels) -> Contents:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Contents()
    except (OSError, UnicodeDecodeError) as error:
        contents = Contents(problem=f"it cannot be read ({error})")
    else:
        contents = parse(text)
    if contents.problem:
        _warn(path, contents, kernels)
    return contents


def _warn(path: Path, contents: Contents, kernels: Kernels) -> None:
    problem = contents.problem
    if (str(path), problem) in _warned:
        return
    _warned.add((str(path), problem))
    way = UPGRADE if contents.newer else way_out(kernels(path.stem))
    warnings.warn(f"{path} is passed over: {problem}; {way}", AutoschedWarning, stacklevel=4)


def read_strictly(path: Path, kernels: Kernels = _as_it_is) -> tuple[str, tuple[Record, ...]]:
    """The pipeline and all records of a file of this or an older schema. Raises RecordError where that is not all.

    `kernels` is asked for the name that the file has, which is expected to be a pipeline's.
    """
    try:
        contents = parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if contents.problem:
        known = kernels(path.stem)
        way = UPGRADE if contents.newer else way_out(known) if known else "leave it out"
        raise RecordError(f"{path} cannot be merged: {contents.problem}; {way}")
    return contents.pipeline, contents.records


def way_out(kernels: Sequence[str]) -> str:
    """What to do about a file that cannot be read: of the records of `kernels`."""
    if not kernels:
        return "delete it"
    first, *others = kernels
    shared = f" (or {', '.join(others)}, which share{'s' * (len(others) == 1)} it)" if others else ""
    return f"`autosched tune {first}`{shared} writes it anew and keeps this one beside it, or delete it"


@dataclass(frozen=True)
class Written:
    """A file that records were merged into, and what it held before and holds now."""

    path: Path
    before: tuple[Record, ...]
    after: tuple[Record, ...]

    def instead(self, record: Record) -> Record | None:
        """What the file has in the place of a record that was to be written; None where that is there."""
        same = next((r for r in self.after if r.key == record.key), record)
        return None if same == record else same


def write(records: Iterable[Record], pipeline: str, directory: Path) -> list[Path]:
    """The files of `put`, which keeps of two records with one key the more rigorous."""
    return [written.path for written in put(records, pipeline, directory)]


def put(
    records: Iterable[Record], pipeline: str, directory: Path, *, replace: bool = False, dry_run: bool = False
) -> list[Written]:
    """Merge `records` of a pipeline into the files of `directory`, one for each class of CPU.

    With `replace` they take the place of what the files hold with their keys, however rigorous that is. Atomic, and
    safe against other writers: each merges under a lock. A file that is not valid is kept beside its successor as
    `<name>.broken`. With `dry_run` nothing is written. Raises RecordError where nothing can be written.
    """
    by_class: dict[str, list[Record]] = {}
    for record in records:
        by_class.setdefault(record.key.cpu.fingerprint().cpu_class, []).append(record)
    merge_into = _merged if dry_run else _merge_into
    return [
        merge_into(directory / cpu_class / file_name(pipeline), pipeline, group, replace)
        for cpu_class, group in sorted(by_class.items())
    ]


def refuse_newer(pipeline: str, directory: Path) -> None:
    """Raises RecordError where `write` could not merge records of this machine, because a newer autosched has written.

    To be asked before records are made, which takes long.
    """
    path = directory / fingerprint().cpu_class / file_name(pipeline)
    if path.exists():
        _refuse_newer(path, parse(path.read_text(encoding="utf-8", errors="replace")))


def _refuse_newer(path: Path, contents: Contents) -> None:
    if contents.newer:
        raise RecordError(
            f"{path} was written by a newer autosched: {contents.problem}; upgrade with `pip install --upgrade "
            "autosched`, or write elsewhere with --out DIR"
        )


def _merged(path: Path, pipeline: str, records: list[Record], replace: bool) -> Written:
    """What a file holds, and would after merging."""
    try:
        old = parse(path.read_text(encoding="utf-8", errors="replace")) if path.exists() else Contents()
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror or error}") from None
    _refuse_newer(path, old)
    return Written(path, old.records, _together(old, pipeline, records, replace).records)


def _together(old: Contents, pipeline: str, records: list[Record], replace: bool) -> RecordFile:
    given = {record.key.model_dump_json() for record in records} if replace else ()
    left = [record for record in old.records if record.key.model_dump_json() not in given]
    return RecordFile.model_validate({"schema": SCHEMA, "pipeline": pipeline, "records": merge(left, records)})


def _merge_into(path: Path, pipeline: str, records: list[Record], replace: bool) -> Written:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _turn(path):
            old = parse(path.read_text(encoding="utf-8", errors="replace")) if path.exists() else Contents()
            _refuse_newer(path, old)
            if old.problem:
                write_whole(path.with_name(path.name + ".broken"), path.read_bytes(), durable=True)
            merged = _together(old, pipeline, records, replace)
            text = json.dumps(merged.model_dump(mode="json", by_alias=True), indent=1)
            write_whole(path, (text + "\n").encode(), durable=True)
    except Timeout:
        raise RecordError(
            f"{path} is locked by another writer, which has written nothing for {PATIENCE * ATTEMPT:.0f} s; end that "
            "one, then try again"
        ) from None
    except OSError as error:
        raise RecordError(
            f"{path} cannot be written: {error.strerror or error}; choose another place with --out DIR or {VARIABLE}"
        ) from None
    return Written(path, old.records, merged.records)


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    """The lock on a file. Raises Timeout once `PATIENCE` attempts in a row have found it locked and unchanged.

    A queue of writers may be long and a machine may stand still: neither the whole wait nor the time of day counts.
    """
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    seen, idle = _version(path), 0
    while True:
        try:
            lock.acquire(timeout=ATTEMPT)
            break
        except Timeout:
            before, seen = seen, _version(path)
            idle = idle + 1 if seen == before else 0
            if idle == PATIENCE:
                raise
    try:
        yield
    finally:
        lock.release()


def _version(path: Path) -> tuple[int, int] | None:
    """What changes whenever a file is replaced; None where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def find(
    key: Key,
    pipeline: str,
    legal: Callable[[Schedule], str | None] = lambda _: None,
    directories: Iterable[Path] | None = None,
    by_bucket: bool = False,
    kernels: Kernels = _as_it_is,
) -> Answer:
    """The answer of the ladder, see `lookup`, from the files of `directories` (default: `tuned_directories()`).

    Other classes of CPUs are only read where this one's folder has no answer. `kernels` are named in warnings of files.
    """
    places = list(directories if directories is not None else tuned_directories())
    own = key.cpu.fingerprint().cpu_class
    name = file_name(pipeline)
    here, _ = _located(((place, d / own / name) for place, d in enumerate(places)), kernels)
    answer = lookup(key, here, legal, by_bucket)
    if answer.located is not None:
        return answer
    others = ((place, path) for place, d in enumerate(places) for path in sorted(d.glob(f"*/{name}")))
    located, passed_over = _located(others, kernels)
    return lookup(key, located, legal, by_bucket, passed_over)


def nearest(
    key: Key, pipeline: str, directories: Iterable[Path] | None = None, kernels: Kernels = _as_it_is
) -> list[Located]:
    """All records of a pipeline, the one that is most like `key` first: what a search may start from."""
    places = list(directories if directories is not None else tuned_directories())
    files = ((place, path) for place, d in enumerate(places) for path in sorted(d.glob(f"*/{file_name(pipeline)}")))
    own = key.cpu.fingerprint()

    def apart(located: Located) -> tuple[float, ...]:
        cpu = located.record.key.cpu.fingerprint()
        return (float(cpu.isa != own.isa), float(cpu.cpu_class != own.cpu_class), *preference(key, located))

    located, _ = _located(files, kernels)
    return sorted(located, key=apart)


def _located(files: Iterable[tuple[int, Path]], kernels: Kernels) -> tuple[list[Located], int]:
    """The records in files, and how many of these could not be read as a whole."""
    found: list[Located] = []
    passed_over = 0
    for place, path in files:
        contents = _leniently(path, kernels)
        found += [Located(record, path, place) for record in contents.records]
        passed_over += bool(contents.problem)
    return found, passed_over


def forget_warnings() -> None:
    """Warn again of files that were warned of: for tests and long-lived processes."""
    _warned.clear()
