"""A file a model family: how its arguments are read and what its outputs are. `hf.registry` lists the files.

May import vlm and the shared parts of hf; transformers and torch only inside functions.
"""
