"""The command `check`: no Ray, exit status, JSON, and the windows that featurize makes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import ray as ray_library
import yaml

from ray_jobs import check
from ray_jobs.run.records import FeaturizeRecord
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import workspace_of
from tests.checks.tables_example import Tables

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run the command on a run file with these settings: exit status and what it printed."""

    def no_ray(*_: object, **__: object) -> None:
        raise AssertionError("check starts no Ray")

    monkeypatch.setattr(ray_library, "init", no_ray)

    def run(*arguments: str, **settings: Any) -> tuple[int, str]:
        file = tmp_path / "run.yaml"
        given = {"name": "small", "workspace": str(tmp_path / "work"), **settings}
        file.write_text(yaml.safe_dump(given), encoding="utf-8")
        monkeypatch.setattr(sys, "argv", ["check", "--config", str(file), *arguments])
        with pytest.raises(SystemExit) as stopped:
            check.main()
        return int(stopped.value.code or 0), capsys.readouterr().out

    return run


def sources(tables: Tables, folder: Path) -> dict[str, Any]:
    return tables.write(folder).model_dump(include={"readings", "events", "equipment"})


def test_check_exits_0_and_draws_the_record_where_nothing_is_wrong(
    run_check: Run, tmp_path: Path
) -> None:
    status, printed = run_check(source=sources(Tables(), tmp_path))
    assert status == 0, printed
    assert "0 that stop a step, 0 other faults" in printed
    assert (tmp_path / "work" / "check.html").exists()


def test_check_exits_1_and_prints_json_where_faults_were_found(
    run_check: Run, tmp_path: Path
) -> None:
    tables = Tables()
    tables.equipment.loc[:2, "class"] = None
    page = tmp_path / "page.html"
    status, printed = run_check(
        "--json", f"--page={page}", source=sources(tables, tmp_path), language="ja"
    )
    facts = json.loads(printed)
    assert status == 1
    assert facts["page"] == str(page)
    first = facts["faults"][0]
    assert first["settings"] == ["source.equipment", "windows.class"]
    assert 'lang="ja"' in page.read_text(encoding="utf-8")


def test_check_exits_2_where_the_run_file_is_not_valid(run_check: Run) -> None:
    assert run_check(sauce={})[0] == 2


def test_check_counts_the_windows_that_featurize_makes(
    finished: tuple[RunConfig, Path],
) -> None:
    config, _ = finished
    workspace = workspace_of(config)
    record = workspace.record(FeaturizeRecord)
    looked = check.run(config)
    made = record.counts()
    for name, splits in looked.expected.counts.items():
        for split, counts in splits.items():
            for key in ("windows", "units", "known", "positives"):
                assert counts[key] == made[name][split][key], (name, split, key)  # type: ignore[literal-required]
    assert looked.expected.left_out == {k: n for k, n in record.left_out.items() if n}
    assert looked.expected.borders == (record.borders.t1, record.borders.t2)
