"""Reasons for and against a risk, with what can be seen on the machine.

A reason says which point, which way, since when, and how far from its usual level and its peers. It
is never a cause: it tells what the model looked at.

Legend: B windows, C points, P players, H horizons.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from hvac.arrays import Floats, Ints
from hvac.days import EPOCH
from hvac.explain.change_points import UNCHANGED, level_change
from hvac.explain.explainer import Contributions
from hvac.explain.reason import (
    COVERAGE,
    HISTORY,
    LIMITS,
    OTHERS,
    POINT,
    SEASON_AND_AGE,
    Reason,
)
from hvac.features.activity import ACTIVITY_NAMES, activity
from hvac.features.recent import RECENT_NAMES, SLOPE
from hvac.features.table import Windows

SHOWN: Final = 3
LEAST: Final = 0.05  # of the log-odds: odds 5 % higher or lower
NOW_DAYS: Final = 14
FAR_DAYS: Final = 365.0
DAYS_SINCE_OUT: Final = ACTIVITY_NAMES.index("days_since_out")
MEAN_14D: Final = RECENT_NAMES.index("mean_14d")


class PointScale(NamedTuple):
    """What turns normalised values of a window's last day into physical units, and the limits then.

    `based` tells whether 0 is the usual level; where not, the window's first half is taken for it.
    """

    points: tuple[str, ...]
    centre_C: Floats
    spread_C: Floats
    lower_C: Floats
    upper_C: Floats
    based: bool


def reasons_of(
    contributions: Contributions,
    windows: Windows,
    scales: Sequence[PointScale],
    context: tuple[str, ...],
) -> list[list[list[Reason]]]:
    """Return the reasons of every window and horizon: up to 3 for, then up to 3 against.

    The strongest comes first on either side.

    Args:
        contributions: of the windows.
        windows: with values, summaries of the last days, and context.
        scales: of each window.
        context: the names of the context's columns.
    """
    reasons: list[list[list[Reason]]] = []
    for b, scale in enumerate(scales):
        facts = _point_facts(windows, b, scale) + _other_facts(windows, b, context)
        limits = facts[len(scale.points) + OTHERS.index(LIMITS)]
        limits["point"] = _nearest_to_limits(
            windows, b, scale, trend=limits["days"] is not None
        )
        added_PH = contributions.added_BPH[b]
        players = (*scale.points, *contributions.players[len(scale.points) :])
        named = list(zip(players, facts, strict=True))
        of_horizon = []
        for added_P in added_PH.T:
            of_horizon.append(_strongest(named, added_P))
        reasons.append(of_horizon)
    return reasons


def _strongest(
    named: list[tuple[str, dict[str, Any]]], added_P: Floats
) -> list[Reason]:
    order = np.argsort(-added_P, kind="stable").tolist()
    in_favour = [p for p in order if added_P[p] >= LEAST][:SHOWN]
    opposed = [p for p in reversed(order) if added_P[p] <= -LEAST][:SHOWN]
    chosen = []
    for p in (*in_favour, *opposed):
        name, facts = named[p]
        chosen.append(Reason(name, log_odds=float(added_P[p]), **facts))
    return chosen


def _point_facts(windows: Windows, b: int, scale: PointScale) -> list[dict[str, Any]]:
    """Return what can be seen of each point of a window."""
    x_CL = np.asarray(windows.x_BCL)[b].astype(np.float64)
    now_C = x_CL[:, -NOW_DAYS:].mean(axis=1)
    usual_C = (
        np.zeros(len(x_CL))
        if scale.based
        else np.median(x_CL[:, : -NOW_DAYS * 3], axis=1)
    )
    peers_C = np.full(len(x_CL), np.nan)
    if windows.d_BCS is not None:
        peers_C = windows.d_BCS[b, :, MEAN_14D].astype(np.float64) * scale.spread_C
    change_C = _onward_change(x_CL, now_C - usual_C)
    days_since_out_C = activity(x_CL[None])[0, :, DAYS_SINCE_OUT]
    facts = []
    for c in range(len(x_CL)):
        facts.append(
            {
                "about": POINT,
                "now": _known(now_C[c] * scale.spread_C[c] + scale.centre_C[c]),
                "usual": _known(usual_C[c] * scale.spread_C[c] + scale.centre_C[c]),
                "over_peers": _known(peers_C[c]),
                "moved": _known(now_C[c] - usual_C[c]),
                "since": _date(windows, b, int(change_C[c]), x_CL.shape[1]),
                "days": _known(float(days_since_out_C[c])),
            }
        )
    return facts


def _onward_change(x_CL: Floats, moved_C: Floats) -> Ints:
    """Return when each point's level changed, away from its usual level; −1 where it did not."""
    change_C = level_change(x_CL)
    onward_C = []
    for x_L, day, moved in zip(x_CL, change_C.tolist(), moved_C.tolist(), strict=True):
        step = x_L[day:].mean() - x_L[:day].mean() if day != UNCHANGED else 0.0
        onward_C.append(day if step * moved > 0 else UNCHANGED)
    return np.array(onward_C, dtype=np.int64)


