import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from hvac.decision.alarm_episodes import false_episodes
from hvac.decision.thresholds import ThresholdConfig, choose_threshold
from hvac.errors import ConfigError, SplitError
from tests.reference import alarms_oracle

COST = ThresholdConfig(policy="cost", miss_cost=5.0, false_alarm_cost=1.0)
BUDGET = ThresholdConfig(policy="budget")


def choose(risk_B, y_B, config, *, units_B=None, end_day_B=None, horizon=30):
    rows = len(risk_B)
    return choose_threshold(
        np.asarray(risk_B, float),
        np.asarray(y_B),
        config=config,
        units_B=np.arange(rows) if units_B is None else units_B,
        end_day_B=np.zeros(rows, int) if end_day_B is None else end_day_B,
        horizon=horizon,
    )


ROWS = st.lists(st.tuples(st.integers(1, 19), st.booleans()), min_size=1, max_size=30)


@settings(max_examples=80)
@given(rows=ROWS)
def test_f1_threshold_is_the_highest_of_the_best(rows):
    risk_B, y_B = (
        np.array([r / 20 for r, _ in rows]),
        np.array([int(y) for _, y in rows]),
    )
    found = choose(risk_B, y_B, ThresholdConfig())
    if not y_B.any():
        assert found.policy == "budget"
        return
    by_hand = {t: f1_score(y_B, risk_B >= t) for t in risk_B}
    best = max(by_hand.values())
    assert found.value == max(t for t, f1 in by_hand.items() if f1 > best - 1e-12)


@settings(max_examples=80)
@given(rows=ROWS)
def test_cost_threshold_is_the_highest_of_the_cheapest(rows):
    risk_B, y_B = (
        np.array([r / 20 for r, _ in rows]),
        np.array([int(y) for _, y in rows]),
    )
    if not y_B.any():
        return
    cost = {
        t: 5 * y_B[risk_B < t].sum() + (1 - y_B)[risk_B >= t].sum()
        for t in [*risk_B, 1.0]
    }
    found = choose(risk_B, y_B, COST).value
    cheapest = max(t for t, each in cost.items() if each == min(cost.values()))
    assert (risk_B >= found).tolist() == (risk_B >= cheapest).tolist()


@settings(max_examples=80)
@given(
    rows=st.dictionaries(
        st.tuples(st.integers(0, 2), st.integers(0, 15)),
        st.integers(1, 6),
        min_size=1,
        max_size=30,
    ),
    onsets=st.lists(st.tuples(st.integers(0, 2), st.integers(-5, 150)), max_size=4),
    horizon=st.sampled_from([5, 10, 30, 60]),
)
def test_false_episodes_equal_the_loop_oracle_at_every_threshold(rows, onsets, horizon):
    unit, day, risk_B = (
        [u for u, _ in rows],
        [7 * d for _, d in rows],
        np.array(list(rows.values())) / 7,
    )
    y_B = np.array(alarms_oracle.labels(unit, day, onsets, horizon=horizon))
    gap = min(14, horizon)
    found = false_episodes(
        risk_B, y_B, units_B=np.array(unit), end_day_B=np.array(day), gap_days=gap
    )
    assert found.threshold_K.tolist() == sorted(set(risk_B), reverse=True)
    for threshold, false in zip(*found, strict=True):
        episodes = alarms_oracle.episodes(risk_B >= threshold, unit, day, gap=gap)
        assert false == sum(
            not alarms_oracle.is_true(each, onsets, horizon=horizon)
            for each in episodes
        )


def test_budget_stops_before_the_first_threshold_that_breaks_it():
    weeks = 53
    risk_B = np.linspace(0.9, 0.1, weeks)
    days = np.random.default_rng(0).permutation(weeks) * 7
    found = choose(
        risk_B, np.zeros(weeks), BUDGET, units_B=np.zeros(weeks, int), end_day_B=days
    )
    curve = false_episodes(
        risk_B,
        np.zeros(weeks),
        units_B=np.zeros(weeks, int),
        end_day_B=days,
        gap_days=14,
    )
    above = curve.false_K[curve.threshold_K >= found.value]
    assert above.max() == 1
    assert curve.false_K[np.flatnonzero(curve.threshold_K == found.value)[0] + 1] == 2
    assert (
        curve.false_K[-1] == 1
    )  # always in alarm is one episode: within the letter of the budget, never chosen
    assert found.note == ""


def test_budget_counts_no_true_episode():
    y_B = np.r_[np.ones(5), np.zeros(48)]
    risk_B = np.where(y_B > 0, 0.9, 0.1)
    found = choose(
        risk_B,
        y_B,
        BUDGET.replace(false_alarms_per_unit_year=0.0),
        end_day_B=np.zeros(53, int),
    )
    assert found.value == 0.9


def test_budget_gives_no_alarm_when_even_the_highest_risk_breaks_it():
    found = choose([0.2, 0.9], [0, 0], BUDGET.replace(false_alarms_per_unit_year=0.0))
    assert 0.9 < found.value <= 1
    assert "no alarms" in found.note


def test_budget_stands_in_and_says_so_without_a_positive():
    for config in (ThresholdConfig(), COST):
        found = choose([0.2, 0.9], [0, 0], config)
        assert found.policy == "budget"
        assert f"'{config.policy}' is undefined" in found.note
        assert np.isfinite(found.value)


def test_all_positive_alarms_everything():
    assert choose([0.2, 0.9], [1, 1], ThresholdConfig()).value == 0.2


def test_config_and_empty_input_are_refused():
    with pytest.raises(ConfigError, match="needs miss_cost"):
        ThresholdConfig(policy="cost")
    with pytest.raises(ConfigError, match="false_alarm_cost"):
        ThresholdConfig(policy="cost", miss_cost=1.0, false_alarm_cost=-1.0)
    with pytest.raises(SplitError, match="30-day label"):
        choose([], [], ThresholdConfig())
