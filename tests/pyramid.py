"""A pipeline that explodes where it is inlined, for tests."""

from __future__ import annotations

from autosched.lang import Func, Input, Pipeline, f32, variables


def pyramid(levels: int) -> Pipeline:
    """Funcs g0, g1, ...: each is read at sixteen places by the next."""
    y, x = variables("y x")
    func, source = Func("g0"), Input("src", f32, 2)
    func[y, x] = source[y, x]
    for i in range(1, levels):
        below, func = func, Func(f"g{i}")
        value = below[2 * y, 2 * x]
        for place in range(1, 16):
            value = value + below[2 * y + place // 4, 2 * x + place % 4]
        func[y, x] = value
    return Pipeline(func)
