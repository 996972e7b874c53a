"""An encoding is known, guessed and then told, or refused with the setting; separators and titles are found."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from hvac.errors import InputError
from hvac.readings.gate import GateResult, SourceConfig, read_events, read_readings

HEADER = "facility_id,equipment_id,point_id,date,value"


def write(
    folder: Path, *lines: str, encoding: str = "utf-8", name: str = "readings.csv"
) -> str:
    path = folder / name
    path.write_bytes("\n".join([*lines, ""]).encode(encoding))
    return str(path)


def read(path: str, **settings: Any) -> GateResult:
    (result,) = read_readings(path, SourceConfig(readings=path, **settings))
    return result


def equipment(result: GateResult) -> list[str]:
    return result.readings["equipment_id"].to_pylist()


def rows(*names: str) -> list[str]:
    return [HEADER, *(f"本社,{name},温度,2024-03-01,1" for name in names)]


@pytest.mark.parametrize(
    "name",
    [
        "Kältemaschine-01",
        "Außenluft",
        "Température",
        "Chaleur 21°C",
        "São",
        "Motor 5µm",
    ],
)
@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_western_text_is_refused_and_not_read_as_cp932(
    tmp_path: Path, name: str, encoding: str
) -> None:
    lines = [HEADER, f"S1,{name},t,2024-03-01,1"]
    path = write(tmp_path, *lines, encoding=encoding)
    with pytest.raises(InputError, match=r"source\.encoding"):
        read(path)
    assert equipment(read(path, encoding=encoding)) == [name]


def test_refusal_shows_how_a_cell_reads_in_other_encodings(tmp_path: Path) -> None:
    path = write(
        tmp_path, HEADER, "S1,Kältemaschine-01,t,2024-03-01,1", encoding="cp1252"
    )
    with pytest.raises(
        InputError, match="'K舁temaschine-01' as cp932, 'Kältemaschine-01' as cp1252"
    ):
        read(path)


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("gb18030", "空调机组一号"), ("euc_jp", "空調機"), ("euc_jp", "温度"), ("gb18030", "温度"), ("big5", "空調機組"),
     ("iso-2022-jp", "空調機"), ("utf-16-le", "空調機"), ("utf-16-be", "AHU"), ("utf-16", "AHU"), ("utf-32-le", "AHU"),
     ("euc_kr", "공조기")],
)  # fmt: skip
def test_text_of_another_encoding_is_refused_and_read_when_it_is_named(
    tmp_path: Path, encoding: str, name: str
) -> None:
    lines = [HEADER, f"S1,{name},t,2024-03-01,1"]
    path = write(tmp_path, *lines, encoding=encoding)
    with pytest.raises(InputError, match=r"source\.encoding"):
        read(path)
    assert equipment(read(path, encoding=encoding)) == [name]


def test_sign_inside_a_latin_word_is_no_japanese(tmp_path: Path) -> None:
    path = write(
        tmp_path, HEADER, "S1,Kältemaschine,t,2024-03-01,1", encoding="mac_roman"
    )
    with pytest.raises(InputError, match="'K獲temaschine' as cp932"):
        read(path)
    plain = write(tmp_path, HEADER, "S1,A棟B系,t,2024-03-01,1", encoding="cp932")
    assert equipment(read(plain)) == ["A棟B系"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_told_with_its_order(
    tmp_path: Path, encoding: str
) -> None:
    path = write(tmp_path, *rows("空調機"), encoding=encoding)
    with pytest.raises(
        InputError,
        match=rf"UTF-16 text without a mark: set source\.encoding: {encoding}",
    ):
        read(path)
    packed = tmp_path / "b.csv.gz"
    packed.write_bytes(gzip.compress(Path(path).read_bytes()))
    with pytest.raises(InputError, match=rf"set source\.encoding: {encoding}"):
        read(str(packed))


@pytest.mark.parametrize(
    "name",
    ["空調機①", "横濱ビル", "ｴｱｺﾝ1号機", "ﾎﾟﾝﾌﾟA", "髙島屋㈱", "3ｶ月点検", "Ａ－１"],
)
def test_cp932_is_read_and_told_to_be_a_guess(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, *rows(name), encoding="cp932")
    result = read(path)
    assert equipment(result) == [name]
    assert result.notes == (
        "read as cp932: a guess, which source.encoding: cp932 confirms",
    )
    assert read(path, encoding="cp932").notes == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_utf8_is_no_guess(tmp_path: Path, encoding: str) -> None:
    assert read(write(tmp_path, *rows("空調機"), encoding=encoding)).notes == ()


def test_file_that_is_utf8_is_read_so_beside_others_in_the_named_encoding(
    tmp_path: Path,
) -> None:
    head = "facility_id,equipment_id,kind,start"
    events = write(
        tmp_path, head, "S1,Kältemaschine,failure,2024-03-01", name="events.csv"
    )
    found = read_events(
        SourceConfig(readings="x", events=events, encoding="cp1252")
    ).table
    assert found["equipment_id"].to_pylist() == ["Kältemaschine"]


# Separators and titles


@pytest.mark.parametrize("sign", [";", "\t", "|"])
def test_separator_is_taken_from_the_header_and_told(tmp_path: Path, sign: str) -> None:
    path = write(
        tmp_path,
        HEADER.replace(",", sign),
        sign.join(["F", "e", "p", "2024-03-01", "0,125"]),
    )
    result = read(path)
    assert result.readings["value"].to_pylist() == [0.125]
    name = "tab" if sign == "\t" else repr(sign)
    assert result.notes == (
        f"separated by {name}, as its header is (source.delimiter)",
    )
    assert read(path, delimiter=sign).notes == ()


def test_named_separator_holds_and_other_tables_may_have_another(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, "date;temp, °C", "2024-03-01;5")
    wide = {"facility_id": "F", "equipment_id": "e"}
    with pytest.raises(
        InputError, match=r"separated by ';', set source\.delimiter: ';'"
    ):
        read(write(tmp_path, HEADER.replace(",", ";") + ", °C", "F;e;p;2024-03-01;5"))
    path = write(tmp_path, "date;temp, °C", "2024-03-01;5")
    assert read(path, format="wide", wide=wide, delimiter=";").readings[
        "point_id"
    ].to_pylist() == ["temp, °C"]
    events = write(
        tmp_path,
        "facility_id,equipment_id,kind,start",
        "F,e,failure,2024-03-01",
        name="events.csv",
    )
    assert (
        len(read_events(SourceConfig(readings="x", events=events, delimiter=";")).table)
        == 1
    )


def test_line_that_names_the_separator_is_no_header(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "sep=;",
        HEADER.replace(",", ";"),
        "F;e;p;2024-03-01;1",
        "F;e;p;soon;1",
    )
    result = read(path)
    assert result.readings["value"].to_pylist() == [1.0]
    assert result.rejects["row"].to_pylist() == [4]


def test_titles_above_the_header_are_skipped_and_rows_keep_their_numbers(
    tmp_path: Path,
) -> None:
    lines = ["点検記録 2024", "", HEADER, "F,e,p,2024-03-01,1", "F,e,p", "F,e,p,soon,1"]
    path = write(tmp_path, *lines)
    with pytest.raises(InputError, match=r"row 3 has it, set source\.skip_rows: 2"):
        read(path)
    result = read(path, skip_rows=2)
    assert result.readings["value"].to_pylist() == [1.0]
    assert sorted(result.rejects["row"].to_pylist()) == [5, 6]


def test_missing_column_of_a_wide_table_names_a_setting_that_exists(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, "day,temp", "2024-03-01,5")
    with pytest.raises(
        InputError,
        match=r"Name it in source\.wide: \{date_column: <name in the file>\}",
    ):
        read(path, format="wide", wide={"facility_id": "F", "equipment_id": "e"})
    with pytest.raises(
        InputError,
        match=r"source\.wide: \{points: \{<name in the file>: <point id>\}\}",
    ):
        read(path, format="wide", wide={"date_column": "day", "facility_id": "F", "equipment_id": "e",
                                        "points": {"load": "l"}})  # fmt: skip


def test_folder_or_absent_file_names_its_setting(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"correct source\.readings"):
        read(str(tmp_path / "absent.csv"))
    with pytest.raises(
        InputError, match=r"found a folder: name a file in source\.readings"
    ):
        read(str(tmp_path))


def test_rows_that_end_in_a_delimiter_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER, "F,e,p,2024-03-01,5,", "F,e,p,2024-03-02,6,")
    found = read(path)
    assert (found.readings["value"].to_pylist(), found.counts["rejected"]) == (
        [5.0, 6.0],
        0,
    )
