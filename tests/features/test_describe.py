"""From a panel to what the models see: every asked window comes back, blind to the future, labelled as it should."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from hvac.features.context import ContextSpec
from hvac.features.describing import describe
from hvac.features.recipe import Recipe
from hvac.features.scene import UnitRecord, scenes
from hvac.features.statistics import statistics
from hvac.features.table import Windows
from hvac.features.training_windows import label, training_windows, with_split
from hvac.panel.follow_up import FollowUp, follow_ups
from hvac.panel.grid import Panel, Unit
from hvac.panel.labels import LabelConfig
from hvac.panel.split_config import SplitConfig
from hvac.panel.splits import Splitter, make_splitter
from hvac.panel.windows import INSUFFICIENT, LEARNING, OK, WindowConfig
from tests.panel.panel_example import (
    FIRST,
    UNIT,
    Row,
    date,
    event,
    event_table,
    events_of,
    panel_of,
    reading,
    series,
)
from tests.reference.labels_oracle import excluded, limit_episodes
from tests.reference.labels_oracle import label as label_oracle

NAN = float("nan")
KINDS = ("failure",)
HORIZONS = (30, 60, 90)


def recipe(
    points: str = "p",
    *,
    limits: dict[str, tuple[float, float]] | None = None,
    **more: Any,
) -> Recipe:
    source = more.pop("source", "events")
    kinds = ("failure", "maintenance") + (
        ("limit_exceedance",) if source == "limits" else ()
    )
    return Recipe(
        class_name="ahu",
        points=tuple(points),
        windows=WindowConfig(**more),
        labels=LabelConfig(source=source),
        context=ContextSpec(kinds=kinds, classes=("ahu",)),
        limits=limits or {},
    )


def record(*events: Row) -> UnitRecord:
    far = FollowUp(end=FIRST + 10_000, until=FIRST + 10_000)
    return UnitRecord(events=events_of(*events), class_name="ahu", follow_up=far)


def noise(days: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(20, 3, days)


def described(
    panel: Panel, rule: Recipe, known: UnitRecord, *ends: int
) -> list[Windows]:
    days = np.array([FIRST + end for end in ends], np.int32)
    return [describe(scene, days, rule) for scene in scenes(panel, rule, known)]


def status(windows: Windows) -> list[str]:
    return windows.column("status").tolist()


# What comes back


def test_every_asked_window_comes_back_with_its_keys() -> None:
    (windows,) = described(
        panel_of(series(noise(300))), recipe(), record(), 20, 150, 299, 400
    )
    assert windows.column("facility_id").tolist() == [UNIT.facility_id] * 4
    assert windows.column("equipment_id").tolist() == [UNIT.equipment_id] * 4
    assert windows.column("point_id").tolist() == [None] * 4
    assert windows.end_day_B.tolist() == [FIRST + end for end in (20, 150, 299, 400)]
    assert status(windows) == [LEARNING, OK, OK, INSUFFICIENT]


def test_arrays_have_the_shapes_of_the_legend() -> None:
    rows = series(noise(300), point="a") + series(noise(300, 1), point="b")
    rule = recipe("ab")
    (windows,) = described(panel_of(rows), rule, record(), 150, 299)
    assert rule.width == 2
    shapes = [array.shape for array in (windows.x_BCL, windows.f_BCF, windows.k_BK)]  # type: ignore[union-attr]
    assert shapes == [(2, 2, 90), (2, 2, 28), (2, len(rule.context.names))]
    assert windows.y_BH is windows.z_BCE is None


def test_features_are_the_28_of_the_window() -> None:
    (windows,) = described(panel_of(series(noise(300))), recipe(), record(), 150, 299)
    np.testing.assert_allclose(
        windows.f_BCF, statistics(windows.x_BCL), rtol=2e-4, atol=2e-4
    )  # type: ignore[arg-type]


def test_by_point_gives_a_unit_per_point() -> None:
    rows = series(noise(300), point="a") + series(noise(300, 1), point="b")
    found = described(panel_of(rows), recipe("ab", by="point"), record(), 299)
    assert [windows.column("point_id").tolist() for windows in found] == [["a"], ["b"]]
    assert all(windows.x_BCL.shape == (1, 1, 90) for windows in found)  # type: ignore[union-attr]


def test_event_of_one_point_concerns_only_that_point_when_units_are_points() -> None:
    rows = series(noise(300), point="a") + series(noise(300, 1), point="b")
    rule = recipe("ab", by="point")
    known = record(event("failure", 200, point="a"), event("failure", 250))
    onsets = [
        (scene.targets.start_N - FIRST).tolist()
        for scene in scenes(panel_of(rows), rule, known)
    ]
    assert onsets == [[200, 250], [250]]


def test_event_of_one_point_concerns_the_whole_equipment_when_units_are_equipment() -> (
    None
):
    rows = series(noise(300), point="a") + series(noise(300, 1), point="b")
    (scene,) = scenes(
        panel_of(rows), recipe("ab"), record(event("failure", 200, point="a"))
    )
    assert (scene.targets.start_N - FIRST).tolist() == [200]


def test_only_predicted_kinds_are_targets() -> None:
    (scene,) = scenes(
        panel_of(series(noise(300))),
        recipe(),
        record(event("failure", 200), event("maintenance", 210)),
    )
    assert scene.targets.kind_N.tolist() == ["failure"]
    assert set(scene.events.kind_N.tolist()) == {"failure", "maintenance"}


def test_limit_episodes_are_targets_when_limits_are_the_source() -> None:
    values = np.full(300, 5.0)
    values[200:204] = 50.0
    panel = panel_of(series(values, limits=(0.0, 10.0)))
    (scene,) = scenes(panel, recipe(source="limits"), record(event("failure", 100)))
    targets = zip(
        scene.targets.start_N - FIRST,
        scene.targets.known_N - FIRST,
        scene.targets.end_N - FIRST,
        strict=True,
    )
    assert list(targets) == limit_episodes(
        {day: value > 10 for day, value in enumerate(values)}
    )


def test_fitted_limits_stand_in_where_the_record_has_none() -> None:
    values = noise(300)
    values[200:204] = 500.0
    rule = recipe(source="limits", limits={"p": (-5.0, 5.0)})
    (scene,) = scenes(panel_of(series(values)), rule, record())
    assert (scene.targets.start_N - FIRST).tolist() == [200]


def test_recipe_is_the_same_after_json() -> None:
    rule = recipe(
        "ab",
        source="limits",
        limits={"a": (-1.5, 2.0)},
        by="point",
        lookback=60,
        normalise="limits",
    )
    assert Recipe.from_json(json.loads(json.dumps(rule.to_json()))) == rule


# Who gets no score


def test_unit_with_ten_readings_is_never_scored() -> None:
    panel = panel_of([reading(100 * k, 20 + k) for k in range(10)])
    (windows,) = described(panel, recipe(), record(), *range(0, 400, 10))
    assert set(status(windows)) == {LEARNING}


def test_constant_series_is_scored_with_finite_features() -> None:
    (windows,) = described(panel_of(series([21.3] * 300)), recipe(), record(), 150, 299)
    assert status(windows) == [OK, OK]
    assert not windows.x_BCL.any()  # type: ignore[union-attr]
    assert np.isfinite(windows.f_BCF).all()  # type: ignore[call-overload]


def test_observed_share_and_status_tell_of_a_silent_unit() -> None:
    values = noise(300)
    values[200:] = NAN
    rows = [*series(values), reading(299, 20)]
    (windows,) = described(panel_of(rows), recipe(), record(), 199, 243, 299)
    assert windows.observed_B == pytest.approx([1, 46 / 90, 1 / 90])
    assert status(windows) == [OK, OK, INSUFFICIENT]


# Persistence


def test_persistence_is_the_share_of_the_last_30_days_out_of_limits() -> None:
    values = np.full(300, 5.0)
    values[[100, 268, 271, 280, 299]] = 50.0
    (windows,) = described(
        panel_of(series(values, limits=(0.0, 10.0))), recipe(), record(), 299
    )
    assert windows.persistence_B == pytest.approx([3 / 30])


def test_persistence_counts_events_of_90_days_where_there_are_no_limits() -> None:
    panel = panel_of(series(noise(500)))
    events = [event("failure", day) for day in (100, 310, 390, 401)]
    (windows,) = described(panel, recipe(), record(*events), 99, 189, 300, 399)
    assert windows.persistence_B is not None
    none, one, old, two = windows.persistence_B.tolist()
    assert (none, old) == (0, 0)
    assert 0 < one <= two


# Blind to the future


def history(seed: int, *, days: int, late: float, limited_from: int) -> list[Row]:
    """Readings of two points with gaps; some become known late, limits are recorded from some day on."""
    rng = np.random.default_rng(seed)
    rows = []
    for point in "ab":
        for day in range(days):
            if rng.random() < 0.9:
                known = day + int(rng.integers(1, 50)) if rng.random() < late else None
                limits = (14.0, 26.0) if day >= limited_from else None
                rows.append(
                    reading(
                        day, rng.normal(20, 3), point=point, known=known, limits=limits
                    )
                )
    return rows


def with_another_future(
    rows: list[Row], log: list[Row], end: int, seed: int
) -> tuple[list[Row], list[Row]]:
    """The same past as of `end`; every later value, limit, event and known day is another."""
    rng = np.random.default_rng(seed)
    last = date(end)
    past = [row for row in rows if row["date"] <= last]
    for k, row in enumerate(past):
        if row["known_at"] and row["known_at"] > last:
            past[k] = row | {
                "value": float(rng.normal(0, 500)),
                "known_at": date(end + int(rng.integers(1, 99))),
            }
    limits = (-5.0, 5.0) if past and past[-1]["lower_limit"] else None
    future = [
        row
        for point in "ab"
        for row in series(
            rng.normal(50, 99, 40), start=end + 1, point=point, limits=limits
        )
    ]
    events = [
        row | {"end": max(row["start"], date(end + 3))} if row["end"] > last else row
        for row in log
    ]
    events = [row for row in events if row["start"] <= last]
    return past + future, [
        *events,
        event("failure", end + 1, end + 9),
        event("maintenance", end + 2),
    ]


def assert_same_bits(one: list[Windows], other: list[Windows]) -> None:
    for left, right in zip(one, other, strict=True):
        assert left.keys.to_pylist() == right.keys.to_pylist()
        for name in (
            "x_BCL",
            "f_BCF",
            "k_BK",
            "n_BCS",
            "r_BCS",
            "d_BCS",
            "e_BCS",
            "persistence_B",
            "observed_B",
        ):
            assert getattr(left, name).tobytes() == getattr(right, name).tobytes(), name


# The parameters are few as they are: shrinking a failure would only take time.
@settings(max_examples=40, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    seed=st.integers(0, 2**32 - 1),
    log=st.lists(
        st.tuples(st.sampled_from(["failure", "maintenance"]), st.integers(0, 300)),
        max_size=5,
    ),
    days=st.sampled_from([120, 260]),
    late=st.sampled_from([0.0, 0.03]),
    limited_from=st.sampled_from([0, 150, 999]),
    end=st.integers(60, 250),
    by=st.sampled_from(["equipment", "point"]),
    normalise=st.sampled_from(["baseline", "limits", "none"]),
    fitted=st.booleans(),
)
def test_nothing_later_than_the_end_date_changes_what_the_models_see(
    seed: int,
    log: list[tuple[str, int]],
    end: int,
    by: str,
    normalise: str,
    fitted: bool,
    **how: Any,
) -> None:
    rows, events = (
        history(seed, **how),
        [event(kind, start, start + 20) for kind, start in log],
    )
    limits = {"a": (-1.5, 1.5), "b": (-1.0, 1.0)} if fitted else {}
    rule = recipe("ab", by=by, normalise=normalise, limits=limits)
    one, other = (
        described(panel_of(found, points=["a", "b"]), rule, record(*log), end)
        for found, log in ((rows, events), with_another_future(rows, events, end, seed))
    )
    assert_same_bits(one, other)


def seen_at(rows: list[Row], end: int, rule: Recipe) -> list[Windows]:
    return described(panel_of(rows, points=list(rule.points)), rule, record(), end)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), end=st.integers(95, 240))
def test_later_readings_never_change_what_is_seen_of_limit_events(
    seed: int, end: int
) -> None:
    rng = np.random.default_rng(seed)
    values, later = (np.where(rng.random(300) < 0.2, 9.0, 0.0) for _ in range(2))
    changed = np.r_[values[: end + 1], later[end + 1 :]]
    rule = recipe(source="limits")
    one, other = (
        seen_at(series(each, limits=(-1.0, 1.0)), end, rule)
        for each in (values, changed)
    )
    assert_same_bits(one, other)


def test_reading_not_yet_known_confirms_no_limit_event() -> None:
    def seen(value: float) -> list[Windows]:
        rows = series([5.0] * 300, limits=(0.0, 10.0))
        for day in (200, 201):
            rows[day]["value"] = 50.0
        rows[202] |= {"value": value, "known_at": date(250)}
        return seen_at(rows, 230, recipe(source="limits"))

    assert_same_bits(seen(5.0), seen(50.0))


def test_reading_not_yet_known_is_not_seen_by_persistence() -> None:
    def seen(value: float) -> list[Windows]:
        rows = series([5.0] * 300, limits=(0.0, 10.0))
        rows[225] |= {"value": value, "known_at": date(250)}
        return seen_at(rows, 230, recipe())

    assert_same_bits(seen(5.0), seen(50.0))


def test_limit_of_a_reading_not_yet_known_is_not_seen() -> None:
    def seen(upper: float) -> list[Windows]:
        rows = series([5.0] * 300, limits=(0.0, 10.0))
        rows[220] |= {"known_at": date(250), "upper_limit": upper}
        rows[221:] = [
            row | {"lower_limit": None, "upper_limit": None} for row in rows[221:]
        ]
        return seen_at(rows, 230, recipe())

    assert_same_bits(seen(10.0), seen(4.0))


def test_limits_that_are_first_recorded_later_do_not_switch_off_the_fitted_ones() -> (
    None
):
    rows = series(noise(300))
    later = rows[:231] + [
        row | {"lower_limit": 0.0, "upper_limit": 40.0} for row in rows[231:]
    ]
    rule = recipe(limits={"p": (-1.0, 1.0)})
    assert_same_bits(seen_at(rows, 230, rule), seen_at(later, 230, rule))


def test_limits_fitted_for_a_point_that_is_still_learning_do_not_look_ahead() -> None:
    def seen(level: float) -> list[Windows]:
        rows = series(noise(300), point="a") + series(
            noise(31, 1), start=200, point="b"
        )
        return seen_at(
            rows + series(level + noise(69, 2), start=231, point="b"), 230, rule
        )

    rule = recipe("ab", limits={"a": (-1.0, 1.0), "b": (-1.0, 1.0)}, min_observed=0.2)
    assert status(seen(0)[0]) == [OK]
    assert_same_bits(seen(0.0), seen(90.0))


def test_window_that_ends_after_the_last_reading_does_not_repeat_it() -> None:
    rows = series(noise(300), limits=(18.0, 22.0))
    rule = recipe()
    for end in (300, 305, 320):
        assert_same_bits(
            seen_at(rows, end, rule),
            seen_at(rows + series(noise(9), start=end + 1), end, rule),
        )


def test_past_of_a_point_does_not_depend_on_whether_another_point_appears_later() -> (
    None
):
    rows = series(noise(300), point="a")
    rule = recipe("ab")
    assert_same_bits(
        seen_at(rows, 230, rule),
        seen_at(rows + series(noise(60), start=240, point="b"), 230, rule),
    )


# Labels


LOG = st.lists(
    st.tuples(st.integers(0, 420), st.one_of(st.none(), st.integers(0, 30))), max_size=6
)


@settings(max_examples=25)
@given(
    log=LOG,
    days=st.integers(100, 360),
    kind=st.sampled_from(["failure", "maintenance"]),
)
def test_labels_equal_the_oracle(
    log: list[tuple[int, int | None]], days: int, kind: str
) -> None:
    rows = series(noise(days))
    events = [
        event("failure", start, None if length is None else start + length)
        for start, length in log
    ]
    events.append(event(kind, 77))
    rule = recipe()
    span, targets = (
        {UNIT: (FIRST, FIRST + days - 1)},
        {UNIT: events_of(*events).of_kinds(rule.labels.kinds)},
    )
    follow_up = follow_ups(span, targets)[UNIT]
    (scene,) = scenes(
        panel_of(rows), rule, replace(record(*events), follow_up=follow_up)
    )
    ends = list(range(0, days, 23))
    windows = label(
        scene,
        describe(scene, np.array([FIRST + end for end in ends], np.int32), rule),
        rule,
    )
    readings_df, events_df = pd.DataFrame(rows), event_table(events).to_pandas()
    for b, end in enumerate(ends):
        told = [
            label_oracle(readings_df, events_df, KINDS, *UNIT, date(end), horizon)
            for horizon in HORIZONS
        ]
        assert list(zip(windows.y_BH[b], windows.known_BH[b], strict=True)) == told  # type: ignore[index]


def test_label_from_limits_is_known_where_half_of_its_horizon_was_read_until_the_last_reading() -> (
    None
):
    """Not read from day 150 to 219, and last on day 299: 15 of the 30 days after day 134, 14 after day 135."""
    values = noise(300)
    values[150:220] = np.nan
    rule = recipe(source="limits", limits={"p": (-100.0, 100.0)})
    (scene,) = scenes(panel_of(series(values)), rule, record())
    ends = np.array(
        [FIRST + end for end in (134, 135, 203, 204, 205, 209, 210, 269, 270)], np.int32
    )
    _, known_BH = label(scene, describe(scene, ends, rule), rule).labels
    assert known_BH[:, 0].tolist() == [
        True,
        False,
        False,
        True,
        True,
        True,
        True,
        True,
        False,
    ]
    assert known_BH[:, 2].tolist() == [
        False,
        False,
        True,
        True,
        True,
        True,
        False,
        False,
        False,
    ]


# Training windows


def splitter(kind: str = "time", days: int = 1200, units: int = 20) -> Splitter:
    classes = {UNIT: "ahu"} | {Unit("F1", f"X{k}"): "ahu" for k in range(units)}
    config = SplitConfig(kind=kind)  # type: ignore[arg-type]
    spans = dict.fromkeys(classes, ((FIRST, FIRST + days - 1),))
    return make_splitter(config, classes, spans=spans, lookback=90, purge=90)


def trained(
    rows: list[Row], rule: Recipe, cutter: Splitter, *events: Row
) -> list[tuple[Windows, Counter[str]]]:
    points = list(rule.points)
    return [
        training_windows(scene, rule, cutter)
        for scene in scenes(panel_of(rows, points=points), rule, record(*events))
    ]


def test_training_windows_leave_out_what_is_inside_or_just_after_an_episode() -> None:
    events = [event("failure", 400, 420), event("failure", 1100)]
    rows = series(noise(1200))
    ((windows, left_out),) = trained(rows, recipe(), splitter(), *events)
    events_df = event_table(events).to_pandas()
    ends = [int(day) - FIRST for day in windows.end_day_B]
    assert not any(excluded(events_df, KINDS, *UNIT, date(end)) for end in ends)
    assert set(range(389, 450)) - set(ends) == {*range(400, 428)}
    assert left_out["in_episode"] >= 28


def test_training_windows_are_scored_ones_and_labelled_as_the_oracle_says() -> None:
    values = noise(1200)
    values[500:560] = NAN
    events = [event("failure", day, day + 3) for day in (300, 610, 905, 1150)]
    rows = series(values)
    ((windows, left_out),) = trained(rows, recipe(), splitter(), *events)
    assert set(status(windows)) == {OK}
    assert left_out["learning"] > 0
    assert left_out["insufficient_data"] > 0
    readings_df, events_df = pd.DataFrame(rows), event_table(events).to_pandas()
    for b in range(0, windows.keys.num_rows, 37):
        end = date(int(windows.end_day_B[b]) - FIRST)
        told = [
            label_oracle(readings_df, events_df, KINDS, *UNIT, end, horizon)
            for horizon in HORIZONS
        ]
        assert list(zip(windows.y_BH[b], windows.known_BH[b], strict=True)) == told  # type: ignore[index]


def test_training_windows_keep_the_borders_and_the_strides() -> None:
    cutter = splitter()
    ((windows, _),) = trained(series(noise(1200)), recipe(), cutter)
    day_B, split_B = windows.end_day_B, windows.column("split")
    train, test = day_B[split_B == "train"], day_B[split_B == "test"]
    validation = day_B[np.isin(split_B.astype(str), ["tune", "cal"])]
    assert len(train)
    assert len(validation)
    assert len(test)
    assert train.max() + 90 <= cutter.t1 < validation.min()
    assert validation.max() + 90 <= cutter.t2 < test.min()
    assert set(np.diff(np.sort(train))) == {1}
    assert set(np.diff(np.sort(validation))) | set(np.diff(np.sort(test))) == {7}
    assert len(set(day_B.tolist())) == len(day_B)


def test_no_training_label_is_told_by_events_after_the_border() -> None:
    cutter = splitter()
    rows = series(noise(1200))
    late = [event("failure", day) for day in range(cutter.t1 - FIRST + 1, 1200, 11)]
    ((windows, _),) = trained(rows, recipe(), cutter, *late)
    train = windows.split("train")
    assert train.keys.num_rows
    assert not train.y_BH.any()  # type: ignore[union-attr]


def test_train_stride_is_configurable() -> None:
    ((windows, _),) = trained(series(noise(1200)), recipe(train_stride=5), splitter())
    assert set(np.diff(np.sort(windows.split("train").end_day_B))) == {5}


@pytest.mark.parametrize("kind", ["time", "equipment"])
def test_all_points_of_one_equipment_are_on_one_side(kind: str) -> None:
    rows = [
        row
        for k, point in enumerate("abc")
        for row in series(noise(1200, k), point=point)
    ]
    found = trained(rows, recipe("abc", by="point"), splitter(kind))
    assert len(found) == 3
    splits = [set(windows.column("split").tolist()) for windows, _ in found]
    assert splits[0] == splits[1] == splits[2]
    assert not {"tune", "cal"} <= splits[0]


def test_nothing_is_left_out_in_silence() -> None:
    values = noise(1200)
    values[500:560] = NAN
    rule = recipe(train_stride=7)
    ((windows, left_out),) = trained(
        series(values), rule, splitter(), event("failure", 700, 720)
    )
    weeks = len([day for day in range(FIRST, FIRST + 1200) if day % 7 == 0])
    assert windows.keys.num_rows + sum(left_out.values()) == weeks


def test_unit_with_ten_readings_gives_no_training_window_and_is_counted() -> None:
    ((windows, left_out),) = trained(
        [reading(100 * k, 20 + k) for k in range(10)], recipe(), splitter()
    )
    assert windows.keys.num_rows == 0
    assert left_out["learning"] > 0


def test_with_split_writes_the_split_in() -> None:
    (windows,) = described(panel_of(series(noise(300))), recipe(), record(), 150, 299)
    assert with_split(windows, np.array(["train", "test"])).column(
        "split"
    ).tolist() == [
        "train",
        "test",
    ]
