"""Watch a challenger: compare it on labels known since, and let it serve or set it aside."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import ray
import torch

from hvac.arrays import AnyArray, Floats, Ints
from hvac.days import date_of
from hvac.errors import BundleError
from hvac.evaluation.bootstrap import Difference
from hvac.json_values import Json
from hvac.panel.registry import Registry
from hvac.scoring.bundle import Bundle
from hvac.update.bends import bent_log_odds
from hvac.update.canary import Verdict
from hvac.update.champions import Challenger, Champions
from hvac.update.ladder import LEAST_ONSETS, less_loss
from hvac.update.matured import Matured, sure_log_odds
from hvac.update.refits import SeenLater
from ray_jobs.renew.canaries import (
    canary_alarms,
    decided,
    let_serve,
    still_canary,
    too_many_already,
)
from ray_jobs.renew.later_windows import make_later_windows
from ray_jobs.renew.matured_rows import read_matured
from ray_jobs.renew.refit_tasks import RefitPlan, read_unlearned
from ray_jobs.renew.retrained import check_same_table, read_retrained
from ray_jobs.run.progress import finished
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace
from ray_jobs.tables.windows_table import load_recipes


def watch(
    config: RunConfig, workspace: Workspace, before: Champions, registry: Registry
) -> Champions:
    """Promote the challenger once its shadow is over, by hand or where updates are managed.

    Where its bundles cannot be read, or the labels known since it was chosen show it surely worse,
    it is set aside.
    """
    challenger = before.challenger
    assert challenger is not None, "the caller looked"
    try:
        for name, bundle_id in challenger.bundles.items():
            bundle = Bundle.load(workspace.bundles / bundle_id)
            check_same_table(before, workspace, name, bundle)
    except BundleError as error:
        return before.taken_back(f"the challenger is set aside: {error}")
    section = config.update
    if challenger.speaks_in:
        return _after_canary(config, workspace, before, registry)
    if section.promote:
        return let_serve(config, before, registry, "by hand")
    watched = registry.days[1] - challenger.since
    if watched < section.shadow_days:
        until = date_of(challenger.since + section.shadow_days)
        return before.noted("kept", f"the challenger is watched until {until}")
    since = compared_since(config, workspace, before, registry)
    if since.less is not None and since.less.verdict == "worse":
        why = f"the challenger is set aside: {since.sentence}"
        return before.noted("refused", why, since.figures, challenger=None)
    if section.managed:
        why = f"watched for {watched} days; {since.sentence}"
        return let_serve(config, before, registry, why, since.figures)
    advice = "the challenger may serve: run ray_jobs.update with update.promote=true"
    return before.noted("kept", f"{advice}; {since.sentence}", since.figures)


def _after_canary(
    config: RunConfig, workspace: Workspace, before: Champions, registry: Registry
) -> Champions:
    """Let a challenger that speaks in some facilities serve in all once its days are over, or take
    it back.
    """
    if config.update.promote:
        return before.promoted("in all facilities by hand")
    if until := still_canary(config, before, registry):
        against = too_many_already(config, workspace, before)
        return decided(before, against, {}) if against else before.noted("kept", until)
    since = compared_since(config, workspace, before, registry)
    verdict = (
        by_labels(since)
        if since.less
        else canary_alarms(config, workspace, before, registry)
    )
    return decided(before, verdict, since.figures)


def by_labels(since: Since) -> Verdict:
    """Decide by the labels that were known after a challenger was chosen."""
    is_worse = since.less is not None and since.less.verdict == "worse"
    return Verdict(not is_worse, f"decided by labels: {since.sentence}")


class Since(NamedTuple):
    """How a challenger does on labels that were known after it was chosen; None: too few."""

    onsets: int
    less: Difference | None = None

    @property
    def sentence(self) -> str:
        """Say it."""
        if self.less is None:
            return f"labels known since hold {self.onsets} onsets, too few to compare again"
        value, low, high = self.less[:3]
        return f"on labels known since, its log-loss is {value:.4f} [{low:.4f}, {high:.4f}] lower"

    @property
    def figures(self) -> dict[str, Json]:
        """Return it as JSON holds it."""
        less = list(self.less[:3]) if self.less is not None else None
        return {"since": {"onsets": self.onsets, "less_loss": less}}


def compared_since(
    config: RunConfig, workspace: Workspace, champions: Champions, registry: Registry
) -> Since:
    """Compare the challenger with what serves on labels that were not known when it was chosen."""
    challenger = champions.challenger
    assert challenger is not None, "the caller looked"
    matured = read_matured(config, workspace, champions.champion, registry)
    rows = matured.where(matured.known_from_N > challenger.since)
    here, log_odds_N = _its_log_odds(
        config, workspace, champions, challenger, rows, registry
    )
    rows = rows.where(here).weighed_again()
    onsets = int(rows.onset_N.sum())
    if onsets < LEAST_ONSETS:
        return Since(onsets)
    return Since(onsets, less_loss(rows, rows.log_odds_N, log_odds_N, seed=config.seed))


def _its_log_odds(
    config: RunConfig,
    workspace: Workspace,
    champions: Champions,
    challenger: Challenger,
    rows: Matured,
    registry: Registry,
) -> tuple[AnyArray, Floats]:
    """Return the places of the rows that a challenger can score, and its log-odds of them."""
    every = np.arange(len(rows.unit_N))
    if challenger.lines:
        return every, bent_log_odds(rows, challenger.lines)
    if not len(every):
        return every, rows.log_odds_N
    if challenger.trained_in is not None:
        anew = read_retrained(config, challenger.trained_in, champions, registry)
        offer, here = anew.offer(rows, 1)
        return here, offer.log_odds_PN[0]
    recipes = load_recipes(workspace.windows)
    later = make_later_windows(config, workspace, recipes, registry)
    bundles = {
        name: str(workspace.bundles / bundle_id)
        for name, bundle_id in challenger.bundles.items()
    }
    plan = RefitPlan(str(workspace.windows), str(later), bundles)
    return _scored_by(plan, rows)


def _scored_by(plan: RefitPlan, rows: Matured) -> tuple[AnyArray, Floats]:
    """Score rows by other bundles, one Ray task a class."""
    task = ray.remote(num_cpus=1, max_retries=2)(class_log_odds)
    places = {name: np.flatnonzero(rows.class_N == name) for name in plan.bundles}
    refs = [task.remote(plan, name, rows.where(at)) for name, at in places.items()]
    results: list[tuple[Ints, Floats]] = finished("update", "classes", refs)
    here = [at[kept] for at, (kept, _) in zip(places.values(), results, strict=True)]
    joined = np.concatenate(here)
    order = np.argsort(joined)
    return joined[order], np.concatenate([odds for _, odds in results])[order]


def class_log_odds(plan: RefitPlan, name: str, rows: Matured) -> tuple[Ints, Floats]:
    """Return the places of a class's rows that have a window, and a bundle's log-odds of them."""
    torch.set_num_threads(1)
    bundle = Bundle.load(plan.bundles[name])
    windows = read_unlearned(plan, bundle)
    if windows is None:
        return np.zeros(0, np.int64), np.zeros(0)
    later, kept_N = SeenLater.of(windows, rows, bundle.horizons)
    risk_BH = bundle.predict(windows).risk_BH
    return kept_N, sure_log_odds(risk_BH[later.window_N, later.horizon_N])
