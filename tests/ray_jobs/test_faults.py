"""Killed in the middle: the next run goes on, and nothing is lost or doubled."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import yaml

from hvac.models.bundle import Bundle
from ray_jobs import featurize, train
from ray_jobs.run_config import RunConfig
from tests.ray_jobs.conftest import SMALL

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


def start(step: str, config: Path) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    command = [sys.executable, "-m", f"ray_jobs.{step}", "--config", str(config)]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=ROOT, stderr=pipe, stdout=pipe, text=True, env=environment, start_new_session=True
    )


def finish(process: subprocess.Popen[str], seconds: float = 200) -> tuple[int, str]:
    _, told = process.communicate(timeout=seconds)
    return process.returncode, told


def wait_for(condition: Callable[[], object], seconds: float = 120) -> object:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise TimeoutError("what was waited for did not happen")


def kill_all(process: subprocess.Popen[str]) -> None:
    """The job and every process it started, at once."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    for member in family:
        if member.is_running():
            member.kill()
    process.wait(timeout=20)


def write_config(folder: Path, **changes: object) -> Path:
    file = folder / "run.yaml"
    content = {**SMALL, "workspace": str(folder / "run"), "ray": {"num_cpus": 2, "object_store_mb": 150}, **changes}
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


def windows_in(workspace: Path) -> dict[str, bytes]:
    return {
        str(f.relative_to(workspace)): f.read_bytes() for f in sorted((workspace / "windows").glob("class=*/part-*"))
    }


def copy_of(finished: tuple[RunConfig, Path], folder: Path, *, upto: str) -> RunConfig:
    """The finished run's workspace as it was after a step."""
    config, workspace = finished
    kept = {"ingest": ("panel",), "featurize": ("panel", "windows")}[upto]
    for name in kept:
        shutil.copytree(workspace / name, folder / name)
    (folder / "steps").mkdir()
    for name in ("ingest", "featurize")[: len(kept)]:
        shutil.copy(workspace / "steps" / f"{name}.json", folder / "steps")
    return config.replace(workspace=str(folder))


def test_killed_featurize_goes_on_where_it_was(finished: tuple[RunConfig, Path], tmp_path: Path) -> None:
    here = copy_of(finished, tmp_path / "run", upto="ingest")
    parts = here.workspace / "windows" / "_parts"
    process = start("featurize", write_config(tmp_path))
    wait_for(lambda: parts.exists() and list(parts.glob("*.json")))
    kill_all(process)
    done_before = {part.name: part.stat().st_mtime_ns for part in parts.glob("*.json")}
    assert done_before
    assert not (here.workspace / "steps" / "featurize.json").exists()
    featurize.run(here)
    assert all((parts / name).stat().st_mtime_ns == stamp for name, stamp in done_before.items())
    assert windows_in(here.workspace) == windows_in(finished[1])


def test_killed_training_worker_resumes_from_its_checkpoint(finished: tuple[RunConfig, Path], tmp_path: Path) -> None:
    here = copy_of(finished, tmp_path / "run", upto="featurize")
    model = {"epochs": 12}
    process = start("train", write_config(tmp_path, train={"workers": 1, "checkpoint_every": 1}, model=model))
    try:
        storage = here.workspace / "ray_train"
        wait_for(lambda: storage.exists() and list(storage.glob("*/checkpoint_*/fits.pt")))
        victim = wait_for(lambda: _training_worker(process))
        victim.kill()  # type: ignore[attr-defined]
        status, told = finish(process)
    finally:
        if process.poll() is None:
            kill_all(process)
    assert status == 0, told[-2000:]
    state = json.loads((here.workspace / "steps" / "train.json").read_text())
    assert [row["epoch"] for row in state["history"]["pump"]["30"]] == list(range(1, 13))
    quiet = copy_of(finished, tmp_path / "quiet", upto="featurize").replace(model=model)
    assert state["history"] == train.run(quiet)["history"]
    assert {Bundle.load(f).id for f in (here.workspace / "bundles").iterdir()} == set(state["bundles"].values())


def _training_worker(process: subprocess.Popen[str]) -> psutil.Process | None:
    for member in psutil.Process(process.pid).children(recursive=True):
        try:
            if "RayTrainWorker" in " ".join(member.cmdline()):
                return member
        except psutil.Error:
            continue
    return None
