import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvac.decision.alarm_episodes import alarm_episodes, infer_stride
from hvac.evaluation import alarms
from hvac.evaluation.alarms import Grid, Onsets, match
from hvac.evaluation.bootstrap import unit_weights
from tests.reference import alarms_oracle


def grid(units_B, end_day_B, stride=7):
    units, unit_B = np.unique(units_B, return_inverse=True)
    return Grid(unit_B, np.asarray(end_day_B, np.int64), units, stride)


def events(*rows):
    return Onsets(np.array([u for u, _ in rows]), np.array([d for _, d in rows], int))


CASE = st.fixed_dictionaries(
    {
        "rows": st.dictionaries(
            st.tuples(st.integers(0, 3), st.integers(0, 20)), st.booleans(), max_size=50
        ),
        "onsets": st.lists(
            st.tuples(st.integers(0, 4), st.integers(-10, 200)), max_size=6
        ),
        "horizon": st.sampled_from([10, 30, 60, 90]),
        "min_lead": st.sampled_from([1, 7, 14]),
    }
)


@settings(max_examples=200)
@given(case=CASE)
def test_match_equals_the_loop_oracle(case):
    rows, onsets, horizon = case["rows"], case["onsets"], case["horizon"]
    unit, day, alarm = (
        [u for u, _ in rows],
        [7 * d for _, d in rows],
        list(rows.values()),
    )
    found = match(
        np.array(alarm, bool),
        grid=grid(np.array(unit, int), day),
        events=events(*onsets),
        horizon=horizon,
    )
    slow = alarms_oracle.match(
        alarm,
        unit,
        day,
        onsets,
        horizon=horizon,
        min_lead=case["min_lead"],
        gap=14,
        stride=7,
    )
    assert alarms.event_recall(found, min_lead=case["min_lead"]).value == pytest.approx(
        slow["event_recall"], nan_ok=True
    )
    assert alarms.alarm_precision(found).value == pytest.approx(
        slow["alarm_precision"], nan_ok=True
    )
    fast = alarms.false_alarms_per_unit_year(found).value
    assert fast == pytest.approx(slow["false_alarms_per_unit_year"], nan_ok=True)
    assert sorted(found.lead_E[~np.isnan(found.lead_E)]) == slow["leads"]
    assert len(found.unit_E) == slow["events"]


@settings(max_examples=60)
@given(case=CASE)
def test_an_episode_is_true_exactly_if_one_of_its_windows_has_label_1(case):
    rows = dict.fromkeys(case["rows"], True)
    unit, day = [u for u, _ in rows], [7 * d for _, d in rows]
    label = alarms_oracle.labels(unit, day, case["onsets"], horizon=case["horizon"])
    found = match(
        np.ones(len(rows), bool),
        grid=grid(np.array(unit, int), day),
        events=events(*case["onsets"]),
        horizon=case["horizon"],
    )
    episodes = alarms_oracle.episodes(
        [True] * len(rows), unit, day, gap=min(14, case["horizon"])
    )
    by_label = [
        any(
            y and u == name and first <= d <= last
            for u, d, y in zip(unit, day, label, strict=True)
        )
        for name, first, last in episodes
    ]
    assert found.true_A.tolist() == by_label


@settings(max_examples=40)
@given(case=CASE, seed=st.integers(0, 50))
def test_row_order_changes_nothing(case, seed):
    rows = list(case["rows"].items())
    shuffled = [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))]
    found = []
    for each in (rows, shuffled):
        unit, day = (
            np.array([u for (u, _), _ in each], int),
            [7 * d for (_, d), _ in each],
        )
        alarm_B = np.array([a for _, a in each], bool)
        found.append(
            match(
                alarm_B,
                grid=grid(unit, day),
                events=events(*case["onsets"]),
                horizon=30,
            )
        )
    for one, two in zip(*found, strict=True):
        assert np.array_equal(one, two, equal_nan=True)


