"""What an implementation is: a way to preprocess images, and whose bits it promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from PIL import Image

from experiments.workloads import Workload

Images: TypeAlias = Sequence[Image.Image]
#: The arrays that a processor returns, by name.
Output: TypeAlias = Mapping[str, Any]
Run: TypeAlias = Callable[[Images], Output]


class NotAvailableError(Exception):
    """An implementation cannot be measured here, or need not be; the message says why."""


def _no_kernels(workload: Workload, images: Images, threads: int) -> str:
    return ""


@dataclass(frozen=True)
class Implementation:
    """One way to preprocess images.

    Attributes:
        name: as on the command line and in results.
        title: as in tables and figures.
        oracle: name of the implementation whose bits it must produce; its own name where it is an oracle itself.
        make: returns what processes the images of a workload on a number of threads. Raises NotAvailableError.
        exact: a difference from the oracle is an error; otherwise it is reported.
        kernels: names the compiled kernels that the images would run through, "" where there are none; results are
            measured anew when the name changes.
        redundant_with: it is left out where its kernels are those of this implementation.
        note: what a reader of a result has to know.
    """

    name: str
    title: str
    oracle: str
    make: Callable[[Workload, int], Run]
    exact: bool = True
    kernels: Callable[[Workload, Images, int], str] = _no_kernels
    redundant_with: str = ""
    note: Callable[[], str] = lambda: ""
