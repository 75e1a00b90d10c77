"""A real Slurm on loopback: munged, slurmctld and two nodes of this machine, with folders and ports of their own."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "tune"))

from servers import free_port, needed, until

#: What each node calls itself, and its feature.
NODES = {"node1": "zen", "node2": "lake"}
CONFIGURATION = """\
ClusterName=autosched
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=15
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=batch_sched_delay=0,bf_interval=1,sched_interval=1,sched_min_interval=100000
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
MinJobAge=3600
SlurmdTimeout=300
KillWait=5
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs={cpus} RealMemory=1000 Feature=zen,fast
NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs={cpus} RealMemory=1000 Feature=lake,fast
PartitionName=cpu Nodes=node1,node2 Default=YES MaxTime=60 GraceTime=600 PriorityTier=1
PartitionName=urgent Nodes=node1,node2 PriorityTier=10
"""


@dataclass
class Slurm:
    """A running cluster. `environment` is what Slurm's commands need."""

    folder: Path
    environment: dict[str, str]
    nodes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def ask(self, *command: str) -> str:
        """What a command of Slurm prints."""
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, **self.environment}
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def job(self, id_: str) -> dict[str, str]:
        """What Slurm says of a job, by field."""
        return dict(re.findall(r"(\w+)=(\S*)", self.ask("scontrol", "--oneliner", "show", "job", id_)))

    def clear(self) -> None:
        """Cancel all jobs and wait until both nodes are idle."""
        self.ask("scancel", "--user", getpass.getuser())
        until(lambda: not self.ask("squeue", "--noheader"), "no jobs are left")
        until(lambda: _idle(self), "both nodes are idle")

    def node(self, name: str) -> None:
        """Start the daemon of a node."""
        self.nodes[name] = self._start(["slurmd", "-D", "-N", name], name)

    def fail(self, name: str, process: int) -> None:
        """What is seen of a node that loses its power: its daemon and all of the step that `process` is in are gone."""
        tuner = psutil.Process(process)
        self.nodes[name].kill()
        self.nodes[name].wait()
        for one in (*(p for p in tuner.parents() if p.name() == "slurmstepd"), *tuner.children(), tuner):
            with suppress(psutil.NoSuchProcess):
                one.kill()
        self.ask("scontrol", "update", f"NodeName={name}", "State=DOWN", "Reason=power")  # what else it would wait for

    def _start(self, command: list[str], name: str, **who: Any) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("a") as log:
            return subprocess.Popen(
                [str(needed(command[0], "slurm-wlm", "usr/sbin")), *command[1:]],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **self.environment}, **who,
            )  # fmt: skip


@contextmanager
def slurm() -> Iterator[Slurm]:
    """Two idle nodes."""
    munged = needed("munged", "munge", "usr/sbin")
    as_root = os.getuid() == 0
    folder = Path(tempfile.mkdtemp(prefix="autosched-slurm-"))
    folder.chmod(0o755)
    made = Slurm(folder, {"SLURM_CONF": str(folder / "slurm.conf")})
    for name in ("state", "munge", *(f"spool-{node}" for node in NODES)):
        (folder / name).mkdir(mode=0o755)
    key = folder / "munge" / "key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    who: dict[str, Any] = {}
    if as_root:
        who = {"user": "munge", "group": "munge", "extra_groups": []}
        for path in (folder / "munge", key):
            shutil.chown(path, "munge", "munge")
    files = {"socket": "socket", "key-file": "key", "log-file": "log", "pid-file": "pid", "seed-file": "seed"}
    (folder / "slurm.conf").write_text(
        CONFIGURATION.format(
            host=socket.gethostname().partition(".")[0], ports=[free_port() for _ in range(3)],
            folder=folder, user=getpass.getuser(), cpus=os.cpu_count(),
        )
    )  # fmt: skip
    running: list[subprocess.Popen[bytes]] = []
    try:
        options = [f"--{option}={folder}/munge/{file}" for option, file in files.items()]
        running.append(made._start([str(munged), "--foreground", *options], "munged", **who))
        until((folder / "munge" / "socket").exists, "munged listens")
        running.append(made._start(["slurmctld", "-D"], "slurmctld"))
        for node in NODES:
            made.node(node)
        until(lambda: _idle(made), f"both nodes are idle ({folder}/*.log)")
        yield made
    finally:
        for process in (*made.nodes.values(), *reversed(running)):
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _idle(cluster: Slurm) -> bool:
    asked = subprocess.run(
        ["sinfo", "--noheader", "-p", "cpu", "-N", "-o", "%T"],
        capture_output=True, text=True, check=False, env={**os.environ, **cluster.environment},
    )  # fmt: skip
    return asked.stdout.split() == ["idle", "idle"]
