"""The main job where every path is a URL: the same figures as with local folders, from a real S3 interface."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from hvac.scoring.bundle import Bundle
from hvac.storage import AnyPath, matching, place, read_parquet, write_parquet
from ray_jobs import pipeline
from ray_jobs.run.run_config import RunConfig
from ray_jobs.tables.windows_table import load_recipes, read_windows

pytestmark = pytest.mark.slow
Finished = tuple[RunConfig, Path]
BASELINES = ["base_rate", "logistic_28"]
SECTIONS = (
    "name",
    "windows",
    "labels",
    "splits",
    "model",
    "decision",
    "train",
    "evaluate",
    "featurize",
)


def job(
    module: str, settings: dict[str, Any], folder: Path, environment: dict[str, str]
) -> None:
    """Run a job in a process of its own, with S3's address and keys in its environment only."""
    file = folder / f"{module}.yaml"
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", f"ray_jobs.{module}", "--config", str(file)],
        env={**os.environ, **environment, "PYTHONPATH": str(Path.cwd()), "RAY_AUTH_MODE": "disabled"},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def settings(finished: Finished) -> dict[str, Any]:
    """The finished run's settings, with sources and workspace on S3."""
    config, _ = finished
    dumped = config.model_dump(mode="json", by_alias=True, exclude_unset=True)
    kept = {name: dumped[name] for name in SECTIONS if name in dumped}
    source = {
        name: f"s3://plant/{name}{'' if name == 'readings' else '.parquet'}"
        for name in ("readings", "events", "equipment")
    }
    train = {"workers": 1, "checkpoint_every": 2}
    kept["evaluate"] |= {"baselines": BASELINES, "ablation": False}
    ray = {"num_cpus": 1, "object_store_mb": 200}
    return {
        **kept,
        "train": train,
        "source": source,
        "workspace": "s3://jobs/run",
        "ray": ray,
    }


@pytest.fixture(scope="module")
def environment(s3_environment: dict[str, str]) -> Iterator[dict[str, str]]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3_environment.items():
            patch.setenv(name, value)
        yield s3_environment


@pytest.fixture(scope="module")
def away(
    finished: Finished, settings: dict[str, Any], environment: dict[str, str], s3_bucket: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AnyPath:  # fmt: skip
    """The workspace on S3 of the pipeline that ran there."""
    source, plant = finished[1] / "source", place(s3_bucket("plant"))
    s3_bucket("jobs")
    for file in source.rglob("*.parquet"):
        write_parquet(read_parquet(file), plant / file.relative_to(source).as_posix())
    job("pipeline", settings, tmp_path_factory.mktemp("away"), environment)
    return place("s3://jobs/run")


def figures(workspace: AnyPath) -> dict[str, Any]:
    metrics = json.loads((workspace / "metrics.json").read_text(encoding="utf-8"))
    kept: dict[str, Any] = {name: metrics[name] for name in ("windows", "panel")}
    for name in ("models", "differences", "thresholds"):
        kept[name] = {
            model: found
            for model, found in metrics[name].items()
            if model in ("hybrid", *BASELINES)
        }
    assert set(kept["models"]) == {"hybrid", *BASELINES}
    told = [
        sentence.rpartition("/")[2] for sentence in kept["panel"]["warnings"]
    ]  # without the folder of the file
    kept["panel"] = {**kept["panel"], "warnings": told}
    return kept


def test_figures_are_those_of_the_local_run(finished: Finished, away: AnyPath) -> None:
    assert figures(away) == figures(finished[1])


def test_every_promised_file_lies_on_s3(finished: Finished, away: AnyPath) -> None:
    def names(root: AnyPath) -> set[str]:
        found = (
            path
            for pattern in ("*.*", "figures/*", "steps/*", "bundles/*/*")
            for path in matching(root, pattern)
        )
        return {
            re.sub(r"-[0-9a-f]{12}/", "/", str(path).removeprefix(str(root)))
            for path in found
        }

    assert names(away) == names(finished[1]) - {"/steps/simulate.json"}


def test_bundle_on_s3_predicts_as_the_local_one(
    finished: Finished, away: AnyPath
) -> None:
    ours, theirs = finished[1], away
    recipe = load_recipes(theirs / "windows")["pump"]
    there = read_windows(
        theirs / "windows", recipe, ("test",), ("features", "embedding")
    )
    here = read_windows(ours / "windows", recipe, ("test",), ("features", "embedding"))
    remote = Bundle.load(str(matching(theirs / "bundles", "pump-*")[0]))
    local = Bundle.load(matching(ours / "bundles", "pump-*")[0])
    np.testing.assert_array_equal(
        remote.predict(there).risk_BH, local.predict(here).risk_BH
    )
    assert remote.encoder.sha256 == local.encoder.sha256
    assert remote.name == remote.id or remote.name.startswith("pump-")


def test_second_run_on_s3_skips_every_step(
    ray: None, settings: dict[str, Any], away: AnyPath, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        pipeline.run(RunConfig(**settings))
    for step in ("ingest", "featurize", "train", "evaluate", "score"):
        assert f"{step}: already done, skipped" in caplog.text


def test_ray_train_keeps_its_checkpoints_on_s3(away: AnyPath) -> None:
    assert matching(away / "ray_train", "train-*/*")
