"""Scores by class and season: a season is no alert, a class that stands higher is."""

from __future__ import annotations

import numpy as np

from hvac.monitor.alert_rows import Watch, score_rows
from hvac.monitor.monitor_settings import MonitorConfig
from hvac.monitor.score_sums import (
    bounded_log_odds,
    score_sums,
    score_weeks,
    watch_scores,
)

WEEKS, REFERENCE = range(2000, 2130), 52


def scores_of(seed: int, higher_from: int | None = None):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    parts = []
    for name, phase in (("ahu", 0.0), ("pump", 2.0)):
        week_N = np.repeat(np.array(WEEKS), 50)
        odds_N = -2 + np.cos(2 * np.pi * week_N / 52.18 + phase)
        odds_N = odds_N + rng.normal(0, 1, len(week_N))
        if name == "ahu" and higher_from is not None:
            odds_N = odds_N + 0.5 * (week_N >= higher_from)
        class_N = np.array([name] * len(week_N))
        parts.append(score_sums(class_N, week_N, odds_N > 0, odds_N, WEEKS))
    return score_weeks(parts, WEEKS)


def test_a_season_is_no_alert() -> None:
    alerts = [
        len(watch_scores(scores_of(seed), REFERENCE, MonitorConfig()).alerts)
        for seed in range(5)
    ]
    assert sum(alerts) <= 3


def test_a_class_that_stands_higher_is_told_with_what_is_usual() -> None:
    scores = scores_of(0, higher_from=WEEKS.start + 70)
    found = watch_scores(scores, REFERENCE, MonitorConfig())
    rows = score_rows(found, Watch(WEEKS, REFERENCE), scores)
    assert {row.subject["class"] for row in rows} == {"ahu"}
    share = next(row for row in rows if row.kind == "share")
    assert share.parts["now"] > share.parts["usual"]
    odds = next(row for row in rows if row.kind == "log_odds")
    assert 0.3 < odds.parts["now"] - odds.parts["usual"] < 0.7


def test_sums_of_several_places_are_means_over_all_of_them() -> None:
    rng = np.random.default_rng(0)
    class_N = rng.choice(["a", "b"], 300)
    week_N = rng.integers(1998, 2010, 300)
    alarm_N, odds_N = rng.random(300) < 0.3, bounded_log_odds(rng.random(300))
    weeks = range(2000, 2008)
    halves = [
        score_sums(class_N[cut], week_N[cut], alarm_N[cut], odds_N[cut], weeks)
        for cut in (slice(0, 100), slice(100, None))
    ]
    joined = score_weeks(halves, weeks)
    for c, name in enumerate(joined.classes):
        for p, week in enumerate(weeks):
            use = (class_N == name) & (week_N == week)
            assert joined.count_PS[p, c] == use.sum()
            np.testing.assert_allclose(joined.value_PS[p, c], alarm_N[use].mean())
            np.testing.assert_allclose(joined.value_PS[p, 2 + c], odds_N[use].mean())


def test_without_scores_there_is_no_class_and_no_alert() -> None:
    scores = score_weeks([], WEEKS)
    assert scores.classes == []
    assert watch_scores(scores, REFERENCE, MonitorConfig()).alerts == []
