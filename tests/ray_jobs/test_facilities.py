"""Leaving one facility out: nothing of it is learned from, outcomes are kept, the report shows what was found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hvac.decision.decision import Decision
from hvac.errors import HvacError
from hvac.evaluation.facility_folds import facility_folds
from hvac.features.encoder import EncoderConfig
from hvac.features.table import Windows
from hvac.models.blocks import base_rates
from hvac.models.families import config_of
from hvac.panel.splits import SPLITS
from hvac.scoring.bundle import Bundle
from ray_jobs import evaluate, facilities, score, train
from ray_jobs.assess.decided_risks import EVALUATED, decide_risks, read_held_out
from ray_jobs.assess.leaderboard_files import finished_facilities
from ray_jobs.fit.candidates import Candidate, FitSettings, fit_candidate, read_scores
from ray_jobs.run.records import TrainRecord
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import workspace_of
from ray_jobs.tables.windows_table import NOT_TESTED, load_recipes, read_windows

Finished = tuple[RunConfig, Path]
LEFT_OUT = "F001"


def copied(finished: Finished, folder: Path, *parts: str) -> RunConfig:
    """The finished run as it was after featurize (or with more of it), with the quick trees as its model."""
    config, workspace = finished
    for name in ("panel", "windows", *parts):
        shutil.copytree(workspace / name, folder / name)
    config = config.replace(workspace=str(folder), model={"family": "gbdt_context"})
    return config.replace(
        evaluate={"replicates": 100, "forecast_windows": 20, "baselines": ["base_rate"]}
    )


@pytest.fixture(scope="module")
def left_out(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    config = copied(finished, tmp_path_factory.mktemp("facilities") / "run", "steps")
    facilities.run(config)
    return config


def board_of(config: RunConfig) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (config.workspace / "facilities.json").read_text(encoding="utf-8")
    )
    return found


def windows_of(config: RunConfig) -> dict[str, Windows]:
    folder = workspace_of(config).windows
    return {
        name: read_windows(folder, recipe, SPLITS)
        for name, recipe in load_recipes(folder).items()
    }


def test_every_facility_is_left_out_once_and_judged_on_its_own_test_windows(
    left_out: RunConfig,
) -> None:
    made = board_of(left_out)
    assert set(made["facilities"]) == {"F001", "F002"}
    assert made["models"] == ["gbdt_context", "gbdt_full", "base_rate"]
    for facility, found in made["facilities"].items():
        for place, h in enumerate(map(str, made["horizons"])):
            expected = 0
            for windows in windows_of(left_out).values():
                test = windows.split("test")
                expected += int(
                    (
                        test.labels[1][:, place]
                        & (test.column("facility_id") == facility)
                    ).sum()
                )
            assert {each[h]["windows"]["value"] for each in found.values()} == {
                expected
            }
    total = sum(
        found["base_rate"]["30"]["windows"]["value"]
        for found in made["facilities"].values()
    )
    assert made["all"]["base_rate"]["30"]["windows"]["value"] == total


def test_outcome_is_kept_per_facility_class_and_model_and_not_fitted_again(
    left_out: RunConfig,
) -> None:
    kept = sorted((left_out.workspace / "candidates").rglob("*.npz"))
    assert len(kept) == 2 * 2 * 3
    before, lost = [file.stat().st_mtime_ns for file in kept[1:]], kept[0]
    lost.unlink()
    (left_out.workspace / "steps" / "facilities.json").unlink()
    figures = board_of(left_out)
    facilities.run(left_out)
    assert lost.exists()
    assert [file.stat().st_mtime_ns for file in kept[1:]] == before
    assert board_of(left_out) == figures


def test_nothing_of_the_facility_left_out_is_learned_from(
    left_out: RunConfig, tmp_path: Path
) -> None:
    """With all its labels turned round in *train*, *tune* and *cal*, scores and risks stay what they were."""
    workspace = workspace_of(left_out)
    (name, recipe), *_ = load_recipes(workspace.windows).items()
    spoilt = tmp_path / "windows"
    shutil.copytree(workspace.windows, spoilt)
    for file in (spoilt / f"class={name}").glob("*.parquet"):
        _turn_labels(file)

    def told(folder: Path) -> tuple[Any, Any]:
        file = tmp_path / f"{folder.parent.name}.npz"
        candidate = Candidate(config_of("gbdt_context"), recipe, file, LEFT_OUT)
        fit_candidate(FitSettings(str(folder), EncoderConfig(), folds=2), candidate)
        outcome = read_scores(file)
        verdicts = decide_risks(
            folder,
            {name: recipe},
            {name: outcome},
            left_out.decision,
            "gbdt_context",
            without=LEFT_OUT,
        )
        return outcome, verdicts[name]

    (clean, judged), (turned, judged_turned) = told(workspace.windows), told(spoilt)
    np.testing.assert_array_equal(turned.score_BH, clean.score_BH)
    np.testing.assert_array_equal(judged_turned.risk_BH, judged.risk_BH)
    np.testing.assert_array_equal(judged_turned.threshold_BH, judged.threshold_BH)
    train_part = read_windows(workspace.windows, recipe, ("train",))
    others = train_part.take(train_part.column("facility_id") != LEFT_OUT)
    np.testing.assert_array_equal(clean.reference_H, base_rates(others))
    assert not np.allclose(clean.reference_H, base_rates(train_part))


def _turn_labels(file: Path) -> None:
    table = pq.read_table(file)
    rows = zip(
        table["facility_id"].to_pylist(),
        table["split"].to_pylist(),
        table["labels"].to_pylist(),
        strict=True,
    )
    turned = [[not y for y in labels] if facility == LEFT_OUT and split != "test" else labels
              for facility, split, labels in rows]  # fmt: skip
    place = table.schema.get_field_index("labels")
    pq.write_table(
        table.set_column(
            place,
            table.schema.field(place),
            pa.array(turned, table.schema.field(place).type),
        ),
        file,
    )


def test_evaluate_shows_the_facilities_and_the_newest_of_them(
    left_out: RunConfig,
) -> None:
    """With decisions by facility, metrics tell whose they are, and predictions carry each window's own threshold."""
    config = left_out.replace(decision={"by_facility": True})
    facilities.run(config)
    train.run(config)
    evaluate.run(config)
    metrics = json.loads(
        (config.workspace / "metrics.json").read_text(encoding="utf-8")
    )
    assert (
        metrics["unseen"]
        == board_of(config)
        == finished_facilities(workspace_of(config))
    )
    assert {
        each["calibration"]["of"] for each in metrics["own_decisions"].values()
    } == {6}
    assert 'id="en-facilities"' in (config.workspace / "report.html").read_text(
        encoding="utf-8"
    )
    _check_predictions(config)
    _check_newest(config)


