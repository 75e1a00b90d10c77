"""Model families: each file holds the size rules of one family (plain Python) and its pipeline.

Uses `autosched.imaging` and the runtime; must not reach into lowering or code generation. Of Hugging Face it builds,
inside functions, the processors that results are timed against.
"""
