"""The main job on a small fleet: what it writes can be believed."""

from __future__ import annotations

import json
import logging
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest

import hvac
from hvac.features.encoder import load_encoder
from hvac.models.families import cross_fit
from hvac.models.family import Fitting, loaded_once
from hvac.scoring.bundle import Bundle
from ray_jobs import evaluate, featurize, ingest, score, train
from ray_jobs.__main__ import STEPS
from ray_jobs.__main__ import main as console
from ray_jobs.assess.decided_risks import read_held_out
from ray_jobs.pipeline import run_summary
from ray_jobs.run.command import config_path
from ray_jobs.run.run_config import RunConfig, load_run
from ray_jobs.run.workspace import Workspace
from ray_jobs.tables.windows_table import fit_windows, load_recipes, read_windows
from tests.ray_jobs.conftest import copy_of
from tests.reference.labels_oracle import label

Finished = tuple[RunConfig, Path]
BASELINES = {"base_rate", "persistence", "logistic_28", "gbdt_context"}


def windows_of(workspace: Path) -> pd.DataFrame:
    files = sorted(map(str, (workspace / "windows").glob("class=*/part-*.parquet")))
    return (
        pads.dataset(files)
        .to_table(columns=["facility_id", "equipment_id", "end_date", "split"])
        .to_pandas()
    )


def test_pipeline_writes_every_promised_file(finished: Finished) -> None:
    _, workspace = finished
    for name in (
        "predictions.parquet",
        "latest.parquet",
        "metrics.json",
        "metrics_summary.csv",
        "report.html",
    ):
        assert (workspace / name).stat().st_size > 0
    assert (workspace / "rejects.csv").exists()
    assert len(list((workspace / "bundles").iterdir())) == 2
    assert {f.name for f in (workspace / "figures").iterdir()} >= {
        "forecast_comparison_ja.png",
        "pr_curves_en.png",
    }


def test_labels_agree_with_an_independent_labelling(finished: Finished) -> None:
    _, workspace = finished
    readings = pd.read_parquet(workspace / "source" / "readings")
    events = pd.read_parquet(workspace / "source" / "events.parquet")
    predictions = pd.read_parquet(workspace / "predictions.parquet")
    sample = predictions.sample(200, random_state=1)
    last = readings.groupby(["facility_id", "equipment_id"])["date"].max().reset_index()
    for row in sample.itertuples():
        found = label(
            last,
            events,
            ["failure"],
            row.facility_id,
            row.equipment_id,
            row.end_date,
            row.horizon,
        )
        known = bool(row.observed)
        assert found[1] == known
        assert not known or found[0] == bool(row.label)


def test_no_unit_day_is_in_two_splits_and_no_label_window_crosses_a_border(
    finished: Finished,
) -> None:
    _, workspace = finished
    windows = windows_of(workspace)
    assert not windows.duplicated(["facility_id", "equipment_id", "end_date"]).any()
    borders = json.loads((workspace / "steps" / "featurize.json").read_text())[
        "borders"
    ]
    day = (pd.to_datetime(windows["end_date"]) - pd.Timestamp("1970-01-01")).dt.days
    assert (day[windows["split"] == "train"] + 90 <= borders["t1"]).all()
    validation = windows["split"].isin(["tune", "cal"])
    assert (day[validation] > borders["t1"]).all()
    assert (day[validation] + 90 <= borders["t2"]).all()
    assert (day[windows["split"] == "test"] > borders["t2"]).all()
    units = (
        windows[validation].groupby(["facility_id", "equipment_id"])["split"].nunique()
    )
    assert (units == 1).all()


def test_windows_in_and_left_out_add_up_to_the_grid(finished: Finished) -> None:
    _, workspace = finished
    done = json.loads((workspace / "steps" / "featurize.json").read_text())
    counted = sum(
        part["windows"]
        for splits in done["windows"].values()
        for part in splits.values()
    )
    assert counted == len(windows_of(workspace))
    assert done["left_out"]["learning"] > 0
    assert done["left_out"]["purged"] > 0


