"""The error hierarchy: everything autosched raises on purpose derives from AutoschedError."""

from __future__ import annotations


class AutoschedError(Exception):
    """Base of all errors that autosched raises on purpose."""


class LanguageError(AutoschedError):
    """An algorithm is not well formed: a type clash, an unbound Var, a wrong arity, an unbounded read."""


class ScheduleError(AutoschedError):
    """A schedule names something unknown, is not legal for its pipeline, or its file is not valid."""


class BindError(AutoschedError, ValueError):
    """Arrays or parameters given to a kernel do not fit it: wrong dtype, rank, shape or range."""


class CompileError(AutoschedError):
    """The compiler met something it cannot generate code for, or broke one of its own invariants."""


class CacheError(AutoschedError):
    """The private cache of compiled kernels cannot be used."""


class RecordError(AutoschedError):
    """A tuned record is missing, corrupt, or written by a version that cannot be read."""


class SpaceError(AutoschedError):
    """A search space file is not valid."""


class TuneError(AutoschedError):
    """A tuning run cannot start or go on."""


class ClusterError(AutoschedError):
    """Slurm does not take a job, or a job has failed."""


class ArgumentError(AutoschedError, ValueError):
    """An argument of a library function has a value that the function cannot take."""


class UnsupportedProcessorError(AutoschedError, TypeError):
    """A Hugging Face processor has no accelerated drop-in."""


class AutoschedWarning(UserWarning):
    """Something was ignored that its owner will want to know of: a record that cannot be read, for example."""
