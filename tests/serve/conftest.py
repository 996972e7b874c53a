"""A PostgreSQL for the tests of a module, where one is installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def postgres_binary(name: str) -> str | None:
    found = shutil.which(name)
    return found or next(
        (str(p) for p in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))),
        None,
    )


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL of this module's own, on a free port of 127.0.0.1."""
    initdb, server = postgres_binary("initdb"), postgres_binary("postgres")
    if not initdb or not server:
        pytest.skip("PostgreSQL (Debian's package postgresql) is not installed")
    folder = tmp_path_factory.mktemp("pg")
    user: dict[str, Any] = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        user = {"user": "nobody"}
        for each in (folder, *folder.parents):
            if each == Path("/tmp"):
                break
            each.chmod(0o755)
        shutil.chown(folder, "nobody")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    subprocess.run(
        [initdb, "-D", folder / "data", "-U", "hvac", "-A", "trust"],
        check=True,
        capture_output=True,
        **user,
    )
    command = [
        server,
        "-D",
        folder / "data",
        "-p",
        str(port),
        "-h",
        "127.0.0.1",
        "-k",
        folder,
        "-F",
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **user
    )
    url = f"postgresql://hvac@127.0.0.1:{port}/postgres"
    try:
        _wait_for(url)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(url: str) -> None:
    import psycopg

    for _ in range(600):
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            time.sleep(0.1)
    raise AssertionError("PostgreSQL did not start")
