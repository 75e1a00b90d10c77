"""What tuned/README.md and the README tell a user of a cluster to type works."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from servers import folder_of_nobody, free_port, needed

from autosched.cli.main import app, run

ROOT = Path(__file__).parents[2]
BLOCKS = [
    block
    for page in (ROOT / "README.md", ROOT / "tuned" / "README.md")
    for block in re.findall(r"```\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
]
COMMANDS = list(dict.fromkeys(re.findall(r"^autosched .*", "".join(BLOCKS), re.MULTILINE)))
JOBS = [line for line in COMMANDS if "--slurm" in line]


def test_commands_exist() -> None:
    assert len(JOBS) >= 6
    assert {line.split()[1] for line in COMMANDS} <= {command.name for command in app.registered_commands}


@pytest.mark.parametrize("line", JOBS)
def test_jobs_of_command_lines(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each makes as many scripts as it has constraints, and does in its jobs what it says."""
    words = shlex.split(line)[1:]
    assert run([*words, *["--dry-run"] * ("--dry-run" not in words)]) == 0
    said = capsys.readouterr().out
    assert said.count("#!/bin/bash") == max(words.count("--constraint"), 1)
    for option in ("--partition", "--constraint", "--nodes", "--account"):
        for i, word in enumerate(words):
            if word == option:
                assert f"#SBATCH {option}={words[i + 1]}\n" in said
    assert f"# on each node: autosched tune {words[1]}" in said


def test_a_database_as_the_page_says() -> None:
    """The server that a user starts takes connections with a password, and none without."""
    psycopg = pytest.importorskip("psycopg")
    programs = needed("initdb", "postgresql", "usr/lib/postgresql/*/bin").parent
    (block,) = (b for b in BLOCKS if "initdb" in b)
    port = free_port()
    with folder_of_nobody("autosched-page-") as folder:
        (folder / "password").write_text("secret")
        (folder / "password").chmod(0o644)
        script = block.replace("--pwprompt", "--pwfile password").replace("5433", str(port))
        script = script.replace("-c listen", f"-k {folder} -c listen")
        who: dict[str, Any] = {"user": "nobody", "extra_groups": []} if os.getuid() == 0 else {}
        environment = {"PATH": f"{programs}:{os.environ['PATH']}", "LC_ALL": "C"}
        command = partial(subprocess.run, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL, **who)
        try:
            command(["sh", "-e", "-c", script])
            address = {"host": "127.0.0.1", "port": port, "user": "tuner", "dbname": "postgres"}
            psycopg.connect(**address, password="secret").close()
            with pytest.raises(psycopg.OperationalError, match="no password supplied"):
                psycopg.connect(**address)
        finally:
            command(["pg_ctl", "-D", "pgdata", "-m", "immediate", "stop"])
