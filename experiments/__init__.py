"""The studies: implementations, families, workloads and measures, and the experiments that combine them into tables.

`autosched experiment list | run NAME | plot NAME | report | all`. What there is registers itself: a file a thing in
`implementations/`, `families/` and `studies/`, and its name in that package's `MODULES`. An experiment is data plus a
function: a question, and `cases(selection)`, each with where it measures, which implementations it will have rows of,
and a function from an `Effort` to `Number`s. `runner.py` makes rows of them and goes on where it was stopped.

May use everything in autosched, transformers and torch; nothing in autosched uses it. Tables are in
`experiments/results/`, drawn by `plots/`, and told in `REPORT.md`.
"""
