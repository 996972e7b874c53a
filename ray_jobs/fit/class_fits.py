"""Fit every class but for its networks: Ray tasks on the CPUs that the networks' workers leave."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple, TypeVar

import ray
import torch

from hvac.explain.background import choose_background
from hvac.explain.games import MOST_PLAYERS, has_reasons
from hvac.explain.past_cases import LOOKED_AT, PastCases, choose_cases
from hvac.explain.reason import OTHERS
from hvac.features.encoder import EncoderConfig, load_encoder
from hvac.features.recipe import Recipe
from hvac.features.table import Windows
from hvac.models.families import cross_fit, fit_other_blocks, network_fits, other_blocks
from hvac.models.family import CrossFit, FamilyConfig, Fitting, loaded_once
from hvac.models.fitting import FitState
from hvac.storage import AnyPath
from ray_jobs.fit.meanwhile import start_meanwhile
from ray_jobs.run.progress import finished
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace
from ray_jobs.tables.windows_table import (
    NOT_TESTED,
    fit_windows,
    read_windows,
    table_columns,
)

Result = TypeVar("Result")
PARTS = 2  # tasks that share the blocks of a class, so that all CPUs end at about the same time


class FittedClass(NamedTuple):
    """A class's fit, with the healthy windows and past cases that explain its risks."""

    fit: CrossFit
    background: Windows | None
    cases: PastCases | None


def start_blocks(
    work: Callable[[], Result],
    config: RunConfig,
    workspace: Workspace,
    recipes: Mapping[str, Recipe],
) -> tuple[Result, dict[str, list[ray.ObjectRef]]]:
    """Do some work, and start the fits of a fusion's blocks that are no networks beside it.

    Returns:
        What the work returned, and the tasks of every class.
    """
    names = list(other_blocks(config.model))
    parts = [names[part::PARTS] for part in range(PARTS) if names[part::PARTS]]
    starts = {}
    for name, recipe in recipes.items():
        for part, blocks in enumerate(parts):
            starts[name, part] = partial(
                _start_blocks, config, workspace, recipe, blocks
            )
    result, started = start_meanwhile(work, starts, at_once=_idle_cpus(config))
    of_class: dict[str, list[ray.ObjectRef]] = defaultdict(list)
    for (name, part), start in starts.items():
        of_class[name].append(started.get((name, part)) or start())
    return result, of_class


def _idle_cpus(config: RunConfig) -> int:
    """Return how many CPUs are idle while networks are fitted; 0 where there is no network."""
    if not network_fits(config.model, folds=config.decision.folds):
        return 0
    return max(
        int(ray.cluster_resources().get("CPU", 0)) - max(config.train.workers, 1), 0
    )


def _start_blocks(
    config: RunConfig, workspace: Workspace, recipe: Recipe, blocks: list[str]
) -> ray.ObjectRef:
    task = ray.remote(num_cpus=1, max_retries=2)(_fit_blocks)
    folds = config.decision.folds
    return task.remote(
        workspace.windows, recipe, config.model, config.encoder, folds, blocks
    )


def _fit_blocks(
    folder: AnyPath,
    recipe: Recipe,
    model: FamilyConfig,
    encoder_config: EncoderConfig,
    folds: int,
    blocks: list[str],
) -> dict[str, CrossFit]:
    torch.set_num_threads(1)
    encoder = loaded_once(lambda: load_encoder(encoder_config))
    windows = fit_windows(folder, recipe, model, encoder)
    return fit_other_blocks(windows, model, Fitting(encoder), folds=folds, names=blocks)


def fit_classes(
    config: RunConfig,
    workspace: Workspace,
    recipes: Mapping[str, Recipe],
    networks: Mapping[str, FitState],
    blocks: Mapping[str, list[ray.ObjectRef]],
) -> dict[str, FittedClass]:
    """Fit what is not fitted yet, one Ray task per class, and put all of a class together.

    Args:
        networks: the networks of every class, by names that begin with the class.
        blocks: the tasks of `start_blocks`, by class.
    """
    task = ray.remote(num_cpus=1, max_retries=2)(_fit_class)
    refs = []
    for name, recipe in recipes.items():
        states = {
            fit.removeprefix(f"{name}/"): state
            for fit, state in networks.items()
            if fit.startswith(f"{name}/")
        }
        refs.append(
            task.remote(
                workspace.windows,
                recipe,
                config.model,
                config.encoder,
                states,
                config.decision.folds,
                *blocks.get(name, []),
            )
        )
    return dict(zip(recipes, finished("train", "classes", refs), strict=True))


def _fit_class(
    folder: AnyPath,
    recipe: Recipe,
    model: FamilyConfig,
    encoder_config: EncoderConfig,
    states: dict[str, FitState],
    folds: int,
    *blocks: dict[str, CrossFit],
) -> FittedClass:
    torch.set_num_threads(1)
    encoder = loaded_once(lambda: load_encoder(encoder_config))
    windows = fit_windows(folder, recipe, model, encoder)
    fitted = {name: fit for part in blocks for name, fit in part.items()}
    fitting = Fitting(encoder, states=states, blocks=fitted)
    fit = cross_fit(windows, model, fitting, folds=folds)
    columns = table_columns(folder, recipe).intersection(LOOKED_AT)
    seen = read_windows(folder, recipe, NOT_TESTED, tuple(sorted(columns)))
    cases = choose_cases(seen, recipe.windows.horizons)
    if not has_reasons(model) or recipe.width + len(OTHERS) > MOST_PLAYERS:
        return FittedClass(fit, None, cases)
    train = windows.split("train")
    background = choose_background(train if len(train) else windows, model.needs)
    return FittedClass(fit, background, cases)
