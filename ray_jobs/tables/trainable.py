"""Checks before any training: does the featurized table hold what a family needs, and can it be
learned from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hvac.errors import HvacError
from hvac.features.encoder_weights import encoder_stamp
from hvac.features.learnable import empty_parts, unlearnable
from hvac.json_values import JsonObject
from hvac.models.families import FAMILIES
from hvac.models.family import FamilyConfig, columns_for
from ray_jobs.run.records import FeaturizeRecord
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace
from ray_jobs.tables.windows_table import load_recipes, table_columns

# Sections of the run file that say which windows there are, and how they are labelled.
SECTIONS = ("windows", "labels", "splits")


def check_trainable(
    config: RunConfig, workspace: Workspace, models: Iterable[FamilyConfig]
) -> None:
    """Raise one clear sentence where a family cannot be trained on the workspace's featurized
    table.

    Raises:
        HvacError: the table was made with other windows, labels or splits, or by another encoder,
            or lacks a column; or a class has no training window, only one kind of label, or more
            points than a family takes.
    """
    featurized = workspace.record(FeaturizeRecord)
    recipes = load_recipes(workspace.windows)
    models = list(models)
    _check_asked(config, workspace, featurized.asked)
    _check_encoder(config, workspace, featurized.encoder)
    counts = featurized.counts()
    _raise_first(
        empty_parts(counts, t1=featurized.borders.t1, t2=featurized.borders.t2)
    )
    for name, recipe in recipes.items():
        _raise_first(unlearnable(name, counts.get(name)))
        there = table_columns(workspace.windows, recipe)
        for model in models:
            lacking = sorted(set(columns_for(model.reads)) - there)
            if lacking:
                raise HvacError(
                    f"{model.family} needs the windows' {' and '.join(lacking)}, which"
                    f" {workspace.windows} does not hold: set featurize.keep_values: true and run"
                    " featurize again"
                )
            most = FAMILIES[model.family].most_points
            if most is not None and recipe.width > most:
                raise HvacError(
                    f"{model.family} takes windows of at most {most} point(s), class {name!r} has"
                    f" {recipe.width}: set windows.by: point, or choose another family"
                )


def _check_asked(
    config: RunConfig, workspace: Workspace, asked: Mapping[str, JsonObject] | None
) -> None:
    if asked is None:
        raise HvacError(
            f"{workspace.windows} was made by an older version: run featurize again"
        )
    for name, before in asked.items():
        for key, now in getattr(config, name).model_dump(mode="json").items():
            if key in before and before[key] != now:
                raise HvacError(
                    f"{workspace.windows} was made with {name}.{key}: {before[key]}, the"
                    f" configuration says {now}: run featurize again"
                )


def _check_encoder(
    config: RunConfig, workspace: Workspace, made_by: dict[str, str]
) -> None:
    configured = encoder_stamp(config.encoder)
    if configured != made_by:
        one, other = (
            f"{e['source']} encoder ({e['pooling']}, {e['weights'][:12]})"
            for e in (made_by, configured)
        )
        raise HvacError(
            f"{workspace.windows} was made by the {one}, the configuration asks for the {other}:"
            " run featurize again"
        )


def _raise_first(faults: Sequence[str]) -> None:
    if faults:
        raise HvacError(faults[0])
