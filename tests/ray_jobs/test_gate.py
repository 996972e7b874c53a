"""What cannot be trained is refused in one sentence, before anything is started."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hvac.errors import HvacError
from hvac.models.families import FAMILIES, config_of
from hvac.models.family import columns_for
from ray_jobs import train
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import workspace_of
from ray_jobs.tables.trainable import check_trainable
from ray_jobs.tables.windows_table import load_recipes, table_columns
from tests.ray_jobs.conftest import SMALL

Finished = tuple[RunConfig, Path]
EASY = (
    "base_rate",
    "persistence",
    "logistic_28",
    "gbdt_28",
    "gbdt_92",
    "gbdt_context",
    "gbdt_full",
    "hybrid",
)
HUNGRY = [
    name for name in FAMILIES if {"values", "tokens"} & set(config_of(name).needs)
]


@pytest.fixture
def featurized(finished: Finished, tmp_path: Path) -> RunConfig:
    """A copy of the finished run as it was after featurize."""
    config, workspace = finished
    shutil.copytree(workspace / "windows", tmp_path / "windows")
    (tmp_path / "steps").mkdir()
    shutil.copy(workspace / "steps" / "featurize.json", tmp_path / "steps")
    return config.replace(workspace=str(tmp_path))


def refused(config: RunConfig) -> str:
    """The sentence that train ends in; nothing may have been trained or written."""
    before = sorted(config.workspace.rglob("*"))
    with pytest.raises(HvacError) as caught:
        train.run(config)
    assert sorted(config.workspace.rglob("*")) == before, "nothing was started"
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("section", "changes", "told"),
    [
        (
            "windows",
            {"horizons": [30, 60]},
            "made with windows.horizons: [30, 60, 90], the configuration says [30, 60]",
        ),
        ("labels", {"events": ["maintenance"]}, "made with labels.events: ['failure']"),
        (
            "splits",
            {"kind": "equipment"},
            "made with splits.kind: time, the configuration says equipment: run featurize",
        ),
    ],
)
def test_table_of_other_windows_labels_or_splits_is_refused(
    featurized: RunConfig, section: str, changes: dict[str, Any], told: str
) -> None:
    assert told in refused(
        featurized.replace(**{section: {**SMALL.get(section, {}), **changes}})
    )


def recorded(config: RunConfig, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what featurize recorded of the class pump."""
    file = config.workspace / "steps" / "featurize.json"
    done = json.loads(file.read_text(encoding="utf-8"))
    change(done["windows"]["pump"]["train"])
    file.write_text(json.dumps(done), encoding="utf-8")


def test_families_whose_columns_are_there_pass(featurized: RunConfig) -> None:
    models, workspace = [config_of(name) for name in EASY], workspace_of(featurized)
    check_trainable(featurized, workspace, models)
    read = {column for model in models for column in columns_for(model.reads)}
    for recipe in load_recipes(workspace.windows).values():
        assert read <= table_columns(workspace.windows, recipe)


def test_step_before_its_time_says_what_to_run_first(featurized: RunConfig) -> None:
    (featurized.workspace / "steps" / "featurize.json").unlink()
    assert "python -m ray_jobs.featurize" in refused(featurized)


def test_encoder_of_another_source_is_refused_with_both_sources(
    featurized: RunConfig,
) -> None:
    message = refused(featurized.replace(encoder={"source": "random"}))
    assert "packaged encoder" in message
    assert "random encoder" in message
    assert "run featurize again" in message


def test_another_pooling_is_refused_with_both_poolings(featurized: RunConfig) -> None:
    message = refused(featurized.replace(encoder={"pooling": "mean"}))
    assert "(last, " in message
    assert "(mean, " in message


def test_other_weights_are_refused_with_both_hashes(featurized: RunConfig) -> None:
    one, two = (
        refused(featurized.replace(encoder={"source": "random", "seed": seed}))
        for seed in (1, 2)
    )
    assert "random 1" in one
    assert "random 2" in two


@pytest.mark.parametrize("name", HUNGRY)
def test_family_that_needs_values_is_refused_where_the_table_has_none(
    featurized: RunConfig, name: str
) -> None:
    message = refused(featurized.replace(model={"family": name}))
    assert message.startswith(f"{name} needs the windows' values")
    assert "featurize.keep_values: true" in message


@pytest.mark.parametrize(("positive", "known"), [(0, 50), (50, 50), (0, 0)])
def test_class_with_one_kind_of_label_is_refused_with_its_counts(
    featurized: RunConfig, positive: int, known: int
) -> None:
    def alike(part: dict[str, Any]) -> None:
        part["positives"]["60"], part["known"]["60"] = positive, known

    recorded(featurized, alike)
    assert (
        f"class 'pump', 60 days: {positive} of {known} training labels are positive"
        in refused(featurized)
    )


def test_class_without_training_windows_is_refused(featurized: RunConfig) -> None:
    recorded(featurized, lambda part: part.update(windows=0))
    assert "class 'pump' has no training window" in refused(featurized)


@pytest.mark.parametrize(
    ("part", "purpose"), [("tune", "tune"), ("cal", "calibrate"), ("test", "test")]
)
def test_part_that_is_empty_in_every_class_is_refused_before_a_fit(
    featurized: RunConfig, part: str, purpose: str
) -> None:
    file = featurized.workspace / "steps" / "featurize.json"
    done = json.loads(file.read_text(encoding="utf-8"))
    for of_class in done["windows"].values():
        of_class[part]["windows"] = 0
    file.write_text(json.dumps(done), encoding="utf-8")
    told = refused(featurized)
    assert told.startswith(f"no windows to {purpose} on")
    assert "set splits.t1 and splits.t2" in told


def test_class_that_featurize_never_saw_is_refused(featurized: RunConfig) -> None:
    file = featurized.workspace / "steps" / "featurize.json"
    done = json.loads(file.read_text(encoding="utf-8"))
    del done["windows"]["chiller"]
    file.write_text(json.dumps(done), encoding="utf-8")
    assert "class 'chiller' has no training window" in refused(featurized)


def test_more_points_than_the_family_takes_are_refused_with_both_numbers(
    featurized: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FAMILIES, "hybrid", FAMILIES["hybrid"]._replace(most_points=1))
    message = refused(featurized)
    assert message.startswith("hybrid takes windows of at most 1 point(s), class ")
    assert "windows.by: point" in message
    monkeypatch.setitem(
        FAMILIES, "hybrid", FAMILIES["hybrid"]._replace(most_points=100)
    )
    check_trainable(featurized, workspace_of(featurized), [featurized.model])
