"""What a record says: the key it is found by, the schedule, how it was searched for and how fast it was."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, field_validator

from autosched.errors import ScheduleError
from autosched.runtime.cpu import CpuFingerprint
from autosched.schedule import Schedule
from autosched.workload import Bucket

#: Version of the files. A reader refuses what it does not know; `migrate.py` knows the older ones.
SCHEMA = 4


def _schedule(data: Any) -> Schedule:
    if isinstance(data, Schedule):
        return data
    try:
        return Schedule.from_data(data)
    except ScheduleError as error:
        raise ValueError(str(error)) from None


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class BucketKey(_Model):
    """The bucket that the record was tuned on; see `autosched.workload.Bucket`."""

    name: str
    measures: dict[str, Annotated[float, Field(gt=0)]] = {}

    @field_validator("measures")
    @classmethod
    def _in_one_order(cls, measures: dict[str, float]) -> dict[str, float]:
        return dict(sorted(measures.items()))

    @classmethod
    def of(cls, bucket: Bucket) -> BucketKey:
        return cls(name=bucket.name, measures=dict(bucket.measures))

    def bucket(self) -> Bucket:
        return Bucket(self.name, self.measures)


class CpuKey(_Model):
    """The CPU; see `autosched.runtime.cpu.CpuFingerprint`. Sizes in bytes."""

    architecture: str
    vendor: str
    family: int
    model: int
    features: tuple[str, ...]
    l1d: int
    l2: int
    l3: int

    @classmethod
    def of(cls, cpu: CpuFingerprint) -> CpuKey:
        return cls(**{name: getattr(cpu, name) for name in cls.model_fields})

    def fingerprint(self) -> CpuFingerprint:
        return CpuFingerprint(**self.model_dump(), cores=0)


class Key(_Model):
    """What must be equal for the record to be an exact answer."""

    algorithm: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    autosched: str
    cpu: CpuKey
    threads: Annotated[int, Field(ge=1)]
    bucket: BucketKey


class Search(_Model):
    """The rigor of the search.

    `trials` counts distinct schedules tried, on all workloads of the bucket; `rounds` the paired rounds of what `times`
    come from, `workload` what they were taken on. `kernel` is the one that was tuned, of all that have the pipeline;
    empty where the record is older than that, or the pipeline is of no kernel with a name.
    """

    trials: Annotated[int, Field(ge=1)]
    rounds: Annotated[int, Field(ge=1)]
    seconds: Annotated[float, Field(ge=0)]
    space: str
    workload: str
    conditions: str = "warm"
    kernel: str = ""


class Interval(_Model):
    """A median with the interval that holds it with 95 % confidence."""

    median: float
    low: float
    high: float


class Times(_Model):
    """Milliseconds per item of the workload, and how many times faster than the built-in default, round by round.

    `noise` is what the same schedule differed from itself by in this run, as a fraction: smaller speedups mean nothing.
    """

    schedule: Interval
    default: Interval
    speedup: Interval
    noise: Annotated[float, Field(ge=0)]


class Origin(_Model):
    """What made the record. Not part of the key, for a schedule outlives it."""

    when: AwareDatetime
    python: str
    numba: str
    llvmlite: str


class Machine(_Model):
    """The machine during the search; see `autosched.tune.machine.MachineState`. None where the system does not say."""

    cpus: Annotated[int, Field(ge=1)]
    governor: str | None = None
    mhz: tuple[float, float] | None = None
    load: float = 0.0
    busy: float | None = None
    steal: float | None = None
    switches: float | None = None


class Record(_Model):
    """One tuned schedule. `machine` is None where the record is older than that.

    `losses` says of each workload of the bucket how much longer the schedule takes than the fastest that was found for
    any workload, as a fraction; None where it was timed on one workload alone.
    """

    key: Key
    schedule: Annotated[
        Schedule, PlainValidator(_schedule), PlainSerializer(lambda s: s.to_data(), return_type=dict[str, Any])
    ]
    search: Search
    times: Times
    origin: Origin
    machine: Machine | None = None
    losses: dict[str, Annotated[float, Field(ge=0)]] | None = None


class RecordFile(_Model):
    """A file of records of one pipeline on one class of CPUs."""

    schema_: Annotated[Literal[4], Field(alias="schema")] = 4
    pipeline: str
    records: tuple[Record, ...]
