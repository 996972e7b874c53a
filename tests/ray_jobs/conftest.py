"""One Ray and one small finished run for all tests of the jobs."""

from __future__ import annotations

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

    Nobody may change its workspace.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    config = RunConfig(**{**SMALL, "workspace": shared / "finished"})
    with FileLock(shared / "finished.lock"):
        if not (shared / "finished.done").exists():
            for step in (ingest, featurize, train, evaluate, score):
                step.run(config)
            (shared / "finished.done").touch()
    return config, shared / "finished"
