"""The candidate of `update.retrained`: bundles of a workspace that was trained anew."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hvac.days import date_of
from hvac.errors import InputError
from hvac.panel.registry import Registry
from hvac.scoring.bundle import Bundle
from hvac.storage import AnyPath, place
from hvac.update.champions import Champions
from hvac.update.ladder import Offer
from hvac.update.matured import Matured, common_places
from ray_jobs.renew.matured_rows import read_matured
from ray_jobs.run.records import TrainRecord
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace, workspace_of
from ray_jobs.tables.windows_table import learned_until


class Retrained(NamedTuple):
    """A workspace that was trained anew: its bundles by class, and the risks that they gave."""

    workspace: Workspace
    bundles: dict[str, str]
    rows: Matured

    def offer(self, matured: Matured, origins: int) -> tuple[Offer, np.ndarray]:
        """Return its log-odds and alarms of the rows that it scored too, and their places."""
        here, there = common_places(matured, self.rows)
        times = origins, 1
        log_odds_PN = np.tile(self.rows.log_odds_N[there], times)
        return Offer(log_odds_PN, np.tile(self.rows.alarm_N[there], times)), here


def read_retrained(
    config: RunConfig, root: str | AnyPath, champions: Champions, registry: Registry
) -> Retrained:
    """Read the risks of a workspace that was trained anew, with what became of them.

    Outcomes are left to the rows of what serves: its alarms brought the visits. Windows left out by
    the candidate's own would hide its false ones.

    Raises:
        InputError: it looks at another table.
    """
    other, ours = Workspace(place(root)), workspace_of(config)
    bundles = other.record(TrainRecord).bundles
    for name, bundle_id in bundles.items():
        bundle = Bundle.load(other.bundles / bundle_id)
        check_same_table(champions, ours, name, bundle)
    plain = config.model_copy(update={"outcomes": None})
    return Retrained(other, bundles, read_matured(plain, other, bundles, registry))


def check_learned_before(retrained: Retrained, origin: int) -> None:
    """Raise InputError where it saw days on which candidates are scored."""
    root = retrained.workspace.root
    learned = learned_until(retrained.workspace)
    if learned >= origin:
        raise InputError(
            f"update.retrained {root}: it learned until {date_of(learned)}, and candidates are"
            f" scored from {date_of(origin)} on: train it on earlier days (splits), or lower"
            " update.judged_days"
        )


def copied(retrained: Retrained, workspace: Workspace) -> dict[str, str]:
    """Copy the bundles of a workspace trained anew, and return them by class."""
    saved = {}
    for name, bundle_id in retrained.bundles.items():
        bundle = Bundle.load(retrained.workspace.bundles / bundle_id)
        saved[name] = bundle.save(workspace.bundles).name
    return saved


def check_same_table(
    champions: Champions, workspace: Workspace, name: str, bundle: Bundle
) -> None:
    """Raise InputError for a challenger of another class, other points or windows than serve."""
    if name not in champions.champion:
        raise InputError(
            f"challenger {bundle.name}: no bundle serves its class {name}; classes:"
            f" {', '.join(champions.champion)}"
        )
    recipe = bundle.recipe
    serving = Bundle.load(workspace.bundles / champions.champion[name]).recipe
    if (recipe.points, recipe.windows) != (serving.points, serving.windows):
        raise InputError(
            f"challenger {bundle.name} looks at another table than {champions.champion[name]}"
            " (points or windows differ): train it with the same source and windows"
        )
