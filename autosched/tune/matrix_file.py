"""The last matrix of a pipeline on this machine, kept beside the studies, so that a report can show it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from autosched.errors import TuneError
from autosched.files import write_whole
from autosched.records import Key
from autosched.schedule import Schedule
from autosched.shipped import file_name
from autosched.tune.matrix import Cover, Matrix, MatrixRow
from autosched.tune.place import VARIABLE, state_directory


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class KeptRow(_Model):
    """See `autosched.tune.matrix.MatrixRow`."""

    bucket: str
    default: str
    times: Mapping[str, tuple[float, ...]]
    again: tuple[float, ...]
    items: int


class KeptMatrix(_Model):
    """A matrix, its cover, and what it is true of: an algorithm, a version, a regime."""

    schema_: Literal[1] = Field(1, alias="schema")
    algorithm: str
    autosched: str
    conditions: str
    when: AwareDatetime
    schedules: Mapping[str, Mapping[str, Any]]
    rows: Mapping[str, KeptRow]
    kept: tuple[str, ...]
    serves: Mapping[str, str]
    worst: float

    @property
    def matrix(self) -> Matrix:
        """The matrix as it was measured."""
        schedules = {label: Schedule.from_data(dict(data)) for label, data in self.schedules.items()}
        return Matrix(schedules, {name: MatrixRow(**row.model_dump()) for name, row in self.rows.items()})

    @property
    def cover(self) -> Cover:
        """The cover that was made of it."""
        return Cover(self.kept, self.serves, self.worst)


def matrix_file(pipeline: str, key: Key) -> Path:
    """Where the matrix of a pipeline is kept, for the CPU and the threads of `key`."""
    folder = state_directory().parent / "matrices" / key.cpu.fingerprint().cpu_class
    return folder / file_name(f"{pipeline}-{key.threads}")


def keep(matrix: Matrix, cover: Cover, pipeline: str, key: Key, conditions: str) -> Path:
    """Keep a matrix in the place of the last one. Raises TuneError where that is not possible."""
    path = matrix_file(pipeline, key)
    made = KeptMatrix(
        schema=1,
        algorithm=key.algorithm,
        autosched=key.autosched,
        conditions=conditions,
        when=datetime.now(UTC).replace(microsecond=0),
        schedules={label: schedule.to_data() for label, schedule in matrix.schedules.items()},
        rows={name: KeptRow(**{f: getattr(row, f) for f in KeptRow.model_fields}) for name, row in matrix.rows.items()},
        kept=cover.kept,
        serves=cover.serves,
        worst=cover.worst,
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, f"{made.model_dump_json(by_alias=True, indent=1)}\n".encode(), durable=True)
    except OSError as error:
        raise TuneError(
            f"{path} cannot be written: {error.strerror or error}; set {VARIABLE} to a directory that you can write to"
        ) from None
    return path


def kept(pipeline: str, key: Key) -> KeptMatrix | None:
    """The matrix that was kept; None where there is none of this algorithm and this version, or it cannot be read."""
    try:
        made = KeptMatrix.model_validate_json(matrix_file(pipeline, key).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        return None
    return made if (made.algorithm, made.autosched) == (key.algorithm, key.autosched) else None
