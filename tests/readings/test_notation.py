"""How numbers and dates are written is settled per column of a file, or refused with the setting that settles it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hvac.errors import ConfigError, InputError
from hvac.readings.gate import (
    GateResult,
    SourceConfig,
    add_counts,
    read_all,
    read_equipment,
    read_events,
)
from hvac.readings.notation import read_settled

HEADER = "facility_id,equipment_id,point_id,date,value"
DAY = dt.date(2024, 3, 1)


def write(
    folder: Path, *lines: str, name: str = "readings.csv", encoding: str = "utf-8"
) -> str:
    path = folder / name
    path.write_bytes("\n".join([*lines, ""]).encode(encoding))
    return str(path)


def read(path: str, *, batch_rows: int = 1_000_000, **settings: Any) -> GateResult:
    results = list(
        read_all(SourceConfig(readings=path, **settings), batch_rows=batch_rows)
    )
    return GateResult(
        pa.concat_tables([one.readings for one in results]),
        pa.concat_tables([one.rejects for one in results]),
        add_counts(one.counts for one in results),
        pa.concat_tables([one.classes for one in results]),
    )


def of_values(folder: Path, texts: Sequence[str], **settings: Any) -> GateResult:
    rows = [f'F,e,p,2024-03-{1 + i:02d},"{text}"' for i, text in enumerate(texts)]
    return read(write(folder, HEADER, *rows), **settings)


def of_dates(folder: Path, texts: Sequence[str], **settings: Any) -> GateResult:
    return read(
        write(folder, HEADER, *(f'F,e,p,"{text}",{i}' for i, text in enumerate(texts))),
        **settings,
    )


def values(result: GateResult) -> list[float]:
    return result.readings["value"].to_pylist()


def days(result: GateResult) -> list[dt.date]:
    return result.readings["date"].to_pylist()


def reasons(result: GateResult) -> list[tuple[str, str]]:
    return [(one["reason"], one["found"]) for one in result.rejects.to_pylist()]


# Decimal comma and thousands


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["13,612", "0,125"], [13.612, 0.125]),
        (["21,5", "21,500"], [21.5, 21.5]),
        (["1.234,5", "12,500", "7"], [1234.5, 12.5, 7.0]),
        (["1.234.567", "13,612"], [1234567.0, 13.612]),
        (["-0,5", "１，２５", "1e3"], [-0.5, 1.25, 1000.0]),
        (["1234,567", "13,612"], [1234.567, 13.612]),
        (["1,234.5", "13,612"], [1234.5, 13612.0]),
        (["1,234,567", "13,612"], [1234567.0, 13612.0]),
        (["21.5", "13,612"], [21.5, 13612.0]),
        (["21.5", "13.612", ".5", "5."], [21.5, 13.612, 0.5, 5.0]),
        (["1 234,5", "1\u202f234,5", "12\u00a0345,25"], [1234.5, 1234.5, 12345.25]),
        (["1'234.5", "1’234’567"], [1234.5, 1234567.0]),
    ],
)
def test_notation_of_numbers_is_proven_by_the_column(
    tmp_path: Path, texts: list[str], expected: list[float]
) -> None:
    for order in (1, -1):
        assert values(of_values(tmp_path, texts[::order])) == expected[::order]
        assert (
            values(of_values(tmp_path, texts[::order], batch_rows=1))
            == expected[::order]
        )


@pytest.mark.parametrize(
    "texts", [["13,612"], ["13,612", "12", "欠測"], ["1,234", "13.612"]]
)
def test_column_that_reads_both_ways_is_refused_and_settled_by_the_decimal(
    tmp_path: Path, texts: list[str]
) -> None:
    with pytest.raises(
        InputError,
        match=r"readings\.csv, column value: .* may be \d+ or .*set source\.decimal",
    ):
        of_values(tmp_path, texts)
    comma = values(of_values(tmp_path, texts, decimal=","))[0]
    point = values(of_values(tmp_path, texts, decimal="."))[0]
    assert point == pytest.approx(1000 * comma)


def test_column_that_proves_both_notations_is_refused_and_settled_by_the_decimal(
    tmp_path: Path,
) -> None:
    texts = ["21,5", "21.5"]
    with pytest.raises(
        InputError,
        match=r"'21,5' has a decimal comma and '21.5' a decimal point: set source\.decimal",
    ):
        of_values(tmp_path, texts)
    found = of_values(tmp_path, texts, decimal=".")
    assert values(found) == [21.5]
    assert reasons(found) == [("text_in_value", "21,5")]


def test_comma_between_semicolons_is_a_decimal_comma(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        HEADER.replace(",", ";"),
        "F;e;p;2024-03-01;13,612",
        "F;e;p;2024-03-02;4,250",
    )
    assert values(read(path)) == [13.612, 4.25]
    settled = read_settled(path, SourceConfig(readings=path), batch_rows=10)
    assert any("13,612 was read with a decimal comma" in note for note in settled.notes)


def test_thousands_sign_settles_the_decimal(tmp_path: Path) -> None:
    assert values(of_values(tmp_path, ["13,612"], thousands=",")) == [13612.0]
    assert values(of_values(tmp_path, ["13,612"], thousands=".")) == [13.612]
    assert values(of_values(tmp_path, ["13,612", "1'234"], thousands="'")) == [
        13.612,
        1234.0,
    ]
    assert values(of_values(tmp_path, ["13.612"], thousands=".")) == [13612.0]


def test_signs_may_be_named() -> None:
    source = SourceConfig(
        readings="a", decimal="comma", thousands="space", delimiter="tab"
    )
    assert (source.decimal, source.thousands, source.delimiter) == (",", " ", "\t")


def test_decimal_and_thousands_that_are_equal_or_odd_are_refused() -> None:
    with pytest.raises(ConfigError, match="decimal and thousands are both ','"):
        SourceConfig(readings="a", decimal=",", thousands=",")
    with pytest.raises(ConfigError, match="unknown thousands 'x'"):
        SourceConfig(readings="a", thousands="x")


def test_limits_are_read_as_they_are_written(tmp_path: Path) -> None:
    head = HEADER + ",lower_limit,upper_limit"
    path = write(
        tmp_path,
        head,
        'F,e,p,2024-03-01,"13,612","0,5","30,250"',
        'F,e,p,2024-03-02,"13,7","0,5",欠測',
    )
    found = read(path).readings
    assert found["value"].to_pylist() == [13.612, 13.7]
    assert found["lower_limit"].to_pylist() == [0.5, 0.5]
    assert found["upper_limit"].to_pylist() == [30.25, None], (
        "it takes the sign that the other columns prove"
    )


def test_columns_of_a_wide_table_are_settled_one_by_one(tmp_path: Path) -> None:
    path = write(
        tmp_path, "date;temp;state", "2024-03-01;13,612;良", "2024-03-02;0,125;否"
    )
    found = read(path, format="wide", wide={"facility_id": "F", "equipment_id": "e"})
    assert values(found) == [13.612, 1.0, 0.125, 0.0]
    assert found.counts["read_as_word"] == 2


def test_texts_of_a_parquet_file_are_settled_too(tmp_path: Path) -> None:
    ids = {name: ["a"] * 2 for name in ("facility_id", "equipment_id", "point_id")}
    pq.write_table(
        pa.table({**ids, "date": [DAY] * 2, "value": ["13,612", "0,125"]}),
        tmp_path / "a.parquet",
    )
    assert values(read(str(tmp_path))) == [13.612, 0.125]


# Missing values


@pytest.mark.parametrize("marks", [[-9999, 255], ["-9999", "255"], ["-9999.0", 255.0]])
def test_missing_values_are_compared_as_numbers_and_add_to_the_defaults(
    tmp_path: Path, marks: list[Any]
) -> None:
    texts = ["-9999", "-9999.0", "－９９９９", "255", "2.55e2", "欠測", "－", "7"]
    found = of_values(tmp_path, texts, missing_values=marks)
    assert (values(found), found.counts["missing"], found.counts["rejected"]) == (
        [7.0],
        7,
        0,
    )


@pytest.mark.parametrize(
    "kind", [pa.int16(), pa.float32(), pa.float64(), pa.decimal128(21, 2), pa.string()]
)
def test_missing_values_hold_in_parquet_columns_of_every_type(
    tmp_path: Path, kind: Any
) -> None:
    ids = {name: ["a"] * 3 for name in ("facility_id", "equipment_id", "point_id")}
    number = pa.array([-9999, 255, 7]).cast(kind)
    table = pa.table(
        {
            **ids,
            "date": [DAY] * 3,
            "value": number,
            "lower_limit": number,
            "upper_limit": number,
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    found = read(str(tmp_path), missing_values=[-9999, 255])
    assert values(found) == [7.0]
    assert found.counts["missing"] == 2


def test_missing_values_hold_for_limits(tmp_path: Path) -> None:
    path = write(
        tmp_path, HEADER + ",lower_limit,upper_limit", "F,e,p,2024-03-01,5,-9999,9999"
    )
    found = read(path, missing_values=[-9999, 9999]).readings
    assert (found["lower_limit"].to_pylist(), found["upper_limit"].to_pylist()) == (
        [None],
        [None],
    )


@pytest.mark.parametrize("kind", [pa.string(), pa.date32(), pa.timestamp("us")])
def test_missing_mark_that_reads_as_a_date_is_missing(
    tmp_path: Path, kind: Any
) -> None:
    ids = {name: ["a"] * 2 for name in ("facility_id", "equipment_id", "point_id")}
    date = pa.array(["1970-01-01", "2024-03-01"]).cast(kind)
    pq.write_table(
        pa.table({**ids, "date": date, "value": [1.0, 2.0]}), tmp_path / "a.parquet"
    )
    found = read(str(tmp_path), missing_values=["1970-01-01"])
    assert (days(found), found.rejects["reason"].to_pylist()) == (
        [DAY],
        ["missing_date"],
    )


def test_missing_value_may_be_one_number_and_not_yes_or_no() -> None:
    assert (
        SourceConfig(readings="a", missing_values=-9999).missing_values[-1] == "-9999"
    )
    assert "欠測" in SourceConfig(readings="a", missing_values=[None]).missing_values
    with pytest.raises(ConfigError, match="write the mark in quotes"):
        SourceConfig(readings="a", missing_values=[False])


# Units and words


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["21.5℃", "45 %", "８０％", "3.2kPa", "7"], [21.5, 45.0, 80.0, 3.2, 7.0]),
        (["21,5 °C", "0,5 kW", "1.234,5 kWh"], [21.5, 0.5, 1234.5]),
        (["12 lux", "13lux", "欠測"], [12.0, 13.0]),
        (["12㎪", "13 KPA"], [12.0, 13.0]),
    ],
)
def test_number_with_a_unit_is_read_and_counted(
    tmp_path: Path, texts: list[str], expected: list[float]
) -> None:
    found = of_values(tmp_path, texts)
    assert values(found) == expected
    assert found.counts["read_with_unit"] == sum(
        text not in ("7", "欠測") for text in texts
    )


def test_unknown_unit_beside_other_numbers_is_rejected(tmp_path: Path) -> None:
    found = of_values(tmp_path, ["12 lux", "7"])
    assert (values(found), reasons(found)) == ([7.0], [("text_in_value", "12 lux")])


def test_units_of_one_quantity_beside_each_other_are_rejected(tmp_path: Path) -> None:
    found = of_values(tmp_path, ["1.2 kPa", "1200 Pa", "21 ℃"])
    assert values(found) == [21.0]
    assert reasons(found) == [("mixed_units", "1.2 kPa"), ("mixed_units", "1200 Pa")]


@pytest.mark.parametrize(
    "texts",
    [["5k", "6k"], ["1_000", "2_000"], ["12:30", "13:30"], ["0x10", "0x20"], ["3万"]],
)
def test_what_changes_the_number_is_no_unit(tmp_path: Path, texts: list[str]) -> None:
    with pytest.raises(InputError, match="holds text only"):
        of_values(tmp_path, texts)


@pytest.mark.parametrize(
    "texts",
    [["良", "否", "欠測", "良"], ["○", "×", "", "〇"], ["正常", "異常", "-", "正常"]],
)
def test_column_of_words_is_read_as_ones_and_zeros(
    tmp_path: Path, texts: list[str]
) -> None:
    found = of_values(tmp_path, texts)
    assert values(found) == [1.0, 0.0, 1.0]
    assert found.counts["read_as_word"] == 3


def test_words_beside_numbers_are_rejected(tmp_path: Path) -> None:
    found = of_values(tmp_path, ["良", "21.5", "否"])
    assert (values(found), reasons(found)) == (
        [21.5],
        [("text_in_value", "良"), ("text_in_value", "否")],
    )


# Dates


@pytest.mark.parametrize(
    "text",
    [
        "R6.3.1", "r6/3/1", "R06.03.01", "R6-3-1", "R060301", "令和6年3月1日", "令和 6 年 3 月 1 日", "Ｒ６．３．１",
        "㋿6年3月1日",
        "H36.3.1", "令和6年3月1日 17:04", "令和６年３月１日（金）",
        "20240301050400", "202403010504", "20240301T050400", "2024030105", "20240301",
        "2024/3/1 5:04 PM", "2024/03/01 午後5:04", "2024年3月1日 午前5時4分", "2024年3月1日5時",
        "2024-03-01 12:30:00 AM",
        "1 Mar 2024", "Mar 1, 2024", "1-Mar-2024", "01-MAR-2024 05:04", "March 1st, 2024", "2024-Mar-01",
        "Fri, 1 Mar 2024",
        "令和6年3月1日午後5時4分", "20240301 05:04", "20240301 24:00", "2024. 3. 1. 5:04", "Fri Mar  1 05:04:00 2024",
        "2024.3.1", "2024/3/1 24:00", "2024-03-01T24:00:00", "2024-03-01 05:04:07.123",
    ],
)  # fmt: skip
def test_date_that_people_write_is_read(tmp_path: Path, text: str) -> None:
    assert days(of_dates(tmp_path, [text])) == [DAY]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("令和元年5月1日", dt.date(2019, 5, 1)),
        ("平成31年4月30日", dt.date(2019, 4, 30)),
        ("H31.4.30", dt.date(2019, 4, 30)),
        ("H1.1.8", dt.date(1989, 1, 8)),
        ("S63.12.31", dt.date(1988, 12, 31)),
        ("昭和五十年", None),
        ("T15.1.1", None),
        ("M45.1.1", None),
        ("R0.1.1", None),
        ("R6.2.30", None),
        ("R6.13.1", None),
        ("24/3/1", None),
        ("03/04/24", None),
        ("1 Mar 24", None),
        ("2024-03-01 24:01", None),
        ("2024-03-01 25:00", None),
        ("45292", None),
        ("2024-03-01 05:04 XYZ", None),
    ],
)
def test_era_year_or_odd_date_is_read_or_rejected(
    tmp_path: Path, text: str, day: dt.date | None
) -> None:
    found = of_dates(tmp_path, [text, "2024-03-02"])
    assert days(found) == [*([day] if day else []), dt.date(2024, 3, 2)]
    assert len(found.rejects) == (day is None)


WRITTEN = {
    "2024-02-29 20:00:00+05": "2024-02-29", "2024-03-01 00:00 JST": "2024-03-01",
    "2024-03-01T00:00+09:00[Asia/Tokyo]": "2024-03-01", "2024-03-01T00:00[Asia/Tokyo]": "2024-03-01",
    "2024-02-29 10:00:00-05": "2024-02-29", "2024-02-29T16:00:00+01:00[Europe/Berlin]": "2024-02-29",
    "2024-02-29T16:00[Europe/Berlin]": "2024-02-29", "2024-02-29 16:00 Europe/Berlin": "2024-02-29",
}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-29 20:00:00+05", "2024-02-29 15:00:00 UTC", "2024-02-29 15:00 GMT", "2024-03-01 00:00 JST",
        "2024-03-01T00:00+09:00[Asia/Tokyo]", "2024-03-01T00:00[Asia/Tokyo]", "2024-02-29 10:00:00-05",
        "2024-02-29T16:00:00+01:00[Europe/Berlin]", "2024-02-29T16:00[Europe/Berlin]", "2024-02-29 16:00 Europe/Berlin",
        "20240229T150000Z",
        "1709218800", "1709218800000", "1709218800000000", "1709218800000000000", "2024-02-29 15:00:00 +0000 UTC",
        "2024-02-29 15:00:00.123Z", "2024-02-29T15:00:00-0000",
    ],
)  # fmt: skip
def test_stamp_with_a_zone_is_the_local_day_and_second(
    tmp_path: Path, text: str
) -> None:
    if written := WRITTEN.get(text):
        as_it_is = of_dates(tmp_path, [text])
        assert (days(as_it_is), as_it_is.counts["days_as_written"]) == (
            [dt.date.fromisoformat(written)],
            1,
        )
    else:
        with pytest.raises(
            InputError,
            match=r"readings\.csv, column date: .*facility 'F'.*set source\.time_zone",
        ):
            of_dates(tmp_path, [text])
    found = of_dates(tmp_path, [text], time_zone="Asia/Tokyo")
    assert (days(found), found.readings["second"].to_pylist()) == ([DAY], [0])
    berlin = of_dates(tmp_path, [text], facility_time_zones={"F": "Europe/Berlin"})
    assert (days(berlin), berlin.readings["second"].to_pylist()) == (
        [dt.date(2024, 2, 29)],
        [16 * 3600],
    )


def test_facility_without_a_zone_is_named_where_others_have_one(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"source\.facility_time_zones does not name it"
    ):
        of_dates(
            tmp_path,
            ["2024-02-29T15:00:00Z"],
            facility_time_zones={"G": "Europe/Berlin"},
        )


def test_stamp_without_a_zone_needs_no_time_zone(tmp_path: Path) -> None:
    assert days(of_dates(tmp_path, ["2024-03-01 23:59"])) == [DAY]


@pytest.mark.parametrize(
    ("text", "second"),
    [("2024-03-01", None), ("2024-03-01 00:00", 0), ("2024/3/1 5:04", 18_240), ("2024-03-01T23:59:59.9", 86_399),
     ("2024-03-01 24:00", 86_400), ("2024/3/1 午後5:04", 61_440), ("20240301", None), ("R6.3.1", None)],
)  # fmt: skip
def test_time_of_day_is_kept_and_24_00_ends_its_day(
    tmp_path: Path, text: str, second: int | None
) -> None:
    found = of_dates(tmp_path, [text])
    assert (days(found), found.readings["second"].to_pylist()) == ([DAY], [second])


def test_end_of_a_day_with_a_zone_stays_with_the_day_that_ends(tmp_path: Path) -> None:
    found = of_dates(tmp_path, ["2024-03-01 24:00+09:00"], time_zone="Asia/Tokyo")
    assert (days(found), found.readings["second"].to_pylist()) == ([DAY], [86_400])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("03/04/2024", "'%d/%m/%Y' or '%m/%d/%Y'"),
        ("3.4.2024", "'%d.%m.%Y' or '%m.%d.%Y'"),
        ("13/04/2024 05:04", "'%d/%m/%Y %H:%M' or '%m/%d/%Y %H:%M'"),
        ("０３／０４／２０２４", "'%d/%m/%Y' or '%m/%d/%Y'"),
    ],
)
def test_order_of_day_and_month_is_never_guessed(
    tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(InputError) as caught:
        of_dates(tmp_path, ["2024-03-01", text])
    assert (
        f"readings.csv, column date: '{text}' may begin with the day or the month"
        in str(caught.value)
    )
    assert f"set source.date_format: {told}" in str(caught.value)


def test_date_format_reads_the_dates_of_texts(tmp_path: Path) -> None:
    texts = [
        "03/04/2024",
        "3/4/2024 5:04",
        "03/04/2024 24:00",
        "2024-04-03",
        "13/14/2024",
    ]
    found = of_dates(tmp_path, texts, date_format="%d/%m/%Y")
    assert days(found) == [dt.date(2024, 4, 3)] * 4
    assert found.readings["second"].to_pylist() == [None, 18_240, 86_400, None]
    assert reasons(found) == [("day_or_month_first_in_date", "13/14/2024")]
    american = of_dates(
        tmp_path, ["03/04/2024 5:04 PM"], date_format="%m/%d/%Y %I:%M %p"
    )
    assert (days(american), american.readings["second"].to_pylist()) == (
        [dt.date(2024, 3, 4)],
        [61_440],
    )
    assert days(of_dates(tmp_path, ["24/3/1"], date_format="%y/%m/%d")) == [DAY]
    zoned = of_dates(
        tmp_path,
        ["29/02/2024 15:00 +0000"],
        date_format="%d/%m/%Y %H:%M %z",
        time_zone="Asia/Tokyo",
    )
    assert days(zoned) == [DAY]


@pytest.mark.parametrize("wrong", ["%d/%m", "dd/mm/yyyy", "%Q"])
def test_date_format_that_tells_no_day_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"date_format .*expected"):
        SourceConfig(readings="a", date_format=wrong)


def test_serial_days_are_read_only_where_all_of_the_column_is_so(
    tmp_path: Path,
) -> None:
    found = of_dates(tmp_path, ["45352", "45352.5", ""], batch_rows=1)
    assert days(found) == [DAY, DAY]
    assert found.readings["second"].to_pylist() == [None, 43_200]
    mixed = of_dates(tmp_path, ["45352", "2024-03-01"])
    assert (days(mixed), reasons(mixed)) == ([DAY], [("unreadable_date", "45352")])


@pytest.mark.parametrize(
    "numbers",
    [pa.array([45352, None]), pa.array([45352.0, None]), pa.array([20240301, None]), pa.array([20240301.0, None]),
     pa.array([1709218800, None]), pa.array([1709218800000, None]), pa.array([1709218800.5, None]),
     pa.array([20240301050400, None])],
)  # fmt: skip
def test_numeric_date_column_is_read(tmp_path: Path, numbers: Any) -> None:
    ids = {name: ["a"] * 2 for name in ("facility_id", "equipment_id", "point_id")}
    pq.write_table(
        pa.table({**ids, "date": numbers, "value": [1.0, 2.0]}), tmp_path / "a.parquet"
    )
    found = read(str(tmp_path), time_zone="Asia/Tokyo")
    assert days(found) == [DAY]
    assert reasons(found) == [("missing_date", "")]


def test_dates_of_events_and_equipment_follow_the_same_rules(tmp_path: Path) -> None:
    events = write(
        tmp_path,
        "facility_id,equipment_id,kind,start",
        "F,e,failure,R6.3.1",
        name="events.csv",
    )
    assert read_events(SourceConfig(readings="x", events=events)).table[
        "start"
    ].to_pylist() == [DAY]
    serial = write(
        tmp_path,
        "facility_id,equipment_id,install_date",
        "F,e,45352",
        name="equipment.csv",
    )
    assert read_equipment(SourceConfig(readings="x", equipment=serial)).table[
        "install_date"
    ].to_pylist() == [DAY]
    doubtful = write(
        tmp_path,
        "facility_id,equipment_id,kind,start",
        "F,e,failure,3/4/2024",
        name="events.csv",
    )
    with pytest.raises(
        InputError, match=r"events\.csv, column start: .*source\.date_format"
    ):
        read_events(SourceConfig(readings="x", events=doubtful))
    zoned = write(
        tmp_path,
        "facility_id,equipment_id,kind,start",
        "F,e,failure,2024-02-29T15:00Z",
        name="events.csv",
    )
    with pytest.raises(
        InputError, match=r"events\.csv, column start: .*source\.time_zone"
    ):
        read_events(SourceConfig(readings="x", events=zoned))


def test_file_of_unreadable_dates_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"every row was rejected .*set source\.date_format"
    ):
        of_dates(tmp_path, ["24/3/1"])


def test_dots_that_may_part_thousands_follow_the_files_proven_comma(
    tmp_path: Path,
) -> None:
    path = write(
        tmp_path,
        HEADER + ",upper_limit",
        'F,e,p,2024-03-01,987,"2.500,5"',
        'F,e,p,2024-03-02,1.234,"2.500,5"',
    )
    assert values(read(path)) == [987.0, 1234.0]
    assert values(of_values(tmp_path, ["987", "1.234"])) == [987.0, 1.234]


@pytest.mark.parametrize(
    ("form", "text", "second"),
    [("%m/%d/%Y", "03/01/2024 5:04 PM", 61_440), ("%m/%d/%Y", "03/01/2024 12:00 AM", 0),
     ("%d/%m/%Y %H:%M", "01/03/2024 5:04", 18_240), ("%d/%m/%Y %H:%M", "01/03/2024", 0)],
)  # fmt: skip
def test_format_of_the_date_leaves_the_clock_to_what_is_written(
    tmp_path: Path, form: str, text: str, second: int
) -> None:
    found = of_dates(tmp_path, [text], date_format=form)
    assert (days(found), found.readings["second"].to_pylist()) == ([DAY], [second])