def _check_predictions(config: RunConfig) -> None:
    """Tested windows go through the plain call of a bundle, the others through models that did not see their unit."""
    rows = pq.read_table(config.workspace / "predictions.parquet").to_pylist()
    bundles = workspace_of(config).record(TrainRecord).bundles
    for name, recipe in load_recipes(workspace_of(config).windows).items():
        bundle = Bundle.load(workspace_of(config).bundles / bundles[name])
        windows = read_windows(
            workspace_of(config).windows, recipe, EVALUATED, ("context",)
        )
        expected, tested_B = bundle.predict(windows), windows.column("split") == "test"
        held_out_BH = read_held_out(workspace_of(config).held_out, name)
        calibrating = read_windows(workspace_of(config).windows, recipe, NOT_TESTED)
        held_out_BH = held_out_BH[
            np.isin(calibrating.column("split").astype(str), EVALUATED)
        ]
        assert not np.allclose(held_out_BH, expected.score_BH[~tested_B])
        risk_BH = expected.risk_BH.copy()
        risk_BH[~tested_B] = bundle.decision.risk(
            held_out_BH, windows.column("facility_id")[~tested_B]
        )
        own = [row for row in rows if row["class"] == name]
        np.testing.assert_allclose(
            [row["risk"] for row in own], risk_BH.ravel(), atol=1e-9
        )
        np.testing.assert_array_equal(
            [row["threshold"] for row in own], expected.threshold_BH.ravel()
        )


def _check_newest(config: RunConfig) -> None:
    """A facility's own decision, put into the bundle by hand, is what score goes by at that facility only."""
    workspace = workspace_of(config)
    for name, bundle_id in workspace.record(TrainRecord).bundles.items():
        bundle = Bundle.load(workspace.bundles / bundle_id)
        plain = replace(bundle.decision, facilities={})
        never = tuple(each._replace(value=0.999) for each in plain.thresholds)
        shifted = replace(
            plain,
            facilities={
                LEFT_OUT: Decision(calibrators=plain.calibrators, thresholds=never)
            },
        )
        made = replace(bundle, decision=shifted, folder=None)
        made.__dict__["encoder"] = bundle.encoder
        path = made.save(workspace.root / "changed")
        shutil.rmtree(workspace.bundles / bundle_id)
        shutil.copytree(path, workspace.bundles / bundle_id)
        assert name in bundle_id
    score.run(config)
    for row in pq.read_table(workspace.root / "latest.parquet").to_pylist():
        assert (row["threshold"] == 0.999) == (row["facility_id"] == LEFT_OUT)


# What is refused


def relabelled(
    windows: Windows, change: Callable[[list[str]], list[str]], column: str
) -> Windows:
    keys = windows.keys
    place = keys.column_names.index(column)
    return replace(
        windows,
        keys=keys.set_column(
            place, column, pa.array(change(keys[column].to_pylist()), pa.string())
        ),
    )


def test_one_facility_alone_is_refused_in_one_sentence(left_out: RunConfig) -> None:
    alone = {
        n: relabelled(w, lambda old: ["F001"] * len(old), "facility_id")
        for n, w in windows_of(left_out).items()
    }
    with pytest.raises(
        HvacError, match=r"at least 2 facilities with windows, found F001$"
    ):
        facility_folds(alone)


def test_facility_that_no_other_teaches_is_refused_by_name(left_out: RunConfig) -> None:
    """Training windows of F001 only: it cannot be left out."""

    def without_training(windows: Windows) -> Windows:
        return windows.take(
            (windows.column("split") != "train")
            | (windows.column("facility_id") == "F001")
        )

    with pytest.raises(
        HvacError,
        match=r"facility .F001. cannot be left out.*no training window elsewhere",
    ) as caught:
        facility_folds(
            {
                name: without_training(each)
                for name, each in windows_of(left_out).items()
            }
        )
    assert "\n" not in str(caught.value)


def test_class_that_stands_at_one_facility_only_is_left_out_there_and_named(
    left_out: RunConfig,
) -> None:
    found = windows_of(left_out)
    found["pump"] = found["pump"].take(found["pump"].column("facility_id") == "F002")
    first, second = facility_folds(found)
    assert (first.classes, first.left_out) == (("chiller",), {})
    assert second.classes == ("chiller",)
    assert second.left_out == {"pump": "no training window elsewhere"}


def test_split_by_facility_is_refused(left_out: RunConfig) -> None:
    config = left_out.replace(splits={"kind": "facility"}, seed=1)
    with pytest.raises(HvacError, match="holds one facility out already"):
        facilities.run(config)
