"""From loop IR to readable Numba source, and from source to compiled, cached functions."""
