"""A comparison in turns: every machine is judged once, by models that never saw it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hvac.errors import ConfigError, HvacError, InputError
from hvac.features.table import Windows
from ray_jobs import compare, rotate
from ray_jobs.fit.candidates import read_scores
from ray_jobs.run.records import RotateRecord
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import workspace_of
from ray_jobs.tables.windows_table import load_recipes, read_windows

MODELS = ["gbdt_context", "logistic_28"]
KINDS = ["failure", "maintenance"]
SECTION: dict[str, Any] = {
    "models": MODELS,
    "default": "logistic_28",
    "seeds": [0, 1],
    "replicates": 100,
}
FEW: dict[str, Any] = {
    "facilities": 1,
    "equipment_per_class": 15,
    "classes": ["pump"],
    "days": 600,
    "seed": 3,
}


@pytest.fixture(scope="module")
def turned(ray: None, run_config: Callable[..., RunConfig]) -> RunConfig:
    """Failures and maintenance, each predicted alone, three turns each."""
    section = {**SECTION, "kinds": KINDS}
    config = run_config(
        simulate=FEW, splits={"kind": "equipment", "folds": 3}, compare=section
    )
    rotate.run(config)
    return config


def board_of(turned: RunConfig) -> dict[str, Any]:
    path = turned.workspace / "compare" / "families" / "rotation.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def windows_of(folder: Path, *parts: str) -> Windows:
    return read_windows(
        folder / "windows", load_recipes(folder / "windows")["pump"], parts
    )


def test_every_machine_is_tested_in_one_turn_of_each_kind_and_in_no_other_part_of_it(
    turned: RunConfig,
) -> None:
    shares = {}
    for number, kind in enumerate(KINDS, 1):
        tested: list[str] = []
        labels = []
        for folder in sorted(
            (turned.workspace / "turns" / f"{number}_{kind}").iterdir()
        ):
            test = windows_of(folder, "test")
            assert not set(test.units) & set(windows_of(folder, "train", "tune").units)
            tested += set(test.units)
            labels.append(test.labels[0])
        assert len(tested) == len(set(tested)) == 15
        shares[kind] = np.concatenate(labels).mean()
    assert 0 < shares["failure"] < shares["maintenance"]


def test_board_is_of_all_machines_and_pairs_every_model_with_the_default(
    turned: RunConfig,
) -> None:
    board = board_of(turned)
    assert (
        board["turns"],
        board["default"],
        [row["name"] for row in board["rows"]],
    ) == (
        3,
        "logistic_28",
        MODELS,
    )
    assert board["judged"]["within_turns"] == ["pr_auc", "roc_auc", "recall_10"]
    assert {"brier_skill", "ece"} <= set(board["judged"]["pooled"])
    for context, logistic in (board["rows"], *board["kinds"].values()):
        assert logistic["against_default"] is None
        for h in map(str, board["horizons"]):
            assert context["test"][h]["units"]["value"] == 15
            gap = context["against_default"][h]["pr_auc"]
            expected = (
                context["test"][h]["pr_auc"]["value"]
                - logistic["test"][h]["pr_auc"]["value"]
            )
            assert gap["value"] == pytest.approx(expected)
        values = [context["test"][str(h)]["pr_auc"]["value"] for h in board["horizons"]]
        assert context["mean"]["pr_auc"]["value"] == pytest.approx(np.mean(values))


def test_cost_is_the_mean_over_all_turns(turned: RunConfig) -> None:
    folders = [
        folder
        for kind in (turned.workspace / "turns").iterdir()
        for folder in kind.iterdir()
    ]
    for row in board_of(turned)["rows"]:
        paths = [
            path
            for folder in folders
            for path in (folder / "candidates").rglob(f"{row['family']}-*.npz")
        ]
        seconds = [read_scores(path).fit_seconds for path in paths]
        assert len(seconds) == row["runs"] * len(folders)
        assert row["fit_seconds"] == pytest.approx(np.mean(seconds), abs=0.01)


def test_board_is_the_mean_over_kinds(turned: RunConfig) -> None:
    board = board_of(turned)
    assert list(board["kinds"]) == KINDS
    for h in map(str, board["horizons"]):
        alone = [
            rows[0]["test"][h]["pr_auc"]["value"] for rows in board["kinds"].values()
        ]
        assert alone[0] != alone[1]
        assert board["rows"][0]["test"][h]["pr_auc"]["value"] == pytest.approx(
            np.mean(alone)
        )


def test_unseen_machines_are_those_that_calibrate_in_no_turn(turned: RunConfig) -> None:
    folders = [
        folder
        for kind in sorted((turned.workspace / "turns").iterdir())
        for folder in kind.iterdir()
    ]
    seen = {unit for folder in folders for unit in windows_of(folder, "cal").units}
    assert 0 < len(seen) < 15
    rows = board_of(turned)["unseen"]
    assert [row["name"] for row in rows] == MODELS
    for row in rows:
        assert {found["units"]["value"] for found in row["test"].values()} == {
            15 - len(seen)
        }


def test_without_kinds_what_is_labelled_is_predicted_in_one_row_of_turns(
    run_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = run_config(
        simulate=FEW, splits={"kind": "equipment", "folds": 3}, compare=SECTION
    )
    made: list[RunConfig] = []
    monkeypatch.setattr(rotate.ingest, "run", lambda turn: None)
    monkeypatch.setattr(rotate.featurize, "run", made.append)
    monkeypatch.setattr(rotate, "basis_of", lambda turn: turn.workspace)
    monkeypatch.setattr(rotate, "run_step", lambda *_, **__: {})
    rotate.run(config)
    assert [turn.workspace for turn in made] == [
        config.workspace / "turns" / f"{n}_of_3" for n in (1, 2, 3)
    ]
    assert [(turn.labels, turn.splits.fold) for turn in made] == [
        (config.labels, fold) for fold in range(3)
    ]


def test_compare_says_that_kinds_are_for_rotate(turned: RunConfig) -> None:
    with pytest.raises(ConfigError, match=r"compare\.kinds is for ray_jobs\.rotate"):
        compare.run(turned)


def test_kind_the_log_does_not_have_is_told_before_any_turn_is_featurized(
    run_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    section = {**SECTION, "kinds": ["failure", "failur"]}
    config = run_config(
        simulate=FEW, splits={"kind": "equipment", "folds": 3}, compare=section
    )
    monkeypatch.setattr(
        rotate.featurize, "run", lambda _: pytest.fail("a turn was featurized")
    )
    with pytest.raises(
        InputError,
        match=r"labels\.events names failur; the event log has only failure, maintenance",
    ):
        rotate.run(config)


def test_kinds_have_no_meaning_where_limits_are_predicted(
    run_config: Callable[..., RunConfig],
) -> None:
    section = {**SECTION, "kinds": KINDS}
    config = run_config(
        simulate=FEW,
        splits={"kind": "equipment"},
        labels={"source": "limits"},
        compare=section,
    )
    with pytest.raises(ConfigError, match=r"labels\.source is 'limits'"):
        rotate.run(config)


def test_second_run_makes_nothing_again(turned: RunConfig) -> None:
    record = workspace_of(turned).record(RotateRecord, "rotate_families")
    assert (record.fits, record.fits_made) == (18, 18)
    assert rotate.run(turned).skipped


def test_split_that_tests_every_unit_already_is_refused(
    run_config: Callable[..., RunConfig],
) -> None:
    with pytest.raises(
        HvacError, match="takes turns to be tested under kind: equipment"
    ):
        rotate.run(run_config(simulate=FEW, compare=SECTION))
