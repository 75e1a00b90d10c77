"""A file a kind of implementation; each registers what it holds in `experiments.implementation.IMPLEMENTATIONS`.

Names that end in another library's name compute what is comparable with it, with other bits.
"""

#: In the order of tables.
MODULES = ("huggingface", "model_card", "rust", "in_halide", "libraries", "ours")
