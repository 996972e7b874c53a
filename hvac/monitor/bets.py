"""Calibration on matured labels: a bet against the risks, which may be looked at on any day.

A risk p of an onset within h days is a price. Who bets at it on odds that are m times as high wins

    m^y / (1 − p + p m)        (y: whether the onset came)

and gets 1 on average where p is right, so wealth that starts at 1 and is staked again and again is a
martingale: by Ville (1939) it reaches 1/α with a chance of at most α, however often one looks (Shafer
2021, J. R. Stat. Soc. A 184; Waudby-Smith and Ramdas 2024, J. R. Stat. Soc. B 86). The bets are spread
over eight m, four of them for too many onsets and four for too few; one number holds both directions.
Risks may go wrong on any day, so a unit of wealth comes in every 4 weeks, and all of it is staked (an
e-detector: Shin, Ramdas and Rinaldo 2023, New Engl. J. Stat. Data Sci. 2). Wealth minus what came in
is a martingale still, so where the risks are right at least 1/α units come in, on average, before an
alert at 1/α: α is chosen so that this is the declared time. An alert must also have a unit that became
5 (which makes alerts only rarer): else units that nobody bets with would add up to one. After an alert
the wealth starts at 0.

Why it is valid here. Windows of one unit overlap, and their labels with them; so a unit's bets are
made one after the other: the next window begins when the last label is known. A label is known h days
after its window, and only while follow-up lasts; an onset that came early waits as long, else onsets
would be counted before their absence is. Units are taken as independent given what was known when
the bets were made. A single unit's risk may be off, if on the whole they are not: the expected wealth
is at most exp(Σ (q − p) λ) with q the true chances and λ nearly the same for all.

Shapes: N bets, W weeks, M odds.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from hvac.arrays import AnyArray, AnyInts, Bools, DayNumbers, Floats, Ints
from hvac.monitor.periods import MONDAY, WEEK, WEEKS_PER_YEAR

MORE: Final = (1.25, 1.5, 2.0, 3.0)
ODDS: Final = np.array([*MORE, *(1 / m for m in MORE)])
EVERY: Final = 4  # weeks from one unit of wealth to the next
WON: Final = 5.0  # what the best unit of wealth must have become before an alert
LEAST_WEALTH: Final = 2.0  # of a threshold, whatever is declared
SURE: Final = 1e-6  # no risk is nearer to 0 or 1


class Bets(NamedTuple):
    """Risks of windows whose labels do not overlap within a unit, and what became of them."""

    risk_N: Floats
    onset_N: Bools
    resolved_N: DayNumbers


class WealthAlert(NamedTuple):
    """Wealth reached the threshold in a week; bets won since another one, on these sums."""

    week: int
    since: int
    wealth: float
    too_many: bool
    observed: float
    expected: float


class Betting(NamedTuple):
    """Wealth after each week (from `first_week` on), and the alerts it raised."""

    first_week: int
    wealth_W: Floats
    threshold: float
    alerts: list[WealthAlert]


def disjoint(unit_N: AnyArray, end_day_N: AnyInts, horizon: int) -> Bools:
    """Tell which windows a unit bets on: the first, then each the first after the last label.

    >>> disjoint(np.array(["a"] * 4 + ["b"]), np.array([0, 7, 30, 37, 7]), 30).tolist()
    [True, False, True, False, True]
    """
    codes_N = np.unique(unit_N, return_inverse=True)[1]
    chosen_N = np.zeros(len(end_day_N), bool)
    unit, free_from = -1, 0
    for n in np.lexsort((end_day_N, codes_N)).tolist():
        if codes_N[n] != unit or end_day_N[n] >= free_from:
            chosen_N[n] = True
            unit, free_from = codes_N[n], end_day_N[n] + horizon
    return chosen_N


def log_winnings(risk_N: Floats, onset_N: Bools) -> Floats:
    """Return the logarithm of what each bet wins at each odds [N, M]; its mean value is 1.

    >>> win_NM = np.exp(log_winnings(np.array([0.2, 0.2]), np.array([True, False])))
    >>> (0.2 * win_NM[0] + 0.8 * win_NM[1]).round(12).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    risk_N1 = np.clip(risk_N, SURE, 1 - SURE)[:, None]
    won_NM = onset_N[:, None] * np.log(ODDS)
    return np.asarray(won_NM - np.log1p(risk_N1 * (ODDS - 1)))


def bet(bets: Bets, alerts_per_year: float) -> Betting:
    """Follow the wealth week by week.

    >>> rng = np.random.default_rng(0)
    >>> day_N = np.sort(rng.integers(0, 360, 400))
    >>> risk_N = np.full(400, 0.2)
    >>> right = bet(Bets(risk_N, rng.random(400) < 0.2, day_N), 1.0)
    >>> wrong = bet(Bets(risk_N, rng.random(400) < 0.35, day_N), 1.0)
    >>> round(right.threshold), len(right.alerts), wrong.alerts[0].too_many
    (13, 0, True)
    """
    threshold = max(WEEKS_PER_YEAR / EVERY / alerts_per_year, LEAST_WEALTH)
    if not len(bets.risk_N):
        return Betting(0, np.zeros(0), threshold, [])
    week_N = (bets.resolved_N.astype(np.int64) - MONDAY) // WEEK
    first = int(week_N.min())
    log_WM, sum_W2 = _by_week(bets, week_N - first)
    wealth_W, alerts = np.zeros(len(log_WM)), []
    wealth_M, best_M, start = np.zeros(len(ODDS)), np.zeros(len(ODDS)), 0
    for w, log_M in enumerate(log_WM):
        if (w - start) % EVERY == 0:
            wealth_M, best_M = wealth_M + 1, np.maximum(best_M, 1.0)
        wealth_M, best_M = wealth_M * np.exp(log_M), best_M * np.exp(log_M)
        wealth_W[w] = wealth_M.mean()
        if wealth_W[w] >= threshold and best_M.mean() >= WON:
            since, odds = _best_start(log_WM[start : w + 1])
            observed, expected = sum_W2[start + since : w + 1].sum(axis=0).tolist()
            alerts.append(
                WealthAlert(
                    first + w,
                    first + start + since,
                    float(wealth_W[w]),
                    odds > 1,
                    observed,
                    expected,
                )
            )
            wealth_M, best_M, start = np.zeros(len(ODDS)), np.zeros(len(ODDS)), w + 1
    return Betting(first, wealth_W, threshold, alerts)


def _by_week(bets: Bets, place_N: Ints) -> tuple[Floats, Floats]:
    """Return what every odds won in each week, and onsets beside expected ones [W, 2]."""
    log_WM = np.zeros((int(place_N.max()) + 1, len(ODDS)))
    np.add.at(log_WM, place_N, log_winnings(bets.risk_N, bets.onset_N))
    observed_W = np.bincount(place_N, bets.onset_N)
    expected_W = np.bincount(place_N, bets.risk_N)
    return log_WM, np.stack([observed_W, expected_W], axis=1)


def _best_start(log_WM: Floats) -> tuple[int, float]:
    """Return since when which odds have won the most up to the last week."""
    won_WM = log_WM[::-1].cumsum(axis=0)[::-1]
    week, odds = np.unravel_index(int(won_WM.argmax()), won_WM.shape)
    return int(week), float(ODDS[odds])
