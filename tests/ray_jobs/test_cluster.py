"""Two nodes, one of which dies: every window is made exactly once, and the numbers are those of one quiet machine."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ray_jobs.run_config import RunConfig
from tests.ray_jobs.test_faults import ROOT, copy_of, finish, kill_all, wait_for, windows_in, write_config

pytestmark = pytest.mark.slow
_spec = importlib.util.spec_from_file_location("nodes", ROOT / "benchmarks" / "nodes.py")
assert _spec is not None
assert _spec.loader is not None
nodes_module: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(nodes_module)


def submitted(step: str, config: Path, environment: dict[str, str], *changes: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", f"ray_jobs.{step}", "--config", str(config), *changes]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, env=environment)


def test_node_lost_in_featurize_loses_and_doubles_no_window(finished: tuple[RunConfig, Path], tmp_path: Path) -> None:
    here = copy_of(finished, tmp_path / "run", upto="ingest")
    parts = here.workspace / "windows" / "_parts"
    with nodes_module.nodes(workers=1) as cluster:
        # as many encoders as nodes: they must leave room for tasks on nodes of one CPU
        process = submitted("featurize", write_config(tmp_path), cluster.environment, "featurize.encoders=2")
        try:
            wait_for(lambda: list(parts.glob("*.json")) if parts.exists() else None)
            cluster.lose()
            status, told = finish(process, 180)
        finally:
            if process.poll() is None:
                kill_all(process)
    assert status == 0, told[-2000:]
    assert windows_in(Path(str(here.workspace))) == windows_in(finished[1])
    state = json.loads((here.workspace / "steps" / "featurize.json").read_text(encoding="utf-8"))
    quiet = json.loads((finished[1] / "steps" / "featurize.json").read_text(encoding="utf-8"))
    assert (state["windows"], state["left_out"]) == (quiet["windows"], quiet["left_out"])
