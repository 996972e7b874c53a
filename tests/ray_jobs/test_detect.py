"""The detection job: the seed's workflow from series to report, real records, resuming, bad input."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hvac.detect.detector import Detector
from hvac.detect.series import plain_series
from hvac.detect.sliding import cut_series
from hvac.detect.training import training_examples
from hvac.errors import ConfigError, HvacError, InputError
from ray_jobs import detect
from ray_jobs.detector.detect_config import DetectConfig, load_detect
from ray_jobs.detector.detect_worker import fit_on_workers
from ray_jobs.run.command import main
from tests.detect.detect_example import SMALL, small_fleet

CONFIGS = Path(__file__).parents[2] / "ray_jobs" / "configs"
NAB = CONFIGS.parents[2] / "shared" / "data" / "nab"


def read_metrics(workspace: Path) -> Any:
    return json.loads((workspace / "metrics.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def seed_run(ray: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = tmp_path_factory.mktemp("seed")
    detect.run(
        load_detect(
            CONFIGS / "detect_seed.yaml", [f"workspace={workspace}", "train.workers=0"]
        )
    )
    return workspace


@pytest.mark.parametrize(("part", "series"), [("test", 40), ("unseen", 20)])
def test_seeds_workflow_tells_held_out_and_unseen_series_apart(
    seed_run: Path, part: str, series: int
) -> None:
    found = read_metrics(seed_run)["models"]["cnn1d"][part]["windows"]
    assert found["windows"] == series
    assert found["accuracy"]["value"] >= 0.95


def test_seeds_workflow_trains_the_seeds_network_on_a_part_of_its_80_percent(
    seed_run: Path,
) -> None:
    found = read_metrics(seed_run)
    assert (found["detector"]["parameters"], found["detector"]["epochs"]) == (
        10_561,
        10,
    )
    assert found["examples"] == {
        "train": {"normal": 64, "anomalous": 64, "made": 0},
        "validation": {"normal": 16, "anomalous": 16, "made": 0},
    }


def test_run_leaves_model_folder_predictions_figures_and_report(seed_run: Path) -> None:
    assert sorted(f.name for f in (seed_run / "detector").iterdir()) == [
        "manifest.json",
        "model.safetensors",
    ]
    predictions = pd.read_csv(seed_run / "predictions.csv")
    assert predictions.groupby("part").size().to_dict() == {
        "test": 40,
        "unseen": 20,
        "validation": 32,
    }
    assert (predictions["cnn1d_alarm"] == (predictions["cnn1d"] >= 0.5)).all()
    assert (
        len(list((seed_run / "figures").glob("*.ja.png")))
        == len(list((seed_run / "figures").glob("*.en.png")))
        == 4
    )
    assert "異常検知レポート" in (seed_run / "report.html").read_text(encoding="utf-8")


def test_saved_detector_judges_new_series_with_gaps(seed_run: Path) -> None:
    detector = Detector.load(seed_run / "detector")
    wave_T = np.sin(np.linspace(0, 4 * np.pi, 100))
    spiked_T = wave_T + np.where(
        (np.arange(100) > 40) & (np.arange(100) < 50), 3.0, 0.0
    )
    wave_T[70:75] = np.nan
    for value_T, alarm in ((wave_T, False), (spiked_T, True)):
        series = plain_series(value_T)
        assert (
            detector.window_scores(series, cut_series(series, detector.windows))[0]
            > detector.threshold
        ) == alarm


def test_finished_steps_are_skipped_and_changed_ones_are_done_again(
    seed_run: Path,
) -> None:
    def times() -> list[int]:
        names = ("series.parquet", "detector/model.safetensors", "report.html")
        return [(seed_run / name).stat().st_mtime_ns for name in names]

    before = times()
    settings = [f"workspace={seed_run}", "train.workers=0"]
    detect.run(load_detect(CONFIGS / "detect_seed.yaml", settings))
    assert times() == before
    detect.run(load_detect(CONFIGS / "detect_seed.yaml", [*settings, "name=renamed"]))
    assert times()[:2] == before[:2]
    assert times()[2] > before[2]
    assert read_metrics(seed_run)["run"]["name"] == "renamed"


def test_fit_that_was_stopped_goes_on_to_the_same_weights(
    ray: None, tmp_path: Path
) -> None:
    train, validation = training_examples(small_fleet(), SMALL, None, 0)
    config = load_detect(
        CONFIGS / "detect_seed.yaml", ["train.workers=0", "train.checkpoint_every=1"]
    )
    model = config.network

    def fit(epochs: int, key: str) -> Any:
        short = model.replace(epochs=epochs)
        return fit_on_workers(
            train, validation, short, config=config.train, folder=tmp_path, key=key
        )

    fit(2, "stopped")
    resumed, state = fit(4, "stopped")
    whole, whole_state = fit(4, "whole")
    assert state.history_H == whole_state.history_H
    for name, array in whole.state().items():
        np.testing.assert_array_equal(resumed.state()[name], array)


@pytest.fixture
def record(tmp_path: Path) -> dict[str, Any]:
    """Ten days of an hourly record with a level shift in every part but the training one, and missing values."""
    value_N = np.sin(np.arange(240) / 4) + np.random.default_rng(0).normal(0, 0.1, 240)
    for start in (130, 200):
        value_N[start : start + 12] += 8
    value_N[30:34] = np.nan
    time_N = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(240), "h")
    pd.DataFrame({"timestamp": time_N, "value": value_N}).to_csv(
        tmp_path / "room.csv", index=False
    )
    windows = [[str(time_N[start]), str(time_N[start + 11])] for start in (130, 200)]
    (tmp_path / "labels.json").write_text(
        json.dumps({"room": windows}), encoding="utf-8"
    )
    room = {
        "name": "room",
        "path": f"{tmp_path}/room.csv",
        "validation_from": "2024-01-05",
        "test_from": "2024-01-08",
    }
    return {
        "name": "room",
        "workspace": tmp_path / "run",
        "source": {"records": [room], "anomalies": f"{tmp_path}/labels.json"},
        "windows": {"length": 24, "stride": 2, "channels": ["record"], "join": "last"},
        "model": {"epochs": 4, "batch_size": 16},
        "alarms": {"budget": 1.0, "gap": 12, "slack": 24},
        "train": {"workers": 0},
    }


def test_record_without_a_training_anomaly_is_learned_from_made_ones(
    ray: None, record: dict[str, Any]
) -> None:
    inject = {
        "share": 1.0,
        "anomalies": {"kinds": ["level_shift"], "size": [4, 8], "length": [6, 12]},
    }
    detect.run(DetectConfig(**record, inject=inject))
    found = read_metrics(record["workspace"])
    assert found["records"]["room"]["filled"] == 4
    assert found["examples"]["train"]["anomalous"] == 0
    assert found["examples"]["train"]["made"] > 20
    events = found["models"]["cnn1d"]["test"]["events"]
    assert (events["found"], events["events"], events["exposure_unit"]) == (
        1,
        1,
        "week",
    )
    assert set(found["models"]) == {"cnn1d", "zscore_window", "zscore_record"}
    assert found["events"][0]["start"] == "2024-01-09 08:00:00"


def test_record_without_a_training_anomaly_and_without_made_ones_is_refused(
    ray: None, record: dict[str, Any]
) -> None:
    with pytest.raises(HvacError, match="no anomalous window to learn from"):
        detect.run(DetectConfig(**record))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            ["source.records=[]", "source.anomalies=a.json"],
            "records: Tuple should have at least 1 item",
        ),
        (["series=null"], "give either a 'series' section"),
        (["series.pattern=sinus"], r"sinus"),
        (
            ["windows.lenght=50"],
            "unknown key 'lenght' in SlidingConfig: did you mean 'length'",
        ),
        (
            ["inject.anomalies.kinds=[spikes]"],
            "unknown kind of anomaly 'spikes': did you mean 'spike'",
        ),
        (["model.family=hybrid"], "family"),
    ],
)
def test_configuration_that_cannot_be_is_refused_in_one_sentence(
    settings: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_detect(CONFIGS / "detect_seed.yaml", settings)
    assert "\n" not in str(caught.value)


def test_series_shorter_than_the_window_are_refused(ray: None, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"series 'sine' \(train\) has 100 steps, a window needs 101"
    ):
        detect.run(
            load_detect(
                CONFIGS / "detect_seed.yaml",
                [f"workspace={tmp_path}", "windows.length=101"],
            )
        )


def test_command_line_ends_in_one_sentence_and_status_2_on_bad_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = CONFIGS / "detect_seed.yaml"
    monkeypatch.setattr(sys, "argv", ["detect", "--config", str(file), "seeed=1"])
    with pytest.raises(SystemExit) as ended:
        main(detect.run, None, load=load_detect)
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        f"error: {file}: unknown key 'seeed' in DetectConfig: did you mean 'seed'? Known keys: name, workspace, "
        "language, seed, series, source, windows, inject, model, alarms, train, ray\n"
    )


@pytest.mark.parametrize("name", ["seed", "rich", "nab"])
def test_configurations_that_come_with_the_project_are_valid(name: str) -> None:
    assert load_detect(CONFIGS / f"detect_{name}.yaml").name == f"detect_{name}"


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.skipif(
    not NAB.exists(),
    reason=f"{NAB} is not there: real records of the Numenta Anomaly Benchmark",
)
def test_real_records_are_judged_by_the_command_within_3_minutes(
    ray: None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a worker of Ray Train, on the Ray of all tests."""
    monkeypatch.chdir(CONFIGS.parents[1])  # the records' paths start there
    file = CONFIGS / "detect_nab.yaml"
    monkeypatch.setattr(
        sys, "argv", ["detect", "--config", str(file), f"workspace={tmp_path}"]
    )
    started = time.monotonic()
    main(detect.run, None, load=load_detect)
    assert time.monotonic() - started < 180
    found = read_metrics(tmp_path)
    assert found["parts"]["test"]["anomalies"] == 2
    for model in ("cnn1d", "zscore_window", "zscore_record"):
        events = found["models"][model]["test"]["events"]
        assert events["events"] == 2
        assert 0 < events["exposure"] < 20
    anomalies = found["models"]["cnn1d"]["test"]["events"]["found"]
    assert f"anomalies found {anomalies} of 2" in capsys.readouterr().out
