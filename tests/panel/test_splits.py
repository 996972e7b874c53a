"""Splits: no label window crosses a border, no window and no unit on two sides."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvac.errors import ConfigError, HvacError, SplitError
from hvac.panel.grid import Unit
from hvac.panel.split_config import SplitConfig
from hvac.panel.splits import PURGED, SPLITS, Splitter, make_splitter

PURGE = 90
DAYS = (1000, 2200)
EVERY_DAY = np.arange(DAYS[0], DAYS[1] + 1, dtype=np.int32)
KINDS = ("time", "equipment", "facility", "both")


def fleet(facilities: int = 3, each: int = 12, classes: int = 1) -> dict[Unit, str]:
    units = [Unit(f"F{f}", f"E{e:03d}") for f in range(facilities) for e in range(each)]
    return {unit: f"class{k % classes}" for k, unit in enumerate(units)}


def splitter(
    kind: str, classes: dict[Unit, str] | None = None, **more: object
) -> Splitter:
    days = more.pop("days", DAYS)
    onsets = more.pop("onsets", {})
    config, units = SplitConfig(kind=kind, **more), classes or fleet()
    spans = dict.fromkeys(units, (days,))
    return make_splitter(
        config, units, spans=spans, lookback=90, purge=PURGE, onsets=onsets
    )  # type: ignore[arg-type]


def words(
    found: Splitter, units: list[Unit] | None = None
) -> dict[Unit, dict[str, np.ndarray]]:
    """Days of every unit by split."""
    result = {}
    for unit in units or list(fleet()):
        word_B = found.assign(unit, EVERY_DAY)
        result[unit] = {name: EVERY_DAY[word_B == name] for name in (*SPLITS, PURGED)}
        assert sum(len(days) for days in result[unit].values()) == len(EVERY_DAY), (
            "an unknown word"
        )
    return result


def parts_of(days: dict[str, np.ndarray]) -> set[str]:
    """Of train, validation and test, those with a window."""
    names = {
        "train": "train",
        "tune": "validation",
        "cal": "validation",
        "test": "test",
    }
    return {names[word] for word, found in days.items() if word in names and len(found)}


def same_as_day(date: dt.date) -> int:
    return (date - dt.date(1970, 1, 1)).days


# Time


@pytest.mark.parametrize("kind", ["time", "both"])
def test_no_label_window_crosses_a_border(kind: str) -> None:
    found = splitter(kind)
    for days in words(found).values():
        assert (days["train"] + PURGE <= found.t1).all()
        validation = np.concatenate([days["tune"], days["cal"]])
        assert (validation > found.t1).all()
        assert (validation + PURGE <= found.t2).all()
        assert (days["test"] > found.t2).all()


def test_time_split_leaves_out_only_the_purged_days() -> None:
    found = splitter("time")
    for days in words(found).values():
        borders = [
            *range(found.t1 - PURGE + 1, found.t1 + 1),
            *range(found.t2 - PURGE + 1, found.t2 + 1),
        ]
        assert days[PURGED].tolist() == borders


def test_borders_lie_at_60_and_80_percent_of_the_window_ends() -> None:
    found = splitter("time")
    first_end = DAYS[0] + 89
    length = DAYS[1] - first_end
    assert abs(found.t1 - (first_end + 0.6 * length)) <= 1
    assert abs(found.t2 - (first_end + 0.8 * length)) <= 1


def test_one_unit_with_an_early_record_hardly_moves_the_borders() -> None:
    """Of 101 units one is read from long before the others: by the calendar T1 would lie before all others' windows."""
    units = fleet(facilities=1, each=101)
    days = dict.fromkeys(units, (DAYS,))
    stray = dict(days)
    stray[next(iter(units))] = ((DAYS[0] - 1200, DAYS[1]),)
    plain, moved = (
        make_splitter(SplitConfig(), units, spans=each, lookback=90, purge=90)
        for each in (days, stray)
    )
    assert 0 <= plain.t1 - moved.t1 <= 15
    assert 0 <= plain.t2 - moved.t2 <= 15


def failing(
    units: dict[Unit, str], every: int, day: int = DAYS[0] + 200
) -> dict[Unit, np.ndarray]:
    return {unit: np.array([day]) for k, unit in enumerate(units) if k % every == 0}


@pytest.mark.parametrize("seed", range(5))
def test_units_with_an_event_are_dealt_evenly_over_the_parts_and_over_tune_and_cal(
    seed: int,
) -> None:
    units = fleet(facilities=4, each=25)
    onsets = failing(units, 5)
    found = splitter("equipment", units, onsets=onsets, seed=seed)
    parts = [found.part[unit] for unit in onsets]
    assert [
        parts.count(name) for name in ("train", "validation", "test")
    ] == pytest.approx([12, 4, 4], abs=1)
    halves = [found.half[unit] for unit in onsets if found.part[unit] == "validation"]
    assert abs(halves.count("tune") - halves.count("cal")) <= 1


