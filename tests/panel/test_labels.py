"""Labels against a slow oracle: an onset in (end_date, end_date + h], masked where follow-up ends earlier."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvac.panel.events import inside_episode
from hvac.panel.labels import FAR, LabelConfig, follow_up_end, onset_labels, value_labels
from tests.panel.panel_example import FIRST, UNIT, date, event, event_table, events_of, panel_of, reading, series
from tests.reference.labels_oracle import excluded, label

HORIZONS = (30, 60, 90)
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


def test_all_is_known_of_a_unit_that_ran_to_failure() -> None:
    panel = panel_of(series([1.0] * 50))
    for onset, ended in ((FIRST + 48, False), (FIRST + 49, True), (FIRST + 50, True), (FIRST + 51, False)):
        end = follow_up_end(panel, np.array([FIRST + 3, onset], np.int32))
        assert end == (FAR if ended else max(FIRST + 49, onset))
    y, known = onset_labels(np.array([100], np.int32), np.array([140]), horizons=HORIZONS, follow_up_end=FAR)
    assert (y[0].tolist(), known[0].tolist()) == ([False, True, True], [True, True, True])


def test_end_of_a_record_tells_nothing_of_the_label() -> None:
    """Onsets by chance alone: the share of positives among known labels is the same at the end as before it."""
    rng, days = np.random.default_rng(0), np.arange(720, dtype=np.int32)
    tail, rest = [], []
    for _ in range(400):
        onsets = np.flatnonzero(rng.random(720) < 1 / 400).astype(np.int32)
        onsets = onsets[onsets < 715]  # none ended with an onset
        y, known = onset_labels(days, onsets, horizons=HORIZONS, follow_up_end=719)
        tail.append((y[-150:], known[-150:]))
        rest.append((y[:-150], known[:-150]))
    share = [np.sum([y & known for y, known in part], axis=(0, 1)) / np.sum([known for _, known in part], axis=(0, 1))
             for part in (tail, rest)]  # fmt: skip
    np.testing.assert_allclose(share[0], share[1], atol=0.03)


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


def test_follow_up_ends_at_the_last_reading_or_onset_whichever_is_later() -> None:
    panel = panel_of(series([1.0] * 50))
    assert follow_up_end(panel, NONE) == FIRST + 49
    assert follow_up_end(panel, np.array([FIRST + 20], np.int32)) == FIRST + 49
    assert follow_up_end(panel, np.array([FIRST + 20, FIRST + 77], np.int32)) == FIRST + 77


def test_predicted_kinds_follow_the_source() -> None:
    assert LabelConfig(events=("failure", "trip")).kinds == ("failure", "trip")
    assert LabelConfig(source="limits").kinds == ("limit_exceedance",)


KINDS = st.sampled_from(["failure", "trip", "maintenance"])
LOG = st.lists(st.tuples(KINDS, st.integers(0, 330), st.one_of(st.none(), st.integers(0, 25))), max_size=8)


@settings(max_examples=80)
@given(log=LOG, last=st.integers(0, 250), ends=st.lists(st.integers(0, 300), min_size=1, max_size=6))
def test_labels_and_left_out_windows_equal_the_oracle(
    log: list[tuple[str, int, int | None]], last: int, ends: list[int]
) -> None:
    kinds = ("failure", "trip")
    rows = [event(kind, start, None if length is None else start + length) for kind, start, length in log]
    record = [reading(0, 1), reading(last, 1)]
    targets = events_of(*rows).of_kinds(kinds)
    end_day_B = np.array([FIRST + end for end in ends], np.int32)
    follow_up = follow_up_end(panel_of(record), targets.start_N)
    y_BH, known_BH = onset_labels(end_day_B, targets.start_N, horizons=HORIZONS, follow_up_end=follow_up)
    out_B = inside_episode(end_day_B, targets)

    readings_df, events_df = pd.DataFrame(record), event_table(rows).to_pandas()
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