def _date(windows: Windows, b: int, day: int, lookback: int) -> dt.date | None:
    if day == UNCHANGED:
        return None
    last = int(windows.end_day_B[b])
    return EPOCH + dt.timedelta(days=last - lookback + 1 + day)


def _other_facts(
    windows: Windows, b: int, context: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Return what is known of history, season and age, limits, and completeness."""
    row_K = np.full(len(context), np.nan) if windows.k_BK is None else windows.k_BK[b]
    value = {
        name: _known(float(number)) for name, number in zip(context, row_K, strict=True)
    }
    until = value.get("days_to_limit")
    facts: dict[str, dict[str, Any]] = {
        HISTORY: _newest_event(value),
        SEASON_AND_AGE: {"days": value.get("age_days")},
        LIMITS: {
            "share": value.get("limit_margin_last"),
            "days": until if until is not None and until < FAR_DAYS else None,
        },
        COVERAGE: {"share": value.get("observed_share")},
    }
    return [{"about": name, **facts[name]} for name in OTHERS]


def _nearest_to_limits(
    windows: Windows, b: int, scale: PointScale, *, trend: bool
) -> str | None:
    """Return the point that lies nearest to a limit, or (`trend`) reaches one first."""
    value_C = np.asarray(windows.x_BCL)[b, :, -1] * scale.spread_C + scale.centre_C
    with np.errstate(invalid="ignore", divide="ignore"):
        below_C, above_C = value_C - scale.lower_C, scale.upper_C - value_C
        width_C = scale.upper_C - scale.lower_C
        one_limit_C = np.fmax(np.abs(scale.upper_C), np.abs(scale.lower_C))
        margin_C = np.fmin(below_C, above_C) / np.where(
            np.isfinite(width_C), width_C, one_limit_C
        )
        if trend and windows.n_BCS is not None and not (margin_C < 0).any():
            slope_C = windows.n_BCS[b, :, SLOPE] * scale.spread_C
            ahead_C = np.where(slope_C > 0, above_C, below_C)
            margin_C = ahead_C / np.abs(slope_C)
    if not np.isfinite(margin_C).any():
        return None
    return scale.points[
        int(np.nanargmin(np.where(np.isfinite(margin_C), margin_C, np.nan)))
    ]


def _newest_event(value: dict[str, float | None]) -> dict[str, Any]:
    """Return the kind of event that happened last, days since then, and its count in 365 days.

    >>> _newest_event({"days_since_failure": 30.0, "failure_365d": 2.0})
    {'event': 'failure', 'days': 30.0, 'in_a_year': 2.0}
    """
    prefix = "days_since_"
    since: dict[str, float] = {}
    for name, days in value.items():
        if (
            name.startswith(prefix)
            and name != "days_since_any_event"
            and days is not None
        ):
            since[name.removeprefix(prefix)] = days
    if not since:
        return {}
    kind = min(since, key=lambda name: since[name])
    return {"event": kind, "days": since[kind], "in_a_year": value.get(f"{kind}_365d")}


def _known(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None