def test_bootstrap_of_a_unit_equals_the_metric_on_its_copies():
    units_B, day = np.repeat(["a", "b", "c"], 10), np.tile(np.arange(10) * 7, 3)
    alarm_B = np.random.default_rng(1).random(30) < 0.3
    onsets = events(("a", 40), ("b", 25), ("c", 66))
    found = match(alarm_B, grid=grid(units_B, day), events=onsets, horizon=30)
    w_RU = unit_weights(units_B, replicates=30).w_RU
    rates_R = alarms.false_alarms_per_unit_year(found).replicated(w_RU).value_R
    medians_R = alarms.lead_quantiles(found, w_RU)[1].value_R
    for r, w_U in enumerate(w_RU.astype(int)):
        copies = np.repeat(np.arange(3), w_U)
        rows = np.concatenate([np.arange(10) + 10 * u for u in copies])
        names = np.repeat(np.arange(len(copies)), 10)
        again = match(
            alarm_B[rows],
            grid=grid(names, day[rows]),
            events=events(*[(i, onsets.onset_day_E[u]) for i, u in enumerate(copies)]),
            horizon=30,
        )
        assert rates_R[r] == pytest.approx(
            alarms.false_alarms_per_unit_year(again).value
        )
        leads = again.lead_E[~np.isnan(again.lead_E)]
        assert medians_R[r] == pytest.approx(
            np.median(leads) if len(leads) else np.nan, nan_ok=True
        )


def test_gap_of_14_days_merges_and_15_splits():
    names = np.array(["a"] * 3)
    found = alarm_episodes(
        np.ones(3, bool), units_B=names, end_day_B=np.array([0, 14, 29])
    )
    assert list(zip(*found, strict=True)) == [("a", 0, 14), ("a", 29, 29)]


def test_an_onset_on_the_day_of_the_alarm_is_not_foreseen_and_on_day_h_it_is():
    for onset, foreseen in ((0, False), (1, True), (30, True), (31, False)):
        found = match(
            np.ones(1, bool),
            grid=grid(np.zeros(1, int), [0]),
            events=events((0, onset)),
            horizon=30,
        )
        assert found.true_A.tolist() == [foreseen]
        assert len(found.unit_E) == foreseen


def test_an_alarm_six_days_ahead_is_too_late_for_recall_but_not_false():
    found = match(
        np.ones(1, bool),
        grid=grid(np.zeros(1, int), [0]),
        events=events((0, 6)),
        horizon=30,
    )
    assert alarms.event_recall(found).value == 0
    assert alarms.alarm_precision(found).value == 1
    assert found.lead_E.tolist() == [6]


def test_a_year_of_weekly_windows_with_two_far_alarms_is_two_false_alarms():
    alarm_B = np.zeros(53, bool)
    alarm_B[[5, 30]] = True
    found = match(
        alarm_B,
        grid=grid(np.zeros(53, int), np.arange(53) * 7),
        events=events(),
        horizon=30,
    )
    assert alarms.false_alarms_per_unit_year(found).value == pytest.approx(
        2 * 365.25 / 371
    )


@settings(max_examples=60)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 50), st.integers(0, 4)), min_size=1, max_size=12
    )
)
def test_weighted_quantiles_equal_numpy_on_repeated_values(rows):
    value_E, w_E = np.array([v for v, _ in rows], float), np.array([w for _, w in rows])
    found = alarms.weighted_quantiles(
        value_E, w_E[None].astype(float), q=(0.25, 0.5, 0.75)
    )[0]
    repeated = np.repeat(value_E, w_E)
    expected = (
        np.quantile(repeated, [0.25, 0.5, 0.75])
        if len(repeated)
        else np.full(3, np.nan)
    )
    assert found == pytest.approx(expected, nan_ok=True)


def test_stride_is_the_median_gap_within_units():
    assert (
        infer_stride(np.array(["a", "b", "a", "b", "a"]), np.array([0, 3, 7, 10, 28]))
        == 7
    )
    assert infer_stride(np.array(["a"]), np.array([0]), default=5) == 5
