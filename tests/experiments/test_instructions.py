"""What perf writes is read as it is meant, and where it counts nothing the reason is said."""

from __future__ import annotations

import pytest

from experiments.implementation import NotAvailableError
from experiments.instructions import count_in

COUNTED = "warning: something\n123456789,,instructions:u,1000,100.00,,\n"


def test_a_count_is_read() -> None:
    assert count_in(COUNTED) == 123456789.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<not supported>,,instructions:u,0,100.00,,\n", "instructions are not supported on this machine"),
        ("<not counted>,,instructions,0,0.00,,\n", "instructions are not counted on this machine"),
        ("12,,cycles:u,1,100.00,,\n", "perf printed no instructions"),
    ],
)
def test_what_is_not_counted_says_so(text: str, message: str) -> None:
    with pytest.raises(NotAvailableError, match=message):
        count_in(text)
