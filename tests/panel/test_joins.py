"""Tables whose ids, kinds, classes, ends or files do not quite fit: joined, or refused with the nearest, and told."""

from __future__ import annotations

import bz2
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hvac.errors import ConfigError, InputError
from hvac.panel.events import inside_episode
from hvac.panel.grid import Unit
from hvac.panel.joins import folded, folded_ids
from hvac.panel.registering import build_registry, recorded_units
from hvac.panel.registry import Registry
from hvac.readings.accepted import newest_day
from hvac.readings.files import open_table
from hvac.readings.formats import read_raw
from hvac.readings.gate import (
    CLASSES,
    GateResult,
    SourceConfig,
    gate,
    read_all,
    source_files,
)
from hvac.readings.registers import OPEN_END
from hvac.readings.sources import WideConfig
from hvac.readings.table_paths import passed_over, table_files
from tests.panel.panel_example import date

HEADER = "facility_id,equipment_id,kind,start,end"
KNOWN = ["AHU-01", "AHU-02", "007", "008"]


def joined(
    folder: Path,
    events: str = "",
    equipment: str = "",
    paths: Any = None,
    **source: Any,
) -> Registry:
    source |= paths or {}
    rows = [
        {
            "facility_id": "S1",
            "equipment_id": e,
            "point_id": "p",
            "date_min": date(0),
            "date_max": date(99),
        }
        | {"date_count": 100, "limited_sum": 0}
        for e in KNOWN
    ]
    for name, text in (("events", events), ("equipment", equipment)):
        if text:
            (folder / f"{name}.csv").write_text(text, encoding="utf-8")
            source[name] = str(folder / f"{name}.csv")
    config = SourceConfig(readings="readings.csv", **source)
    return build_registry(
        recorded_units(pa.Table.from_pylist(rows), CLASSES.empty_table()),
        config,
        by_class=True,
        min_point_share=0.5,
    )


def log(*equipment: str, kind: str = "failure") -> str:
    return "\n".join(
        [
            HEADER,
            *(
                f"S1,{one},{kind},2023-02-0{n},2023-02-09"
                for n, one in enumerate(equipment, 1)
            ),
        ]
    )


@pytest.mark.parametrize(
    "written", ["ＡＨＵ－01", "ahu-01", " AHU-01 ", "AHU‐01", "ahu- 01"]
)
def test_id_written_otherwise_is_joined_and_told(tmp_path: Path, written: str) -> None:
    found = joined(tmp_path, log(written, "AHU-02"))
    assert found.events["equipment_id"].to_pylist() == ["AHU-01", "AHU-02"]
    if written.strip() != "AHU-01":
        (sentence,) = found.notes
        assert "the ids of 1 pieces of equipment are written otherwise" in sentence
        assert f"S1/{written.strip()} is S1/AHU-01" in sentence


def test_id_that_two_units_share_but_for_case_is_not_guessed(tmp_path: Path) -> None:
    KNOWN.append("ahu-02")
    try:
        with pytest.raises(
            InputError, match="0 of them of equipment that has readings"
        ):
            joined(tmp_path, log("Ahu-02"))
    finally:
        KNOWN.pop()


def test_events_of_other_ids_are_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        joined(tmp_path, log("7", "8"))
    assert (
        "2 events were read, 0 of them of equipment that has readings (0%, expected at least 90%)"
        in str(refused.value)
    )
    assert "S1/7 (nearest: S1/007)" in str(refused.value)
    assert "source.min_matching" in str(refused.value)


def test_share_of_events_that_must_match_can_be_set(tmp_path: Path) -> None:
    found = joined(tmp_path, log("AHU-01", "GHOST"), min_matching=0.5)
    assert found.rejects["reason"].to_pylist() == ["unknown_equipment"]
    assert (
        "1 of 2 events are of equipment that has readings; without readings: S1/GHOST"
        in found.notes[0]
    )


def test_kinds_in_several_spellings_are_one_and_told(tmp_path: Path) -> None:
    text = (
        log("AHU-01", "AHU-02")
        + "\nS1,007,FAILURE,2023-03-01,2023-03-02\nS1,008,Failure ,2023-03-01,2023-03-02"
    )
    found = joined(tmp_path, text)
    assert found.event_kinds == ("failure",)
    assert (
        "kinds written in several ways were taken for one (FAILURE is failure, Failure is failure)"
        in found.notes[0]
    )
    assert len(found.events_of(Unit("S1", "008")).of_kinds(("FAILURE",)).start_N) == 1


