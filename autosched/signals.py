"""The signals with which batch systems tell a process that its time is over, some time before they kill it."""

from __future__ import annotations

import signal

#: SIGTERM of Slurm before a job is preempted or cancelled; the others before a time limit, as `sbatch --signal` says.
ENDINGS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


def like_ctrl_c() -> None:
    """Let them raise KeyboardInterrupt, as Ctrl-C does, where they would end the process at once."""
    for number in ENDINGS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
