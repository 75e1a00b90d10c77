"""Runs Hugging Face's own test-suites of image and video processors, with drop-ins in place of its classes and without.

    python -m experiments.huggingface_tests ~/transformers [--models qwen2_vl clip]

The checkout should be of the version of transformers that is installed (`git checkout v5.24.0`): its tests are run, not
its sources. They need parameterized and httpx. Prints passed, failed and skipped tests of each model, both ways, how
many calls kernels computed, and what failed; exits with 1 where a test fails with drop-ins only.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from autosched.hf.registry import supported

_SEEDS: Final = "experiments.fixed_seeds"
_PLUGIN: Final = "experiments.accelerated_classes"
_COUNTS: Final = re.compile(r"autosched: (\d+) by kernels, (\d+) by Hugging Face")


@dataclass(frozen=True)
class Result:
    """Numbers of tests of one run; `failures` are names of tests and what they said."""

    passed: int
    skipped: int
    failures: Mapping[str, str]
    kernels: str = ""

    @property
    def failed(self) -> int:
        """How many failed."""
        return len(self.failures)

    def __str__(self) -> str:
        return f"{self.passed:4d} passed {self.failed:3d} failed {self.skipped:3d} skipped"


def models() -> list[str]:
    """The folders of transformers.models that have a drop-in."""
    return sorted({support.module.split(".")[2] for support in supported()})


def suites(checkout: Path, model: str) -> list[Path]:
    """The test files of a model's processors."""
    folder = checkout / "tests" / "models" / model
    return sorted([*folder.glob("test_image_processing_*.py"), *folder.glob("test_video_processing_*.py")])


def run(checkout: Path, files: list[Path], accelerated: bool) -> Result:
    """One run of pytest over files of the checkout."""
    here = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(here), os.environ.get("PYTHONPATH", "")])}
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", _SEEDS, f"--junitxml={report}"]
        command += ["-p", _PLUGIN] if accelerated else []
        done = subprocess.run(
            [*command, *map(str, files)], cwd=checkout, env=environment, capture_output=True, text=True, check=False
        )
        if not report.exists():
            raise SystemExit(f"pytest made no report:\n{done.stdout}{done.stderr}")
        return read(report, done.stdout)


def read(report: Path, output: str) -> Result:
    """The numbers in a JUnit report, and what the plugin said."""
    passed, skipped, failures = 0, 0, {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        kinds = {child.tag: child for child in case}
        broken = next((kinds[tag] for tag in ("failure", "error") if tag in kinds), None)
        if broken is not None:
            failures[f"{case.get('classname')}.{case.get('name')}"] = broken.get("message", "").strip()
        elif "skipped" in kinds:
            skipped += 1
        else:
            passed += 1
    found = _COUNTS.search(output)
    return Result(passed, skipped, failures, ", ".join(found.groups()) if found else "")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--models", nargs="*", default=models())
    arguments = parser.parse_args()
    checkout = arguments.checkout.resolve()
    broken = False
    for model in arguments.models:
        files = suites(checkout, model)
        if not files:
            print(f"{model:16s} has no tests there")
            continue
        plain = run(checkout, files, accelerated=False)
        fast = run(checkout, files, accelerated=True)
        print(
            f"{model:16s} {plain}   accelerated: {fast}   calls by kernels, by Hugging Face: {fast.kernels}", flush=True
        )
        for name in sorted(plain.failures.keys() | fast.failures.keys()):
            first, second = plain.failures.get(name), fast.failures.get(name)
            broken |= first is None
            when = "only when accelerated" if first is None else "only without" if second is None else "both ways"
            said = (second if first is None else first) or "no message"
            print(f"    fails {when}: {name.rpartition('.')[2]}: {said.splitlines()[0][:200]}", flush=True)
    sys.exit(broken)


if __name__ == "__main__":
    main()
