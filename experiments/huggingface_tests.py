"""Runs Hugging Face's own test-suites of image and video processors, with drop-ins in place of its classes and without.

    python -m experiments.huggingface_tests ~/transformers [--models qwen2_vl clip]

The checkout must be of the version of transformers that is installed (`git checkout v5.23.0`): its tests are run, not
its sources. Prints passed, failed and skipped tests of each model, both ways, and how many calls kernels computed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from autosched.hf.registry import supported

_PLUGIN: Final = "experiments.accelerated_classes"
_COUNTS: Final = re.compile(r"autosched: (\d+) by kernels, (\d+) by Hugging Face")


@dataclass(frozen=True)
class Result:
    """Numbers of tests of one run; `failures` are their names."""

    passed: int
    failed: int
    skipped: int
    failures: frozenset[str]
    kernels: str = ""

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
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
        command += ["-p", _PLUGIN] if accelerated else []
        done = subprocess.run(
            [*command, *map(str, files)], cwd=checkout, env=environment, capture_output=True, text=True, check=False
        )
        if not report.exists():
            raise SystemExit(f"pytest made no report:\n{done.stdout}{done.stderr}")
        return read(report, done.stdout)


def read(report: Path, output: str) -> Result:
    """The numbers in a JUnit report, and what the plugin said."""
    passed, skipped, failures = 0, 0, set()
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            failures.add(f"{case.get('classname')}.{case.get('name')}")
        elif "skipped" in kinds:
            skipped += 1
        else:
            passed += 1
    found = _COUNTS.search(output)
    return Result(passed, len(failures), skipped, frozenset(failures), ", ".join(found.groups()) if found else "")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--models", nargs="*", default=models())
    arguments = parser.parse_args()
    broken = False
    for model in arguments.models:
        files = suites(arguments.checkout, model)
        if not files:
            print(f"{model:16s} has no tests there")
            continue
        plain = run(arguments.checkout, files, accelerated=False)
        fast = run(arguments.checkout, files, accelerated=True)
        print(f"{model:16s} {plain}   accelerated: {fast}   calls by kernels, by Hugging Face: {fast.kernels}")
        for name in sorted(fast.failures - plain.failures):
            broken = True
            print(f"    fails only when accelerated: {name}")
    sys.exit(broken)


if __name__ == "__main__":
    main()
