"""Jobs under Slurm: asking for nodes, what a job does when it is to be ended, and what has become of jobs.

Knows nothing of what the jobs compute: they are given as callables. Uses submitit and Slurm's own commands.
"""

from autosched.slurm.cluster import Cluster, Target
from autosched.slurm.requeue import requeued
from autosched.slurm.states import JobState, features, query
from autosched.slurm.submission import Submitted, script, submit, verify

__all__ = ["Cluster", "JobState", "Submitted", "Target", "features", "query", "requeued", "script", "submit", "verify"]
