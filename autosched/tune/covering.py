"""The records of a pipeline that was tuned on several workloads: the schedules of the cover, one a bucket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autosched.records import Machine, Record, Times, origin_here
from autosched.schedule import Schedule
from autosched.tune.matrix import Cover, Matrix, MatrixRow
from autosched.tune.measure import Estimate
from autosched.tune.run import Result, interval

#: Of each search so many of the schedules play that are at least so fast as this share of the winner's speed.
FINALISTS, CLOSE = 4, 0.95


def finalists(results: Mapping[str, Result]) -> dict[str, Schedule]:
    """Schedules to compare on all workloads: of each search, by the workload's name, the winner and what came close."""
    chosen: dict[str, Schedule] = {}
    for workload, result in results.items():
        winner = result.final.winner
        entered = zip(result.titles, result.final.standings, strict=True)
        close = [(t, s) for t, s in entered if s is winner or s.speedup.median >= CLOSE * winner.speedup.median]
        for title, standing in close[:FINALISTS]:
            if standing.label != "default" and standing.schedule not in chosen.values():
                chosen[f"{workload}: {title}"] = standing.schedule
    return chosen


def covering(
    matrix: Matrix, cover: Cover, records: Mapping[str, Sequence[Record]], machine: Machine | None, conditions: str
) -> list[Record]:
    """A record for each bucket that has `records`, with the schedule that serves it and its times of the matrix.

    The times are of the workload on which the schedule gains least over the default. The trials are those of all
    searches for the bucket together, so that the record wins over each of theirs.
    """
    made: list[Record] = []
    for bucket, workloads in matrix.buckets().items():
        distinct: list[Record] = []
        for record in records.get(bucket, ()):
            if record not in distinct:
                distinct.append(record)
        if not distinct:
            continue
        base = max(distinct, key=lambda r: r.search.trials)
        label = cover.serves[bucket]
        gains = {w: matrix.rows[w].over(matrix.rows[w].default, label) for w in workloads}
        least = min(gains, key=lambda w: gains[w].median)
        row = matrix.rows[least]
        search = {
            "trials": sum(r.search.trials for r in distinct),
            "rounds": row.rounds,
            "seconds": round(sum(r.search.seconds for r in distinct), 1),
            "workload": least,
            "conditions": conditions,
        }
        made.append(
            base.model_copy(
                update={
                    "schedule": matrix.schedules[label],
                    "search": base.search.model_copy(update=search),
                    "times": _times(row, label, gains[least]),
                    "origin": origin_here(),
                    "machine": machine,
                    "losses": {w: round(matrix.rows[w].loss(label), 4) for w in workloads},
                }
            )
        )
    return made


def _times(row: MatrixRow, label: str, speedup: Estimate) -> Times:
    scale = 1e3 / row.items
    return Times(
        schedule=interval(row.seconds[label].scaled(scale)),
        default=interval(row.seconds[row.default].scaled(scale)),
        speedup=interval(speedup),
        noise=round(row.noise, 4),
    )
