"""A comparison in turns: every machine is judged once, by models that never saw it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hvac.errors import ConfigError, HvacError
from ray_jobs import compare, rotate
from ray_jobs.run_config import RunConfig
from ray_jobs.windows_table import load_recipes, read_windows
from ray_jobs.workspace import workspace_of

MODELS = ["gbdt_context", "logistic_28"]
SECTION: dict[str, Any] = {"models": MODELS, "default": "logistic_28", "seeds": [0, 1], "replicates": 100}
FEW: dict[str, Any] = {"facilities": 1, "equipment_per_class": 15, "classes": ["pump"], "days": 700, "seed": 3}


@pytest.fixture(scope="module")
def turned(ray: None, run_config: Callable[..., RunConfig]) -> RunConfig:
    config = run_config(simulate=FEW, splits={"kind": "equipment", "folds": 3}, compare=SECTION)
    rotate.run(config)
    return config


def test_every_machine_is_tested_in_one_turn_and_in_no_other_part_of_it(turned: RunConfig) -> None:
    tested: list[str] = []
    for folder in sorted((turned.workspace / "turns").iterdir()):
        recipe = load_recipes(folder / "windows")["pump"]
        units = {
            part: set(read_windows(folder / "windows", recipe, (part,)).units) for part in ("train", "tune", "test")
        }
        assert not units["test"] & (units["train"] | units["tune"])
        tested += units["test"]
    assert len(tested) == len(set(tested)) == 15


def test_board_is_of_all_machines_and_pairs_every_model_with_the_default(turned: RunConfig) -> None:
    board = json.loads((turned.workspace / "compare" / "families" / "rotation.json").read_text(encoding="utf-8"))
    assert (board["turns"], board["default"], [row["name"] for row in board["rows"]]) == (3, "logistic_28", MODELS)
    context, logistic = board["rows"]
    assert logistic["against_default"] is None
    for h in map(str, board["horizons"]):
        assert context["test"][h]["units"]["value"] == 15
        gap = context["against_default"][h]["pr_auc"]
        expected = context["test"][h]["pr_auc"]["value"] - logistic["test"][h]["pr_auc"]["value"]
        assert gap["value"] == pytest.approx(expected)
    values = [context["test"][str(h)]["pr_auc"]["value"] for h in board["horizons"]]
    assert context["mean"]["pr_auc"]["value"] == pytest.approx(np.mean(values))


def test_each_kind_of_event_has_its_turns_and_the_board_is_their_mean(
    ray: None, run_config: Callable[..., RunConfig]
) -> None:
    kinds = ["failure", "maintenance"]
    section = {**SECTION, "kinds": kinds, "seeds": [0]}
    config = run_config(simulate=FEW, splits={"kind": "equipment", "folds": 3}, compare=section)
    rotate.run(config)
    board = json.loads((config.workspace / "compare" / "families" / "rotation.json").read_text(encoding="utf-8"))
    assert list(board["kinds"]) == kinds
    h = str(board["horizons"][0])
    context = board["rows"][0]
    alone = [board["kinds"][kind][0] for kind in kinds]
    values, gaps = ([row["test"][h]["pr_auc"]["value"] for row in alone],
                    [row["against_default"][h]["pr_auc"]["value"] for row in alone])  # fmt: skip
    assert values[0] != values[1]
    assert context["test"][h]["pr_auc"]["value"] == pytest.approx(np.mean(values))
    assert context["against_default"][h]["pr_auc"]["value"] == pytest.approx(np.mean(gaps))
    folders = [config.workspace / "turns" / f"{n}_{kind}" / "1_of_3" / "windows" for n, kind in enumerate(kinds, 1)]
    failure, maintenance = (read_windows(folder, load_recipes(folder)["pump"], ("test",)) for folder in folders)
    assert failure.labels[0].any()
    assert maintenance.labels[0].any()
    assert set(failure.units) == set(maintenance.units)
    assert failure.labels[0].mean() != maintenance.labels[0].mean()
    with pytest.raises(ConfigError, match=r"compare\.kinds is for ray_jobs\.rotate"):
        compare.run(config)


def test_second_run_makes_nothing_again(turned: RunConfig) -> None:
    made = workspace_of(turned).finished("rotate_families")
    assert (made["fits"], made["fits_made"]) == (9, 9)
    assert rotate.run(turned)["skipped"]


def test_split_that_tests_every_unit_already_is_refused(run_config: Callable[..., RunConfig]) -> None:
    with pytest.raises(HvacError, match="takes turns to be tested under kind: equipment"):
        rotate.run(run_config(simulate=FEW, compare=SECTION))
