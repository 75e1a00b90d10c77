"""Every interpreter that has this folder on its path knows the small kernel of tests/blur_family.py: those of jobs.

AUTOSCHED_TEST_SPACES names the directory with its space, AUTOSCHED_TEST_TRIALS a file for what was finished,
AUTOSCHED_TEST_HOLD one with a number of trials at which to stay in the middle of the next.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import sys
import time
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any


class _Registering(importlib.abc.MetaPathFinder):
    """Imports the command line as it is, then adds the kernel: nothing is imported before it is needed."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "autosched.cli.main":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        assert spec is not None and spec.loader is not None
        loader: Any = spec.loader
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            _register()

        loader.exec_module = exec_module
        return spec


def _register() -> None:
    import blur_family

    from autosched.cli import samples
    from autosched.tune import closing
    from autosched.tune.candidate import schedule_id
    from autosched.tune.interrupt import Interruption
    from autosched.tune.study import Outcome, Proposal, Study, Trial
    from autosched.vlm import registry

    samples.shipped = lambda folder: Path(os.environ["AUTOSCHED_TEST_SPACES"])
    closing.FINAL_SECONDS = closing.SIMPLIFY_SECONDS = 0.05
    registry.register(blur_family.FAMILY)
    finish = Study.finish
    interrupt = Interruption._interrupt

    def logged(study: Study, proposal: Proposal, outcome: Outcome) -> Trial:
        _hold()
        made = finish(study, proposal, outcome)
        if outcome.kind != "duplicate":
            _write(f"trial {schedule_id(proposal.schedule)} {outcome.kind}")
        return made

    def told(interruption: Interruption, number: int, frame: FrameType | None) -> None:
        interrupt(interruption, number, frame)
        _write(f"told {os.getpid()}")

    Study.finish = logged  # type: ignore[method-assign]
    Interruption._interrupt = told  # type: ignore[method-assign]
    if "SLURM_JOB_ID" in os.environ:
        _write(f"tuner {os.getpid()} {os.environ['SLURMD_NODENAME']}")
    else:
        from autosched.cli import slurm_results

        slurm_results.SOON = slurm_results.LATE = 0.3


def _hold() -> None:
    """Stay in the middle of a trial as long as so many are finished as the file HOLD says."""
    hold = Path(os.environ["AUTOSCHED_TEST_HOLD"])
    said = False
    while hold.exists() and Path(os.environ["AUTOSCHED_TEST_TRIALS"]).read_text().count("trial ") >= int(
        hold.read_text() or "999"
    ):
        if not said:
            _write(f"holds {os.getpid()}")
        said = True
        time.sleep(0.05)


def _write(line: str) -> None:
    with Path(os.environ["AUTOSCHED_TEST_TRIALS"]).open("a") as file:
        file.write(line + "\n")


if "AUTOSCHED_TEST_SPACES" in os.environ:
    sys.meta_path.insert(0, _Registering())
