"""What is done is known again: without a Ray, and wherever the workspace lies."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from ray_jobs import ingest
from ray_jobs.run.command import _print_result
from ray_jobs.run.run_config import RunConfig
from tests.checks.tables_example import Tables
from tests.ray_jobs.conftest import SMALL

ROOT = Path(__file__).parents[2]
NOBODY = "nowhere"  # no address of a Ray: to join it fails at once
# Python and its libraries take about 10 of them to start on a busy machine
SECONDS = 60


def piped(workspace: Path, **changes: object) -> subprocess.CompletedProcess[str]:
    """The pipeline in a process of its own that would find no Ray."""
    run = workspace.with_suffix(".yaml")
    run.write_text(yaml.safe_dump({**SMALL, "workspace": str(workspace), **changes}))
    return subprocess.run(
        [sys.executable, "-m", "ray_jobs.pipeline", "--config", str(run)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "RAY_ADDRESS": NOBODY, "PYTHONPATH": str(ROOT)},
        timeout=SECONDS,
    )


@pytest.fixture(scope="module")
def moved(
    finished: tuple[RunConfig, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("another") / "place"
    shutil.copytree(finished[1], folder)
    return folder


def test_workspace_that_was_moved_is_finished_and_needs_no_ray(moved: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in moved.rglob("*.parquet")}
    started = time.monotonic()
    ended = piped(moved)
    assert ended.returncode == 0, ended.stderr
    for step in ("simulate", "ingest", "featurize", "train", "evaluate", "score"):
        assert f"{step}: already done, skipped" in ended.stderr
    result = json.loads(ended.stdout.splitlines()[-1].removeprefix("RESULT "))
    assert set(result["result"]["seconds"].values()) == {0.0}
    assert before == {
        file: file.stat().st_mtime_ns for file in moved.rglob("*.parquet")
    }
    assert time.monotonic() - started < SECONDS


def test_step_with_work_asks_for_ray(moved: Path) -> None:
    ended = piped(moved, seed=1, evaluate={**SMALL["evaluate"], "replicates": 300})
    assert ended.returncode != 0
    assert "evaluate: started" in ended.stderr
    assert NOBODY in ended.stderr


def test_records_name_files_from_the_workspace_on(moved: Path) -> None:
    for step in ("simulate", "evaluate"):
        record = json.loads((moved / "steps" / f"{step}.json").read_text())
        names = record.get("files") or [record["folder"]]
        assert all(
            (moved / name).exists() and not Path(name).is_absolute() for name in names
        )


# The source


def test_readings_that_were_moved_are_not_read_again(
    ray: None, run_config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    source = Tables().write(one).model_dump(mode="json")
    config = run_config(simulate=None, source=source)
    first = ingest.run(config)
    one.rename(other)
    there = {
        name: str(given).replace(str(one), str(other))
        for name, given in source.items()
        if name in ("readings", "events", "equipment") and given
    }
    assert there["readings"] != source["readings"]
    second = ingest.run(config.replace(source=config.source.replace(**there)))
    assert (first.skipped, second.skipped) == (False, True)


def test_same_rows_under_another_facilitys_folder_are_read_again(
    ray: None, run_config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    """The path gives the facility here, so that the same bytes elsewhere are other readings."""
    rows = "date,equipment_id,point_id,value\n2024-01-01,A,p,1\n2024-01-02,A,p,2\n"
    pattern = r"(?P<facility_id>[^/]+)/[^/]+\.csv$"
    read = []
    workspace = tmp_path / "run"
    for facility in ("F1", "F2"):
        folder = tmp_path / facility
        folder.mkdir()
        (folder / "readings.csv").write_text(rows, encoding="utf-8")
        source = {"readings": str(folder / "readings.csv"), "path_pattern": pattern}
        record = ingest.run(
            run_config(simulate=None, source=source, workspace=workspace)
        )
        read.append(
            (record.skipped, sorted(bucket.split(".")[0] for bucket in record.buckets))
        )
    assert [skipped for skipped, _ in read] == [False, False]
    assert [set(facilities) for _, facilities in read] == [{"F1"}, {"F2"}]


def test_last_line_is_json_that_every_program_reads(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _print_result(0.0, 0, result={"rate": float("nan"), "days": [1.5, float("inf")]})
    line = capsys.readouterr().out.removeprefix("RESULT ")
    told = json.loads(line, parse_constant=lambda name: pytest.fail(name))
    assert told["result"] == {"rate": None, "days": [1.5, None]}
