"""Labels against a slow oracle: an onset in (end_date, end_date + h], masked where the record does not decide it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvac.panel.events import inside_episode
from hvac.panel.follow_up import FollowUp, follow_ups
from hvac.panel.grid import Unit
from hvac.panel.labels import LabelConfig, onset_labels, value_labels
from tests.panel.panel_example import (
    FIRST,
    UNIT,
    date,
    event,
    event_table,
    events_of,
    panel_of,
    reading,
    series,
)
from tests.reference.labels_oracle import excluded, label

HORIZONS = (30, 60, 90)
NEIGHBOUR, STRANGER = Unit(UNIT.facility_id, "E2"), Unit("F2", "E1")
NONE = np.array([], np.int32)


def labels_of(
    end: int, onsets: list[int], last: int, until: int | None = None
) -> tuple[list[bool], list[bool]]:
    y, known, _ = onset_labels(
        np.array([end], np.int32), np.array(onsets, np.int32), horizons=HORIZONS,
        follow_up=FollowUp(end=last, until=last if until is None else until),
    )  # fmt: skip
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
def test_label_is_true_for_an_onset_after_the_end_date_up_to_the_horizon(
    onset: int, expected: list[bool]
) -> None:
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
def test_negative_is_known_per_horizon_where_follow_up_reaches_it(
    last: int, expected: list[bool]
) -> None:
    assert labels_of(100, [], last) == ([False] * 3, expected)


def test_positive_is_known_where_its_negative_would_be() -> None:
    """Else the last days of a record would hold positives only, and the end of the record would tell the label."""
    for onsets in ([], [140]):
        assert labels_of(100, onsets, 170)[1] == [True, True, False]


@pytest.mark.parametrize(
    ("onset", "until", "known"),
    [
        (None, 100, [False, False, False]),
        (None, 129, [False, False, False]),
        (None, 130, [True, False, False]),
        (120, 120, [True, True, True]),
        (120, 125, [True, True, True]),
        (150, 155, [True, True, True]),
        (170, 175, [True, True, True]),
    ],
)
def test_label_of_a_departed_unit_is_known_where_it_was_decided(
    onset: int | None, until: int, known: list[bool]
) -> None:
    assert labels_of(100, [] if onset is None else [onset], 1000, until)[1] == known


def test_no_label_is_known_past_the_administrative_end_decided_or_not() -> None:
    assert labels_of(100, [120], 170, 125)[1] == [True, True, False]


def test_end_of_a_record_tells_nothing_of_the_label() -> None:
    """Onsets by chance alone: the share of positives among known labels is the same at the end as before it."""
    rng, length = np.random.default_rng(0), 720
    days, day_B = (
        {UNIT: (FIRST, FIRST + length - 1)},
        np.arange(FIRST, FIRST + length, dtype=np.int32),
    )
    tail, rest = [], []
    for _ in range(1000):
        onset_N = np.flatnonzero(rng.random(length) < 1 / 400)
        targets = events_of(*(event("failure", int(day)) for day in onset_N))
        follow_up = follow_ups(days, {UNIT: targets})[UNIT]
        y, known, _ = onset_labels(
            day_B, targets.start_N, horizons=HORIZONS, follow_up=follow_up
        )
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
        days = {UNIT: (FIRST, FIRST + last), NEIGHBOUR: (FIRST, FIRST + length - 1)}
        follow_up = follow_ups(days, {UNIT: targets})[UNIT]
        day_B = np.arange(FIRST, FIRST + min(fails, length), dtype=np.int32)
        y, known, weight_BH = onset_labels(
            day_B, targets.start_N, horizons=HORIZONS, follow_up=follow_up
        )
        assert (weight_BH == 1).all()
        counts[: len(day_B), 0] += weight * (y & known)
        counts[: len(day_B), 1] += weight * known
    for h, horizon in enumerate(HORIZONS):
        positive_B, known_B = counts[:, :, h].T
        np.testing.assert_array_equal(known_B > 0, np.arange(length) + horizon < length)
        seen_B = known_B > 0
        np.testing.assert_allclose(
            positive_B[seen_B] / known_B[seen_B], 1 - (1 - hazard) ** horizon, rtol=1e-9
        )


def test_no_negative_is_known_when_the_horizon_is_longer_than_the_record() -> None:
    follow_up = FollowUp(end=39, until=39)
    y, known, _ = onset_labels(
        np.arange(40, dtype=np.int32), NONE, horizons=(30, 400), follow_up=follow_up
    )
    assert not y.any()
    assert known[:, 0].tolist() == [end + 30 <= 39 for end in range(40)]
    assert not known[:, 1].any()


def test_labels_of_longer_horizons_never_lose_a_positive() -> None:
    day_B, follow_up = np.arange(300, dtype=np.int32), FollowUp(end=400, until=400)
    y, _, _ = onset_labels(
        day_B, np.array([100, 250]), horizons=HORIZONS, follow_up=follow_up
    )
    assert (np.diff(y.astype(int), axis=1) >= 0).all()


def test_onsets_need_no_order() -> None:
    assert labels_of(100, [300, 120, 20], 400) == labels_of(100, [20, 120, 300], 400)


def test_predicted_kinds_follow_the_source() -> None:
    assert LabelConfig(events=("failure", "trip")).kinds == ("failure", "trip")
    assert LabelConfig(source="limits").kinds == ("limit_exceedance",)


KINDS = st.sampled_from(["failure", "trip", "maintenance"])
LOG = st.lists(
    st.tuples(KINDS, st.integers(0, 330), st.one_of(st.none(), st.integers(0, 25))),
    max_size=8,
)


@settings(max_examples=80)
@given(
    log=LOG, last=st.integers(0, 250), other=st.integers(0, 300),
    ends=st.lists(st.integers(0, 300), min_size=1, max_size=6),
)  # fmt: skip
def test_labels_and_left_out_windows_equal_the_oracle(
    log: list[tuple[str, int, int | None]], last: int, other: int, ends: list[int]
) -> None:
    kinds = ("failure", "trip")
    rows = [
        event(kind, start, None if length is None else start + length)
        for kind, start, length in log
    ]
    record = [reading(0, 1), reading(last, 1)]
    others = [reading(other, 1, unit=NEIGHBOUR), reading(320, 1, unit=STRANGER)]
    targets = events_of(*rows).of_kinds(kinds)
    end_day_B = np.array([FIRST + end for end in ends], np.int32)
    days = {
        unit: (FIRST, FIRST + day)
        for unit, day in ((UNIT, last), (NEIGHBOUR, other), (STRANGER, 320))
    }
    follow_up = follow_ups(days, {UNIT: targets})[UNIT]
    y_BH, known_BH, _ = onset_labels(
        end_day_B, targets.start_N, horizons=HORIZONS, follow_up=follow_up
    )
    out_B = inside_episode(end_day_B, targets)

    readings_df, events_df = (
        pd.DataFrame([*record, *others]),
        event_table(rows).to_pandas(),
    )
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
    y, known = value_labels(
        np.array([FIRST + 40], np.int32), panel, horizons=(30, 60, 90), **limits
    )
    assert not y.any()
    assert known.tolist() == [[False, True, False]]
