"""The images of a directory of the user's: which are used, as what workload, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from autosched.errors import ArgumentError

#: Images of a directory that are used; more only cost time.
MOST_IMAGES = 64
#: Files that are no images of which the names are said.
SHOWN = 5


@dataclass(frozen=True)
class ImageFolder:
    """A directory as it was when it was read: its images, in the order of their names, and its other files."""

    directory: Path
    images: tuple[Path, ...]
    others: tuple[str, ...]

    @staticmethod
    def read(directory: Path) -> ImageFolder:
        """List a directory, once. Raises ArgumentError where it is none, or has no images."""
        from PIL import Image

        if not directory.is_dir():
            what = "is not a directory" if directory.exists() else "does not exist"
            raise ArgumentError(f"--images {directory} {what}; name a directory with images")
        extensions = Image.registered_extensions()
        files = sorted(directory.iterdir())
        images = tuple(path for path in files if path.suffix.lower() in extensions and path.is_file())
        if not images:
            raise ArgumentError(f"--images {directory} has no images; put some there (JPEG, PNG, ...) or name another")
        others = tuple(path.name for path in files if path not in images and not path.name.startswith("."))
        return ImageFolder(directory, images, others)

    @property
    def used(self) -> tuple[Path, ...]:
        """The first of the images."""
        return self.images[:MOST_IMAGES]

    @property
    def label(self) -> str:
        """The name of the images as a workload: another directory of the same name has another label."""
        contents = sha256(repr([(path.name, path.stat().st_size) for path in self.used]).encode())
        return f"images-{self.directory.resolve().name}-{contents.hexdigest()[:4]}"

    @property
    def summary(self) -> str:
        """The number of images that are used, and the names of other files."""
        used = len(self.used)
        summary = f"{used} image{'s' * (used > 1)} of {self.directory}"
        if len(self.images) > used:
            summary += f", the first of {len(self.images)} by name"
        if self.others:
            more = f" and {len(self.others) - SHOWN} more" if len(self.others) > SHOWN else ""
            summary += f"; skipped, for they are no images: {', '.join(self.others[:SHOWN])}{more}"
        return summary

    def load(self) -> list[Any]:
        """The images that are used, as RGB images of Pillow. Raises ArgumentError with all that cannot be decoded."""
        from PIL import Image, UnidentifiedImageError

        loaded: list[Any] = []
        bad: list[str] = []
        for path in self.used:
            try:
                with Image.open(path) as image:
                    loaded.append(image.convert("RGB"))
            except (OSError, UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
                bad.append(f"{path} cannot be decoded: {error}")
        if bad:
            them = "it" if len(bad) == 1 else "them"
            raise ArgumentError(f"{'; '.join(bad)}; repair {them} or take {them} away")
        return loaded
