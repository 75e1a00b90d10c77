"""What an implementation is: a way to preprocess the images of a family, and whose bits it promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from PIL import Image

from experiments.registry import Registry
from experiments.workloads import Workload

if TYPE_CHECKING:
    from experiments.family import Family

Images: TypeAlias = Sequence[Image.Image]
#: The arrays that a processor returns, by name.
Output: TypeAlias = Mapping[str, Any]
Run: TypeAlias = Callable[[Images], Output]


class NotAvailableError(Exception):
    """An implementation cannot be measured here, or need not be; the message says why."""


def _nothing(family: Family, workload: Workload, images: Images, threads: int) -> str:
    return ""


@dataclass(frozen=True)
class Implementation:
    """One way to preprocess images.

    Attributes:
        name: as on the command line and in results.
        title: as in tables and figures.
        oracle: name of the implementation whose bits it must produce; its own name where it is an oracle itself.
        make: returns what processes the images of a workload of a family on a number of threads. Raises
            NotAvailableError.
        exact: a difference from the oracle is an error; otherwise it is reported.
        kernels: names the schedules that the images would run through, "" where there are none.
        redundant_with: it is left out where its kernels are those of this implementation.
        note: what a reader of a result has to know.
        sizes_are_code: it compiles code for each size of image, so that other sizes do not warm it up.
    """

    name: str
    title: str
    oracle: str
    make: Callable[[Family, Workload, int], Run]
    exact: bool = True
    kernels: Callable[[Family, Workload, Images, int], str] = _nothing
    redundant_with: str = ""
    note: Callable[[], str] = lambda: ""
    sizes_are_code: bool = False


#: All implementations, in the order of tables.
IMPLEMENTATIONS: Final[Registry[Implementation]] = Registry("implementation", "experiments.implementations")
