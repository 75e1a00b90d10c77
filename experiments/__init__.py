"""The studies: implementations, workloads and measures, and the commands that combine them into tables.

May use everything in autosched, transformers and torch; nothing in autosched uses it. Results are written to
`experiments/results/` and drawn by `plots/`.
"""
