"""Libraries that autosched is compared with, which need not be installed."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from experiments.implementation import NotAvailableError


def library(module: str, name: str, package: str) -> Any:
    """A module of the library called `name`. Raises NotAvailableError, which says how to install its package."""
    try:
        return import_module(module)
    except ImportError as error:
        raise NotAvailableError(f"{name} is not installed; pip install {package}") from error


def opencv() -> Any:
    """OpenCV's module. Raises NotAvailableError."""
    return library("cv2", "OpenCV", "opencv-python-headless")


def halide() -> Any:
    """Halide's module. Raises NotAvailableError."""
    return library("halide", "halide", "halide")


def schedule_by_adams2019(hl: Any, pipeline: Any, target: Any, threads: int) -> None:
    """Have Halide's autoscheduler Adams2019 schedule a pipeline for so many threads. Raises NotAvailableError."""
    plugins = sorted(Path(hl.__file__).parent.rglob("*autoschedule_adams2019.*"))
    if not plugins:
        raise NotAvailableError("this halide comes without Adams2019")
    hl.load_plugin(str(plugins[0]))
    pipeline.apply_autoscheduler(target, hl.AutoschedulerParams("Adams2019", {"parallelism": str(threads)}))
