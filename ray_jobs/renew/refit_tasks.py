"""A serving fusion's weights, trees and lines fitted again, one Ray task a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import ray
import torch

from hvac.arrays import AnyArray, Ints
from hvac.features.table import Windows
from hvac.models.family import columns_for, prepared
from hvac.models.fusion import Fusion
from hvac.panel.registry import Registry
from hvac.scoring.bundle import Bundle
from hvac.storage import place
from hvac.update.ladder import Offer, Rung
from hvac.update.matured import Matured
from hvac.update.refits import ALWAYS, Refit, SeenLater, refit
from ray_jobs.renew.later_windows import make_later_windows, unlearned_windows
from ray_jobs.run.progress import finished
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace
from ray_jobs.tables.windows_table import NOT_TESTED, load_recipes, read_windows


class RefitPlan(NamedTuple):
    """Where the windows of the training lie, those of later days, and the bundle of each class."""

    learned: str
    later: str
    bundles: Mapping[str, str]


class ClassOffers(NamedTuple):
    """The candidates of a class, and the places of its rows that have a window."""

    kept_N: Ints
    offers: dict[Rung, Offer]


def refit_plan(
    config: RunConfig,
    workspace: Workspace,
    serving: Mapping[str, str],
    registry: Registry,
) -> RefitPlan | None:
    """Make the windows that refits need; None where no class has a fusion to be fitted again.

    A bundle that looks at other windows than the workspace's table holds is left out.
    """
    recipes = load_recipes(workspace.windows)
    bundles = {}
    for name, bundle_id in serving.items():
        bundle = Bundle.load(workspace.bundles / bundle_id)
        if isinstance(bundle.model, Fusion) and bundle.recipe == recipes.get(name):
            bundles[name] = str(workspace.bundles / bundle_id)
    if not bundles:
        return None
    later = make_later_windows(config, workspace, recipes, registry)
    return RefitPlan(str(workspace.windows), str(later), bundles)


def offers_of(
    plan: RefitPlan, matured: Matured, origins: Sequence[int]
) -> tuple[Matured, dict[Rung, Offer]]:
    """Return the rows that have a window, and the candidates' log-odds and alarms of them.

    Classes of which nothing is fitted again keep all their rows, and their log-odds.
    """
    task = ray.remote(num_cpus=1, max_retries=2)(class_offers)
    places = {name: np.flatnonzero(matured.class_N == name) for name in plan.bundles}
    refs = [
        task.remote(plan, name, matured.where(place_N), origins)
        for name, place_N in places.items()
    ]
    results: list[ClassOffers] = finished("update", "classes", refs)
    others_N = np.flatnonzero(~np.isin(matured.class_N, [*plan.bundles]))
    kept: list[AnyArray] = [others_N]
    parts = [_as_served(matured.where(others_N), len(origins))]
    for place_N, of_class in zip(places.values(), results, strict=True):
        kept.append(place_N[of_class.kept_N])
        parts.append(of_class.offers)
    order = np.argsort(np.concatenate(kept))
    offers: dict[Rung, Offer] = {}
    for rung in parts[0]:
        columns = zip(*(part[rung] for part in parts), strict=True)
        joined = [np.concatenate(arrays, axis=1)[:, order] for arrays in columns]
        offers[rung] = Offer(joined[0], joined[1])
    return matured.where(np.sort(np.concatenate(kept))).weighed_again(), offers


def _as_served(rows: Matured, origins: int) -> dict[Rung, Offer]:
    """Return the candidates of classes of which nothing is fitted again."""
    times = origins, 1
    offer = Offer(np.tile(rows.log_odds_N, times), np.tile(rows.alarm_N, times))
    return {"weights": offer, "forests": offer}


def class_offers(
    plan: RefitPlan, name: str, rows: Matured, origins: Sequence[int]
) -> ClassOffers:
    """Fit weights of a class at every origin, and trees and lines at the first."""
    torch.set_num_threads(1)
    bundle, windows, learned = _read(plan, name)
    if windows is None or not len(rows.unit_N):
        nothing = np.zeros(0, np.int64)
        return ClassOffers(nothing, _as_served(rows.where(nothing), len(origins)))
    later, kept_N = SeenLater.of(windows, rows, bundle.horizons)
    weights = [refit(bundle, later, origin) for origin in origins]
    forests = [refit(bundle, later, origins[0], learned=learned)] * len(origins)
    return ClassOffers(
        kept_N, {"weights": _stacked(weights), "forests": _stacked(forests)}
    )


def _stacked(refits: Sequence[Refit]) -> Offer:
    return Offer(
        np.stack([one.log_odds_N for one in refits]),
        np.stack([one.alarm_N for one in refits]),
    )


def final_refits(plan: RefitPlan, matured: Matured, rung: Rung) -> dict[str, Refit]:
    """Fit the candidate that won on all labels, by class; `matured` has a window for each row."""
    task = ray.remote(num_cpus=1, max_retries=2)(final_refit)
    refs = {
        name: task.remote(plan, name, matured.where(matured.class_N == name), rung)
        for name in plan.bundles
        if (matured.class_N == name).any()
    }
    return dict(zip(refs, finished("update", "classes", [*refs.values()]), strict=True))


def final_refit(plan: RefitPlan, name: str, rows: Matured, rung: Rung) -> Refit:
    """Fit one class again on all labels that have matured."""
    torch.set_num_threads(1)
    bundle, windows, learned = _read(plan, name)
    assert windows is not None, "rows without a window were left out"
    later, _ = SeenLater.of(windows, rows, bundle.horizons)
    return refit(bundle, later, ALWAYS, learned=learned if rung == "forests" else None)


def _read(plan: RefitPlan, name: str) -> tuple[Bundle, Windows | None, Windows]:
    """Return a class's bundle, its later windows and those of the training."""
    bundle = Bundle.load(plan.bundles[name])
    needs = _reads(bundle)
    learned = read_windows(
        place(plan.learned), bundle.recipe, NOT_TESTED, columns_for(needs)
    )
    return bundle, read_unlearned(plan, bundle), _prepared(bundle, learned)


def read_unlearned(plan: RefitPlan, bundle: Bundle) -> Windows | None:
    """Read the windows that a bundle was not fitted on; None where there is none."""
    folders = place(plan.learned), place(plan.later)
    windows = unlearned_windows(folders, bundle.recipe, columns_for(_reads(bundle)))
    return None if windows is None else _prepared(bundle, windows)


def _reads(bundle: Bundle) -> tuple[str, ...]:
    config = bundle.model.config
    return tuple(dict.fromkeys((*config.reads, *config.needs)))


def _prepared(bundle: Bundle, windows: Windows) -> Windows:
    return prepared(windows, _reads(bundle), lambda: bundle.encoder)
