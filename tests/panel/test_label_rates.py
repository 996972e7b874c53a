"""Fleets of one exact hazard: however units leave the record, weighted labels have the rate that is true."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from hvac.evaluation.ranks import rank_metrics, sort_scores
from hvac.panel.events import Events, inside_episode
from hvac.panel.follow_up import days_since_event, follow_ups
from hvac.panel.grid import Unit
from hvac.panel.labels import onset_labels

HORIZONS = (30, 60, 90)
UNITS, DAYS, FACILITIES, STRIDE = 4000, 730, 40, 7
HAZARD = 1 - np.exp(-1.46 / 365.25)  # per day
TRUE_RATE_H = 1 - (1 - HAZARD) ** np.array(HORIZONS)
REMOVED = {
    "within a week": (0, 8, 1.0),
    "8 to 19 days": (8, 20, 0.6),
    "10 to 59 days": (10, 60, 0.6),
}
LEAVING = ("nobody", *REMOVED, "staggered", "half in a month")
CHANCE = 4.0  # standard errors: false alarms once in 16,000 comparisons
AUC_WINDOWS, REPLICATES = 40_000, 200

Floats = NDArray[np.float64]


class Labelled(NamedTuple):
    """Windows of a fleet, outside episodes: whose, when, and their labels under both rules."""

    unit_B: NDArray[np.int64]
    day_B: NDArray[np.int32]
    since_B: NDArray[np.int64]
    age_B: NDArray[np.int64]
    y_BH: NDArray[np.bool_]
    known_BH: NDArray[np.bool_]
    weight_BH: Floats
    masked_BH: NDArray[np.bool_]


def spans(
    leaving: str, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last day of every unit, of those who leave for no reason that has to do with failing."""
    first, last = np.zeros(UNITS, np.int64), np.full(UNITS, DAYS - 1)
    gone = rng.random(UNITS) < 0.5
    if leaving == "staggered":
        first = rng.integers(0, DAYS // 2, UNITS)
        last = np.where(
            gone, np.minimum(first + rng.integers(60, DAYS, UNITS), DAYS - 1), last
        )
    if leaving == "half in a month":
        last = np.where(gone, rng.integers(400, 430, UNITS), last)
    return first, last


def life(
    fails: NDArray[np.bool_],
    first: int,
    last: int,
    leaving: str,
    rng: np.random.Generator,
) -> tuple[int, NDArray[np.int32]]:
    """Last day of a unit and its failures until then."""
    onset_N = np.flatnonzero(fails).astype(np.int32)
    onset_N = onset_N[onset_N >= first]
    soonest, latest, share = REMOVED.get(leaving, (0, 1, 0.0))
    removed_N = onset_N + rng.integers(soonest, latest, len(onset_N))
    removed_N = removed_N[rng.random(len(onset_N)) < share]
    last = min([last, *removed_N.tolist()])
    return last, onset_N[onset_N <= last]


def failures(onset_N: NDArray[np.int32]) -> Events:
    return Events(
        np.full(len(onset_N), "failure"),
        onset_N,
        onset_N,
        onset_N,
        np.full(len(onset_N), ""),
    )


@cache
def fleet(leaving: str) -> Labelled:
    rng = np.random.default_rng(7)
    fails_UD = rng.random((UNITS, DAYS)) < HAZARD
    days, targets = {}, {}
    for u, (first, last) in enumerate(zip(*spans(leaving, rng), strict=True)):
        unit = Unit(f"F{u % FACILITIES:02d}", f"E{u:04d}")
        until, onset_N = life(fails_UD[u], int(first), int(last), leaving, rng)
        days[unit], targets[unit] = (int(first), until), failures(onset_N)
    found = follow_ups(days, targets)
    parts = []
    for u, unit in enumerate(days):
        day_B = np.arange(days[unit][0], days[unit][1] + 1, STRIDE, dtype=np.int32)
        day_B = day_B[~inside_episode(day_B, targets[unit])]
        labels = onset_labels(
            day_B, targets[unit].start_N, horizons=HORIZONS, follow_up=found[unit]
        )
        since_B = days_since_event(day_B, targets[unit])
        masked_BH = day_B[:, None] + np.array(HORIZONS) <= days[unit][1]
        parts.append(
            (
                np.full(len(day_B), u),
                day_B,
                since_B,
                day_B - days[unit][0],
                *labels,
                masked_BH,
            )
        )
    return Labelled(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def rate_and_error(made: Labelled, weight_BH: Floats) -> tuple[Floats, Floats]:
    """Weighted rate of each horizon and its standard error, with units as the independent observations."""
    rate_H, error_H = np.full((2, len(HORIZONS)), np.nan)
    for h in range(len(HORIZONS)):
        positive_U, all_U = (
            np.bincount(made.unit_B, column, minlength=UNITS)
            for column in (weight_BH[:, h] * made.y_BH[:, h], weight_BH[:, h])
        )
        rate_H[h] = positive_U.sum() / all_U.sum()
        error_H[h] = (
            np.sqrt(((positive_U - rate_H[h] * all_U) ** 2).sum()) / all_U.sum()
        )
    return rate_H, error_H


def auc_range(
    made: Labelled, column: NDArray[Any], weight_B: Floats
) -> tuple[float, float]:
    """Lowest and highest ROC-AUC of 90-day labels over 200 draws of units: about its 99 % interval."""
    keep = np.flatnonzero(weight_B)
    keep = np.sort(np.random.default_rng(0).permutation(keep)[:AUC_WINDOWS])
    score_B, y_B, unit_B = (
        column[keep].astype(float),
        made.y_BH[keep, 2],
        made.unit_B[keep],
    )
    drawn_RU = np.random.default_rng(1).multinomial(
        UNITS, np.full(UNITS, 1 / UNITS), size=REPLICATES
    )
    rows = sort_scores(score_B, y_B, unit_B=unit_B, weight_B=weight_B[keep])
    auc_R = rank_metrics(rows, drawn_RU).roc_auc_R
    return auc_R.min(), auc_R.max()


def part(made: Labelled, name: str) -> NDArray[np.bool_]:
    return {
        "all": np.ones(len(made.day_B), bool),
        "soon after an event": made.since_B <= 30,
        "within 90 days of an event": made.since_B <= 90,
        "near the end": made.day_B >= DAYS - 180,
        "early": made.day_B < 180,
    }[name]


PARTS = (
    "all",
    "soon after an event",
    "within 90 days of an event",
    "near the end",
    "early",
)


@pytest.mark.parametrize("leaving", LEAVING)
@pytest.mark.parametrize("name", PARTS)
def test_weighted_rate_of_labels_is_the_true_one(leaving: str, name: str) -> None:
    made = fleet(leaving)
    weight_BH = made.weight_BH * made.known_BH * part(made, name)[:, None]
    if leaving == "within a week" and "event" in name:
        assert not weight_BH.any()  # nobody is left there
        return
    rate_H, error_H = rate_and_error(made, weight_BH)
    assert (error_H < 0.03).all()
    assert (np.abs(rate_H - TRUE_RATE_H) < CHANCE * error_H).all(), (
        rate_H,
        TRUE_RATE_H,
        error_H,
    )


@pytest.mark.parametrize("leaving", ["within a week", "8 to 19 days", "10 to 59 days"])
def test_rate_is_wrong_where_labels_are_masked_by_the_last_reading(
    leaving: str,
) -> None:
    rate_H, error_H = rate_and_error(
        fleet(leaving), fleet(leaving).masked_BH.astype(float)
    )
    assert (rate_H < TRUE_RATE_H - CHANCE * error_H).all()


@pytest.mark.parametrize("leaving", ["8 to 19 days", "10 to 59 days"])
def test_rate_soon_after_an_event_is_wrong_without_weights(leaving: str) -> None:
    """Positives are decided early, before their unit leaves; negatives late: too few of them are left."""
    made = fleet(leaving)
    soon_B1 = (made.since_B <= (15 if leaving == "8 to 19 days" else 30))[:, None]
    rate_H, error_H = rate_and_error(made, (made.known_BH & soon_B1).astype(float))
    assert rate_H[0] > TRUE_RATE_H[0] + 2 * error_H[0], (rate_H, error_H)


def test_days_since_an_event_tell_the_label_without_weights() -> None:
    made = fleet("10 to 59 days")
    soon_B = (made.since_B <= 90) & made.known_BH[:, 2]
    assert auc_range(made, -made.since_B, soon_B.astype(float))[0] > 0.5
    low, high = auc_range(made, -made.since_B, soon_B * made.weight_BH[:, 2])
    assert low < 0.5 < high


def test_weights_are_exactly_one_where_nobody_leaves() -> None:
    assert (fleet("nobody").weight_BH == 1).all()


@pytest.mark.parametrize("leaving", LEAVING)
def test_simple_columns_tell_nothing_of_a_label_by_chance(leaving: str) -> None:
    made = fleet(leaving)
    columns = {
        "days to the end of the record": DAYS - made.day_B,
        "days since the last event": made.since_B,
        "age": made.age_B,
        "day of the year": made.day_B % 365,
    }
    for name, column in columns.items():
        low, high = auc_range(made, column, made.weight_BH[:, 2] * made.known_BH[:, 2])
        assert low <= 0.5 <= high, (name, low, high)
