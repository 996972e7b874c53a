"""One Ray and one small finished run for all tests of the jobs."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from ray_jobs import evaluate, featurize, ingest, score, train
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.runtime import RayConfig, ray_session

SMALL: dict[str, Any] = {
    "name": "small",
    "simulate": {
        "facilities": 2,
        "equipment_per_class": 8,
        "classes": ["pump", "chiller"],
        "days": 1000,
        "seed": 3,
    },
    "windows": {"train_stride": 14, "evaluation_stride": 7},
    "model": {"family": "hybrid", "epochs": 4},
    "decision": {"folds": 2},
    "train": {"workers": 0, "checkpoint_every": 2},
    "evaluate": {"replicates": 200, "forecast_windows": 40},
    "featurize": {"buckets": 2},
}


ROOT = Path(__file__).resolve().parents[2]
DRAW = evaluate.draw_figures


@pytest.fixture(scope="session", autouse=True)
def undrawn() -> Iterator[None]:
    """Draw no figures in this process but those of the finished run: they take a third of an evaluation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "draw_figures", lambda *_: {})
        yield


@pytest.fixture(scope="session")
def ray() -> Iterator[None]:
    with ray_session(RayConfig(num_cpus=2, object_store_mb=200)):
        yield


@pytest.fixture(scope="session")
def run_config(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., RunConfig]:
    def make(**changes: Any) -> RunConfig:
        workspace = changes.pop("workspace", None) or tmp_path_factory.mktemp("run")
        return RunConfig(**{**SMALL, **changes, "workspace": workspace})

    return make


@pytest.fixture(scope="session")
def finished(
    ray: None, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> tuple[RunConfig, Path]:
    """A small fleet through the whole pipeline, in this process or in that of the other worker of pytest-xdist.

    Nobody may change its workspace. HVAC_KEPT_RUNS names a folder that keeps it from one call of pytest to the next
    while the code is the same.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    if kept := os.environ.get("HVAC_KEPT_RUNS"):
        shared = Path(kept).resolve() / code_hash()
        shared.mkdir(parents=True, exist_ok=True)
    config = RunConfig(**{**SMALL, "workspace": shared / "finished"})
    with FileLock(shared / "finished.lock"):
        if not (shared / "finished.done").exists():
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(evaluate, "draw_figures", DRAW)
                for step in (ingest, featurize, train, evaluate, score):
                    step.run(config)
            (shared / "finished.done").touch()
    return config, shared / "finished"


def code_hash() -> str:
    """A hash of all that the small run depends on: its settings, our code and the versions of other people's."""
    files = [
        file for part in ("hvac", "ray_jobs") for file in ROOT.glob(f"{part}/**/*.*")
    ]
    files = [
        file for file in files if file.is_file() and "__pycache__" not in file.parts
    ]
    files += [ROOT / "requirements.lock", Path(__file__)]
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def copy_of(
    finished: tuple[RunConfig, Path], folder: Path, *, upto: str, **changes: Any
) -> RunConfig:
    """The finished run's workspace as it was after a step, and its settings with changes."""
    config, workspace = finished
    kept = {"ingest": ("panel",), "featurize": ("panel", "windows")}[upto]
    for name in kept:
        shutil.copytree(workspace / name, folder / name)
    (folder / "steps").mkdir()
    for name in ("ingest", "featurize")[: len(kept)]:
        shutil.copy(workspace / "steps" / f"{name}.json", folder / "steps")
    return config.replace(workspace=str(folder), **changes)
