"""Thresholds of the serving bundles, moved a small step towards the declared rate of alarms."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import ray

from hvac.days import date_of
from hvac.json_values import branch
from hvac.monitor.known_causes import FAULTS
from hvac.panel.registry import Registry
from hvac.scoring.bundle import Bundle
from hvac.storage import read_parquet
from hvac.update.bends import STRAIGHT, Bend
from hvac.update.bent_bundle import bent_bundle, steered_bundle
from hvac.update.champions import Challenger, Champions
from hvac.update.threshold_steps import Step, next_step
from ray_jobs.renew.matured_rows import matured_plan
from ray_jobs.run.progress import finished
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.runtime import require_ray
from ray_jobs.run.workspace import Workspace
from ray_jobs.tables.matured_scores import Margins, facility_margins

COUNTED_DAYS = 90  # of which alarms are counted
STEP_DAYS = 28  # of the record from one move of a facility's thresholds to the next
STAYS = {
    "as_declared": "alarms are as declared",
    "frozen": f"they moved in the last {STEP_DAYS} days",
    "no_scores": "too few days were scored",
}
FREEZING_DAYS = 28  # for which an alert of a monitor keeps thresholds as they are


def steer(
    config: RunConfig, workspace: Workspace, before: Champions, registry: Registry
) -> Champions:
    """Move the thresholds of every facility a small step towards the declared rate of alarms.

    A facility's thresholds move once in 28 days. A challenger moves along.
    """
    declared = config.update.alarms_per_unit_year
    assert declared is not None, "the caller looked"
    day, horizon = registry.days[1], min(config.windows.horizons)
    frozen = alerts_of_late(workspace, day)
    serving = {
        name: Bundle.load(workspace.bundles / bundle_id)
        for name, bundle_id in before.champion.items()
    }
    steps = {
        facility: next_step(
            part.margin_N,
            0.0,
            unit_N=part.unit_N,
            end_day_N=part.end_day_N,
            horizon=horizon,
            declared=declared,
            frozen=bool(frozen) or _moved_of_late(serving, facility, day),
        )
        for facility, part in _margins(config, workspace, serving, registry).items()
    }
    figures = {facility: step._asdict() for facility, step in steps.items()}
    moving = {facility: step for facility, step in steps.items() if step.shift}
    if frozen:
        return before.noted("kept", f"thresholds stay: {frozen}", figures)
    if not moving:
        reasons = "; ".join(sorted({STAYS[step.why] for step in steps.values()}))
        return before.noted("kept", f"thresholds stay: {reasons}", figures)
    why = f"thresholds moved in {', '.join(moving)}"
    aliases = _steered(workspace, before, serving, moving, date_of(day))
    return before.noted("thresholds", why, figures, **aliases)


def _margins(
    config: RunConfig,
    workspace: Workspace,
    serving: Mapping[str, Bundle],
    registry: Registry,
) -> dict[str, Margins]:
    """Read how far risks of the last 90 days lie above today's thresholds, by facility."""
    require_ray()
    horizon = min(config.windows.horizons)
    facilities = sorted(set(registry.units["facility_id"].to_pylist()))
    plan = matured_plan(config, workspace, serving.values())
    task = ray.remote(num_cpus=1, max_retries=2)(facility_margins)
    since = registry.days[1] - COUNTED_DAYS
    refs = [
        task.remote(plan, facility, since, _thresholds(serving, facility, horizon))
        for facility in facilities
    ]
    parts: list[Margins] = finished("thresholds", "facilities", refs)
    return dict(zip(facilities, parts, strict=True))


def _steered(
    workspace: Workspace,
    before: Champions,
    serving: Mapping[str, Bundle],
    moving: Mapping[str, Step],
    date: dt.date,
) -> dict[str, Any]:
    """Write the steered bundles, and return the aliases that change."""
    champion = {
        name: steered_bundle(bundle, moving, date).save(workspace.bundles).name
        for name, bundle in serving.items()
    }
    aliases = before.replaced_by(champion)
    challenger = before.challenger
    if challenger is not None:
        moved = before.model_copy(update=aliases)
        bundles = _moved_along(workspace, moved, challenger, moving, date)
        aliases["challenger"] = challenger.model_copy(update={"bundles": bundles})
    return aliases


def _moved_along(
    workspace: Workspace,
    champions: Champions,
    challenger: Challenger,
    moving: Mapping[str, Step],
    date: dt.date,
) -> dict[str, str]:
    """Write the challenger with thresholds moved like those of what serves; return it by class."""
    if challenger.lines:
        lines, day = challenger.lines, challenger.since
        return save_bent(workspace, champions, lines, challenger.rung, day)
    saved = {}
    for name, bundle_id in challenger.bundles.items():
        bundle = Bundle.load(workspace.bundles / bundle_id)
        steered = steered_bundle(bundle, moving, date)
        saved[name] = steered.save(workspace.bundles).name
    return saved


def _thresholds(
    serving: Mapping[str, Bundle], facility: str, horizon: int
) -> dict[str, float]:
    """Return the thresholds of a facility at a horizon, by class."""
    thresholds = {}
    for name, bundle in serving.items():
        deciding = bundle.decision.facilities.get(facility, bundle.decision)
        thresholds[name] = deciding.thresholds[bundle.horizons.index(horizon)].value
    return thresholds


def _moved_of_late(serving: Mapping[str, Bundle], facility: str, day: int) -> bool:
    """Tell whether a facility's thresholds moved in the last 28 days of the record."""
    dates = [
        branch(bundle.training, "thresholds_moved", facility).get("date")
        for bundle in serving.values()
    ]
    return max(map(str, filter(None, dates)), default="") > str(
        date_of(day - STEP_DAYS)
    )


def alerts_of_late(workspace: Workspace, day: int) -> str:
    """Return the alert of a monitor in the last 28 days that freezes thresholds, "" without.

    One of a machine that is known to have had a fault does not.
    """
    file = workspace.root / "monitor" / "alerts.parquet"
    if not file.exists():
        return ""
    alerts = read_parquet(file)
    for row in alerts.filter(alerts["alert"]).to_pylist():
        late = row["day"] > date_of(day - FREEZING_DAYS)
        if late and row.get("cause") not in FAULTS:
            return f"the monitor of {row['monitor']} alerted on {row['day']}"
    return ""


def save_bent(
    workspace: Workspace,
    champions: Champions,
    bends: Mapping[str, Bend],
    rung: str,
    day: int,
) -> dict[str, str]:
    """Write the bundles whose risks the bends move, fitted on labels known by a day, by class."""
    saved = {}
    for name, bend in bends.items():
        if name in champions.champion and bend != STRAIGHT:
            serving = Bundle.load(workspace.bundles / champions.champion[name])
            bent = bent_bundle(serving, bend, rung, day)
            saved[name] = bent.save(workspace.bundles).name
    return saved
