"""The monitors of scores and of calibration: what every facility's task read, joined and charted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import ray

from hvac.casework.told_outcomes import of_facility, read_outcomes
from hvac.days import date_of
from hvac.json_values import Json
from hvac.monitor.alert_rows import Watch, betting_rows, score_rows
from hvac.monitor.bets import Bets, bet
from hvac.monitor.periods import week_of
from hvac.monitor.score_sums import ScoreWeeks, score_weeks, watch_scores
from hvac.panel.registry import Registry
from hvac.storage import matching, parquet_dataset
from ray_jobs.run.progress import finished
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace
from ray_jobs.tables.kept_scores import day_of
from ray_jobs.tables.windows_table import learned_until
from ray_jobs.watch.facility_scores import FacilityScores, ScoresPlan, facility_scores
from ray_jobs.watch.found import Found, chart_facts, waiting


def score_alerts(
    config: RunConfig, workspace: Workspace, registry: Registry, last_week: int
) -> dict[str, Found]:
    """Run the monitors of scores and of calibration on what every facility's task read."""
    first, until = _scored_days(workspace)
    settings = config.monitor
    weeks = range(week_of(first + 6), last_week + 1)
    watch = Watch(weeks, min(settings.reference_weeks, len(weeks)))
    horizons = config.windows.horizons
    plan = ScoresPlan(str(workspace.root), horizons, watch, until)
    follow_up = {}
    if config.labels.source == "events":
        follow_up = registry.follow_up(config.labels.kinds)
    outcomes = read_outcomes(config.outcomes, registry)
    task = ray.remote(num_cpus=1, max_retries=2)(facility_scores)
    refs, shared = [], ray.put(plan)
    for facility in sorted(set(registry.units["facility_id"].to_pylist())):
        followed = {
            unit: f for unit, f in follow_up.items() if unit.facility_id == facility
        }
        visits = of_facility(outcomes, facility)
        refs.append(task.remote(shared, facility, followed, visits))
    parts: list[FacilityScores] = finished("monitor", "facilities", refs)
    by_monitor = {}
    if "scores" in settings.monitors:
        scores = score_weeks((part.sums for part in parts), weeks)
        by_monitor["scores"] = _share_alerts(config, watch, scores)
    if "calibration" in settings.monitors:
        bets = {h: _joined([part.bets[h] for part in parts]) for h in horizons}
        by_monitor["calibration"] = _bet_alerts(config, bets, first)
    return by_monitor


def _scored_days(workspace: Workspace) -> tuple[int, int]:
    """Return the first day with a score that counts, and the last of `predictions.parquet`."""
    predictions = workspace.root / "predictions.parquet"
    history = matching(
        workspace.root / "scores" / "history", "facility_id=*/end_date=*"
    )
    days = [day_of(folder.name) for folder in history]
    if predictions.exists():
        dates = parquet_dataset([predictions]).to_table(["end_date"])["end_date"]
        ends = pc.min_max(dates.cast(pa.int32())).as_py()
        if ends["min"] is not None:
            return ends["min"], ends["max"]
    if not days:
        return Registry.load(workspace.panel).days[1], -1
    learned = -1
    if workspace.has_finished("featurize"):
        learned = learned_until(workspace)
    later = [day for day in days if day > learned]
    return min(later, default=max(days)), learned


def _joined(parts: Sequence[Bets]) -> Bets:
    return Bets(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _share_alerts(config: RunConfig, watch: Watch, scores: ScoreWeeks) -> Found:
    if len(watch.weeks) < config.monitor.reference_weeks + 4 or not scores.classes:
        there, weeks = len(watch.weeks), config.monitor.reference_weeks
        return waiting("scores", there=there, weeks=weeks)
    charted = watch_scores(scores, watch.reference, config.monitor)
    return Found(score_rows(charted, watch, scores), chart_facts([charted]))


def _bet_alerts(config: RunConfig, bets: dict[int, Bets], first: int) -> Found:
    if not any(len(of_horizon.risk_N) for of_horizon in bets.values()):
        horizon = min(bets)
        day = str(date_of(first + horizon))
        return waiting("calibration", horizon=horizon, day=day)
    rows, facts = [], dict[str, Json]()
    for horizon, of_horizon in bets.items():
        betting = bet(of_horizon, config.monitor.alerts_per_year / len(bets))
        rows += betting_rows(betting, horizon)
        facts[str(horizon)] = {
            "threshold": betting.threshold,
            "wealth": float(betting.wealth_W[-1]) if len(betting.wealth_W) else None,
            "bets": len(of_horizon.risk_N),
            "observed": int(of_horizon.onset_N.sum()),
            "expected": round(float(of_horizon.risk_N.sum()), 2),
            "alerts": len(betting.alerts),
            "watched_years": round(len(betting.wealth_W) * 7 / 365.25, 3),
        }
    return Found(rows, facts)