def test_facilities_are_dealt_evenly_over_the_parts() -> None:
    units = fleet(facilities=2, each=50)
    found = splitter("equipment", units, onsets=failing(units, 5))
    tested = [unit.facility_id for unit, part in found.part.items() if part == "test"]
    assert tested.count("F0") == pytest.approx(len(tested) / 2, abs=2)


def test_events_after_the_second_border_have_no_say_in_a_split_by_time() -> None:
    units = fleet(facilities=2, each=30)
    late = failing(units, 3, day=DAYS[1] - 1)
    assert splitter("time", units, onsets=late).half == splitter("time", units).half
    assert (
        splitter("time", units, onsets=failing(units, 3)).half
        != splitter("time", units).half
    )


def test_given_borders_are_used() -> None:
    t1, t2 = dt.date(1974, 1, 1), dt.date(1975, 1, 1)
    found = splitter("time", t1=t1, t2=t2)
    assert (found.t1, found.t2) == (same_as_day(t1), same_as_day(t2))


def test_borders_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(HvacError):
        splitter("time", t1=dt.date(1975, 1, 1), t2=dt.date(1974, 1, 1))


def test_border_outside_the_record_is_refused() -> None:
    with pytest.raises(HvacError):
        splitter("time", t1=dt.date(1974, 1, 1), t2=dt.date(1999, 1, 1))


def test_training_never_sees_readings_after_the_first_border() -> None:
    found = splitter("time")
    assert found.training_end <= found.t1


def test_every_unit_trains_and_is_tested_under_a_time_split() -> None:
    found = splitter("time")
    assert all(
        parts_of(days) == {"train", "validation", "test"}
        for days in words(found).values()
    )
    assert all(found.trains(unit) for unit in fleet())


# Units


@pytest.mark.parametrize("kind", ["equipment", "facility", "both"])
def test_no_unit_is_in_two_of_train_validation_and_test(kind: str) -> None:
    per_unit = [parts_of(days) for days in words(splitter(kind)).values()]
    assert all(len(parts) <= 1 for parts in per_unit)
    assert set.union(*per_unit) == {"train", "validation", "test"}


@pytest.mark.parametrize("kind", KINDS)
def test_unit_is_cut_once_between_tune_and_cal(kind: str) -> None:
    per_unit = list(words(splitter(kind)).values())
    assert not any(len(days["tune"]) and len(days["cal"]) for days in per_unit)
    assert any(len(days["tune"]) for days in per_unit)
    assert any(len(days["cal"]) for days in per_unit)


@pytest.mark.parametrize("kind", KINDS)
def test_units_that_never_train_have_no_training_window(kind: str) -> None:
    found = splitter(kind)
    assert all(
        found.trains(unit) == bool(len(days["train"]))
        for unit, days in words(found).items()
    )


@pytest.mark.parametrize("kind", ["equipment", "facility"])
def test_split_by_units_purges_no_day(kind: str) -> None:
    assert not any(len(days[PURGED]) for days in words(splitter(kind)).values())


def test_equipment_split_is_about_60_20_20_within_each_class() -> None:
    classes = fleet(facilities=4, each=50, classes=2)
    found = splitter("equipment", classes)
    for name in ("class0", "class1"):
        parts = [found.part[unit] for unit, own in classes.items() if own == name]
        shares = [
            parts.count(part) / len(parts) for part in ("train", "validation", "test")
        ]
        assert shares == pytest.approx([0.6, 0.2, 0.2], abs=0.03)


@pytest.mark.parametrize("units", [4, 5, 6, 7, 11])
def test_every_split_has_a_unit_where_there_are_just_enough(units: int) -> None:
    classes = fleet(facilities=1, each=units)
    found = words(splitter("equipment", classes), list(classes)).values()
    assert {word for days in found for word in SPLITS if len(days[word])} == set(SPLITS)


@given(each=st.integers(5, 40), folds=st.integers(3, 5), seed=st.integers(0, 5))
@settings(max_examples=40)
def test_in_as_many_turns_as_there_are_folds_every_unit_is_tested_once(
    each: int, folds: int, seed: int
) -> None:
    classes = fleet(facilities=2, each=each, classes=2)
    turns = [
        splitter("equipment", classes, fold=fold, folds=folds, seed=seed)
        for fold in range(folds)
    ]
    tested = [
        unit for turn in turns for unit, part in turn.part.items() if part == "test"
    ]
    assert sorted(tested) == sorted(classes)
    for turn in turns:
        for name in set(classes.values()):
            kinds = {
                (turn.part[u], turn.half[u] if turn.part[u] == "validation" else "")
                for u in classes
                if classes[u] == name
            }
            assert kinds == {
                ("train", ""),
                ("validation", "tune"),
                ("validation", "cal"),
                ("test", ""),
            }


