"""What files say of equipment is the same joined at once, by shares, and file after file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from ray_jobs.run.run_config import RunConfig
from ray_jobs.tables import joined_files as module
from ray_jobs.tables.joined_files import JoinedFiles, joined_files


@pytest.fixture
def panel(finished: tuple[RunConfig, Path], tmp_path: Path) -> Path:
    files = finished[1] / "panel" / "files"
    shutil.copytree(files, tmp_path / "files")
    return tmp_path


def file_keys(panel: Path) -> list[str]:
    return sorted(path.stem for path in (panel / "files").glob("*.json"))


def ordered(table: pa.Table) -> pa.Table:
    ids = ("facility_id", "equipment_id")
    return table.sort_by([(name, "ascending") for name in ids]).combine_chunks()


def assert_same(one: JoinedFiles, other: JoinedFiles) -> None:
    assert one.recorded.units.combine_chunks().equals(
        other.recorded.units.combine_chunks()
    )
    assert one.recorded.gaps == other.recorded.gaps
    assert ordered(one.overlapping).equals(ordered(other.overlapping))
    assert one.absent_days == other.absent_days > 0


def test_shares_say_the_same_as_all_at_once(
    panel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = file_keys(panel)
    at_once = joined_files(panel, keys)
    shutil.rmtree(panel / "joined")
    monkeypatch.setattr(module, "POINTS_TOGETHER", 1)
    by_share = joined_files(panel, keys)
    assert len(list((panel / "joined").glob("*-of-*"))) > 1
    assert_same(at_once, by_share)


def test_fleet_that_has_grown_is_cut_into_more_shares(
    panel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = file_keys(panel)
    first = joined_files(panel, keys[:1])
    monkeypatch.setattr(module, "POINTS_TOGETHER", 1)
    grown = joined_files(panel, keys)
    assert len(list((panel / "joined").glob("*-of-*"))) > 1
    assert len(grown.recorded.units) > len(first.recorded.units)


def test_files_one_after_another_say_the_same_as_all_at_once(panel: Path) -> None:
    keys = file_keys(panel)
    assert len(keys) > 1
    at_once = joined_files(panel, keys)
    shutil.rmtree(panel / "joined")
    for count in range(1, len(keys) + 1):
        step_by_step = joined_files(panel, keys[:count])
    assert_same(at_once, step_by_step)
    assert_same(joined_files(panel, keys), step_by_step)
