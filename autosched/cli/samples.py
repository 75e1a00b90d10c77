"""From a kernel's name and the options to the workloads that are tuned or timed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autosched.cli.console import say
from autosched.cli.image_folder import ImageFolder
from autosched.cli.own import OwnFamily, OwnFile
from autosched.errors import ArgumentError
from autosched.shipped import shipped
from autosched.tune.derive import derive
from autosched.tune.space_file import SpaceFile, WorkloadSpec, load_space
from autosched.vlm.registry import KernelFamily
from autosched.workload import Bucket, Workload, nearest


@dataclass(frozen=True)
class Sampled:
    """A workload with the samples it was made of and the bucket it falls into."""

    workload: Workload
    bucket: Bucket
    images: Sequence[Any]
    settings: dict[str, Any]


def busy(what: str) -> str:
    """The message where another process searches for a kernel and a workload."""
    return f"another `autosched tune` works on {what}; wait for it, or end it"


def space_of(family: KernelFamily) -> SpaceFile:
    """The family's search space: its own, of its file or, where there is none, derived from its algorithm."""
    if isinstance(family, OwnFamily):
        return family.file
    path = shipped("search_spaces") / family.space_file
    return load_space(path) if path.exists() or family.space else SpaceFile(derive(family.pipeline()), ())


def choose(file: SpaceFile, names: Sequence[str], images: Path | None) -> list[WorkloadSpec]:
    """The workloads that are meant: those named, or all that are tuned by default.

    Images of the user's make one, under the settings of the one that is named, which it must have.
    """
    if isinstance(file, OwnFile):
        return file.chosen(names, images)
    if images is not None and names and (len(set(names)) > 1 or not file.workload(names[0]).settings):
        raise ArgumentError(
            f"--images {images} are a workload of their own, and --workload {' --workload '.join(names)} says nothing "
            "of them; leave one of the two out, or name one workload with settings, to use the images under these"
        )
    chosen = [file.workload(name) for name in dict.fromkeys(names)] or [w for w in file.workloads if w.tune]
    if not chosen and images is not None:
        chosen = [WorkloadSpec("images")]
    if not chosen:
        raise ArgumentError(f"search space {file.space.name} has no workload; name some images with --images DIR")
    return chosen[:1] if images is not None else chosen


def sample(family: KernelFamily, spec: WorkloadSpec, images: Path | None) -> Sampled:
    """Make the calls of a workload, from its own samples or from the images of a directory under its settings.

    Raises ArgumentError, with the names of the images that the family cannot take.
    """
    settings = {**family.settings, **spec.settings}
    if images is None:
        return _sampled(family, family.specimens(spec.samples), settings, spec.name)
    folder = ImageFolder.read(images)
    loaded = folder.load()
    say(folder.summary)
    try:
        return _sampled(family, loaded, settings, folder.label)
    except ValueError:
        _blame(family, settings, folder, loaded)
        raise


def _sampled(family: KernelFamily, images: Sequence[Any], settings: dict[str, Any], name: str) -> Sampled:
    workload = replace(family.workload(images, settings), name=name)
    bucket = nearest(workload.measures, family.buckets) or family.buckets[0]
    return Sampled(workload, bucket, images, settings)


def _blame(family: KernelFamily, settings: dict[str, Any], folder: ImageFolder, images: Sequence[Any]) -> None:
    bad: list[str] = []
    for path, image in zip(folder.used, images, strict=True):
        try:
            family.workload([image], settings)
        except ValueError as error:
            bad.append(f"{path} cannot be used: {error}")
    if bad:
        raise ArgumentError(f"{'; '.join(bad)}; take {'it' if len(bad) == 1 else 'them'} away")
