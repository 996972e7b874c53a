"""The simulated fleet: repeatable, as hard as promised, and without any signal when none is asked for."""

from __future__ import annotations

import datetime as dt
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hvac.errors import ConfigError
from hvac.simulate.catalogue import KINDS
from hvac.simulate.fleet import Fleet, simulate, simulate_facilities
from hvac.simulate.fleet_files import write_canonical
from hvac.simulate.simulate_config import SimulateConfig

SMALL = SimulateConfig(
    facilities=2, equipment_per_class=3, classes=("chiller", "pump"), days=200
)
SERIES = ["facility_id", "equipment_id", "point_id"]


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return simulate(SimulateConfig(facilities=2, equipment_per_class=40))


@pytest.fixture(scope="module")
def pumps() -> Fleet:
    return simulate(
        SimulateConfig(
            facilities=1, equipment_per_class=60, classes=("pump",), gap_share=0.0
        )
    )


def events_of(fleet: Fleet, kind: str = "failure") -> pd.DataFrame:
    frame = fleet.events.to_pandas(date_as_object=False)
    return frame[frame["kind"] == kind]


def onsets(fleet: Fleet, config: SimulateConfig) -> np.ndarray:
    """Whether a failure begins, [units, days]."""
    units = {
        name: place
        for place, name in enumerate(fleet.equipment["equipment_id"].to_pylist())
    }
    failures = events_of(fleet)
    begun = np.zeros((len(units), config.days), bool)
    begun[
        failures["equipment_id"].map(units),
        (failures["start"] - pd.Timestamp(config.start)).dt.days,
    ] = True
    return begun


def base_rate(begun: np.ndarray, horizon: int) -> float:
    """Share of (unit, day t) with an onset in (t, t + horizon], the obvious way."""
    days = range(begun.shape[1] - horizon)
    return float(
        np.mean([begun[:, day + 1 : day + horizon + 1].any(axis=1) for day in days])
    )


def before_and_long_before(fleet: Fleet, point: str, mode: str) -> np.ndarray:
    """Mean of the point in the last 10 days before failures of a mode, minus the mean 170 to 190 days before."""
    readings = fleet.readings.to_pandas(date_as_object=False)
    readings = (
        readings[readings["point_id"] == point]
        .set_index(["equipment_id", "date"])["value"]
        .sort_index()
    )
    moved = []
    for failure in events_of(fleet).query("mode == @mode").itertuples():
        series = readings.loc[failure.equipment_id]
        day = [failure.start - pd.Timedelta(days=days) for days in (190, 170, 10, 1)]
        if day[0] >= series.index[0]:
            moved.append(
                series.loc[day[2] : day[3]].mean() - series.loc[day[0] : day[1]].mean()
            )
    return np.array(moved)


def test_the_same_seed_gives_the_same_fleet() -> None:
    first, second = simulate(SMALL), simulate(SMALL)
    assert all(ours.equals(theirs) for ours, theirs in zip(first, second, strict=True))


def test_another_seed_gives_other_readings_and_events() -> None:
    first, second = simulate(SMALL), simulate(SMALL.replace(seed=8))
    assert first.readings["value"].slice(0, 100) != second.readings["value"].slice(
        0, 100
    )
    assert not first.events.equals(second.events)


def test_facility_by_facility_gives_the_rows_of_the_whole_fleet() -> None:
    whole, parts = simulate(SMALL), list(simulate_facilities(SMALL))
    assert len(parts) == 2
    for place, table in enumerate(whole):
        assert table.equals(pa.concat_tables([part[place] for part in parts]))


def test_more_facilities_or_classes_leave_the_others_as_they_were() -> None:
    alone = simulate(SMALL.replace(facilities=1, classes=("pump",)))
    among = next(simulate_facilities(SMALL.replace(facilities=3)))
    pumps_among = among.readings.filter(
        pa.compute.match_substring(among.readings["equipment_id"], "PMP")
    )
    assert alone.readings.equals(pumps_among)


@pytest.mark.parametrize(
    ("no_signal", "lowest", "highest"), [(False, 0.07, 0.11), (True, 0.07, 0.11)]
)
def test_base_rate_at_30_days_is_near_nine_percent(
    fleet: Fleet, no_signal: bool, lowest: float, highest: float
) -> None:
    config = SimulateConfig(
        facilities=2, equipment_per_class=40, no_signal=no_signal, gap_share=0.5
    )
    begun = onsets(simulate(config) if no_signal else fleet, config)
    assert lowest <= base_rate(begun, 30) <= highest


