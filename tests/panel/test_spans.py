"""Readings of years apart stretch no record, and are told."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa

from hvac.panel.grid import Unit
from hvac.panel.spans import readings_by_month, spans_of, with_spans
from hvac.panel.split_config import SplitConfig
from hvac.panel.splits import make_splitter

UNIT = Unit("F", "E")


def spans(*dates: dt.date) -> tuple[list[tuple[int, int]], list[str]]:
    table = pa.table(
        {
            "facility_id": ["F"] * len(dates),
            "equipment_id": ["E"] * len(dates),
            "date": dates,
        }
    )
    units = {
        "facility_id": ["F"],
        "equipment_id": ["E"],
        "first_date": [min(dates)],
        "last_date": [max(dates)],
    }
    found, told = with_spans(pa.table(units), readings_by_month(table))
    return spans_of(found["spans"].to_pylist()[0]), told


def days(*found: tuple[dt.date, dt.date]) -> list[tuple[int, int]]:
    return spans_of([day for pair in found for day in pair])


def test_record_without_a_gap_of_a_year_is_one_stretch() -> None:
    dates = [dt.date(2022, 1, 5), dt.date(2022, 2, 1), dt.date(2023, 2, 20)]
    assert spans(*dates) == (days((dates[0], dates[-1])), [])


def test_mistyped_year_is_a_stretch_of_its_own_and_told() -> None:
    found, told = spans(dt.date(1970, 3, 1), dt.date(2023, 1, 9), dt.date(2023, 2, 20))
    month = (dt.date(1970, 3, 1), dt.date(1970, 3, 31))
    assert found == days(month, (dt.date(2023, 1, 1), dt.date(2023, 2, 20)))
    assert told == [
        "F/E: 1 readings of 1970-03, then none until 2023-01: correct their dates if they are mistyped"
    ]


def test_mistyped_year_of_one_unit_does_not_move_the_borders() -> None:
    units = {Unit("F", str(k)): "pump" for k in range(8)}
    whole = ((18_000, 19_500),)
    plain = dict.fromkeys(units, whole)
    typo = plain | {Unit("F", "0"): ((59, 59), *whole)}
    first, second = (
        make_splitter(SplitConfig(), units, spans=each, lookback=90, purge=90)
        for each in (plain, typo)
    )
    assert (first.t1, first.t2) == (second.t1, second.t2)