def test_risks_never_fall_and_alarms_never_vanish_with_the_horizon(
    finished: Finished,
) -> None:
    _, workspace = finished
    predictions = pd.read_parquet(workspace / "predictions.parquet")
    by_horizon = {
        name: predictions.pivot(
            index=["facility_id", "equipment_id", "end_date"],
            columns="horizon",
            values=name,
        )
        for name in ("risk", "threshold", "alarm")
    }
    risk_BH, threshold_BH, alarm_BH = (
        table.to_numpy() for table in by_horizon.values()
    )
    assert (np.diff(risk_BH, axis=1) >= 0).all()
    assert ((predictions["risk"] > 0) & (predictions["risk"] < 1)).all()
    assert (alarm_BH == np.logical_or.accumulate(risk_BH >= threshold_BH, axis=1)).all()


def test_plain_call_of_the_bundle_gives_the_predictions_of_the_job(
    finished: Finished,
) -> None:
    _, workspace = finished
    predictions = pd.read_parquet(workspace / "predictions.parquet")
    recipe = load_recipes(workspace / "windows")["pump"]
    windows = read_windows(
        workspace / "windows", recipe, ("test",), ("features", "embedding")
    )
    bundle = Bundle.load(next((workspace / "bundles").glob("pump-*")))
    mine = predictions[
        (predictions["class"] == "pump") & (predictions["split"] == "test")
    ]
    np.testing.assert_allclose(
        bundle.predict(windows).risk_BH.ravel(), mine["risk"], atol=1e-6
    )
    assert set(mine["bundle_id"]) == {bundle.folder.name if bundle.folder else ""}


def test_simple_baselines_stand_beside_the_model_with_intervals(
    finished: Finished,
) -> None:
    _, workspace = finished
    metrics = json.loads((workspace / "metrics.json").read_text())
    assert set(metrics["models"]) == {"hybrid", *BASELINES}
    assert set(metrics["differences"]) == BASELINES
    assert not metrics["ablation"]
    for found in metrics["models"].values():
        for horizon in ("30", "60", "90"):
            figure = found[horizon]["roc_auc"]
            assert figure["low"] <= figure["value"] <= figure["high"]


def test_summary_table_has_a_row_per_horizon(finished: Finished) -> None:
    _, workspace = finished
    table = pd.read_csv(workspace / "metrics_summary.csv", encoding="utf-8-sig")
    expected = [
        "horizon",
        "threshold",
        "accuracy",
        "precision",
        "recall",
        "f1",
        "roc_auc",
        "pr_auc",
    ]
    assert list(table.columns) == expected
    assert table["horizon"].tolist() == [30, 60, 90]
    assert table.notna().all().all()


