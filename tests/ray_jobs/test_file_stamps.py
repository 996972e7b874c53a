"""Stamps of files that have not been touched are remembered; whatever was touched is looked at."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ray_jobs.tables import file_stamps as module
from ray_jobs.tables.file_stamps import file_stamps


def write(path: Path, text: str, *, age_s: float = 100.0) -> str:
    path.write_text(text, encoding="utf-8")
    then = path.stat().st_mtime - age_s
    os.utime(path, (then, then))
    return str(path)


def test_untouched_file_is_hashed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "a.csv", "a")
    first = file_stamps([file], tmp_path)
    hashed: list[str] = []
    monkeypatch.setattr(
        module, "file_stamp", lambda path: hashed.append(path) or "other"
    )
    assert file_stamps([file], tmp_path) == first
    assert not hashed
    write(tmp_path / "a.csv", "bb")
    assert file_stamps([file], tmp_path) == {file: "other"}


def test_content_decides_and_not_the_time(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", "a")
    first = file_stamps([file], tmp_path)
    write(tmp_path / "a.csv", "a", age_s=10)
    assert file_stamps([file], tmp_path) == first
    write(tmp_path / "a.csv", "b", age_s=5)
    assert file_stamps([file], tmp_path) != first


def test_file_changed_a_moment_ago_is_looked_at_again(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", "a", age_s=0)
    time = (tmp_path / "a.csv").stat().st_mtime_ns
    first = file_stamps([file], tmp_path)
    (tmp_path / "a.csv").write_text("b", encoding="utf-8")
    os.utime(tmp_path / "a.csv", ns=(time, time))
    assert file_stamps([file], tmp_path) != first


def test_damaged_memory_is_made_anew(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", "a")
    first = file_stamps([file], tmp_path)
    for text in ("", "{", "[]", json.dumps({file: 1})):
        (tmp_path / "stamps.json").write_text(text, encoding="utf-8")
        assert file_stamps([file], tmp_path) == first
