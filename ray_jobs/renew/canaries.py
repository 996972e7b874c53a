"""A challenger speaks in a share of the facilities first, and then in all, or nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hvac.days import date_of
from hvac.panel.registry import Registry
from hvac.storage import matching, parquet_dataset
from hvac.update.canary import (
    AlarmRates,
    Verdict,
    alarm_rates,
    by_alarms,
    chosen_facilities,
    surely_more,
)
from hvac.update.champions import Challenger, Champions
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace


def let_serve(
    config: RunConfig,
    before: Champions,
    registry: Registry,
    why: str,
    figures: Mapping[str, Any] = {},
) -> Champions:
    """Let the challenger serve: in a share of the facilities where one is set, else in all.

    Raises:
        InputError: its classes are in one facility only, of which there is no share.
    """
    share = config.update.canary_share
    challenger = before.challenger
    if share == 1 or challenger is None:
        return before.promoted(why, figures)
    of_classes = pc.is_in(registry.units["class"], pa.array([*challenger.bundles]))
    facilities = registry.units.filter(of_classes)["facility_id"].to_pylist()
    chosen = chosen_facilities(set(facilities), share, config.seed)
    where = (
        f"in {len(chosen)} of {len(set(facilities))} facilities ({', '.join(chosen)})"
    )
    day = registry.days[1]
    return before.speaking_in(chosen, day, f"{why}: it speaks {where}", figures)


def still_canary(config: RunConfig, before: Champions, registry: Registry) -> str:
    """Return until when a challenger speaks in some facilities only; "" where that is over."""
    challenger = _speaking(before)
    until = (challenger.speaks_since or 0) + config.update.canary_days
    if registry.days[1] >= until:
        return ""
    return f"the challenger speaks in {', '.join(challenger.speaks_in)} until {date_of(until)}"


def canary_alarms(
    config: RunConfig, workspace: Workspace, before: Champions, registry: Registry
) -> Verdict:
    """Decide by the alarms of the facilities in which the challenger speaks."""
    challenger = _speaking(before)
    days = registry.days[1] - (challenger.speaks_since or 0)
    return _by_alarms(config, _rates(workspace, challenger), days)


def too_many_already(
    config: RunConfig, workspace: Workspace, before: Champions
) -> Verdict | None:
    """Decide against the challenger before its days are over, where it gives too many alarms.

    They are more than all its days allow, and surely more than the champion's; None elsewhere.
    """
    rates = _rates(workspace, _speaking(before))
    reason = "they are surely too many already"
    verdict = _by_alarms(config, rates, config.update.canary_days, reason=reason)
    is_sure = surely_more(rates, more=config.update.canary_more_alarms)
    return verdict if verdict.widen is False and is_sure else None


def _by_alarms(
    config: RunConfig, rates: AlarmRates, days: int, **reason: str
) -> Verdict:
    return by_alarms(
        rates,
        more=config.update.canary_more_alarms,
        budget=config.decision.threshold.false_alarms_per_unit_year,
        days=days,
        **reason,
    )


def _rates(workspace: Workspace, challenger: Challenger) -> AlarmRates:
    """Read the pairs of the facilities in which a challenger speaks, since it does."""
    since = str(date_of(challenger.speaks_since or 0))
    parts = matching(workspace.root / "update" / "shadow", "*/part-*.parquet")
    parts = [part for part in parts if part.parent.name >= since]
    if not parts:
        return AlarmRates(0, 0.0, 0.0)
    pairs = parquet_dataset(parts).to_table()
    ids = pa.array([*challenger.bundles.values()], pa.string())
    facilities = pa.array(challenger.speaks_in, pa.string())
    ours = pc.and_(
        pc.is_in(pairs["challenger_id"], ids),
        pc.is_in(pairs["facility_id"], facilities),
    )
    return alarm_rates(pairs.filter(ours))


def decided(
    before: Champions, verdict: Verdict, figures: Mapping[str, Any]
) -> Champions:
    """Let the challenger serve in all facilities, take it back, or leave it as it is."""
    if verdict.widen is None:
        return before.noted("kept", f"the challenger stays as it is: {verdict.why}")
    if verdict.widen:
        return before.promoted(f"in all facilities, {verdict.why}", figures)
    return before.taken_back(f"the challenger is taken back, {verdict.why}", figures)


def _speaking(champions: Champions) -> Challenger:
    assert champions.challenger is not None, "the caller looked"
    return champions.challenger