def test_latest_has_every_unit_once_per_horizon_and_a_ranking_for_excel(
    finished: Finished,
) -> None:
    _, workspace = finished
    latest = pd.read_parquet(workspace / "latest.parquet")
    assert len(latest) == 2 * 2 * 8 * 3
    scored = latest[latest["status"] == "ok"]
    assert scored["forecast"].map(len).tolist() == scored["horizon"].tolist()
    assert (workspace / "latest_ranking.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    ranking = pd.read_csv(workspace / "latest_ranking.csv", encoding="utf-8-sig")
    ranking["risk"] = ranking["risk within 30 days"].str.rstrip("%").astype(float)
    alarms = ranking["alarm within 30 days"] == "yes"
    assert alarms.astype(int).is_monotonic_decreasing
    assert ranking.loc[alarms, "risk"].is_monotonic_decreasing


def test_training_leaves_the_encoder_as_it_was(finished: Finished) -> None:
    _, workspace = finished
    trained = json.loads((workspace / "steps" / "train.json").read_text())
    fresh = load_encoder()
    assert trained["encoder_sha256"] == fresh.sha256
    assert all(
        Bundle.load(folder).encoder.sha256 == fresh.sha256
        for folder in (workspace / "bundles").iterdir()
    )


def test_second_run_skips_every_step_and_says_so(
    finished: Finished, caplog: pytest.LogCaptureFixture
) -> None:
    config, workspace = finished
    before = {file: file.stat().st_mtime_ns for file in workspace.rglob("*.parquet")}
    with caplog.at_level(logging.INFO):
        for step in (ingest, featurize, train, evaluate, score):
            step.run(config)
    for name in ("simulate", "ingest", "featurize", "train", "evaluate", "score"):
        assert f"{name}: already done, skipped" in caplog.text
    assert before == {
        file: file.stat().st_mtime_ns for file in workspace.rglob("*.parquet")
    }


def test_closing_summary_names_counts_models_and_files(finished: Finished) -> None:
    _, workspace = finished
    text = run_summary(Workspace(workspace))
    for word in (
        "Rows read",
        "rejected 0",
        "Windows left out",
        "gbdt_context",
        "report.html",
        "base rate",
    ):
        assert word in text
    assert "Newest window of equipment (ok 32)" in text


def test_closing_summary_tells_the_comparison_of_this_run_and_not_of_where_it_was(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(finished[1], tmp_path / "moved")
    arguments = ["--config", "here.yaml", f"workspace={tmp_path}/moved"]
    monkeypatch.setattr("sys.argv", ["pipeline", *arguments])
    text = run_summary(Workspace(tmp_path / "moved"))
    assert f"python -m ray_jobs.compare {' '.join(arguments)}" in text


def test_new_equipment_is_learning_in_latest_ranking_and_closing_summary(
    finished: Finished, tmp_path: Path
) -> None:
    """A pump whose first reading is 40 days old: no risk anywhere, days left everywhere."""
    config, done = finished
    workspace = tmp_path / "run"
    for part in ("panel", "windows", "bundles", "steps"):
        shutil.copytree(done / part, workspace / part)
    shutil.copy(done / "metrics.json", workspace)
    (workspace / "steps" / "score.json").unlink()
    young, others = "F001-PMP-001", 31
    for file in (workspace / "panel" / "readings").rglob("*.parquet"):
        table = pq.read_table(file)
        day = table["date"].cast(pa.int32())
        kept = pc.or_(
            pc.not_equal(table["equipment_id"], young),
            pc.greater(day, pc.max(day).as_py() - 40),
        )
        pq.write_table(table.filter(kept), file)
    score.run(config.replace(workspace=str(workspace)))
    latest = pd.read_parquet(workspace / "latest.parquet")
    rows = latest[latest["equipment_id"] == young]
    assert set(rows["status"]) == {"learning"}
    assert rows["risk"].isna().all()
    (left,) = set(rows["learning_days_left"])
    assert 50 <= left < 60
    last = pd.read_csv(workspace / "latest_ranking.csv", encoding="utf-8-sig").iloc[-1]
    assert (last["equipment"], last["status"], last["days of learning left"]) == (
        young,
        "learning",
        left,
    )
    text = run_summary(Workspace(workspace))
    assert (
        f"(learning 1, ok {others}); new equipment is scored after {left:.0f} more days of readings"
        in text
    )


def test_report_tells_thresholds_of_the_model(finished: Finished) -> None:
    _, workspace = finished
    metrics = json.loads((workspace / "metrics.json").read_text())
    assert 0 < metrics["thresholds"]["hybrid"]["30"]["value"] < 1
    assert set(metrics["thresholds"]["hybrid"]["30"]["by_class"]) == {"pump", "chiller"}
    assert metrics["calibration"]["hybrid"]["30"]["method"]


# The default: a fusion


@pytest.fixture(scope="module")
def fused(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """The same fleet, from its panel on, with the family that stands in no file."""
    few = {
        "baselines": ["base_rate"],
        "ablation": False,
        "replicates": 100,
        "forecast_windows": 20,
    }
    folder = tmp_path_factory.mktemp("fused") / "run"
    config = copy_of(finished, folder, upto="ingest", model={}, evaluate=few)
    assert config.model.family == "fusion"
    for step in (featurize, train, evaluate, score):
        step.run(config)
    return config


def test_default_fusion_tells_how_it_mixes_and_judges_every_unit(
    fused: RunConfig,
) -> None:
    workspace = Path(fused.workspace)
    told = json.loads((workspace / "steps" / "train.json").read_text())["fusion"]
    assert set(told) == {"pump", "chiller"}
    for each in told.values():
        assert each["rule"] in ("weights", "mean", "best_block")
        assert set(each["weights"]) == set(fused.model.blocks)
        assert sum(each["weights"].values()) == pytest.approx(1, abs=1e-3)
    assert set(json.loads((workspace / "metrics.json").read_text())["models"]) == {
        "fusion",
        "base_rate",
    }
    latest = pd.read_parquet(workspace / "latest.parquet")
    assert (set(latest["model"]), set(latest["status"])) == ({"fusion"}, {"ok"})
    assert latest["risk"].notna().all()


def test_networks_of_the_fusion_were_fitted_by_ray_trains_workers_and_lie_in_the_bundle(
    fused: RunConfig,
) -> None:
    """The scores that calibrated are those of a cross-fit whose networks are all fitted in this process."""
    workspace = Path(fused.workspace)
    recipe, encoder = (
        load_recipes(workspace / "windows")["pump"],
        loaded_once(load_encoder),
    )
    windows = fit_windows(workspace / "windows", recipe, fused.model, encoder)
    here = cross_fit(windows, fused.model, Fitting(encoder), folds=fused.decision.folds)
    np.testing.assert_allclose(
        read_held_out(workspace / "held_out", "pump"), here.score_BH, atol=1e-4
    )
    bundle = Bundle.load(next((workspace / "bundles").glob("pump-*")))
    np.testing.assert_allclose(
        bundle.model.score(windows), here.model.score(windows), atol=1e-4
    )
    assert bundle.training["rule"] == here.notes["rule"]


def test_readings_scored_in_one_call_get_the_risks_of_latest_parquet(
    finished: Finished,
) -> None:
    _, workspace = finished
    source = workspace / "source"
    latest = pd.read_parquet(workspace / "latest.parquet")
    for folder in sorted((workspace / "bundles").iterdir()):
        bundle = hvac.load_bundle(folder)
        risks = bundle.predict_readings(
            source / "readings",
            events=source / "events.parquet",
            equipment=source / "equipment.parquet",
        )
        keys = ["facility_id", "equipment_id", "horizon"]
        both = latest[latest["class"] == bundle.recipe.class_name].merge(risks, on=keys)
        assert len(both) == 3 * 16
        np.testing.assert_allclose(both["risk_x"], both["risk_y"], atol=1e-6)
        assert (both["status_x"] == both["status_y"]).all()


EXAMPLES = Path(__file__).parents[2] / "examples"


def test_examples_run(
    finished: Finished,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def ran(script: str, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", [script, *arguments])
        runpy.run_path(str(EXAMPLES / script), run_name="__main__")
        return capsys.readouterr().out

    _, workspace = finished
    bundle = next((workspace / "bundles").glob("pump-*"))
    part = next((workspace / "source" / "readings").glob("*.parquet"))
    pd.read_parquet(part).head(20_000).to_csv(tmp_path / "readings.csv", index=False)
    assert "status" in ran(
        "score_readings.py", str(bundle), str(tmp_path / "readings.csv")
    )
    assert ran("own_family.py").count("ROC-AUC") == 3
    assert "PR-AUC" in ran("read_metrics.py", str(workspace / "metrics.json"))


def test_run_file_of_the_package_is_found_by_its_name() -> None:
    assert load_run(config_path("demo")).name == "demo"
    assert config_path("runs/mine.yaml") == "runs/mine.yaml"
    assert config_path("nowhere") == "nowhere"


def test_printed_paths_of_configurations_work_outside_of_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    packaged = config_path("ray_jobs/configs/demo.yaml")
    assert load_run(packaged).name == "demo"
    assert config_path("demo.yaml") == "demo.yaml"
    own = tmp_path / "ray_jobs/configs/demo.yaml"
    own.parent.mkdir(parents=True)
    own.touch()
    assert config_path("ray_jobs/configs/demo.yaml") == "ray_jobs/configs/demo.yaml"


def test_console_script_lists_the_steps_and_runs_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["hvac-foresight", *arguments])
        with pytest.raises(SystemExit) as ended:
            console()
        assert ended.value.code == 2
        return capsys.readouterr().err

    command = [sys.executable, "-m", "ray_jobs"]
    listed = subprocess.run(
        [*command, "--help"], capture_output=True, text=True, check=True
    )
    assert all(f"  {step} " in listed.stdout for step in STEPS)
    version = subprocess.run(
        [*command, "--version"], capture_output=True, text=True, check=True
    )
    assert version.stdout.split()[-1] == hvac.__version__
    assert "no config file at nowhere.yaml" in refused(
        "train", "--config", "nowhere.yaml"
    )
    assert "did you mean 'steps'?" in refused("pretrain", "step=3")
