"""What is asked of Slurm: one job for each constraint, each with whole nodes for itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from autosched.errors import ArgumentError

#: What a job is called that has no constraint.
ANY = "any"
#: What the jobs depend on, or what has an option of its own.
_OURS = {
    "partition", "constraint", "nodes", "account", "time", "exclusive", "requeue", "no-requeue", "signal", "open-mode",
    "output", "error", "array", "wrap", "ntasks", "ntasks-per-node", "parsable", "test-only", "wait",
}  # fmt: skip


@dataclass(frozen=True)
class Target:
    """One job: its label, which names its folder and its lines of progress, and the constraint on its nodes."""

    label: str
    constraint: str | None = None


@dataclass(frozen=True)
class Cluster:
    """The nodes that are asked for. `minutes` is the limit of each job, `extra` further options of sbatch by name."""

    partition: str | None = None
    constraints: tuple[str, ...] = ()
    nodes: int = 1
    account: str | None = None
    minutes: int = 60
    extra: Mapping[str, str | bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.nodes < 1:
            raise ArgumentError(f"--nodes is {self.nodes}; it must be at least 1")
        texts = (self.partition, self.account, *self.constraints, *self.extra.values())
        for text in texts:
            if isinstance(text, str) and (not text or not text.isprintable()):
                raise ArgumentError(f"{text!r} cannot be given to sbatch; write what `man sbatch` says of the option")
        for name in self.extra:
            if name in _OURS:
                raise ArgumentError(f"--sbatch {name} cannot be given: the job depends on it, or it has an option")
        labels = [target.label for target in self.targets()]
        for label in labels:
            if labels.count(label) > 1:
                raise ArgumentError(f"--constraint {label} is given twice; one job for each class of CPUs is enough")

    def targets(self) -> tuple[Target, ...]:
        """One for each constraint, or a single one without."""
        if not self.constraints:
            return (Target(ANY),)
        return tuple(Target(re.sub(r"[^A-Za-z0-9_.-]+", "_", c).strip("._") or ANY, c) for c in self.constraints)

    def where(self) -> str:
        """Of what the nodes are, for messages."""
        return "any partition" if self.partition is None else f"partition {self.partition}"


def options(pairs: list[str]) -> dict[str, str | bool]:
    """Options of sbatch as users write them: `mail-user=me@here`, `hold`. Raises ArgumentError."""
    found: dict[str, str | bool] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
            raise ArgumentError(f"--sbatch {pair!r} is no option of sbatch; write NAME=VALUE or NAME, without dashes")
        found[name] = value if equals else True
    return found
