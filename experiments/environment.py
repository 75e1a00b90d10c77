"""Where a measurement was taken: the machine and the versions, as columns of a table."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from autosched.runtime.cpu import fingerprint

_PACKAGES = ("autosched", "numpy", "numba", "pillow", "torch", "torchvision", "transformers")
_HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")


@dataclass(frozen=True, slots=True)
class Environment:
    """What has to be the same for two rows to be comparable."""

    cpu: str
    cpus: int
    memory_gb: int
    system: str
    versions: str
    code: str


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The environment of this process."""
    import psutil

    cpu = f"{_model_name()} ({fingerprint().cpu_class})"
    pages = f", huge pages {_huge_pages()}" if _HUGE_PAGES.exists() else ""
    return Environment(
        cpu=cpu,
        cpus=len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1,
        memory_gb=round(psutil.virtual_memory().total / 2**30),
        system=f"{platform.system()} {platform.machine()}{pages}",
        versions="; ".join([f"python {platform.python_version()}", *_versions()]),
        code=code(),
    )


@lru_cache(maxsize=1)
def code() -> str:
    """A short name of autosched's sources and tuned records: results of other code are measured anew."""
    import autosched

    package = Path(autosched.__file__).parent
    files = [*package.rglob("*.py"), *(package.parent / "tuned").rglob("*.json")]
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.relative_to(package.parent).as_posix().encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def package_version(package: str) -> str | None:
    """The version of an installed package, None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def load() -> float:
    """How many processes wanted a CPU during the last minute; 0 where the system does not say."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0


def _versions() -> list[str]:
    import autosched

    known = {package: package_version(package) for package in _PACKAGES}
    known["autosched"] = autosched.__version__  # a checkout need not be installed
    return [f"{package} {found}" for package, found in known.items() if found is not None]


def _huge_pages() -> str:
    """The chosen one of the settings, which the kernel puts in brackets."""
    return _HUGE_PAGES.read_text().partition("[")[2].partition("]")[0]


def _model_name() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() in ("model name", "Model"):
                return value.strip()
    return platform.processor() or platform.machine()
