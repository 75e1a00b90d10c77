"""From loop IR to compiled kernels: SIMD values, the printer of generated source, and its cache."""
