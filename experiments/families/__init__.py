"""A file a family or a group of families; each registers what it holds in `experiments.family.FAMILIES`."""

#: In the order of tables.
MODULES = ("qwen_vl", "internvl", "llava_next", "relatives")
