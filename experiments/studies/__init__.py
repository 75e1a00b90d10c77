"""A file an experiment; each registers what it holds in `experiments.experiment.EXPERIMENTS`."""

#: In the order of the report.
MODULES = (
    "runtime",
    "scaling",
    "peak_memory",
    "instructions",
    "profile",
    "agreement",
    "schedules",
    "restated",
    "strips",
    "ablation",
    "unseen_shapes",
    "tuned_twice",
    "apps",
    "startup",
    "half",
    "end_to_end",
    "families",
    "callers",
)
