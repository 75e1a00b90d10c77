"""Real servers for tests, on loopback, with folders of their own and never as root; ended with what started them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

#: Who runs servers where the tests run as root.
NOBODY = "nobody"


def needed(program: str, package: str, places: str = "") -> Path:
    """The path of a program. Where it is missing the test is skipped, and fails in CI, which installs it."""
    found = shutil.which(program, path=os.pathsep.join([*map(str, Path("/").glob(places)), os.environ["PATH"]]))
    if found is None:
        message = f"{program} is not installed; on Debian: apt-get install {package}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    assert found is not None
    return Path(found)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def until(true: Callable[[], Any], what: str, seconds: float = 300.0) -> Any:
    """Wait until something is true, and return it. The time is only there to find out what never will be."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, f"after {seconds:.0f} s still not so: {what}"
        time.sleep(0.05)
    return found


@contextmanager
def folder_of_nobody(prefix: str) -> Iterator[Path]:
    """A folder outside of pytest's, which only its owner may enter."""
    made = Path(tempfile.mkdtemp(prefix=prefix))
    if os.getuid() == 0:
        shutil.chown(made, NOBODY)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A PostgreSQL server with its data in `folder`, new or from before; the URL of a database."""
    initdb = needed("initdb", "postgresql", "usr/lib/postgresql/*/bin")
    who: dict[str, Any] = {"user": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
    data = folder / "data"
    if not data.exists():
        subprocess.run(
            [initdb, "-D", data, "-U", "tuner", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C"],
            check=True, cwd=folder, stdout=subprocess.DEVNULL, **who,
        )  # fmt: skip
    port = free_port()
    options = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": folder, "fsync": "off"}
    arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [initdb.with_name("postgres"), "-D", data, *arguments],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **who,
        )  # fmt: skip
    try:
        _wait(initdb.with_name("pg_isready"), port, server, folder / "log")
        yield f"postgresql://tuner@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)  # which PostgreSQL takes as: end connections, then end
        try:
            server.wait(timeout=120)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait(ready: Path, port: int, server: subprocess.Popen[bytes], log: Path, seconds: float = 300.0) -> None:
    """Until the server takes connections."""
    end = time.monotonic() + seconds
    while subprocess.run([ready, "-q", "-h", "127.0.0.1", "-p", str(port)], check=False).returncode:
        if server.poll() is not None or time.monotonic() > end:
            raise AssertionError(f"the server did not start: {log.read_text()[-2000:]}")
        time.sleep(0.05)