def test_classes_in_several_spellings_are_one_and_units_without_one_are_counted(
    tmp_path: Path,
) -> None:
    found = joined(
        tmp_path,
        equipment="facility_id,equipment_id,class\nS1,AHU-01,AHU\nS1,AHU-02,ＡＨＵ\nS1,007,\n",
    )
    assert set(found.classes.values()) == {"AHU", "all"}
    assert any(
        "2 of 4 pieces of equipment have no class: they form the class 'all'" in one
        for one in found.notes
    )
    assert any("classes written in several ways" in one for one in found.notes)


def test_register_rows_without_readings_are_counted(tmp_path: Path) -> None:
    found = joined(
        tmp_path,
        equipment="facility_id,equipment_id,class\nS1,AHU-01,AHU\nS1,AHU-03,AHU\n",
    )
    assert (
        "1 of 2 rows are of equipment that has readings; without readings: S1/AHU-03 (nearest: S1/AHU-0"
        in found.notes[0]
    )


def test_register_that_has_both_spellings_keeps_the_exact_one(tmp_path: Path) -> None:
    found = joined(
        tmp_path,
        equipment="facility_id,equipment_id,class\nS1,ahu-01,wrong\nS1,AHU-01,AHU\n",
    )
    assert found.classes[Unit("S1", "AHU-01")] == "AHU"


@pytest.mark.parametrize("end", ["9999-12-31", "2999/12/31 23:59", ""])
def test_open_event_keeps_its_unit_inside_the_episode(tmp_path: Path, end: str) -> None:
    """Without an end it is open where others of its kind have one and it began at the end of the log."""
    text = log("AHU-01", "AHU-02") + f"\nS1,AHU-01,failure,2023-03-01,{end}"
    found = joined(tmp_path, text)
    events = found.events_of(Unit("S1", "AHU-01"))
    assert inside_episode(events.start_N[1:] + 500, events).all()
    assert "1 events have no end yet and are taken as still open" in found.notes[0]
    assert found.rejects.num_rows == 0


def test_event_without_end_lasts_its_day_where_the_log_keeps_no_ends_or_it_is_long_ago(
    tmp_path: Path,
) -> None:
    no_ends = joined(
        tmp_path,
        f"{HEADER}\nS1,AHU-01,failure,2023-02-01,\nS1,AHU-02,failure,2023-02-02,",
    )
    assert no_ends.events["end"].to_pylist() == [None, None]
    text = (
        f"{HEADER}\nS1,AHU-01,failure,2023-02-01,\nS1,AHU-01,failure,2023-03-01,2023-03-02\n"
        + log("007")[len(HEADER) :]
    )
    assert OPEN_END not in joined(tmp_path, text).events["end"].to_pylist()


@pytest.mark.parametrize("fails_again", [False, True])
def test_event_that_nobody_closed_is_open_or_not_whatever_comes_later(
    tmp_path: Path, fails_again: bool
) -> None:
    """Were it open only where no other one came, windows without an onset would be left out and others kept."""
    text = (
        log("AHU-01", "AHU-02")
        + "\nS1,007,failure,2023-02-01,\nS1,008,failure,2023-06-01,2023-06-05"
    )
    text += "\nS1,007,failure,2023-05-01,2023-05-03" if fails_again else ""
    found = joined(tmp_path, text)
    assert (
        found.events_of(Unit("S1", "007")).end_N[0]
        == found.events_of(Unit("S1", "007")).start_N[0]
    )


def test_event_after_tomorrow_is_rejected(tmp_path: Path) -> None:
    text = log("AHU-01") + f"\nS1,AHU-02,failure,{newest_day() + dt.timedelta(days=1)},"
    found = joined(tmp_path, text)
    assert found.rejects["reason"].to_pylist() == ["start_in_the_future"]


