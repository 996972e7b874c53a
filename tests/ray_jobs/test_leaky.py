"""The job that re-enacts leaky protocols writes figures, says that they are not usable, and touches nothing else."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

import ray_jobs
from benchmarks.leaky import job
from benchmarks.leaky.protocols import PROTOCOLS
from ray_jobs.run.run_config import RunConfig

Finished = tuple[RunConfig, Path]
COPIED = ("windows", "bundles", "steps")
SOURCES = ("benchmarks/leaky/protocols.py", "benchmarks/leaky/job.py")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def copied(finished: Finished, folder: Path, **model: Any) -> RunConfig:
    """The finished run with another model, and of its windows those of one class and bucket: enough to be quick."""
    config, workspace = finished
    for name in COPIED:
        shutil.copytree(workspace / name, folder / name)
    for part in sorted((folder / "windows" / "class=pump").glob("part-*"))[1:]:
        part.unlink()
    recipes = folder / "windows" / "recipes.json"
    recipes.write_text(json.dumps({"pump": json.loads(recipes.read_text())["pump"]}))
    return config.replace(workspace=str(folder), model=model)


@pytest.fixture(scope="module")
def enacted(
    finished: Finished, tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunConfig, dict[str, bytes]]:
    """The job on a copy of the finished run, and what lay there before."""
    config = copied(
        finished, tmp_path_factory.mktemp("leaky") / "run", family="base_rate"
    )
    before = contents(config.workspace)
    job.run(config)
    return config, before


def report(config: RunConfig) -> dict[str, Any]:
    path = config.workspace / "leaky_protocols" / "leaky_protocols.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_figures_of_every_protocol_are_written_for_the_runs_model_and_the_trees(
    enacted: tuple[RunConfig, dict[str, bytes]],
) -> None:
    found = report(enacted[0])
    assert set(found["protocols"]) == set(PROTOCOLS)
    for model in ("base_rate", "gbdt_92"):
        assert list(found[model]) == list(PROTOCOLS)
        for by_horizon in found[model].values():
            assert set(by_horizon) == {"30", "60", "90"}
            assert all(
                0 <= value <= 1 + 1e-9
                for figures in by_horizon.values()
                for value in figures.values()
            )


def test_test_rows_in_the_training_file_flatter_the_trees(
    enacted: tuple[RunConfig, dict[str, bytes]],
) -> None:
    claimed = {
        name: [each["roc_auc"] for each in found.values()]
        for name, found in report(enacted[0])["gbdt_92"].items()
    }
    assert mean(claimed["test_in_training"]) > mean(claimed["honest"])


def test_file_and_page_say_that_nothing_of_it_is_usable(
    enacted: tuple[RunConfig, dict[str, bytes]],
) -> None:
    config, _ = enacted
    found = report(config)
    assert found["usable"] is False
    assert found["warning"].startswith("NOT USABLE")
    assert (
        json.loads((config.workspace / "steps" / "leaky_protocols.json").read_text())[
            "usable"
        ]
        is False
    )
    page = (config.workspace / "leaky_protocols" / "leaky_protocols.md").read_text(
        encoding="utf-8"
    )
    assert found["warning"] in page
    rows = [
        line
        for line in page.splitlines()
        if line.startswith("| ") and not line.startswith("| protocol")
    ]
    assert ["(not usable)" in row for row in rows] == 2 * [
        False,
        *[True] * (len(PROTOCOLS) - 1),
    ]


def test_bundles_steps_and_windows_stay_as_they_were_to_the_byte(
    enacted: tuple[RunConfig, dict[str, bytes]],
) -> None:
    config, before = enacted
    after = contents(config.workspace)
    assert {name: after[name] for name in before} == before
    added = set(after) - set(before)
    assert added == {
        "steps/leaky_protocols.json",
        "leaky_protocols/leaky_protocols.json",
        "leaky_protocols/leaky_protocols.md",
    }
    assert "steps/train.json" in before
    assert any(name.startswith("bundles/") for name in before)


def test_second_run_is_skipped(
    enacted: tuple[RunConfig, dict[str, bytes]], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        job.run(enacted[0])
    assert "leaky_protocols: already done, skipped" in caplog.text


def test_run_whose_model_is_the_trees_is_enacted_with_its_own_settings(
    finished: Finished, tmp_path: Path
) -> None:
    one, three = (
        copied(finished, tmp_path / str(n), family="gbdt_92", trees=n) for n in (1, 3)
    )
    for config in (one, three):
        job.run(config)
    assert set(report(one)) - {"warning", "usable", "protocols"} == {"gbdt_92"}
    assert report(one)["gbdt_92"] != report(three)["gbdt_92"]


def test_no_other_module_knows_of_it() -> None:
    root = Path(str(ray_jobs.__file__)).parents[1]
    sources = [
        file
        for package in ("hvac", "ray_jobs", "serve")
        for file in (root / package).rglob("*.*")
    ]
    named = [
        file
        for file in sources
        if "__pycache__" not in file.parts and b"leaky_protocols" in file.read_bytes()
    ]
    assert [str(file.relative_to(root)) for file in named] == []


@pytest.mark.parametrize("name", SOURCES)
def test_it_neither_loads_nor_saves_a_bundle(name: str) -> None:
    source = (Path(str(ray_jobs.__file__)).parents[1] / name).read_text(
        encoding="utf-8"
    )
    assert "hvac.scoring.bundle" not in source
    assert "workspace.bundles" not in source
