"""Bets on matured labels: what they win, that they are fair, and what they find."""

from __future__ import annotations

import numpy as np
import pytest

from hvac.monitor.bets import (
    EVERY,
    ODDS,
    WON,
    Bets,
    bet,
    disjoint,
    log_winnings,
)
from hvac.monitor.periods import MONDAY, WEEK


def bets_of(seed: int, years: int, factor: float = 1.0, since: int = 0) -> Bets:
    """Forty units that bet every 30 days; from a day on their rates are other than the risks."""
    rng = np.random.default_rng(seed)
    day_N = np.concatenate([np.arange(unit, years * 365, 30) for unit in range(40)])
    risk_N = rng.beta(2, 12, len(day_N))
    hazard_N = -np.log1p(-risk_N) * np.where(day_N >= since, factor, 1.0)
    onset_N = rng.random(len(day_N)) < 1 - np.exp(-hazard_N)
    return Bets(risk_N, onset_N, (day_N + 30).astype(np.int32))


def slow_wealth(bets: Bets, weeks: int, threshold: float) -> tuple[list[float], int]:
    """Every unit of wealth by itself, from the week it comes in to the next alert."""
    week_N = (bets.resolved_N - MONDAY) // WEEK
    week_N = week_N - week_N.min()
    start, alerts, wealths = 0, 0, []
    for week in range(weeks):
        wealth, best = 0.0, [0.0] * len(ODDS)
        for comes_in in range(start, week + 1, EVERY):
            for m, odds in enumerate(ODDS):
                won = 1.0
                for n in np.flatnonzero((week_N >= comes_in) & (week_N <= week)):
                    p = bets.risk_N[n]
                    won *= (odds if bets.onset_N[n] else 1.0) / (1 - p + p * odds)
                wealth += won / len(ODDS)
                best[m] = max(best[m], won)
        wealths.append(wealth)
        if wealth >= threshold and np.mean(best) >= WON:
            alerts, start = alerts + 1, week + 1
    return wealths, alerts


def test_wealth_is_that_of_bets_followed_one_by_one() -> None:
    bets = bets_of(0, 1, factor=1.6)
    keep = np.arange(len(bets.risk_N)) % 4 == 0
    bets = Bets(*(column[keep] for column in bets))
    found = bet(bets, 3.0)
    expected, alerts = slow_wealth(bets, len(found.wealth_W), found.threshold)
    np.testing.assert_allclose(found.wealth_W, expected, rtol=1e-9)
    assert len(found.alerts) == alerts


def test_every_bet_is_fair_where_the_risk_is_right() -> None:
    risk_N = np.linspace(0.01, 0.99, 50)
    won = np.exp(log_winnings(risk_N, np.ones(50, bool)))
    lost = np.exp(log_winnings(risk_N, np.zeros(50, bool)))
    mean = risk_N[:, None] * won + (1 - risk_N)[:, None] * lost
    np.testing.assert_allclose(mean, 1.0, rtol=1e-12)


def test_alerts_where_risks_are_right_are_no_more_often_than_declared() -> None:
    declared, years, fleets = 1.0, 4, 60
    counts = [len(bet(bets_of(seed, years), declared).alerts) for seed in range(fleets)]
    rate = np.mean(counts) / years
    assert 0 < rate <= declared


@pytest.mark.parametrize(("factor", "too_many"), [(1.5, True), (0.5, False)])
def test_rates_that_moved_are_found_with_their_direction_and_about_their_day(
    factor: float, too_many: bool
) -> None:
    found, sinces = 0, []
    for seed in range(30):
        bets = bets_of(100 + seed, 3, factor, since=365)
        alerts = [a for a in bet(bets, 0.5).alerts if a.week * 7 >= 365]
        found += bool(alerts) and alerts[0].too_many == too_many
        sinces += [alerts[0].since * 7] if alerts else []
    assert found >= 27
    assert 250 < np.median(sinces) < 480


def test_windows_of_a_unit_that_bet_do_not_overlap_and_none_that_could_is_left_out() -> (
    None
):
    rng = np.random.default_rng(0)
    unit_N = rng.integers(0, 5, 400)
    day_N = rng.integers(0, 1000, 400)
    chosen_N = disjoint(unit_N, day_N, 60)
    for unit in range(5):
        taken = np.sort(day_N[chosen_N & (unit_N == unit)])
        assert (np.diff(taken) >= 60).all()
        for day in day_N[unit_N == unit]:
            assert ((taken <= day) & (day < taken + 60)).any()


def test_without_a_matured_label_there_is_no_wealth_and_no_alert() -> None:
    none = Bets(np.zeros(0), np.zeros(0, bool), np.zeros(0, np.int32))
    found = bet(none, 1.0)
    assert (len(found.wealth_W), found.alerts) == (0, [])


def test_risks_of_0_and_1_neither_break_nor_ruin_the_bet() -> None:
    day_N = np.arange(0, 700, 7, dtype=np.int32)
    sure = Bets(np.tile([0.0, 1.0], 50), np.tile([False, True], 50), day_N)
    found = bet(sure, 1.0)
    assert np.isfinite(found.wealth_W).all()
    assert found.alerts == []