def test_log_and_register_may_be_folders_or_globs(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    for name, one in (("a", "AHU-01"), ("b", "AHU-02")):
        (folder / f"{name}.csv").write_text(log(one), encoding="utf-8")
        (folder / f"{name}.reg.csv").write_text(
            f"facility_id,equipment_id,class\nS1,{one},AHU\nS1,007,pump\n"
        )
    found = joined(
        tmp_path,
        paths={"events": str(folder / "?.csv"), "equipment": str(folder / "*.reg.csv")},
    )
    assert found.events["equipment_id"].to_pylist() == ["AHU-01", "AHU-02"]
    assert found.classes[Unit("S1", "AHU-02")] == "AHU"
    assert found.rejects["reason"].to_pylist() == ["repeated_equipment"]


@pytest.mark.parametrize("name", ["absent.csv", "empty"])
@pytest.mark.parametrize("setting", ["events", "equipment"])
def test_table_that_is_not_there_is_named_with_its_setting(
    tmp_path: Path, name: str, setting: str
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        InputError, match=rf"{name}: no file found: .*correct source\.{setting}"
    ):
        joined(tmp_path, paths={setting: str(tmp_path / name)})
    with pytest.raises(InputError, match=rf"correct source\.{setting}"):
        table_files(str(tmp_path / name), f"source.{setting}")


# Readings


def reading_file(path: Path, *rows: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "\n".join(["facility_id,equipment_id,point_id,date,value", *rows]),
        encoding="utf-8",
    )


def test_files_that_are_no_tables_are_named_and_compressed_ones_are_read(
    tmp_path: Path,
) -> None:
    reading_file(tmp_path / "a.csv", "F,e,p,2024-01-01,1")
    (tmp_path / "b.csv.bz2").write_bytes(
        bz2.compress((tmp_path / "a.csv").read_bytes().replace(b"-01,1", b"-02,2"))
    )
    for name in ("c.txt", "d.csv.zip", "e.xlsx", "_hidden.txt"):
        (tmp_path / name).write_text("x")
    source = SourceConfig(readings=str(tmp_path))
    assert [Path(one).name for one in source_files(source)] == ["a.csv", "b.csv.bz2"]
    assert [
        value
        for result in read_all(source)
        for value in result.readings["value"].to_pylist()
    ] == [1.0, 2.0]
    assert [Path(one).name for one in passed_over(source.readings)] == [
        "c.txt",
        "d.csv.zip",
        "e.xlsx",
    ]


def test_rows_in_the_folder_of_no_partition_are_rejected_and_others_read(
    tmp_path: Path,
) -> None:
    for value in ("F1", "__HIVE_DEFAULT_PARTITION__"):
        path = tmp_path / f"facility_id={value}" / "year=2024" / "month=3" / "a.csv"
        path.parent.mkdir(parents=True)
        path.write_text("equipment_id,point_id,date,value\ne,p,2024-03-01,1\n")
    results = list(gated(tmp_path))
    assert [one.readings["facility_id"].to_pylist() for one in results] == [["F1"], []]
    assert results[1].counts["missing_id"] == 1


def gated(folder: Path) -> Iterator[GateResult]:
    source = SourceConfig(readings=str(folder))
    for path in source_files(source):
        for raw in read_raw(open_table(path, source), source, batch_rows=10):
            yield gate(raw, source, file=path)


def test_reading_after_tomorrow_is_rejected_as_by_the_api(tmp_path: Path) -> None:
    tomorrow = newest_day()
    reading_file(
        tmp_path / "a.csv",
        f"F,e,p,{tomorrow},1",
        f"F,e,p,{tomorrow + dt.timedelta(days=1)},1",
        "F,e,p,2042-03-01,1",
    )
    (found,) = read_all(SourceConfig(readings=str(tmp_path / "a.csv")))
    assert found.readings["date"].to_pylist() == [tomorrow]
    assert found.counts["date_in_the_future"] == 2


@pytest.mark.parametrize(
    ("ids", "read"),
    [
        (pa.array([b"AHU-1", b"\xff"]), ["AHU-1"]),
        (pa.array([7.0, 1e15]), ["7", "1000000000000000"]),
        (pa.array([1.5, float("nan")]), ["1.5"]),
        (pa.array([dt.date(2024, 1, 1), None]), ["2024-01-01"]),
        (pa.array(["nan", "None"]), []),
        (pa.array(["a\x07", "x" * 129]), []),
        (pa.array(["本社/北館", "x" * 128]), ["本社/北館", "x" * 128]),
        (pa.array([["a"], ["b"]]), []),
    ],
)
def test_ids_of_any_type_are_rendered_as_a_person_wrote_them_or_rejected(
    tmp_path: Path, ids: Any, read: list[str]
) -> None:
    columns = {
        "facility_id": ["F"] * 3,
        "equipment_id": pa.concat_arrays([ids, ids[:1]]),
        "point_id": ["p"] * 3,
    }
    table = pa.table(
        columns | {"date": [dt.date(2024, 1, 1)] * 3, "value": [1.0, 2.0, 3.0]}
    ).slice(0, 2)
    pq.write_table(table, tmp_path / "a.parquet")
    found = []
    try:
        for result in read_all(SourceConfig(readings=str(tmp_path / "a.parquet"))):
            found += result.readings["equipment_id"].to_pylist()
    except InputError as error:
        assert "every row was rejected" in str(error)  # noqa: PT017 - some of these have nothing to read
    assert found == read


def test_value_beyond_1e15_is_rejected_as_by_the_api(tmp_path: Path) -> None:
    reading_file(
        tmp_path / "a.csv", "F,e,p,2024-01-01,1e15", "F,e,p,2024-01-02,-1.1e15"
    )
    (found,) = read_all(SourceConfig(readings=str(tmp_path / "a.csv")))
    assert (found.readings["value"].to_pylist(), found.counts["value_too_large"]) == (
        [1e15],
        1,
    )


def test_class_that_can_be_no_name_is_listed_and_the_unit_has_none(
    tmp_path: Path,
) -> None:
    long = "x" * 129
    text = f"facility_id,equipment_id,class\nS1,AHU-01,{long}\nS1,AHU-02,AHU/外調機\nS1,007,nan\n"
    found = joined(tmp_path, equipment=text)
    assert found.classes[Unit("S1", "AHU-02")] == "AHU/外調機"
    assert [found.classes[Unit("S1", each)] for each in ("AHU-01", "007")] == [
        "all",
        "all",
    ]
    assert found.rejects["reason"].to_pylist() == ["class_too_long"]


# What a tester with fresh eyes found


def test_event_that_is_told_twice_counts_once_and_the_closed_one_holds(
    tmp_path: Path,
) -> None:
    text = (
        log("AHU-01", "AHU-02")
        + "\nS1,ahu-01,FAILURE,2023-02-01,\nS1,AHU-02,failure,2023-02-02,2023-02-09"
    )
    found = joined(tmp_path, text)
    assert found.events["end"].to_pylist() == [dt.date(2023, 2, 9)] * 2
    assert any(
        "2 rows tell of an event that another row tells too" in one
        for one in found.notes
    )


@pytest.mark.parametrize("end", ["2023-02-20", "2023-02-31", "soon"])
def test_end_that_cannot_be_opens_no_event(tmp_path: Path, end: str) -> None:
    found = joined(
        tmp_path, log("AHU-01", "AHU-02") + f"\nS1,007,failure,2023-03-01,{end}"
    )
    assert found.events_of(Unit("S1", "007")).end_N.tolist() == [
        (dt.date(2023, 3, 1) - dt.date(1970, 1, 1)).days
    ]
    assert found.rejects["reason"].to_pylist() in (
        ["end_before_start"],
        ["unreadable_end"],
    )


def test_end_after_tomorrow_is_open_and_told(tmp_path: Path) -> None:
    found = joined(
        tmp_path, log("AHU-01") + "\nS1,AHU-02,failure,2023-03-01,2042-02-03"
    )
    assert found.events["end"].to_pylist()[1] == OPEN_END
    assert "1 events have no end yet" in found.notes[0]


def test_named_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a column '終了'"):
        joined(
            tmp_path, log("AHU-01").replace(",end", ",終了日"), columns={"end": "終了"}
        )


def test_ids_of_readings_in_several_spellings_are_told(tmp_path: Path) -> None:
    KNOWN.append("ahu-02")
    try:
        (sentence,) = joined(tmp_path).notes
    finally:
        KNOWN.pop()
    assert (
        "1 ids are written in several ways, each taken for equipment of its own (S1/AHU-02 and S1/ahu-02)"
        in sentence
    )


def test_zone_of_a_facility_that_is_not_there_is_told_with_the_nearest(
    tmp_path: Path,
) -> None:
    (sentence,) = joined(tmp_path, facility_time_zones={"s1": "Europe/Paris"}).notes
    assert (
        "source.facility_time_zones names s1, and no reading is of that facility (nearest: S1)"
        in sentence
    )


def test_log_of_which_much_cannot_be_read_is_told(tmp_path: Path) -> None:
    found = joined(
        tmp_path,
        log("AHU-01") + "\nS1,AHU-02,failure,2023-13-01,\nS1,007,failure,2023-14-01,",
    )
    assert any(
        "2 of 3 rows could not be read: see rejects.csv" in one for one in found.notes
    )


def test_ids_that_differ_by_more_than_a_blank_are_not_joined(tmp_path: Path) -> None:
    KNOWN.append("AHU 1 11")
    try:
        with pytest.raises(InputError, match="0 of them"):
            joined(tmp_path, log("AHU 11 1", "AHU 111"))
    finally:
        KNOWN.pop()


def test_registers_of_several_types_and_odd_classes_are_read(tmp_path: Path) -> None:
    for name, floor, found in (
        ("a", pa.array([1]), b"AHU"),
        ("b", pa.array(["2F"]), b"NA"),
    ):
        ids = {
            "facility_id": ["S1"],
            "equipment_id": ["AHU-01" if name == "a" else "AHU-02"],
        }
        pq.write_table(
            pa.table({**ids, "class": [found], "floor": floor}),
            tmp_path / f"{name}.reg.parquet",
        )
    found = joined(tmp_path, paths={"equipment": str(tmp_path / "*.reg.parquet")})
    assert found.classes[Unit("S1", "AHU-01")] == "AHU"
    assert found.classes[Unit("S1", "AHU-02")] == "all"


def test_wide_table_with_a_column_of_another_kind_rejects_its_values_only(
    tmp_path: Path,
) -> None:
    stamps = pa.array([dt.datetime(2024, 1, 1)], pa.timestamp("us"))
    table = {
        "date": ["2024-01-01"],
        "t": [21.5],
        "seen": stamps,
        "__index_level_0__": [0],
    }
    pq.write_table(pa.table(table), tmp_path / "wide.parquet")
    wide = WideConfig(facility_id="F", equipment_id="e")
    (found,) = read_all(
        SourceConfig(readings=str(tmp_path / "wide.parquet"), format="wide", wide=wide)
    )
    assert found.readings["point_id"].to_pylist() == ["t"]
    assert found.counts["text_in_value"] == 1


def test_two_columns_of_a_wide_table_cannot_be_one_point() -> None:
    with pytest.raises(ConfigError, match="t stands for several columns"):
        WideConfig(facility_id="F", equipment_id="e", points={"a": "t", "b": "t"})


@pytest.mark.parametrize(
    "settings",
    [{"delimiter": "、"}, {"encoding": "punycode"}, {"encoding": "no-such"}],
    ids=["delimiter", "puny", "none"],
)
def test_setting_that_no_table_can_have_is_refused(settings: dict[str, str]) -> None:
    with pytest.raises(
        ConfigError, match=r"expected (one ASCII sign|a name such as utf-8)"
    ):
        SourceConfig(readings="a.csv", **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_plain_file_is_read_beside_utf_16(tmp_path: Path, encoding: str) -> None:
    reading_file(tmp_path / "a.csv", "F,e,p,2024-01-01,1")
    (found,) = read_all(
        SourceConfig(readings=str(tmp_path / "a.csv"), encoding=encoding)
    )
    assert len(found.readings) == 1


def test_stamps_in_a_zone_that_nobody_knows_need_the_time_zone(tmp_path: Path) -> None:
    stamps = (
        pa.array([dt.datetime(2024, 1, 1, 20)])
        .cast(pa.timestamp("us"))
        .view(pa.timestamp("us", tz="JST"))
    )
    ids = {
        "facility_id": ["F"],
        "equipment_id": ["e"],
        "point_id": ["p"],
        "value": [1.0],
    }
    pq.write_table(pa.table({**ids, "date": stamps}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"set source\.time_zone"):
        list(read_all(SourceConfig(readings=str(tmp_path / "a.parquet"))))
    (found,) = read_all(
        SourceConfig(readings=str(tmp_path / "a.parquet"), time_zone="Asia/Tokyo")
    )
    assert found.readings["date"].to_pylist() == [dt.date(2024, 1, 2)]


def test_ids_fold_in_a_column_as_they_do_one_by_one() -> None:
    texts = [
        "AHU-1",
        "ahu 1",
        " a\tB ",
        "ＡＨＵ－１",
        "a\x1fb",
        "x -  y",
        "é",
        "e\u0301",
        "ﬁ",
        "",
        "İ",
    ]
    table = pa.table({"facility_id": texts, "equipment_id": texts[::-1]})
    one_by_one = [
        f"{folded(a)}\x1f{folded(b)}" for a, b in zip(texts, texts[::-1], strict=True)
    ]
    assert folded_ids(table).to_pylist() == one_by_one
