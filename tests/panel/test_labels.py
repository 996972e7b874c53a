"""Labels against a slow oracle: an onset in (end_date, end_date + h], masked where follow-up ends earlier."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvac.panel.events import inside_episode
from hvac.panel.grid import Unit
from hvac.panel.labels import LabelConfig, follow_up_ends, onset_labels, value_labels
from tests.panel.panel_example import FIRST, UNIT, date, event, event_table, events_of, panel_of, reading, series
from tests.reference.labels_oracle import excluded, label

HORIZONS = (30, 60, 90)
NEIGHBOUR, STRANGER = Unit(UNIT.facility_id, "E2"), Unit("F2", "E1")
NONE = np.array([], np.int32)


def labels_of(end: int, onsets: list[int], last: int) -> tuple[list[bool], list[bool]]:
    y, known = onset_labels(
        np.array([end], np.int32), np.array(onsets, np.int32), horizons=HORIZONS, follow_up_end=last
    )
    return y[0].tolist(), known[0].tolist()


@pytest.mark.parametrize(
    ("onset", "expected"),
    [
        (99, [False, False, False]),
        (100, [False, False, False]),
        (101, [True, True, True]),
        (130, [True, True, True]),
        (131, [False, True, True]),
        (160, [False, True, True]),
        (190, [False, False, True]),
        (191, [False, False, False]),
    ],
)
def test_label_is_true_for_an_onset_after_the_end_date_up_to_the_horizon(onset: int, expected: list[bool]) -> None:
    assert labels_of(100, [onset], 1000)[0] == expected


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (100, [False, False, False]),
        (129, [False, False, False]),
        (130, [True, False, False]),
        (189, [True, True, False]),
        (190, [True, True, True]),
    ],
)
def test_negative_is_known_per_horizon_where_follow_up_reaches_it(last: int, expected: list[bool]) -> None:
    assert labels_of(100, [], last) == ([False] * 3, expected)


def test_positive_is_known_where_its_negative_would_be() -> None:
    """Else the last days of a record would hold positives only, and the end of the record would tell the label."""
    for onsets in ([], [140]):
        assert labels_of(100, onsets, 170)[1] == [True, True, False]


@pytest.mark.parametrize(
    ("start", "end", "failed"),
    [(3, 3, False), (3, 41, False), (41, 41, False), (42, 42, True), (3, 42, True), (49, 60, True), (50, 50, True),
     (80, 80, True), (100, 100, True), (101, 101, False)],
)  # fmt: skip
def test_unit_whose_record_ends_with_an_event_is_followed_as_long_as_its_facility(
    start: int, end: int, failed: bool
) -> None:
    """Read until day 49, its facility until day 100: known by then are events it is in, just after or goes to."""
    last = {UNIT: FIRST + 49, NEIGHBOUR: FIRST + 100, STRANGER: FIRST + 200}
    found = follow_up_ends(last, {UNIT: events_of(event("failure", start, end))})
    assert found == last | {UNIT: FIRST + (100 if failed else 49)}


@pytest.mark.parametrize(
    ("neighbour", "fails", "until"),
    [(None, None, 200), (49, None, 49), (41, None, 48), (40, None, 200), (49, 49, 200), (30, 31, 200), (49, 20, 49)],
)
def test_facility_that_ends_with_its_events_is_followed_as_long_as_the_fleet(
    neighbour: int | None, fails: int | None, until: int
) -> None:
    """A unit fails on the day after its last; whether its facility would have gone on its neighbour alone tells."""
    last, targets = {UNIT: FIRST + 48, STRANGER: FIRST + 200}, {UNIT: events_of(event("failure", 49))}
    if neighbour is not None:
        last[NEIGHBOUR] = FIRST + neighbour
    if fails is not None:
        targets[NEIGHBOUR] = events_of(event("failure", fails))
    assert follow_up_ends(last, targets)[UNIT] - FIRST == until


def test_end_of_a_record_tells_nothing_of_the_label() -> None:
    """Onsets by chance alone: the share of positives among known labels is the same at the end as before it."""
    rng, length = np.random.default_rng(0), 720
    last, day_B = {UNIT: FIRST + length - 1}, np.arange(FIRST, FIRST + length, dtype=np.int32)
    tail, rest = [], []
    for _ in range(1000):
        onset_N = np.flatnonzero(rng.random(length) < 1 / 400)
        targets = events_of(*(event("failure", int(day)) for day in onset_N))
        follow_up = follow_up_ends(last, {UNIT: targets})[UNIT]
        y, known = onset_labels(day_B, targets.start_N, horizons=HORIZONS, follow_up_end=follow_up)
        tail.append((y[-150:], known[-150:]))
        rest.append((y[:-150], known[:-150]))
    share = [np.sum([y & known for y, known in part], axis=(0, 1)) / np.sum([known for _, known in part], axis=(0, 1))
             for part in (tail, rest)]  # fmt: skip
    np.testing.assert_allclose(share[0], share[1], atol=0.02)


def test_labels_of_units_that_run_to_failure_keep_the_hazard_they_fail_with() -> None:
    """A fleet of one hazard, exact: a unit per day it may fail on, as heavy as that is likely, and one that does not.

    Nothing is read of a unit from its failure on; one whose readings stop long before it fails is among them.
    """
    hazard, length, early = 1 / 400, 400, 120
    counts = np.zeros((length, 2, 3))
    for fails in range(1, length + 1):
        last = min(fails, length) - 1 if fails != 390 else early
        weight = (1 - hazard) ** (fails - 1) * (hazard if fails < length else 1)
        targets = events_of(event("failure", fails)) if fails < length else events_of()
        ends = {UNIT: FIRST + last, NEIGHBOUR: FIRST + length - 1}
        follow_up = follow_up_ends(ends, {UNIT: targets})[UNIT]
        day_B = np.arange(FIRST, FIRST + min(fails, length), dtype=np.int32)
        y, known = onset_labels(day_B, targets.start_N, horizons=HORIZONS, follow_up_end=follow_up)
        counts[: len(day_B), 0] += weight * (y & known)
        counts[: len(day_B), 1] += weight * known
    for h, horizon in enumerate(HORIZONS):
        positive_B, known_B = counts[:, :, h].T
        np.testing.assert_array_equal(known_B > 0, np.arange(length) + horizon < length)
        seen_B = known_B > 0
        np.testing.assert_allclose(positive_B[seen_B] / known_B[seen_B], 1 - (1 - hazard) ** horizon, rtol=1e-9)


def test_no_negative_is_known_when_the_horizon_is_longer_than_the_record() -> None:
    y, known = onset_labels(np.arange(40, dtype=np.int32), NONE, horizons=(30, 400), follow_up_end=39)
    assert not y.any()
    assert known[:, 0].tolist() == [end + 30 <= 39 for end in range(40)]
    assert not known[:, 1].any()


def test_labels_of_longer_horizons_never_lose_a_positive() -> None:
    y, _ = onset_labels(np.arange(300, dtype=np.int32), np.array([100, 250]), horizons=HORIZONS, follow_up_end=400)
    assert (np.diff(y.astype(int), axis=1) >= 0).all()


def test_onsets_need_no_order() -> None:
    assert labels_of(100, [300, 120, 20], 400) == labels_of(100, [20, 120, 300], 400)


def test_predicted_kinds_follow_the_source() -> None:
    assert LabelConfig(events=("failure", "trip")).kinds == ("failure", "trip")
    assert LabelConfig(source="limits").kinds == ("limit_exceedance",)


KINDS = st.sampled_from(["failure", "trip", "maintenance"])
LOG = st.lists(st.tuples(KINDS, st.integers(0, 330), st.one_of(st.none(), st.integers(0, 25))), max_size=8)


@settings(max_examples=80)
@given(
    log=LOG, last=st.integers(0, 250), other=st.integers(0, 300),
    ends=st.lists(st.integers(0, 300), min_size=1, max_size=6),
)  # fmt: skip
def test_labels_and_left_out_windows_equal_the_oracle(
    log: list[tuple[str, int, int | None]], last: int, other: int, ends: list[int]
) -> None:
    kinds = ("failure", "trip")
    rows = [event(kind, start, None if length is None else start + length) for kind, start, length in log]
    record = [reading(0, 1), reading(last, 1)]
    others = [reading(other, 1, unit=NEIGHBOUR), reading(320, 1, unit=STRANGER)]
    targets = events_of(*rows).of_kinds(kinds)
    end_day_B = np.array([FIRST + end for end in ends], np.int32)
    days = {UNIT: FIRST + last, NEIGHBOUR: FIRST + other, STRANGER: FIRST + 320}
    follow_up = follow_up_ends(days, {UNIT: targets})[UNIT]
    y_BH, known_BH = onset_labels(end_day_B, targets.start_N, horizons=HORIZONS, follow_up_end=follow_up)
    out_B = inside_episode(end_day_B, targets)

    readings_df, events_df = pd.DataFrame([*record, *others]), event_table(rows).to_pandas()
    for b, end in enumerate(ends):
        assert out_B[b] == excluded(events_df, kinds, *UNIT, date(end))
        for h, horizon in enumerate(HORIZONS):
            told = label(readings_df, events_df, kinds, *UNIT, date(end), horizon)
            assert (y_BH[b, h], known_BH[b, h]) == told


def test_value_label_looks_at_the_day_of_the_horizon_only() -> None:
    values = [0.0] * 120
    values[70] = 5.0
    panel = panel_of(series(values, limits=(-1.0, 1.0)))
    limits = {"lower_TC": panel.lower_TC, "upper_TC": panel.upper_TC}
    ends = np.array([FIRST + 39, FIRST + 40, FIRST + 10], np.int32)
    y, known = value_labels(ends, panel, horizons=(30, 60), **limits)
    assert y.tolist() == [[False, False], [True, False], [False, True]]
    assert known.all()


def test_value_label_is_unknown_where_that_day_was_not_observed() -> None:
    values = [0.0] * 120
    values[70] = np.nan
    panel = panel_of(series(values, limits=(-1.0, 1.0)))
    limits = {"lower_TC": panel.lower_TC, "upper_TC": panel.upper_TC}
    y, known = value_labels(np.array([FIRST + 40], np.int32), panel, horizons=(30, 60, 90), **limits)
    assert not y.any()
    assert known.tolist() == [[False, True, False]]
