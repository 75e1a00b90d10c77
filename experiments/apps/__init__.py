"""Halide's small apps in our language, in Halide and elsewhere, on the same inputs: is the compiler a general one?"""