@pytest.mark.parametrize("wanted", [0.5, 1.0, 1.5])
def test_failures_per_year_are_those_asked_for(wanted: float) -> None:
    config = SimulateConfig(
        facilities=1,
        equipment_per_class=150,
        classes=("ahu", "pump"),
        failures_per_year=wanted,
    )
    config = config.replace(gap_share=0.9)
    years = 300 * config.days / 365.25
    assert len(events_of(simulate(config))) / years == pytest.approx(wanted, rel=0.17)


def test_about_a_quarter_of_failures_come_without_a_fault_before_them(
    fleet: Fleet,
) -> None:
    assert 0.22 <= (events_of(fleet)["mode"] == "sudden").mean() <= 0.33


def test_planted_faults_move_their_points_before_the_failure(pumps: Fleet) -> None:
    noise = {point.name: point.noise for point in KINDS["pump"].points}
    assert (
        before_and_long_before(pumps, "vibration", "bearing_wear").mean()
        > 3 * noise["vibration"]
    )
    assert (
        before_and_long_before(pumps, "discharge_pressure", "seal_leak").mean()
        < -3 * noise["discharge_pressure"]
    )


def test_sudden_failures_leave_no_trace_before_them(pumps: Fleet) -> None:
    """Not none at all: another fault may be growing when they strike; but far less than a planted one."""
    sudden = before_and_long_before(pumps, "vibration", "sudden")
    assert (
        abs(np.median(sudden))
        < 0.25 * before_and_long_before(pumps, "vibration", "bearing_wear").mean()
    )


def test_a_repair_brings_the_points_back(pumps: Fleet) -> None:
    readings = pumps.readings.to_pandas(date_as_object=False)
    series = (
        readings[readings["point_id"] == "vibration"]
        .set_index(["equipment_id", "date"])["value"]
        .sort_index()
    )
    fallen = []
    for failure in events_of(pumps).query("mode == 'bearing_wear'").itertuples():
        one, day = series.loc[failure.equipment_id], pd.Timedelta(days=1)
        after = one.loc[failure.start + 6 * day : failure.start + 15 * day]
        fallen.append(
            one.loc[failure.start - 10 * day : failure.start - day].mean()
            - after.mean()
        )
    assert np.nanmean(fallen) > 0.6


def test_every_failure_is_repaired_within_five_days(fleet: Fleet) -> None:
    failures, repairs = (
        events_of(fleet),
        events_of(fleet, "maintenance").query("mode == 'repair'"),
    )
    keys = ["equipment_id", "start", "end"]
    assert (
        failures[keys]
        .reset_index(drop=True)
        .equals(repairs[keys].reset_index(drop=True))
    )
    lengths = (failures["end"] - failures["start"]).dt.days + 1
    assert lengths.dropna().between(1, 5).all()


def test_visits_find_some_faults_before_they_fail(fleet: Fleet) -> None:
    modes = events_of(fleet, "maintenance")["mode"].value_counts()
    assert modes["planned"] > modes["corrected"] > 0.1 * modes["repair"]


def test_some_units_fail_far_more_often_than_chance(fleet: Fleet) -> None:
    counts = (
        events_of(fleet)["equipment_id"]
        .value_counts()
        .reindex(fleet.equipment["equipment_id"].to_pylist())
    )
    counts = counts.fillna(0)
    assert counts.var() > 1.3 * counts.mean()  # 1.0 for a Poisson process


def test_without_signal_readings_do_not_depend_on_the_events() -> None:
    config = SMALL.replace(no_signal=True, days=1095)
    calm, busy = (
        simulate(config.replace(failures_per_year=0.3)),
        simulate(config.replace(failures_per_year=2.0)),
    )
    assert calm.readings.equals(busy.readings)
    assert len(events_of(busy)) > 3 * len(events_of(calm))


def test_without_signal_readings_before_failures_look_like_all_others() -> None:
    config = SimulateConfig(
        facilities=1, equipment_per_class=60, classes=("pump",), no_signal=True
    )
    moved = before_and_long_before(simulate(config), "vibration", "sudden")
    assert len(moved) > 100
    assert abs(moved.mean()) < 4 * moved.std() / np.sqrt(len(moved))


def test_without_signal_failures_have_no_memory_and_no_lemons() -> None:
    config = SimulateConfig(
        facilities=1,
        equipment_per_class=300,
        no_signal=True,
        gap_share=0.9,
        classes=("pump",),
    )
    begun = onsets(simulate(config), config)
    per_unit = begun.sum(axis=1)
    assert per_unit.var() == pytest.approx(per_unit.mean(), rel=0.3)
    recently = np.stack(
        [begun[:, day - 29 : day + 1].any(axis=1) for day in range(30, 1060)]
    )
    soon = np.stack(
        [begun[:, day + 1 : day + 31].any(axis=1) for day in range(30, 1060)]
    )
    assert soon[recently].mean() == pytest.approx(base_rate(begun, 30), abs=0.03)


