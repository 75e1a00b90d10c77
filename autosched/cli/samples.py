"""From a kernel's name and the options to the workloads that are tuned or timed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from autosched.cli.console import say
from autosched.errors import ArgumentError
from autosched.shipped import shipped
from autosched.tune.derive import derive
from autosched.tune.space_file import SpaceFile, WorkloadSpec, load_space
from autosched.vlm.registry import KernelFamily
from autosched.workload import Bucket, Workload, nearest

#: Images of a directory that are used; more only cost time.
MOST_IMAGES = 64
#: Files that are no images of which the names are said.
SHOWN = 5


@dataclass(frozen=True)
class Sampled:
    """A workload with the samples it was made of and the bucket it falls into."""

    workload: Workload
    bucket: Bucket
    images: Sequence[Any]
    settings: dict[str, Any]


def busy(what: str) -> str:
    """What to say where another process searches for a kernel and a workload."""
    return f"another `autosched tune` works on {what}; wait for it, or end it"


def space_of(family: KernelFamily) -> SpaceFile:
    """The family's search space: of its file or, where there is none, derived from its algorithm."""
    path = shipped("search_spaces") / family.space_file
    return load_space(path) if path.exists() or family.space else SpaceFile(derive(family.pipeline()), ())


def choose(file: SpaceFile, names: Sequence[str], images: Path | None) -> list[WorkloadSpec]:
    """The workloads that are meant: those named, or all that are tuned by default.

    Images of the user's make one, under the settings of the one that is named, which it must have.
    """
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
    """Make the calls of a workload, from its own samples or from the images of a directory under its settings."""
    settings = {**family.settings, **spec.settings}
    if images is None:
        given, name = family.specimens(spec.samples), spec.name
    else:
        given, name = load_images(images), label_of(images)
        say(told(images))
    try:
        workload = replace(family.workload(given, settings), name=name)
    except ValueError:
        if images is not None:
            _blame(family, settings, images, given)
        raise
    bucket = nearest(workload.measures, family.buckets) or family.buckets[0]
    return Sampled(workload, bucket, given, settings)


def _blame(family: KernelFamily, settings: dict[str, Any], directory: Path, images: Sequence[Any]) -> None:
    """Raises ArgumentError, with the names of the images that the family cannot take."""
    bad: list[str] = []
    for path, image in zip(_files(directory), images, strict=True):
        try:
            family.workload([image], settings)
        except ValueError as error:
            bad.append(f"{path} cannot be used: {error}")
    if bad:
        raise ArgumentError(f"{'; '.join(bad)}; take {_it(bad)} away")


def _it(bad: Sequence[str]) -> str:
    return "it" if len(bad) == 1 else "them"


def _files(directory: Path) -> list[Path]:
    return _images(directory)[:MOST_IMAGES]


def _images(directory: Path) -> list[Path]:
    from PIL import Image

    known = Image.registered_extensions()
    return sorted(p for p in directory.iterdir() if p.suffix.lower() in known and p.is_file())


def label_of(directory: Path) -> str:
    """What the images of a directory are called as a workload: another directory of the same name has another label."""
    of = sha256(repr([(path.name, path.stat().st_size) for path in _files(directory)]).encode())
    return f"images-{directory.resolve().name}-{of.hexdigest()[:4]}"


def told(directory: Path) -> str:
    """How many images of a directory are used, and what is not."""
    images = _images(directory)
    used = min(len(images), MOST_IMAGES)
    skipped = [
        path.name for path in sorted(directory.iterdir()) if path not in images and not path.name.startswith(".")
    ]
    said = f"{used} image{'s' * (used > 1)} of {directory}"
    if len(images) > used:
        said += f", the first of {len(images)} by name"
    if skipped:
        more = f" and {len(skipped) - SHOWN} more" if len(skipped) > SHOWN else ""
        said += f"; skipped, for they are no images: {', '.join(skipped[:SHOWN])}{more}"
    return said


def load_images(directory: Path) -> list[Any]:
    """The images of a directory as RGB images of Pillow, in the order of their names.

    Raises ArgumentError where it is no directory, has no images, or some of them cannot be decoded.
    """
    from PIL import Image, UnidentifiedImageError

    if not directory.is_dir():
        what = "is not a directory" if directory.exists() else "does not exist"
        raise ArgumentError(f"--images {directory} {what}; name a directory with images")
    files = _files(directory)
    if not files:
        raise ArgumentError(f"--images {directory} has no images; put some there (JPEG, PNG, ...) or name another")
    made: list[Any] = []
    bad: list[str] = []
    for path in files:
        try:
            with Image.open(path) as image:
                made.append(image.convert("RGB"))
        except (OSError, UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            bad.append(f"{path} cannot be decoded: {error}")
    if bad:
        raise ArgumentError(f"{'; '.join(bad)}; repair {_it(bad)} or take {_it(bad)} away")
    return made
