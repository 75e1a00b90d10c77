"""Explicit SIMD for generated Numba kernels: value types, their operators and named operations.

Generated source imports what it uses from `autosched.codegen.simd.ops`. `twins` says in numpy
what each operation means. Nothing here knows about pipelines or schedules.
"""
