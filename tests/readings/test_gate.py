"""Bad files get one clear sentence, bad rows a counted reject; nothing is lost on the way."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvac.errors import ConfigError, InputError
from hvac.readings.gate import (
    CANONICAL,
    GateResult,
    SourceConfig,
    add_counts,
    check_events,
    read_all,
    read_equipment,
    read_events,
    read_predecessor,
    read_readings,
    source_files,
    unknown_equipment,
)

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
HEADER = "facility_id,equipment_id,point_id,date,value"
INSPECTION_HEADER = "点検ID,共通分類コード,テナントid,設備id,チェック項目id,上限値,下限値,実施日時,実施結果の値"


def write(
    folder: Path, *lines: str, name: str = "readings.csv", encoding: str = "utf-8"
) -> str:
    path = folder / name
    path.write_bytes("\n".join(lines).encode(encoding) + b"\n")
    return str(path)


def read(path: str, **settings: Any) -> GateResult:
    batch_rows = settings.pop("batch_rows", 1_000_000)
    results = list(
        read_all(SourceConfig(readings=path, **settings), batch_rows=batch_rows)
    )
    return GateResult(
        pa.concat_tables([one.readings for one in results]),
        pa.concat_tables([one.rejects for one in results]),
        add_counts(one.counts for one in results),
        pa.concat_tables([one.classes for one in results]),
    )


def values(result: GateResult) -> list[float]:
    return result.readings["value"].to_pylist()


def rejects(result: Any) -> list[tuple[int, str, str, str]]:
    return [
        (one["row"], one["column"], one["reason"], one["found"])
        for one in result.rejects.to_pylist()
    ]


# Whole files


def test_empty_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "readings.csv"
    path.write_bytes(b"")
    with pytest.raises(
        InputError,
        match=r"readings\.csv: the file is empty \(0 bytes\): expected a table",
    ):
        read(str(path))


def test_header_without_rows_is_refused_when_no_file_has_rows(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"readings\.csv: expected readings below the header, found 0 rows in 1 file",
    ):
        read(write(tmp_path, HEADER))


def test_parquet_without_rows_is_refused_when_no_file_has_rows(tmp_path: Path) -> None:
    pq.write_table(CANONICAL.empty_table(), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="found 0 rows in 1 file"):
        read(str(tmp_path))


def test_header_without_rows_is_passed_over_when_another_file_has_rows(
    tmp_path: Path,
) -> None:
    write(tmp_path, HEADER, name="a.csv")
    write(tmp_path, HEADER, "F,e,p,2024-03-01,1", name="b.csv")
    assert values(read(str(tmp_path))) == [1.0]


def test_missing_column_is_named_with_the_nearest_one_and_the_mapping(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, HEADER.replace("value", "valeu"), "F,e,p,2024-03-01,1")
    with pytest.raises(InputError) as caught:
        read(path)
    assert (
        "expected a column 'value', found columns: facility_id, equipment_id, point_id, date, valeu"
        in str(caught.value)
    )
    assert "did you mean 'valeu'? Name it in source.columns: {value: valeu}" in str(
        caught.value
    )
    assert values(read(path, columns={"value": "valeu"})) == [1.0]


def test_column_found_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected one column 'value', found 2"):
        read(write(tmp_path, HEADER + ",value", "F,e,p,2024-03-01,1,2"))


def test_cp932_file_read_as_utf8_names_byte_row_and_the_fitting_encoding(
    tmp_path: Path,
) -> None:
    path = write(
        tmp_path,
        HEADER,
        "F,e,p,2024-03-01,1",
        "東京,e,p,2024-03-01,1",
        encoding="cp932",
    )
    with pytest.raises(InputError) as caught:
        read(path, encoding="utf-8")
    position = len(HEADER) + 1 + len("F,e,p,2024-03-01,1") + 1
    assert (
        f"expected text in utf-8, found byte 0x93 at position {position} (row 3)"
        in str(caught.value)
    )
    assert "set source.encoding: cp932" in str(caught.value)


def test_text_in_no_known_encoding_is_refused_with_the_places(tmp_path: Path) -> None:
    path = tmp_path / "readings.csv"
    path.write_bytes(HEADER.encode() + b"\n\x81\xff,e,p,2024-03-01,1\n")
    with pytest.raises(
        InputError, match=r"none of the encodings fits .*row 2.*source\.encoding"
    ):
        read(str(path))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
def test_encodings_are_detected_and_give_equal_tables(
    tmp_path: Path, encoding: str
) -> None:
    rows = ("東京,空調①,吸込温度,2024/3/1,２１．５", "東京,空調①,吸込温度,2024/3/2,―")
    plain = read(write(tmp_path, HEADER, *rows, name="plain.csv"))
    coded = read(write(tmp_path, HEADER, *rows, name="coded.csv", encoding=encoding))
    assert coded.readings.equals(plain.readings)
    assert coded.readings["facility_id"].to_pylist() == ["東京"]
    assert values(coded) == [21.5]


def test_cp932_is_decoded_whole_when_characters_straddle_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("files", "encodings"):
        monkeypatch.setattr(f"hvac.readings.{module}.BLOCK_BYTES", 101)
    rows = [
        f"東京本社ビル,空調機{i % 7},温度,2024-03-{1 + i % 28:02d},{i}"
        for i in range(200)
    ]
    result = read(write(tmp_path, HEADER, *rows, encoding="cp932"))
    assert values(result) == list(range(200))
    assert set(result.readings["facility_id"].to_pylist()) == {"東京本社ビル"}


def test_value_column_of_text_only_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"column value holds text only \(2 rows; first: row 2 value text_in_value 'ok'",
    ):
        read(write(tmp_path, HEADER, "F,e,p,2024-03-01,ok", "F,e,p,2024-03-02,良"))


def test_file_with_every_row_rejected_names_the_first_five(tmp_path: Path) -> None:
    rows = [f"F,e,p,day {i},1" for i in range(7)]
    with pytest.raises(InputError) as caught:
        read(write(tmp_path, HEADER, *rows))
    assert (
        "every row was rejected (7 rows; first: row 2 date unreadable_date 'day 0'"
        in str(caught.value)
    )
    assert "'day 4'" in str(caught.value)
    assert "'day 5'" not in str(caught.value)


@pytest.mark.parametrize("where", ["absent.csv", "absent/*.parquet", "absent"])
def test_path_that_leads_nowhere_is_refused(tmp_path: Path, where: str) -> None:
    with pytest.raises(
        InputError, match=r"absent.*: no file found: expected .*source\.readings"
    ):
        source_files(SourceConfig(readings=str(tmp_path / where)))


def test_folder_without_tables_is_refused(tmp_path: Path) -> None:
    (tmp_path / "_SUCCESS").write_text("")
    with pytest.raises(InputError, match="no file found"):
        source_files(SourceConfig(readings=str(tmp_path)))


@pytest.mark.parametrize(
    "url", ["nosuch://bucket/readings.parquet", "memory://nowhere/readings.csv"]
)
def test_url_that_cannot_be_opened_is_refused(url: str) -> None:
    with pytest.raises(InputError, match=url.partition("://")[0]):
        source_files(SourceConfig(readings=url))


def test_excel_workbook_is_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "readings.csv"
    path.write_bytes(b"PK\x03\x04 workbook")
    with pytest.raises(InputError, match="save the sheet as CSV"):
        read(str(path))


def test_utf16_text_is_refused_unless_named(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER, "F,e,p,2024-03-01,1", encoding="utf-16")
    Path(path).write_bytes((HEADER + "\nF,e,p,2024-03-01,1\n").encode("utf-16"))
    with pytest.raises(
        InputError, match=r"found UTF-16 text: .*source\.encoding: utf-16"
    ):
        read(path)
    assert values(read(path, encoding="utf-16")) == [1.0]


def test_quote_that_never_closes_is_refused_because_it_swallows_rows(
    tmp_path: Path,
) -> None:
    rows = ["F,e,p,2024-03-01,1", 'F,"e,p,2024-03-01,1', "F,e,p,2024-03-01,1"]
    with pytest.raises(InputError, match="row 3: a quote opens and never closes"):
        read(write(tmp_path, HEADER, *rows))
    with pytest.raises(InputError, match="a row longer than 4 MB: most likely a quote"):
        read(write(tmp_path, HEADER, 'F,e,p,2024-03-01,"1', *rows[:1] * 500_000))


def test_damaged_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "readings.parquet"
    path.write_bytes(b"PAR1 cut off here")
    with pytest.raises(InputError, match="damaged Parquet"):
        read(str(path))


# Rows


def test_date_that_is_none_is_rejected_with_its_place(tmp_path: Path) -> None:
    lines = (
        HEADER,
        "F,e,p,2024-02-30,1",
        "F,e,p,2024-02-29,2",
        "F,e,p,1969-12-31,3",
        "F,e,p,,4",
        "F,e,p,24/3/1,5",
    )
    result = read(write(tmp_path, *lines))
    assert values(result) == [2.0]
    assert rejects(result) == [
        (2, "date", "unreadable_date", "2024-02-30"),
        (4, "date", "date_out_of_range", "1969-12-31"),
        (5, "date", "missing_date", ""),
        (6, "date", "unreadable_date", "24/3/1"),
    ]


def test_text_in_a_value_is_rejected_and_counted(tmp_path: Path) -> None:
    result = read(
        write(
            tmp_path,
            HEADER,
            "F,e,p,2024-03-01,abc",
            "F,e,p,2024-03-02,1",
            '"F",e,p,2024-03-03,"1 5"',
        )
    )
    assert rejects(result) == [
        (2, "value", "text_in_value", "abc"),
        (4, "value", "text_in_value", "1 5"),
    ]
    assert (result.counts["rejected"], result.counts["text_in_value"]) == (2, 2)
    assert result.rejects["file"].to_pylist() == [str(tmp_path / "readings.csv")] * 2


def test_missing_id_is_rejected_but_a_blank_row_is_only_missing(tmp_path: Path) -> None:
    result = read(
        write(tmp_path, HEADER, "F, ,p,2024-03-01,1", ",,,,", "", "F,e,p,2024-03-02,1")
    )
    assert rejects(result) == [(2, "equipment_id", "missing_id", "")]
    assert result.counts["missing"] == 2


def test_rows_of_another_length_are_rejected_and_do_not_shift_row_numbers(
    tmp_path: Path,
) -> None:
    rows = [
        "F,e,p",
        "F,e,p,2024-03-01,1",
        "F,e,p,2024-03-01,1,2,3",
        "F,e,p,2024-03-01,x",
        '"a\nb",e,p,x,1',
        "short",
    ]
    for batch_rows in (1, 2, 1_000):
        result = read(write(tmp_path, HEADER, *rows), batch_rows=batch_rows)
        assert sorted((row, reason) for row, _, reason, _ in rejects(result)) == [
            (2, "field_count"),
            (4, "field_count"),
            (5, "text_in_value"),
            (6, "control_character_in_id"),
            (7, "field_count"),
        ]
        assert (
            result.counts["rows"],
            result.counts["read"],
            result.counts["rejected"],
        ) == (
            6,
            1,
            5,
        )


def test_repeated_unit_days_are_kept_and_counted(tmp_path: Path) -> None:
    rows = (
        "F,e,p,2024-03-01 05:00,1",
        "F,e,p,2024/3/1 17:00,3",
        "F,e,p,2024-03-01,3",
        "F,e,q,2024-03-01,3",
    )
    result = read(write(tmp_path, HEADER, *rows))
    assert values(result) == [1.0, 3.0, 3.0, 3.0]
    assert result.counts["repeated_unit_days"] == 2


def test_swapped_limits_become_null_and_the_reading_is_kept(tmp_path: Path) -> None:
    head = HEADER + ",lower_limit,upper_limit"
    result = read(
        write(
            tmp_path,
            head,
            "F,e,p,2024-03-01,1,30,10",
            "F,e,p,2024-03-02,2,10,30",
            "F,e,p,2024-03-03,3,高,30",
        )
    )
    assert values(result) == [1.0, 2.0, 3.0]
    assert result.readings["lower_limit"].to_pylist() == [None, 10.0, None]
    assert result.readings["upper_limit"].to_pylist() == [None, 30.0, 30.0]
    assert rejects(result) == [
        (2, "lower_limit, upper_limit", "limits_swapped", "lower 30.0 > upper 10.0"),
        (4, "lower_limit", "unreadable_limit", "高"),
    ]
    assert result.counts["rejected"] == 0


@pytest.mark.parametrize("text", ["inf", "-Infinity", "∞", "1e999"])
def test_infinite_value_is_rejected(tmp_path: Path, text: str) -> None:
    result = read(
        write(tmp_path, HEADER, f"F,e,p,2024-03-01,{text}", "F,e,p,2024-03-02,1")
    )
    assert rejects(result) == [(2, "value", "infinite_value", text)]


def test_infinite_float_is_rejected_and_nan_is_missing_in_parquet(
    tmp_path: Path,
) -> None:
    table = canonical(value=[np.inf, np.nan, None, 0.0])
    pq.write_table(table, tmp_path / "a.parquet")
    result = read(str(tmp_path))
    assert values(result) == [0.0]
    assert rejects(result) == [(1, "value", "infinite_value", "inf")]
    assert result.counts["missing"] == 2


def test_unreadable_known_at_is_rejected_and_a_blank_one_is_null(
    tmp_path: Path,
) -> None:
    head = HEADER + ",known_at"
    result = read(
        write(
            tmp_path,
            head,
            "F,e,p,2024-03-01,1,soon",
            "F,e,p,2024-03-02,2,",
            "F,e,p,2024-03-03,3,2024-03-05",
        )
    )
    assert rejects(result) == [(2, "known_at", "unreadable_known_at", "soon")]
    assert result.readings["known_at"].to_pylist() == [None, dt.date(2024, 3, 5)]


# Values, dates, ids


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("１２．５", 12.5),
        ('"1,234.5"', 1234.5),
        ("－５", -5.0),
        ("−5", -5.0),
        (" 7 ", 7.0),
        ("　８　", 8.0),
        ("1e3", 1000.0),
        ("+3", 3.0),
        (".5", 0.5),
        ("5.", 5.0),
        ('"１，２３４"', 1234.0),
    ],
)
def test_number_is_read(tmp_path: Path, text: str, value: float) -> None:
    assert values(
        read(write(tmp_path, HEADER, f"F,e,p,2024-03-01,{text}"), decimal=".")
    ) == [value]


@pytest.mark.parametrize("text", ["", "－", "-", "欠測", "NA", "nan", "　", "N/A"])
def test_missing_mark_is_counted_and_is_no_reading(tmp_path: Path, text: str) -> None:
    result = read(write(tmp_path, HEADER, f"F,e,p,2024-03-01,{text}"))
    assert values(result) == []
    assert (result.counts["missing"], result.counts["rejected"]) == (1, 0)


@pytest.mark.parametrize(
    "text",
    [
        "2024/3/1 5:04",
        "2024-03-01",
        "2024年3月1日",
        "2024-03-01T23:59:59.9",
        "2024-02-29T15:00:00Z",
        "20240301",
        "2024-03-01T00:00+09:00",
        "2024-02-29T10:00:00-0500",
        "２０２４／３／１",
        "2024/3/1(金)",
        "2024年3月1日 5時04分",
    ],
)
def test_date_is_read_as_the_local_day(tmp_path: Path, text: str) -> None:
    result = read(write(tmp_path, HEADER, f"F,e,p,{text},1"), time_zone="Asia/Tokyo")
    assert result.readings["date"].to_pylist() == [dt.date(2024, 3, 1)]


def canonical(value: list[Any], date: Any = None) -> pa.Table:
    count = len(value)
    days = date if date is not None else [dt.date(2024, 3, 1)] * count
    ids = {name: ["a"] * count for name in ("facility_id", "equipment_id", "point_id")}
    return pa.table({**ids, "date": days, "value": value})


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_with_a_zone_become_the_local_day_of_their_facility(
    tmp_path: Path, unit: str
) -> None:
    late = [dt.datetime(2024, 3, 1, 16, tzinfo=dt.UTC)] * 2
    table = canonical([1.0, 2.0], pa.array(late, pa.timestamp(unit, tz="UTC")))
    table = table.set_column(0, "facility_id", pa.array(["Osaka", "Paris"]))
    pq.write_table(table, tmp_path / "a.parquet")
    result = read(
        str(tmp_path),
        time_zone="Asia/Tokyo",
        facility_time_zones={"Paris": "Europe/Paris"},
    )
    assert result.readings["date"].to_pylist() == [
        dt.date(2024, 3, 2),
        dt.date(2024, 3, 1),
    ]


@pytest.mark.parametrize(
    "kind",
    [
        pa.date32(),
        pa.date64(),
        pa.timestamp("ns"),
        pa.string(),
        pa.dictionary(pa.int8(), pa.string()),
    ],
)
def test_parquet_dates_of_every_type_are_read(
    tmp_path: Path, kind: pa.DataType
) -> None:
    date = pa.array(["2024-03-01", "2024-03-02"])
    column = (
        date.cast(pa.date32()).cast(kind)
        if not pa.types.is_dictionary(kind)
        else date.dictionary_encode()
    )
    pq.write_table(canonical([1, 2], column), tmp_path / "a.parquet")
    assert read(str(tmp_path)).readings["date"].to_pylist() == [
        dt.date(2024, 3, 1),
        dt.date(2024, 3, 2),
    ]


def test_leading_zeros_of_ids_are_kept(tmp_path: Path) -> None:
    result = read(write(tmp_path, HEADER, "001,007, 0x1 ,2024-03-01,1"))
    assert result.readings.slice(0, 1).to_pylist()[0] == {
        "facility_id": "001",
        "equipment_id": "007",
        "point_id": "0x1",
        "date": dt.date(2024, 3, 1),
        "value": 1.0,
        "lower_limit": None,
        "upper_limit": None,
        "known_at": None,
        "second": None,
    }
    assert result.readings.schema.equals(CANONICAL)


# Formats and places


def test_inspection_file_is_read_as_it_comes(tmp_path: Path) -> None:
    rows = (
        "1,AHU,T1,007,c1,３０,10,2024/3/1 5:04,２１．５",
        "2,AHU,T1,007,c1,,,2024/3/2 5:04,欠測",
        "3,PUMP,T1,008,c2,,,2024/3/2,0",
    )
    result = read(
        write(tmp_path, INSPECTION_HEADER, *rows, encoding="cp932"), format="inspection"
    )
    assert result.readings.to_pylist()[0] == {
        "facility_id": "T1",
        "equipment_id": "007",
        "point_id": "c1",
        "date": dt.date(2024, 3, 1),
        "value": 21.5,
        "lower_limit": 10.0,
        "upper_limit": 30.0,
        "known_at": None,
        "second": 18_240,
    }
    assert values(result) == [21.5, 0.0]
    assert [tuple(one.values()) for one in result.classes.to_pylist()] == [
        ("T1", "007", "AHU"),
        ("T1", "008", "PUMP"),
    ]


def test_rejects_name_the_column_as_the_file_does(tmp_path: Path) -> None:
    rows = (
        "1,AHU,T1,007,c1,30,10,2024/3/1 5:04,異常",
        "1,AHU,T1,007,c1,30,10,2024/3/1 5:04,1",
    )
    result = read(write(tmp_path, INSPECTION_HEADER, *rows), format="inspection")
    assert rejects(result) == [(2, "実施結果の値", "text_in_value", "異常")]


def test_wide_table_is_read_by_mapping(tmp_path: Path) -> None:
    path = write(tmp_path, "day,unit,temp,load", "2024-03-01,a,20,", "2024-03-02,b,x,5")
    wide = {"date_column": "day", "equipment_column": "unit", "facility_id": "F"}
    result = read(path, format="wide", wide=wide)
    found = [
        (one["equipment_id"], one["point_id"], one["value"])
        for one in result.readings.to_pylist()
    ]
    assert found == [("a", "temp", 20.0), ("b", "load", 5.0)]
    assert rejects(result) == [(3, "temp", "text_in_value", "x")]
    assert (result.counts["rows"], result.counts["missing"]) == (4, 1)
    named = read(
        path, format="wide", wide={**wide, "points": {"load": "負荷"}}, batch_rows=1
    )
    assert named.readings["point_id"].to_pylist() == ["負荷"]


def test_wide_format_without_its_section_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs the section 'wide'"):
        SourceConfig(readings="a.csv", format="wide")


def test_partition_folders_stand_in_for_columns(tmp_path: Path) -> None:
    for facility in ("F 1", "F2"):
        folder = tmp_path / f"facility_id={facility.replace(' ', '%20')}"
        folder.mkdir()
        pq.write_table(
            canonical([1.0]).drop_columns("facility_id"), folder / "part-0.parquet"
        )
    assert read(str(tmp_path)).readings["facility_id"].to_pylist() == ["F 1", "F2"]
    assert len(source_files(SourceConfig(readings=f"{tmp_path}/*/*.parquet"))) == 2


@pytest.mark.parametrize("url", ["file://{}", "local://{}"])
def test_urls_of_pyarrow_and_fsspec_are_read(tmp_path: Path, url: str) -> None:
    write(tmp_path, HEADER, "F,e,p,2024-03-01,1")
    assert values(read(url.format(tmp_path))) == [1.0]
    assert values(read(url.format(tmp_path / "readings.csv"))) == [1.0]
    assert values(read(url.format(tmp_path) + "/*.csv")) == [1.0]


def test_numeric_ids_in_parquet_become_text(tmp_path: Path) -> None:
    table = (
        canonical([1.0])
        .set_column(1, "equipment_id", pa.array([7.0]))
        .set_column(2, "point_id", pa.array([8]))
    )
    pq.write_table(table, tmp_path / "a.parquet")
    row = read(str(tmp_path)).readings.to_pylist()[0]
    assert (row["equipment_id"], row["point_id"]) == ("7", "8")


def test_file_streams_the_same_in_batches_of_any_size(tmp_path: Path) -> None:
    marks = ["1", "x", "", "2.5"]
    rows = [f"F,e{i % 3},p,2024-03-{1 + i % 28:02d},{marks[i % 4]}" for i in range(101)]
    path = write(tmp_path, HEADER, *rows)
    whole = read(path)
    for batch_rows in (1, 7, 100, 101):
        parts = list(
            read_readings(path, SourceConfig(readings=path), batch_rows=batch_rows)
        )
        assert max(len(part.readings) for part in parts) <= batch_rows
        assert pa.concat_tables([part.readings for part in parts]).equals(
            whole.readings
        )
        assert pa.concat_tables([part.rejects for part in parts]).equals(whole.rejects)


CELL = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True).map(str),
    st.sampled_from(
        [
            "",
            "欠測",
            "－",
            "abc",
            "１２",
            "1,234",
            "F",
            "2024-03-01",
            "2024/3/1 5:04",
            "2024-13-01",
        ]
    ),
    st.text(max_size=6),
)


@settings(max_examples=60)
@given(
    rows=st.lists(st.lists(CELL, min_size=1, max_size=6), min_size=1, max_size=12),
    batch_rows=st.integers(1, 5),
)
def test_every_row_is_a_reading_or_missing_or_rejected(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], batch_rows: int
) -> None:
    cells = [
        [
            "".join(c for c in cell if c not in '\r\n"\x00' and c.isprintable())
            for cell in row
        ]
        for row in rows
    ]
    lines = [",".join(f'"{cell}"' for cell in row) for row in cells] + [
        "F,e,p,2024-03-01,1"
    ]
    settled = {"decimal": ".", "date_format": "%Y/%m/%d", "time_zone": "Asia/Tokyo"}
    result = read(
        write(tmp_path_factory.mktemp("rows"), HEADER, *lines),
        batch_rows=batch_rows,
        **settled,
    )
    counts = result.counts
    assert counts["rows"] == len(lines)
    assert counts["rows"] == counts["read"] + counts["missing"] + counts["rejected"]
    assert counts["read"] == len(result.readings)
    assert len({row for row, *_ in rejects(result)}) == counts["rejected"]
    assert np.isfinite(values(result)).all()


# Events and the equipment register


def test_events_are_read_and_bad_ones_rejected(tmp_path: Path) -> None:
    rows = (
        "F,a,failure,2024-03-01,2024-03-05,p",
        "F,a,failure,someday,,",
        "F,a,,2024-03-01,,",
        "F,b,repair,2024/3/9,2024/3/1,",
    )
    path = write(
        tmp_path,
        "facility_id,equipment_id,kind,start,end,point_id",
        *rows,
        name="events.csv",
    )
    result = read_events(SourceConfig(readings="x", events=path))
    assert result.table.to_pylist() == [
        dict(zip(result.table.column_names, one, strict=True))
        for one in (
            ("F", "a", "failure", dt.date(2024, 3, 1), dt.date(2024, 3, 5), "p"),
            ("F", "b", "repair", dt.date(2024, 3, 9), dt.date(2024, 3, 9), None),
        )
    ]
    assert [one[:3] for one in rejects(result)] == [
        (3, "start", "unreadable_start"),
        (4, "kind", "missing_kind"),
        (5, "end", "end_before_start"),
    ]
    assert (result.counts["read"], result.counts["rejected"]) == (2, 2)


def test_source_without_events_gives_an_empty_table() -> None:
    assert len(read_events(SourceConfig(readings="x")).table) == 0


def test_events_of_unknown_equipment_are_rejected() -> None:
    events = pa.table(
        {
            "facility_id": ["F", "F", "F"],
            "equipment_id": ["a", "ghost", "ghost"],
            "kind": ["failure"] * 3,
        }
    )
    kept, left = check_events(events, {("F", "a")}, file="events.csv")
    assert kept["equipment_id"].to_pylist() == ["a"]
    assert left["reason"].to_pylist() == ["unknown_equipment"] * 2
    assert left.to_pylist()[0]["found"] == "F/ghost"
    assert unknown_equipment(events, {("F", "a")}) == {("F", "ghost"): 2}


def test_equipment_register_keeps_its_other_columns(tmp_path: Path) -> None:
    rows = (
        "F,007,AHU,2019/4/1,2024/3/31,Daikin",
        "F,007,AHU,2019/4/1,,twice",
        "F,008,AHU,unknown,soon,",
        ",9,AHU,,,",
    )
    path = write(
        tmp_path,
        "facility_id,equipment_id,class,install_date,end_of_follow_up,maker",
        *rows,
        name="equipment.csv",
    )
    result = read_equipment(SourceConfig(readings="x", equipment=path))
    assert result.table["equipment_id"].to_pylist() == ["007", "008"]
    assert result.table["install_date"].to_pylist() == [dt.date(2019, 4, 1), None]
    assert result.table["end_of_follow_up"].to_pylist() == [dt.date(2024, 3, 31), None]
    assert result.table["maker"].to_pylist() == ["Daikin", ""]
    listed = [
        "repeated_equipment",
        "unreadable_install_date",
        "unreadable_end_of_follow_up",
        "missing_id",
    ]
    assert [one[2] for one in rejects(result)] == listed


def test_register_without_equipment_id_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "facility_id,class", "F,AHU", name="equipment.csv")
    with pytest.raises(
        InputError,
        match="expected a column 'equipment_id', found columns: facility_id, class",
    ):
        read_equipment(SourceConfig(readings="x", equipment=path))


# The seed's format


def seed_lines(
    *lengths: int,
    header: str = "sensor,values_sequence,mean,label_30d,label_60d,label_90d",
) -> list[str]:
    rows = [
        f'00{i},"{[float(v) for v in range(length)]}",1.5,0,1,'
        for i, length in enumerate(lengths)
    ]
    return [header, *rows]


def test_seed_windows_are_read_and_a_short_sequence_is_rejected(tmp_path: Path) -> None:
    path = write(tmp_path, *seed_lines(90, 89, 90, 91), name="seed.csv")
    (batch,) = read_predecessor(
        path,
        SourceConfig(readings=path, format="seed", columns={"equipment_id": "sensor"}),
    )
    assert batch.ids["equipment_id"].to_pylist() == ["000", "002"]
    np.testing.assert_array_equal(batch.x_BL, [np.arange(90.0)] * 2)
    np.testing.assert_array_equal(batch.y_BH, [[0, 1, np.nan]] * 2)
    assert rejects(batch) == [
        (3, "values_sequence", "sequence_length", "89 values, expected 90"),
        (5, "values_sequence", "sequence_length", "91 values, expected 90"),
    ]
    assert batch.counts == {"rows": 4, "read": 2, "rejected": 2, "sequence_length": 2}


def test_seed_sequence_with_text_is_rejected_and_a_gap_is_nan(tmp_path: Path) -> None:
    good = "[" + " ".join(["1."] * 90) + "]"
    gap = "[" + ", ".join(["nan", *["1"] * 89]) + "]"
    bad = "[" + ", ".join(["x", *["1"] * 89]) + "]"
    path = write(
        tmp_path,
        "equipment_id,values_sequence",
        f'a,"{good}"',
        f'a,"{gap}"',
        f'a,"{bad}"',
        'a,""',
    )
    (batch,) = read_predecessor(path, SourceConfig(readings=path, format="seed"))
    assert np.isnan(batch.x_BL).sum() == 1
    assert [one[:3] for one in rejects(batch)] == [
        (4, "values_sequence", "text_in_sequence"),
        (5, "values_sequence", "sequence_length"),
    ]


def test_seed_without_a_unit_column_is_refused_because_splits_would_leak(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, *seed_lines(90), name="seed.csv")
    with pytest.raises(InputError, match="without units any split leaks"):
        list(read_predecessor(path, SourceConfig(readings=path, format="seed")))


# Configuration and real tables


def test_unknown_time_zone_and_encoding_are_refused() -> None:
    with pytest.raises(ConfigError, match="unknown time zone 'Tokyo'"):
        SourceConfig(readings="a", time_zone="Tokyo")
    with pytest.raises(ConfigError, match="unknown encoding 'sjiss'"):
        SourceConfig(readings="a", encoding="sjiss")


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no public tables at {SHARED}")
@pytest.mark.parametrize("name", ["azure_pdm", "chillers", "cmapss_fd001"])
def test_public_tables_are_read_without_a_reject(name: str) -> None:
    source = SourceConfig(
        readings=str(SHARED / name / "readings.parquet"),
        events=str(SHARED / name / "events.parquet"),
    )
    results = list(read_all(source))
    counts = add_counts(one.counts for one in results)
    assert (
        counts["rows"]
        == counts["read"]
        == pq.read_metadata(SHARED / name / "readings.parquet").num_rows
    )
    events = read_events(source)
    assert events.counts["rejected"] == 0
    assert len(check_events(events.table, results[0].readings)[1]) == 0
