"""The command `describe` prints what a workspace holds, at every stage of a run."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import sys
from pathlib import Path

import pytest

from hvac.errors import HvacError
from hvac.json_values import branch
from hvac.report.workspace_summary import workspace_lines
from hvac.scoring.bundle import Bundle
from hvac.storage import read_mark
from hvac.update.bent_bundle import steered_bundle
from hvac.update.champions import read_champions, write_champions
from hvac.update.threshold_steps import Step
from ray_jobs import describe
from ray_jobs.run.records import TrainRecord
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace, workspace_of


def printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> str:
    monkeypatch.setattr(sys, "argv", ["describe", *arguments])
    describe.main()
    return capsys.readouterr().out


def test_finished_workspace_is_described_with_classes_figures_and_newest_day(
    finished: tuple[RunConfig, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config, folder = finished
    lines = printed(monkeypatch, capsys, str(folder))
    bundles = workspace_of(config).record(TrainRecord).bundles
    for name, bundle in bundles.items():
        assert f"class       {name}: 16 machines, bundle {bundle} (hybrid)" in lines
    for words in (
        "steps done  ingest",
        "alarm from a risk of: 30 days",
        "newest day",
        "PR-AUC",
    ):
        assert words in lines
    facts = json.loads(printed(monkeypatch, capsys, str(folder), "--json"))
    metrics = read_mark(folder / "metrics.json")
    assert (
        facts["figures"]["hybrid"]["30"]["pr_auc"]
        == metrics["models"]["hybrid"]["30"]["pr_auc"]
    )
    assert set(facts["bundles"]) == set(bundles)
    assert facts["not_done"] == []


def test_workspace_that_is_half_done_is_described_as_far_as_it_goes(
    finished: tuple[RunConfig, Path], tmp_path: Path
) -> None:
    _, folder = finished
    shutil.copytree(folder / "steps", tmp_path / "steps")
    (tmp_path / "steps" / "evaluate.json").unlink()
    (tmp_path / "steps" / "score.json").write_text("damaged", encoding="utf-8")
    facts = describe.run(Workspace(tmp_path), {})
    lines = "\n".join(describe.workspace_lines(facts, {}))
    assert "not done    evaluate, score" in lines
    assert "its bundle is not there, or damaged" in lines
    assert "newest day" not in lines


def test_thresholds_of_facilities_that_have_their_own_are_told(
    finished: tuple[RunConfig, Path], tmp_path: Path
) -> None:
    config, folder = finished
    for name in ("steps", "bundles"):
        shutil.copytree(folder / name, tmp_path / name)
    workspace = Workspace(tmp_path)
    step = Step(0.1, "too_many", 3.0, 2.0, 1.0)
    champion = {
        name: steered_bundle(
            Bundle.load(workspace.bundles / bundle), {"F002": step}, dt.date(2024, 3, 1)
        )
        .save(workspace.bundles)
        .name
        for name, bundle in workspace_of(config).record(TrainRecord).bundles.items()
    }
    before = read_champions(tmp_path, workspace.record(TrainRecord).bundles)
    write_champions(tmp_path, before.noted("thresholds", "test", champion=champion))
    facts = describe.run(workspace, {})
    for bundle in branch(facts, "bundles").values():
        own = branch(bundle, "facility_thresholds")
        assert set(own) == {"F002"}
        assert branch(own, "F002") != branch(bundle, "thresholds")
    assert "            in F002: 30 days" in "\n".join(workspace_lines(facts, {}))


def test_folder_without_a_step_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(HvacError, match="no step has been run here"):
        describe.run(Workspace(tmp_path), {})
