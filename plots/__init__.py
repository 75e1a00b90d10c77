"""Figures: one script each, from the tables in `experiments/results/` to `plots/figures/`. Measures nothing."""
