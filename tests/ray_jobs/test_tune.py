"""Sweeps try every settings once, go on after a kill, and judge by *tune* alone."""

from __future__ import annotations

import csv
import importlib.util
import json
import logging
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import ray.tune
import yaml
from ray.tune import Checkpoint, get_context

from hvac.errors import ConfigError, HvacError
from hvac.models.family import Fitting, no_encoder
from hvac.models.fitting import FitState, Workers
from hvac.models.hybrid import Hybrid, HybridConfig
from hvac.models.search_space import with_settings
from hvac.storage import write_json
from ray_jobs import tune
from ray_jobs.run.records import TuneRecord
from ray_jobs.run.run_config import RunConfig, load_run
from ray_jobs.run.workspace import workspace_of
from ray_jobs.sweep.plan import plan
from ray_jobs.sweep.search import restorable
from ray_jobs.sweep.trial import Shared, follow, keep, resumed_trial, run_trial
from ray_jobs.sweep.trial_curves import Ledger
from ray_jobs.sweep.trial_fits import Parts, check_scorable, read_classes
from tests.ray_jobs.conftest import SMALL
from tests.ray_jobs.test_faults import kill_all, start, wait_for

SPACE: dict[str, Any] = {
    "learning_rate": {"loguniform": [1e-4, 3e-3]},
    "dropout": {"uniform": [0.1, 0.6]},
    "hidden": {"choice": [[32, 16], [16, 8]]},
}
WAIT = 300.0  # seconds for what must come; longer means that it never will
Finished = tuple[RunConfig, Path]
Making = Callable[..., RunConfig]


@pytest.fixture(scope="module")
def make(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Making:
    """Sweeps over the featurized table of the finished run, in a workspace of their own."""
    workspace = finished[1]
    folder = tmp_path_factory.mktemp("sweeps") / "run"
    shutil.copytree(workspace / "windows", folder / "windows")
    (folder / "steps").mkdir()
    shutil.copy(workspace / "steps" / "featurize.json", folder / "steps")

    def made(search: dict[str, Any] | None, **changes: Any) -> RunConfig:
        given = (
            {"space": SPACE, "trials": 3, "concurrent": 1, **search}
            if search is not None
            else None
        )
        return RunConfig(
            **{
                **SMALL,
                "workspace": folder,
                "model": {"family": "hybrid", "epochs": 2},
                "tune": given,
                **changes,
            }
        )

    return made


class Swept(NamedTuple):
    config: RunConfig
    result: TuneRecord
    folder: Path
    trials: list[dict[str, Any]]
    runs: str | None


@pytest.fixture(scope="module")
def swept(make: Making, tmp_path_factory: pytest.TempPathFactory) -> Swept:
    """Three hybrids of two epochs, recorded in MLflow where it is installed."""
    recorded = importlib.util.find_spec("mlflow") is not None
    runs = (
        f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'runs.db'}"
        if recorded
        else None
    )
    config = make({"mlflow_uri": runs})
    result = tune.run(config)
    folder = Path(result.sweep)
    trials = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))["trials"]
    return Swept(config, result, folder, trials, runs)


def events_of(sweep: Path, trial: dict[str, Any], tag: str) -> list[Any]:
    module = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    events = module.EventAccumulator(str(sweep / "tensorboard" / trial["trial"]))
    events.Reload()
    found: list[Any] = events.Scalars(tag)
    return found


def steps_of(sweep: Path, trial: dict[str, Any], tag: str) -> list[int]:
    return [point.step for point in events_of(sweep, trial, tag)]


def epochs_of(trial: dict[str, Any]) -> list[int]:
    return [row["epoch"] for row in trial["rows"]]


def classes_of(config: RunConfig) -> dict[str, Parts]:
    return read_classes(
        workspace_of(config).windows, ("embedding", "features"), no_encoder
    )


# A sweep


def test_sweep_ends_with_every_trial_once_and_the_best_named(swept: Swept) -> None:
    assert [trial["trial"] for trial in swept.trials] == [
        "trial_00000",
        "trial_00001",
        "trial_00002",
    ]
    assert [trial["status"] for trial in swept.trials] == ["finished"] * 3
    assert len({trial["settings"]["learning_rate"] for trial in swept.trials}) == 3
    values = [trial["value"] for trial in swept.trials]
    assert swept.result.best_value == max(values)
    assert swept.result.best_trial == swept.trials[int(np.argmax(values))]["trial"]