def test_last_fold_of_five_is_the_split_without_folds() -> None:
    assert splitter("equipment", fold=4).part == splitter("equipment").part


def test_fold_that_is_none_or_under_another_kind_is_refused() -> None:
    with pytest.raises(
        ConfigError, match="fold is 5: expected 0 to 4, and kind: equipment"
    ):
        SplitConfig(kind="equipment", fold=5)
    with pytest.raises(ConfigError, match="kind: equipment"):
        SplitConfig(kind="time", fold=0)
    with pytest.raises(SplitError, match=r"4 units, too few .* in each of 5 turns"):
        splitter("equipment", fleet(facilities=1, each=4), fold=0)
    with pytest.raises(SplitError, match=r"4 units, too few .* in each of 3 turns"):
        splitter("equipment", fleet(facilities=1, each=4), fold=0, folds=3)


@pytest.mark.parametrize("facility", ["F0", "F1", "F2"])
def test_facility_split_tests_on_the_named_facility_alone(facility: str) -> None:
    for unit, days in words(splitter("facility", test_facility=facility)).items():
        assert (parts_of(days) == {"test"}) == (unit.facility_id == facility)


def test_facility_split_chooses_one_facility_when_none_is_named() -> None:
    tested = {
        unit.facility_id
        for unit, days in words(splitter("facility")).items()
        if len(days["test"])
    }
    assert len(tested) == 1


def test_cut_does_not_depend_on_the_order_of_the_units_and_changes_with_the_seed() -> (
    None
):
    classes = fleet()
    backwards = dict(reversed(classes.items()))
    assert splitter("equipment", classes).part == splitter("equipment", backwards).part
    assert any(
        splitter("equipment", seed=seed).part != splitter("equipment").part
        for seed in (1, 2, 3)
    )


def test_equal_equipment_ids_of_two_facilities_are_two_units() -> None:
    found = splitter("equipment", fleet(facilities=6, each=10))
    assert any(
        found.part[Unit("F0", f"E{e:03d}")] != found.part[Unit("F1", f"E{e:03d}")]
        for e in range(10)
    )


@settings(max_examples=40)
@given(
    kind=st.sampled_from(KINDS),
    length=st.integers(300, 1500),
    each=st.integers(4, 9),
    seed=st.integers(0, 99),
)
def test_splits_keep_their_promises_or_refuse(
    kind: str, length: int, each: int, seed: int
) -> None:
    classes = fleet(facilities=2, each=each)
    try:
        found = splitter(kind, classes, days=(DAYS[0], DAYS[0] + length), seed=seed)
    except SplitError:
        assert kind in ("time", "both")
        return
    days = np.arange(DAYS[0], DAYS[0] + length + 1, dtype=np.int32)
    timed = kind in ("time", "both")
    for unit in classes:
        ends = {word: days[found.assign(unit, days) == word] for word in SPLITS}
        assert not (len(ends["tune"]) and len(ends["cal"]))
        if kind != "time":
            assert len(parts_of(ends)) <= 1
        if timed:
            before = [
                ends["train"],
                np.concatenate([ends["tune"], ends["cal"]]),
                ends["test"],
            ]
            for early, late in pairwise(part for part in before if len(part)):
                assert early.max() + PURGE < late.min()


# Refusals


def test_record_too_short_for_the_purge_is_refused_and_a_split_that_fits_is_named() -> (
    None
):
    with pytest.raises(SplitError, match="equipment"):
        splitter("time", days=(1000, 1250))
    assert splitter("equipment", days=(1000, 1250)).part


def test_split_named_for_a_short_record_of_few_units_is_not_one_that_is_refused_too() -> (
    None
):
    few = fleet(facilities=1, each=2)
    with pytest.raises(SplitError):
        splitter("equipment", few, days=(1000, 1200))
    with pytest.raises(SplitError) as caught:
        splitter("time", few, days=(1000, 1200))
    assert "kind: equipment" not in str(caught.value)


@pytest.mark.parametrize("kind", ["equipment", "both"])
def test_too_few_units_are_refused_and_a_split_that_fits_is_named(kind: str) -> None:
    with pytest.raises(SplitError, match="kind: time"):
        splitter(kind, fleet(facilities=1, each=3))


def test_one_facility_alone_is_refused_and_a_split_that_fits_is_named() -> None:
    with pytest.raises(SplitError, match=r"kind: (time|equipment)"):
        splitter("facility", fleet(facilities=1, each=8))


def test_one_unit_alone_cannot_be_cut_between_tune_and_cal() -> None:
    with pytest.raises(SplitError):
        splitter("time", fleet(facilities=1, each=1))


def test_unknown_test_facility_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SplitError, match=r"F9.*F0.*F1.*F2"):
        splitter("facility", test_facility="F9")


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(ConfigError):
        SplitConfig(kind="random")