def test_without_faults_the_readings_with_signal_are_those_without() -> None:
    config = SMALL.replace(fault_size=0.0, failures_per_year=0.0)
    assert simulate(config).readings.equals(
        simulate(config.replace(no_signal=True)).readings
    )


def test_each_unit_point_and_date_has_one_reading_at_most(fleet: Fleet) -> None:
    keys = fleet.readings.select(["equipment_id", "point_id", "date"]).to_pandas(
        strings_to_categorical=True
    )
    assert not keys.duplicated().any()


def test_readings_have_gaps_of_days_and_of_spells() -> None:
    readings = simulate(SMALL.replace(days=1095)).readings.to_pandas(
        date_as_object=False
    )
    expected = 2 * 3 * (len(KINDS["chiller"].points) + len(KINDS["pump"].points)) * 1095
    assert 0.01 < 1 - len(readings) / expected < 0.08
    apart = readings.groupby(SERIES)["date"].diff().dt.days
    assert (apart == 2).any()
    assert (apart > 5).any()


def test_sensors_stick_for_spells() -> None:
    config = SMALL.replace(days=1095, gap_share=0.0, failures_per_year=0.0)
    longest = {}
    for stuck in (0.0, 1.0):
        readings = simulate(config.replace(stuck_per_year=stuck)).readings.to_pandas()
        runs = readings.groupby(SERIES)["value"].transform(
            lambda series: series.diff().ne(0).cumsum()
        )
        longest[stuck] = readings.groupby([*SERIES, runs]).size().max()
    assert longest[0.0] < 5 <= longest[1.0]


def test_limits_are_in_order_and_constant_per_series(fleet: Fleet) -> None:
    frame = fleet.readings.select([*SERIES, "lower_limit", "upper_limit"]).to_pandas(
        strings_to_categorical=True
    )
    both = frame.dropna()
    assert len(both) > 0
    assert (both["lower_limit"] < both["upper_limit"]).all()
    assert (frame.groupby(SERIES, observed=True).nunique() <= 1).all().all()


def test_healthy_units_rarely_cross_their_limits() -> None:
    config = SimulateConfig(facilities=5, equipment_per_class=8, no_signal=True)
    readings = simulate(config).readings.to_pandas(strings_to_categorical=True)
    outside = (readings["value"] > readings["upper_limit"]) | (
        readings["value"] < readings["lower_limit"]
    )
    assert 0 < outside.mean() < 0.005
    assert outside.groupby(readings["point_id"], observed=True).mean().max() < 0.02


def test_tables_have_the_columns_of_the_contract(fleet: Fleet) -> None:
    assert fleet.readings.schema.names == [
        *SERIES,
        "date",
        "value",
        "lower_limit",
        "upper_limit",
    ]
    assert fleet.events.schema.names == [
        "facility_id",
        "equipment_id",
        "kind",
        "start",
        "end",
        "point_id",
        "mode",
    ]
    assert fleet.equipment.schema.names[:4] == [
        "facility_id",
        "equipment_id",
        "class",
        "install_date",
    ]
    assert fleet.readings["value"].null_count == 0
    assert set(fleet.events["kind"].to_pylist()) == {"failure", "maintenance"}


def test_an_unknown_class_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(
        ConfigError, match="unknown class 'boiler'; known: ahu, chiller"
    ):
        SimulateConfig(classes=("boiler",))


def test_a_single_day_and_no_events_still_make_tables() -> None:
    fleet = simulate(SMALL.replace(days=1, failures_per_year=0.0, gap_share=0.0))
    assert set(fleet.readings["date"].to_pylist()) == {date(2021, 4, 1)}
    assert fleet.events.schema.field("start").type == pa.date32()


def test_written_files_read_back_as_the_fleet(tmp_path: Path) -> None:
    write_canonical(simulate_facilities(SMALL), tmp_path)
    whole = simulate(SMALL)
    parts = sorted((tmp_path / "readings").iterdir())
    assert [part.name for part in parts] == ["part-F001.parquet", "part-F002.parquet"]
    assert pa.concat_tables([pq.read_table(part) for part in parts]).equals(
        whole.readings
    )
    assert pq.read_table(tmp_path / "events.parquet").equals(whole.events)
    assert pq.read_table(tmp_path / "equipment.parquet").equals(whole.equipment)


def test_a_record_that_ends_yesterday_is_dated_once() -> None:
    config = SMALL.replace(until="yesterday", days=30)
    fixed = config.dated()
    today = dt.datetime.now().astimezone().date()
    assert fixed.start + dt.timedelta(days=30) in (today, today - dt.timedelta(days=1))
    assert fixed.dated() == fixed
    last = max(simulate(fixed).readings["date"].to_pylist())
    assert last == fixed.start + dt.timedelta(days=29)
    assert SMALL.dated() is SMALL
