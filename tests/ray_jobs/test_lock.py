"""One job at a time in a workspace; what killed jobs left is removed; damaged records count as absent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hvac.errors import ConfigError, HvacError, InputError
from hvac.readings.gate import SourceConfig
from hvac.storage import place, read_mark, remove_leftovers, replacing
from ray_jobs.run.lock import LOCK, held
from ray_jobs.run.records import TrainRecord
from ray_jobs.run.run_config import RunConfig, load_run
from ray_jobs.run.workspace import Workspace, run_step
from ray_jobs.tables import file_parts

HOLD = """
import sys, time
from pathlib import Path
from ray_jobs.run.lock import held
with held(Path(sys.argv[1]), "ray_jobs.train"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path):  # type: ignore[no-untyped-def]
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_second_job_is_refused_and_told_who_holds_the_workspace(
    holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    with pytest.raises(
        HvacError, match=rf"in use by ray_jobs\.train \(process {holder.pid} on "
    ) as refused:
        held(tmp_path, "ray_jobs.score").__enter__()
    assert "wait until it ends, or set another workspace" in str(refused.value)


def test_lock_of_a_killed_job_falls_at_once(
    holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with held(tmp_path, "ray_jobs.score"):
        assert json.loads((tmp_path / LOCK).read_text())["job"] == "ray_jobs.score"


def test_lock_is_free_after_the_job(tmp_path: Path) -> None:
    for job in ("one", "two"):
        with held(tmp_path, job):
            assert json.loads((tmp_path / LOCK).read_text())["job"] == job


def test_workspace_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(HvacError, match=r"cannot be written .*set another workspace"):
        held(tmp_path / "file" / "run", "job").__enter__()


def test_files_of_killed_writers_are_removed_and_others_stay(tmp_path: Path) -> None:
    for name in (
        ".part.parquet.0123abcd",
        "a/.metrics.json.deadbeef",
        ".hidden",
        "part.parquet",
        "a/.keep.txt",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    folder = tmp_path / "bundles" / ".pump-1.00ff00ff"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("x")
    with held(tmp_path, "job"):
        pass
    left = sorted(
        path.relative_to(tmp_path).as_posix()
        for path in tmp_path.rglob("*")
        if path.is_file()
    )
    assert left == [".hidden", LOCK, "a/.keep.txt", "part.parquet"]


def test_names_of_unfinished_files_are_those_that_are_removed(tmp_path: Path) -> None:
    with replacing(tmp_path / "x.json") as building:
        building.write_text("x")
        (tmp_path / "other" / building.name).parent.mkdir()
        (tmp_path / "other" / building.name).write_text("x")
        assert remove_leftovers(tmp_path / "other") == 1


@pytest.mark.parametrize(
    "content", ["", '{"key": "k", "sec', "[1, 2]", "\x00\x00", '"k"']
)
def test_damaged_record_counts_as_absent(tmp_path: Path, content: str) -> None:
    workspace = Workspace(place(tmp_path))
    workspace.record_file("train").parent.mkdir()
    workspace.record_file("train").write_text(content)
    assert read_mark(workspace.record_file("train")) == {}
    with pytest.raises(HvacError, match="step 'train' has not been run here"):
        workspace.record(TrainRecord)
    first, other = TrainRecord(bundles={"a": "a-1"}), TrainRecord(bundles={"a": "a-2"})
    assert run_step(workspace, TrainRecord, "k", lambda: first).bundles == {"a": "a-1"}
    again = run_step(workspace, TrainRecord, "k", lambda: other)
    assert (again.skipped, again.bundles) == (True, {"a": "a-1"})


def test_record_of_an_earlier_version_is_refused_and_made_anew(tmp_path: Path) -> None:
    workspace = Workspace(place(tmp_path))
    workspace.record_file("train").parent.mkdir()
    workspace.record_file("train").write_text('{"key": "k", "bundles": 3}')
    with pytest.raises(
        HvacError, match=r"of an earlier version: run python -m ray_jobs\.train"
    ):
        workspace.record(TrainRecord)
    made = run_step(
        workspace, TrainRecord, "k", lambda: TrainRecord(bundles={"a": "a-1"})
    )
    assert not made.skipped


def test_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "readings.csv"
    file.write_text(
        "facility_id,equipment_id,point_id,date,value\nF,e,p,2024-01-01,1\n"
    )
    plain = file_parts.read_readings

    def slowly(path: str, source: SourceConfig):  # type: ignore[no-untyped-def]
        for result in plain(path, source):
            with file.open("a") as more:
                more.write("F,e,p,2024-01-02,1\n")
            yield result

    monkeypatch.setattr(file_parts, "read_readings", slowly)
    with pytest.raises(InputError, match="changed while it was read"):
        file_parts.ingest_file(
            str(file),
            SourceConfig(readings=str(file)),
            "key",
            1,
            str(tmp_path / "panel"),
        )
    assert not (tmp_path / "panel" / "files" / "key.json").exists()


# Configurations that mean more than they say


def config_of(tmp_path: Path, text: str) -> Callable[[], RunConfig]:
    file = tmp_path / "run.yaml"
    file.write_text(text)
    return lambda: load_run(str(file), [])


LINES = (
    "a0: &a0 [x, x, x]",
    *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)),
)
LARGE = {
    "aliases stand for more than": "\n".join(LINES),
    "an alias names what it lies in": "name: &n [*n]",
    "lie too deep": "name: " + "[" * 5000 + "]" * 5000,
}


@pytest.mark.parametrize("told", LARGE)
def test_yaml_that_multiplies_itself_is_refused_in_a_sentence(
    tmp_path: Path, told: str
) -> None:
    began = time.monotonic()
    with pytest.raises(ConfigError, match=told):
        config_of(tmp_path, LARGE[told])()
    assert time.monotonic() - began < 20


def test_few_aliases_are_read(tmp_path: Path) -> None:
    text = "name: x\nworkspace: runs/x\nsimulate: &s {days: 100}\n"
    text += "windows: {train_stride: &n 7, evaluation_stride: *n}\n"
    assert config_of(tmp_path, text)().windows.evaluation_stride == 7
