"""Candidates from the simplest to the richest, each scored on later windows than it was fitted on.

Rolling origin (Tashman 2000): at every origin a candidate is fitted on the labels known by then, and
scored on the windows until the next origin. A richer candidate is taken only where it beats the best
simpler one. Each of them gets a look, so some are taken by luck; how many, and whether that harms,
`benchmarks/updates.py` measures where nothing drifts.

Shapes: N rows of `Matured`, U units, R replicates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple, get_args

import numpy as np

from hvac.arrays import Bools, Floats, Positions
from hvac.days import date_of
from hvac.errors import InputError
from hvac.evaluation.bootstrap import (
    Difference,
    Replicated,
    paired_difference,
    unit_sums,
    unit_weights,
)
from hvac.update.bends import Freedom, bent_log_odds, fit_bends, log_losses
from hvac.update.matured import Matured, machines

Rung = Literal[
    "none",
    "fleet_intercept",
    "intercept",
    "fleet_platt",
    "platt",
    "weights",
    "forests",
    "retrained",
]
RUNGS: Final[tuple[Rung, ...]] = get_args(Rung)
RUNG_NAMES: Final[Mapping[Rung, str]] = {
    "fleet_intercept": "one intercept for the fleet",
    "intercept": "an intercept for each class",
    "fleet_platt": "one line for the fleet",
    "platt": "a line for each class",
    "weights": "new weights of the fusion's parts",
    "forests": "trees and lines fitted again",
    "retrained": "the model trained anew",
}
LINES: Final[Mapping[Rung, Freedom]] = {
    "fleet_intercept": Freedom(slope=False, classes=False),
    "intercept": Freedom(slope=False, classes=True),
    "fleet_platt": Freedom(slope=True, classes=False),
    "platt": Freedom(slope=True, classes=True),
}
FITTED_AGAIN: Final = ("weights", "forests")  # a line a class comes last
ORIGIN_DAYS: Final = 30  # from one origin to the next
LEAST_ONSETS: Final = 20  # with a known label before the first origin


class NoLabelsError(InputError):
    """Too few labels have matured to say anything yet, or none ever will."""


def onsets_known(matured: Matured, day: int) -> int:
    """Count the onsets among the labels that were known by a day."""
    return int(matured.onset_N[matured.known_from_N <= day].sum())


class RungScore(NamedTuple):
    """A candidate: its mean log-loss, and how much less that is than the one it had to beat."""

    rung: Rung
    log_loss: float
    against: Rung | None
    less_loss: Difference | None


class Offer(NamedTuple):
    """A further candidate: log-odds and alarms of rows N, as fitted at each of the origins P."""

    log_odds_PN: Floats
    alarm_PN: Bools


class Climb(NamedTuple):
    """What was scored: rows N that every candidate was scored on, with log-odds and alarms of each.

    `winner` is the simplest candidate that no other beat. `origins` are days since 1970-01-01.
    """

    rows: Matured
    log_odds: Mapping[Rung, Floats]
    alarms: Mapping[Rung, Bools]
    scores: tuple[RungScore, ...]
    winner: Rung
    origins: tuple[int, ...]


def origins_of(matured: Matured, judged_days: int) -> list[int]:
    """Return the days from which candidates are fitted and scored: every 30 of the newest days.

    Args:
        matured: rows with a known label.
        judged_days: newest days of windows with a known label.

    Raises:
        NoLabelsError: fewer than 20 onsets were known before the first of these days.
    """
    last = int(matured.end_day_N.max())
    first = last - judged_days + 1
    onsets = onsets_known(matured, first)
    if onsets < LEAST_ONSETS:
        raise NoLabelsError(
            f"before {date_of(first)}, from when candidates are scored, labels with {onsets} onsets"
            f" were known; at least {LEAST_ONSETS} are needed: wait, or lower update.judged_days"
        )
    return list(range(first, last + 1, ORIGIN_DAYS))


def climb(
    matured: Matured,
    origins: Sequence[int],
    *,
    offered: Mapping[Rung, Offer] = {},
    seed: int = 0,
) -> Climb:
    """Score every candidate, and climb while the next one beats the best so far.

    Args:
        matured: of the model that serves.
        origins: days, rising; the last interval ends with the record.
        offered: further candidates, each fitted at an origin on labels known by then; lines are
            fitted on those of `weights` and `forests`.
        seed: of the draws of units.
    """
    parts = [_part(matured, origins, place) for place in range(len(origins))]
    judged = np.concatenate([judged_N for judged_N, _ in parts])
    rows = matured.where(judged)
    times = len(origins), 1
    given = Offer(np.tile(matured.log_odds_N, times), np.tile(matured.alarm_N, times))
    log_odds: dict[Rung, Floats] = {"none": rows.log_odds_N}
    alarms: dict[Rung, Bools] = {"none": rows.alarm_N}
    for rung in (*LINES, *offered):
        offer = offered.get(rung, given)
        log_odds[rung] = np.concatenate(
            [
                _scored(rung, matured._replace(log_odds_N=log_odds_N), part)
                for log_odds_N, part in zip(offer.log_odds_PN, parts, strict=True)
            ]
        )
        alarms[rung] = np.concatenate(
            [
                alarm_N[judged_N]
                for alarm_N, (judged_N, _) in zip(offer.alarm_PN, parts, strict=True)
            ]
        )
    scores, winner = _tested(rows, log_odds, seed)
    return Climb(rows, log_odds, alarms, tuple(scores), winner, tuple(origins))


def _scored(rung: Rung, rows: Matured, part: tuple[Positions, Positions]) -> Floats:
    """Return log-odds of the rows that are scored from an origin on, bent where a line is fitted."""
    judged_N, known_N = part
    freedom = LINES["platt"] if rung in FITTED_AGAIN else LINES.get(rung)
    if freedom is None:
        return rows.log_odds_N[judged_N]
    bends = fit_bends(rows.where(known_N), freedom)
    return bent_log_odds(rows.where(judged_N), bends)


def _part(
    matured: Matured, origins: Sequence[int], place: int
) -> tuple[Positions, Positions]:
    """Return the places of the rows scored from an origin on, and of those known by then."""
    until = origins[place + 1] if place + 1 < len(origins) else np.inf
    day_N = matured.end_day_N
    judged_N = np.flatnonzero((day_N >= origins[place]) & (day_N < until))
    return judged_N, np.flatnonzero(matured.known_from_N <= origins[place])


def _tested(
    rows: Matured, log_odds: Mapping[Rung, Floats], seed: int
) -> tuple[list[RungScore], Rung]:
    best: Rung = "none"
    scores = [RungScore("none", mean_loss(rows, log_odds["none"]), None, None)]
    for rung in RUNGS[1:]:
        if rung not in log_odds:
            continue
        difference = less_loss(rows, log_odds[best], log_odds[rung], seed=seed)
        loss = mean_loss(rows, log_odds[rung])
        scores.append(RungScore(rung, loss, best, difference))
        if difference.verdict == "better":
            best = rung
    return scores, best


def mean_loss(rows: Matured, log_odds_N: Floats) -> float:
    """Return the weighted mean log-loss."""
    losses_N = log_losses(log_odds_N, rows)
    return float(losses_N @ rows.weight_N / rows.weight_N.sum())


def less_loss(
    rows: Matured, before_N: Floats, after_N: Floats, *, seed: int = 0
) -> Difference:
    """Return how much the log-loss falls, with its interval over machines; above 0 is better."""
    drawn = unit_weights(machines(rows.unit_N), seed=seed)
    units = int(drawn.unit_index_B.max()) + 1
    columns = np.stack(
        [
            log_losses(before_N, rows) * rows.weight_N,
            log_losses(after_N, rows) * rows.weight_N,
            rows.weight_N,
        ],
        axis=1,
    )
    sum_U3 = unit_sums(columns, drawn.unit_index_B, units=units)
    sum_R3 = drawn.w_RU @ sum_U3
    whole_3 = sum_U3.sum(axis=0)
    means = [
        Replicated(float(whole_3[k] / whole_3[2]), sum_R3[:, k] / sum_R3[:, 2])
        for k in (0, 1)
    ]
    return paired_difference(*means)