def test_best_config_is_a_run_of_the_best_settings_without_a_sweep(
    swept: Swept,
) -> None:
    found = load_run(swept.result.best_config)
    assert found.tune is None
    assert found.model == with_settings(swept.config.model, swept.result.best_settings)
    assert (
        found.replace(model=swept.config.model, tune=swept.config.tune) == swept.config
    )


def test_trial_is_the_fit_that_train_would_make_of_its_settings(swept: Swept) -> None:
    trial, best = swept.trials[1], []
    config = with_settings(HybridConfig(epochs=2), trial["settings"])
    for part in classes_of(swept.config).values():
        states: list[FitState] = []
        Hybrid.fit(
            part.train, part.tune, config, Fitting(no_encoder, report=states.append)
        )
        best.append(states[-1].best_score)
    assert trial["value"] == pytest.approx(np.mean(best), abs=1e-6)


def test_table_of_trials_has_settings_scores_and_thresholds(swept: Swept) -> None:
    with (swept.folder / "trials.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["trial"] for row in rows] == [trial["trial"] for trial in swept.trials]
    for row, trial in zip(rows, swept.trials, strict=True):
        assert float(row["model.learning_rate"]) == trial["settings"]["learning_rate"]
        assert float(row["tune_pr_auc"]) == trial["value"]
        assert all(0 < float(row[f"threshold_{days}"]) < 1 for days in (30, 60, 90))


def test_tensorboard_events_hold_the_curves(swept: Swept) -> None:
    tags = {
        "loss/train": "train_loss",
        "loss/tune": "tune_loss",
        "pr_auc/best": "tune_pr_auc",
    }
    tags |= {"pr_auc/30_days": "pr_auc_30", "f1_cut/90_days": "f1_cut_90"}
    for trial in swept.trials:
        for tag, name in tags.items():
            points = events_of(swept.folder, trial, tag)
            assert [point.step for point in points] == epochs_of(trial) == [1, 2]
            assert [point.value for point in points] == pytest.approx(
                [row[name] for row in trial["rows"]], rel=1e-6
            )
        assert steps_of(swept.folder, trial, "threshold/60_days") == [2]


def test_mlflow_has_one_run_per_trial_with_its_curve_and_settings(swept: Swept) -> None:
    client = pytest.importorskip(
        "mlflow", reason="MLflow is an optional extra"
    ).MlflowClient(swept.runs)
    experiment = client.get_experiment_by_name(swept.config.name)
    assert experiment is not None
    runs = {
        run.info.run_name: run for run in client.search_runs([experiment.experiment_id])
    }
    assert sorted(runs) == [trial["trial"] for trial in swept.trials]
    for trial in swept.trials:
        run = runs[trial["trial"]]
        curve = client.get_metric_history(run.info.run_id, "tune_pr_auc")
        assert [point.value for point in curve] == pytest.approx(
            [row["tune_pr_auc"] for row in trial["rows"]]
        )
        assert (
            float(run.data.params["learning_rate"])
            == trial["settings"]["learning_rate"]
        )
        assert run.info.status == "FINISHED"


def test_page_is_written_and_ray_leaves_nothing_behind(swept: Swept) -> None:
    assert (swept.folder / "sweep.html").stat().st_size > 10_000
    left = {file.name for file in swept.folder.iterdir()}
    assert left == {
        "best.yaml",
        "sweep.html",
        "sweep.json",
        "tensorboard",
        "trials",
        "trials.csv",
    }


def test_finished_sweep_is_not_done_twice_and_says_so(
    swept: Swept, caplog: pytest.LogCaptureFixture
) -> None:
    before = {file: file.stat().st_mtime_ns for file in swept.folder.rglob("*")}
    with caplog.at_level(logging.INFO):
        again = tune.run(swept.config)
    assert "already done, skipped" in caplog.text
    assert {file: file.stat().st_mtime_ns for file in swept.folder.rglob("*")} == before
    assert again == swept.result.model_copy(update={"skipped": True})


class Turns:
    """The order in which trials report an epoch: all wait for all, then each for those before it.

    PBT compares a trial that reports with what the others have reported so far, so the order decides who is copied.
    Left to the pace of the processes it may be nobody, or every copy is itself replaced at the last epoch by a copy
    that trains nothing more and so has no settings of its own. In the first epoch the worst reports first: nobody is
    the worst when it reports, and the best has a checkpoint at the end. Later the best reports first and the worst
    last: the worst, and nobody else, goes on with the best.
    """

    def __init__(self, folder: Path, trials: int) -> None:
        self.folder, self.trials = folder, trials

    def wait(self, epoch: int, trial: str, score: float) -> None:
        """Return when it is this trial's turn; a score is best so far, so an epoch's order holds against the last's."""
        here = self.folder / f"epoch_{epoch}"
        here.mkdir(exist_ok=True)
        write_json(here / f"{trial}.json", {"score": score, "trial": trial})
        wait_for(lambda: len(list(here.glob("*.json"))) == self.trials, WAIT)
        told = [
            json.loads(file.read_text(encoding="utf-8")) for file in here.glob("*.json")
        ]
        order = [
            each["trial"]
            for each in sorted(told, key=lambda each: (each["score"], each["trial"]))
        ]
        order = order if epoch == 1 else order[::-1]
        before = order[: order.index(trial)]
        wait_for(
            lambda: all((here / f"{other}.passed").exists() for other in before), WAIT
        )

    def passed(self, epoch: int, trial: str) -> None:
        """Let the next one report: the scheduler has seen this one, and lets it go on."""
        (self.folder / f"epoch_{epoch}" / f"{trial}.passed").touch()


def test_pbt_goes_on_with_the_networks_of_better_trials(
    make: Making, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = {
        "learning_rate": {"choice": [1e-9, 2e-3, 3e-3]},
        "weight_decay": {"uniform": [0.0, 0.1]},
    }
    together = {"trials": 2, "concurrent": 2, "cpus_per_trial": 0.5}
    turns = Turns(tmp_path, 2)

    def in_turn(config: dict[str, Any], shared: Shared, classes: Any) -> None:
        report, trial = ray.tune.report, get_context().get_trial_name()

        def report_in_turn(metrics: dict[str, Any], **more: Any) -> None:
            turns.wait(int(metrics["epoch"]), trial, metrics[shared.metric])
            report(metrics, **more)
            turns.passed(int(metrics["epoch"]), trial)

        ray.tune.report = report_in_turn
        try:
            run_trial(config, shared, classes)
        finally:
            ray.tune.report = report

    monkeypatch.setattr(tune, "run_trial", in_turn)
    config = make(
        {"algorithm": "pbt", "grace_epochs": 1, "space": space, **together},
        model={"family": "hybrid", "epochs": 5},
    )
    result = tune.run(config)
    trials = json.loads(
        (Path(result.sweep) / "sweep.json").read_text(encoding="utf-8")
    )["trials"]
    assert [trial["status"] for trial in trials] == ["finished"] * 2
    for trial in trials:
        assert epochs_of(trial) == list(range(1, 6))
        assert all(
            change["after_epoch"] < 5 for change in trial["schedule"]
        )  # else it names what was never tried
        for change in trial["schedule"]:
            assert (
                change["settings"]["learning_rate"] in space["learning_rate"]["choice"]
            )
            assert 0 <= change["settings"]["weight_decay"] <= 0.1
    assert max(len(trial["schedule"]) for trial in trials) > 1
    copied = {
        file.parent.name: file.stem
        for file in tmp_path.glob("epoch_*/*.json")
        if not passed(file)
    }
    assert {"epoch_2", "epoch_3", "epoch_4"} <= set(
        copied
    )  # one each: the worst, which went on as a copy
    assert "epoch_1" not in copied


def passed(file: Path) -> bool:
    """Whether the scheduler let a trial go on after the report that lies here."""
    return file.with_suffix(".passed").exists()


def test_optuna_sweeps_a_family_without_epochs(make: Making) -> None:
    pytest.importorskip("optuna", reason="Optuna is an optional extra")
    space = {"trees": {"int": [3, 12]}, "learning_rate": {"loguniform": [0.02, 0.3]}}
    config = make(
        {"algorithm": "optuna", "trials": 2, "space": space},
        model={"family": "gbdt_28"},
    )
    result = tune.run(config)
    trials = json.loads(
        (Path(result.sweep) / "sweep.json").read_text(encoding="utf-8")
    )["trials"]
    assert [(trial["trial"], trial["status"]) for trial in trials] == [
        ("trial_00000", "finished"),
        ("trial_00001", "finished"),
    ]
    assert all(3 <= trial["settings"]["trees"] <= 12 for trial in trials)
    assert load_run(result.best_config).model.family == "gbdt_28"


def test_trial_that_cannot_be_fitted_is_told_and_the_others_go_on(make: Making) -> None:
    config = make({"trials": 2, "space": {"learning_rate": {"choice": [1e38, 1e-3]}}})
    result = tune.run(config)
    trials = json.loads(
        (Path(result.sweep) / "sweep.json").read_text(encoding="utf-8")
    )["trials"]
    assert sorted(trial["status"] for trial in trials) == ["failed", "finished"]
    assert result.best_settings == {"learning_rate": 1e-3}
    broken = next(trial for trial in trials if trial["status"] == "failed")
    assert broken["value"] is None
    assert "lower model.learning_rate" in broken["why"]


@pytest.mark.slow
def test_killed_sweep_goes_on_and_ends_with_every_trial_once(
    make: Making, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    here = make(None)
    shutil.copytree(
        here.workspace,
        tmp_path / "run",
        ignore=shutil.ignore_patterns("sweeps", "tune-*"),
    )
    search = {
        "algorithm": "asha",
        "trials": 4,
        "concurrent": 1,
        "grace_epochs": 2,
        "space": SPACE,
    }
    content = {**SMALL, "workspace": str(tmp_path / "run"), "model": {"family": "hybrid", "epochs": 6}, "tune": search,
               "ray": {"num_cpus": 1, "object_store_mb": 150}}  # fmt: skip
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")

    process = start("tune", tmp_path / "run.yaml")
    sweeps = tmp_path / "run" / "sweeps"
    wait_for(lambda: list(sweeps.glob("*/trials/trial_00001.json")))
    kill_all(process)
    assert not list(sweeps.glob("*/best.yaml"))
    before = json.loads(next(sweeps.glob("*/trials/trial_00000.json")).read_text())

    caplog.set_level("INFO")
    result = tune.run(load_run(tmp_path / "run.yaml"))
    assert "going on with" in caplog.text
    found = json.loads((Path(result.sweep) / "sweep.json").read_text(encoding="utf-8"))
    assert [trial["trial"] for trial in found["trials"]] == [
        f"trial_{number:05d}" for number in range(4)
    ]
    assert len({json.dumps(trial["settings"]) for trial in found["trials"]}) == 4
    assert all(trial["status"] in ("finished", "stopped") for trial in found["trials"])
    assert all(
        epochs_of(trial) == list(range(1, trial["epochs"] + 1))
        for trial in found["trials"]
    )
    assert found["trials"][0]["rows"] == before["rows"]
    assert all(
        steps_of(Path(result.sweep), trial, "loss/tune") == epochs_of(trial)
        for trial in found["trials"]
    )
    assert load_run(result.best_config).tune is None


def test_snapshot_that_was_cut_is_not_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "tuner.pkl").write_bytes(b"")
    assert not restorable(tmp_path)
    snapshot = tmp_path / "experiment_state-2026-01-01_00-00-00.json"
    snapshot.write_text('{"trial_data": []}', encoding="utf-8")
    assert restorable(tmp_path)
    snapshot.write_text('{"trial_data": [', encoding="utf-8")
    assert not restorable(tmp_path)


# One trial


def shared_by(config: RunConfig, folder: Path) -> Shared:
    assert config.tune is not None
    return Shared(
        sweep=folder, base=config.model, space=config.tune.space, encoder=config.encoder, decision=config.decision,
        horizons=config.windows.horizons, metric=config.tune.metric, every=1, max_failures=0, device="cpu",
    )  # fmt: skip


def test_trial_resumed_from_a_checkpoint_ends_as_the_undisturbed_one(
    make: Making, tmp_path: Path
) -> None:
    config = make({}, model={"family": "hybrid", "epochs": 4, "hidden": (8, 4)})
    shared, classes = shared_by(config, tmp_path), classes_of(config)
    whole = [row for row, _ in follow(shared, {"dropout": 0.4}, classes, {}, Workers())]

    states: dict[str, FitState] = {}
    with Ledger(tmp_path, "trial_00000", {"dropout": 0.4}) as ledger:
        for row, _ in follow(shared, {"dropout": 0.4}, classes, states, Workers()):
            ledger.add(row)
            if row["epoch"] == 2:
                break
        (tmp_path / "checkpoint").mkdir()
        keep(states, ledger, tmp_path / "checkpoint")
    states, carried = resumed_trial(Checkpoint.from_directory(tmp_path / "checkpoint"))
    assert carried is not None
    rest = [
        row for row, _ in follow(shared, {"dropout": 0.4}, classes, states, Workers())
    ]
    assert [row["epoch"] for row in carried["rows"]] == [1, 2]
    assert rest == whole[2:]


def test_trial_looks_at_train_tune_and_cal_only(make: Making) -> None:
    for part in classes_of(make({})).values():
        for name in Parts._fields:
            assert set(getattr(part, name).column("split")) == {name}


def test_score_is_the_mean_over_classes_and_horizons_of_each_best_epoch(
    make: Making, tmp_path: Path
) -> None:
    config = make({}, model={"family": "hybrid", "epochs": 3})
    states: dict[str, FitState] = {}
    rows = [
        row
        for row, _ in follow(
            shared_by(config, tmp_path), {}, classes_of(config), states, Workers()
        )
    ]
    best = [
        max(row["tune_pr_auc"] for row in rows)
        for state in states.values()
        for rows in state.history_H
    ]
    assert len(best) == 6
    assert rows[-1]["tune_pr_auc"] == pytest.approx(np.mean(best))
    assert [row["tune_pr_auc"] for row in rows] == sorted(
        row["tune_pr_auc"] for row in rows
    )
    assert ["threshold_30" in row for row in rows] == [False, False, True]


# Bad input


@pytest.mark.parametrize(
    ("search", "changes", "told"),
    [
        (None, {}, "no 'tune' section"),
        (
            {"space": {"learning_rte": {"uniform": [0.1, 0.2]}}},
            {},
            "did you mean 'learning_rate'?",
        ),
        (
            {"space": {"dropout": {"uniform": [0.5, 1.5]}}},
            {},
            "dropout: Input should be less than 1",
        ),
        (
            {"space": {"members": {"choice": [1, 2]}}},
            {},
            "holds 2 different settings, tune.trials asks for 3",
        ),
        (
            {"metric": "tune_pr_auc_45"},
            {},
            "Known metrics: tune_pr_auc, tune_pr_auc_30",
        ),
        (
            {"algorithm": "asha", "grace_epochs": 9},
            {},
            "tune.grace_epochs (9) is more than a trial has epochs (2)",
        ),
        (
            {"algorithm": "pbt"},
            {},
            "tune.space.hidden: pbt changes settings of a network in training",
        ),
        (
            {"algorithm": "pbt", "space": {"trees": {"int": [5, 50]}}},
            {"model": {"family": "gbdt_28"}},
            "gbdt_28 is fitted at once, without epochs: use algorithm: random or optuna",
        ),
        (
            {"algorithm": "asha", "space": {"trees": {"int": [5, 50]}}},
            {"model": {"family": "gbdt_28"}},
            "asha stops trials between epochs, and gbdt_28 is fitted at once",
        ),
        (
            {"algorithm": "asha", "grace_epochs": 1},
            {"train": {"workers": 2}},
            "set ray.dashboard: true",
        ),
        (
            {"cpus_per_trial": 64},
            {},
            "a trial asks for 64 CPU, this machine's Ray has 2",
        ),
        (
            {"gpus_per_trial": 0.5},
            {},
            "a trial asks for 0.5 GPU, this machine's Ray has 0",
        ),
        ({}, {"encoder": {"pooling": "mean"}}, "run featurize again"),
        (
            {"space": {"learning_rate": SPACE["learning_rate"]}},
            {"model": {"family": "cnn1d"}},
            "set featurize.keep_values: true",
        ),
    ],
)
def test_what_cannot_work_is_one_sentence_before_any_training(
    make: Making, search: dict[str, Any] | None, changes: dict[str, Any], told: str
) -> None:
    config = make(search, **changes)
    with pytest.raises(HvacError) as error:
        plan(config, workspace_of(config))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_uri_that_mlflow_cannot_use_is_told_before_any_training(make: Making) -> None:
    pytest.importorskip("mlflow", reason="MLflow is an optional extra")
    config = make({"mlflow_uri": "nowhere://x"})
    with pytest.raises(
        ConfigError, match=r"tune.mlflow_uri: MLflow cannot record runs at nowhere://x"
    ):
        plan(config, workspace_of(config))


@pytest.mark.parametrize(
    ("package", "search"),
    [
        ("optuna", {"algorithm": "optuna"}),
        ("mlflow", {"mlflow_uri": "sqlite:///runs.db"}),
    ],
)
def test_missing_package_says_how_to_install_it(
    make: Making, monkeypatch: pytest.MonkeyPatch, package: str, search: dict[str, Any]
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    config = make(search)
    with pytest.raises(
        ConfigError, match=rf"pip install 'hvac-foresight\[{package}\]'"
    ):
        plan(config, workspace_of(config))


@pytest.mark.parametrize(
    ("search", "changes", "told"),
    [
        (
            {"space": {"dropout": {"unifrom": [0.1, 0.2]}}},
            {},
            "did you mean 'uniform'?",
        ),
        ({"space": {"dropout": {"uniform": [0.2, 0.1]}}}, {}, "the range is empty"),
        ({"space": {}}, {}, "space: Dictionary should have at least 1 item"),
        (
            {"algorithm": "grid"},
            {},
            "algorithm: Input should be 'random', 'asha', 'optuna' or",
        ),
        ({"trails": 3}, {}, "did you mean 'trials'?"),
        ({}, {"model": {"family": "hybird"}}, "did you mean 'hybrid'?"),
    ],
)
def test_configuration_that_cannot_be_read_is_one_sentence(
    make: Making, search: dict[str, Any], changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError) as error:
        make(search, **changes)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_tune_part_of_one_kind_of_label_cannot_judge(make: Making) -> None:
    classes = classes_of(make({}))

    def quiet(*places: int) -> dict[str, Parts]:
        """With no positive label in *tune* at some horizons."""
        found = {}
        for name, part in classes.items():
            y_BH = part.tune.labels[0].copy()
            y_BH[:, places] = False
            found[name] = part._replace(tune=replace(part.tune, y_BH=y_BH))
        return found

    horizons = (30, 60, 90)
    check_scorable(classes, "tune_pr_auc_30", horizons)
    check_scorable(quiet(0), "tune_pr_auc", horizons)
    check_scorable(quiet(0), "tune_pr_auc_60", horizons)
    with pytest.raises(HvacError, match="labels of one kind only, so"):
        check_scorable(quiet(0, 1, 2), "tune_pr_auc", horizons)
    with pytest.raises(
        HvacError, match=r"one kind only at 30 days, which tune\.metric asks for"
    ):
        check_scorable(quiet(0), "tune_pr_auc_30", horizons)


def test_mlflow_keeps_sweeps_of_one_name_apart_and_takes_no_trial_with_it(
    tmp_path: Path, caplog: Any
) -> None:
    client_of = pytest.importorskip(
        "mlflow", reason="MLflow is an optional extra"
    ).MlflowClient
    from ray_jobs.sweep.mlflow_runs import TrialRuns

    class Trial:
        def __init__(self, rate: float) -> None:
            self.config = {"settings": {"learning_rate": rate}}

        def __str__(self) -> str:
            return "trial_00000"

    uri = f"sqlite:///{tmp_path}/runs.db"
    for sweep, rate in (("mine-1", 0.1), ("mine-2", 0.2)):
        runs = TrialRuns(uri, "mine", sweep)
        for _ in range(2):  # taken up again after a kill
            runs.on_trial_start(0, [], Trial(rate))
        runs.on_trial_result(0, [], Trial(rate), {"epoch": 1, "tune_pr_auc": rate})
        runs.on_trial_complete(0, [], Trial(rate))
    client = client_of(uri)
    found = client.search_runs([client.get_experiment_by_name("mine").experiment_id])
    assert sorted(float(run.data.params["learning_rate"]) for run in found) == [
        0.1,
        0.2,
    ]
    runs.on_trial_complete(
        0, [], Trial(0.3)
    )  # the store refuses to change what was recorded
    assert "MLflow did not record" in caplog.text
