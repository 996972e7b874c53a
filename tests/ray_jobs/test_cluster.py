"""Two nodes, one of which dies; a job that is submitted: the numbers are those of one quiet machine."""

from __future__ import annotations

import importlib.util
import json
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ray_jobs.run.run_config import RunConfig
from tests.ray_jobs.conftest import copy_of
from tests.ray_jobs.test_faults import (
    ROOT,
    finish,
    kill_all,
    plain_environment,
    wait_for,
    windows_in,
    write_config,
)
from tests.serve.test_graph import free_port

pytestmark = pytest.mark.slow
RAY = str(Path(sys.executable).with_name("ray"))
_spec = importlib.util.spec_from_file_location(
    "nodes", ROOT / "benchmarks" / "nodes.py"
)
assert _spec is not None
assert _spec.loader is not None
nodes_module: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(nodes_module)


def submitted(
    step: str, config: Path, environment: dict[str, str], *changes: str
) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        f"ray_jobs.{step}",
        "--config",
        str(config),
        *changes,
    ]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, env=environment
    )


def test_node_lost_in_featurize_loses_and_doubles_no_window(
    finished: tuple[RunConfig, Path], tmp_path: Path
) -> None:
    here = copy_of(finished, tmp_path / "run", upto="ingest")
    parts = here.workspace / "windows" / "_parts"
    with nodes_module.nodes(workers=1) as cluster:
        # as many encoders as nodes: they must leave room for tasks on nodes of one CPU
        process = submitted(
            "featurize",
            write_config(tmp_path),
            cluster.environment,
            "featurize.encoders=2",
        )
        try:
            wait_for(lambda: list(parts.glob("*.json")) if parts.exists() else None)
            cluster.lose()
            status, told = finish(process, 180)
        finally:
            if process.poll() is None:
                kill_all(process)
    assert status == 0, told[-2000:]
    assert windows_in(Path(str(here.workspace))) == windows_in(finished[1])
    state = json.loads(
        (here.workspace / "steps" / "featurize.json").read_text(encoding="utf-8")
    )
    quiet = json.loads(
        (finished[1] / "steps" / "featurize.json").read_text(encoding="utf-8")
    )
    assert (state["windows"], state["left_out"]) == (
        quiet["windows"],
        quiet["left_out"],
    )


def test_submitted_job_needs_the_token_and_gives_the_numbers_of_the_local_run(
    finished: tuple[RunConfig, Path], tmp_path: Path
) -> None:
    """As docs/cluster.md has it: `ray start --head`, then `ray job submit --working-dir .`, both with a token."""
    here = tmp_path / "run"
    shutil.copytree(
        finished[1],
        here,
        ignore=shutil.ignore_patterns("scores", "latest*", "score.json", "ray_train"),
    )
    with head() as (address, environment):
        submit = [
            RAY,
            "job",
            "submit",
            "--address",
            address,
            "--working-dir",
            ".",
            "--",
        ]
        job = [
            sys.executable,
            "-m",
            "ray_jobs.score",
            "--config",
            str(write_config(tmp_path)),
        ]
        stranger = {**environment, "RAY_AUTH_TOKEN": "another"}
        refused = subprocess.run(
            submit + job,
            cwd=ROOT,
            env=stranger,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert refused.returncode != 0
        assert not (here / "latest.parquet").exists()
        done = subprocess.run(
            submit + job,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=180,
        )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "RESULT " in done.stdout
    assert pq.read_table(here / "latest.parquet").equals(
        pq.read_table(finished[1] / "latest.parquet")
    )


@contextmanager
def head() -> Iterator[tuple[str, dict[str, str]]]:
    """A head with a token, on free ports: where jobs are sent, and the environment of who sends them."""
    environment = {
        **plain_environment(),
        **nodes_module.SETTINGS,
        "RAY_AUTH_MODE": "token",
    }
    environment |= {
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_agent_register_timeout_ms": "200000",
    }
    ports = {name: free_port() for name in PORTS}
    with tempfile.TemporaryDirectory(
        prefix="r", dir="/tmp", ignore_cleanup_errors=True
    ) as folder:
        command = [
            RAY,
            "start",
            "--head",
            "--block",
            "--num-cpus",
            "1",
            "--dashboard-host",
            "127.0.0.1",
        ]
        command += [
            "--disable-usage-stats",
            "--temp-dir",
            folder,
            "--object-store-memory",
            str(150 * 2**20),
        ]
        command += [
            text for name, port in ports.items() for text in (f"--{name}", str(port))
        ]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(
            command, stdout=quiet, stderr=quiet, env=environment, text=True
        )
        try:
            wait_for(lambda: listens(ports["dashboard-port"]))
            yield f"http://127.0.0.1:{ports['dashboard-port']}", environment
        finally:
            kill_all(process)


PORTS = (
    "port", "dashboard-port", "object-manager-port", "node-manager-port", "runtime-env-agent-port",
    "ray-client-server-port", "dashboard-agent-listen-port", "dashboard-agent-grpc-port", "metrics-export-port",
)  # fmt: skip


def listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0
