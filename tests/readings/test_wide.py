"""Wide exports as they are: ids by columns' names, by mapping, by path; the same panel as a long table."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvac.errors import ConfigError, InputError
from hvac.panel.grid import Panel, Unit, panels
from hvac.panel.record import read_record
from hvac.panel.shared_files import notes_on_shared, require_apart, shared_machines
from hvac.readings.gate import read_readings
from hvac.readings.sources import SourceConfig

BY_COLUMN = r"(?P<equipment_id>.+)\.(?P<point_id>.+)"
BY_PATH = r"(?P<facility_id>[^/]+)/(?P<equipment_id>[^/]+)\.csv$"
START = dt.date(2024, 1, 1)
OWN_MACHINE = {"equipment_id": "e", "point_id": "y"}


def long_table(
    values: np.ndarray, machines: list[str], points: list[str]
) -> pd.DataFrame:
    """One row per reading of values [days, machines, points]; nan is not measured."""
    rows = []
    for day, of_day in enumerate(values):
        for machine, of_machine in zip(machines, of_day, strict=True):
            for point, value in zip(points, of_machine, strict=True):
                ids = {"facility_id": "F", "equipment_id": machine, "point_id": point}
                rows.append(
                    {**ids, "date": START + dt.timedelta(days=day), "value": value}
                )
    return pd.DataFrame(rows)


def read_panels(**source: Any) -> list[Panel]:
    record = read_record(SourceConfig(**source), by_class=False)
    points = sorted(set(record.readings["point_id"].to_pylist()))
    units = {Unit(*unit): points for unit in record.registry.classes}
    return list(panels(record.readings, units))


def assert_equal(found: list[Panel], expected: list[Panel]) -> None:
    assert [panel.unit for panel in found] == [panel.unit for panel in expected]
    for one, other in zip(found, expected, strict=True):
        assert (one.points, one.first_day) == (other.points, other.first_day)
        for name in ("value_TC", "observed_TC", "known_TC"):
            left, right = getattr(one, name), getattr(other, name)
            assert left.tobytes() == right.tobytes(), name


names = st.lists(
    st.from_regex(r"[AB空][ab12調]{0,2}(-1)?", fullmatch=True),
    min_size=1,
    max_size=3,
    unique=True,
)


@settings(max_examples=15)
@given(machines=names, points=names, data=st.data())
def test_every_wide_form_gives_the_panels_of_the_long_table(
    tmp_path_factory: pytest.TempPathFactory,
    machines: list[str],
    points: list[str],
    data: st.DataObject,
) -> None:
    folder = tmp_path_factory.mktemp("wide")
    days = data.draw(st.integers(2, 4))
    number = st.one_of(st.none(), st.floats(-100, 100).map(lambda x: round(x, 3)))
    count = days * len(machines) * len(points)
    drawn = data.draw(st.lists(number, min_size=count, max_size=count))
    shape = (days, len(machines), len(points))
    values = np.array(drawn, dtype=float).reshape(shape)
    values[0] = 1.0  # each machine has a reading of each point
    table = long_table(values, machines, points)
    table.to_csv(folder / "long.csv", index=False)
    expected = read_panels(readings=str(folder / "long.csv"))

    table["column"] = table["equipment_id"] + "." + table["point_id"]
    wide = table.pivot(index="date", columns="column", values="value")
    wide.to_csv(folder / "wide.csv")
    form = {"readings": str(folder / "wide.csv"), "format": "wide"}
    by_column = {"facility_id": "F", "pattern": BY_COLUMN}
    assert_equal(read_panels(**form, wide=by_column), expected)

    mapping = {
        f"{machine}.{point}": {"equipment_id": machine, "point_id": point}
        for machine in machines
        for point in points
    }
    assert_equal(
        read_panels(**form, wide={"facility_id": "F", "points": mapping}), expected
    )

    site = folder / "site" / "F"
    site.mkdir(parents=True)
    for machine, of_machine in table.groupby("equipment_id"):
        of_machine.pivot(index="date", columns="point_id", values="value").to_csv(
            site / f"{machine}.csv"
        )
    by_path = {
        "readings": str(folder / "site"),
        "format": "wide",
        "path_pattern": BY_PATH,
    }
    assert_equal(read_panels(**by_path, wide={}), expected)

    long_site = folder / "long_site" / "F"
    long_site.mkdir(parents=True)
    for machine, of_machine in table.groupby("equipment_id"):
        columns = ["point_id", "date", "value"]
        of_machine[columns].to_csv(long_site / f"{machine}.csv", index=False)
    by_path = {"readings": str(folder / "long_site"), "path_pattern": BY_PATH}
    assert_equal(read_panels(**by_path), expected)


def write(folder: Path, text: str, name: str = "wide.csv") -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


def source(path: str, **wide: Any) -> SourceConfig:
    return SourceConfig(readings=path, format="wide", wide={"facility_id": "F", **wide})


def test_columns_that_the_pattern_does_not_match_are_told(tmp_path: Path) -> None:
    path = write(tmp_path, "date,AHU-1.SAT,AHU-2.SAT,operator\n2024-01-01,1,2,Sato\n")
    (result,) = read_readings(path, source(path, pattern=BY_COLUMN))
    assert result.readings["equipment_id"].to_pylist() == ["AHU-1", "AHU-2"]
    assert any(
        "operator" in note and "source.wide.pattern" in note for note in result.notes
    )


@pytest.mark.parametrize(
    ("header", "wide", "setting"),
    [
        ("date,SAT,RAT", {"pattern": BY_COLUMN}, "source.wide.pattern"),
        ("date,A.x,A.y", {"pattern": r"(?P<equipment_id>\w)\.(?P<point_id>q)?\w"}, "source.wide.pattern"),
        ("date,1 A.x,2 A.x", {"pattern": r"\d (?P<equipment_id>.+)\.(?P<point_id>.+)"}, "source.wide.pattern"),
    ],
    ids=["nothing matches", "a group is empty", "twice the same point"],
)  # fmt: skip
def test_columns_that_cannot_be_told_are_refused_with_the_setting(
    header: str, wide: dict[str, Any], setting: str, tmp_path: Path
) -> None:
    path = write(tmp_path, f"{header}\n2024-01-01,1,2\n")
    with pytest.raises(InputError, match=setting):
        list(read_readings(path, source(path, **wide)))


def test_path_that_does_not_match_is_refused_with_the_setting(tmp_path: Path) -> None:
    path = write(tmp_path, "date,SAT\n2024-01-01,1\n", "AHU-1.txt")
    config = SourceConfig(readings=path, format="wide", wide={}, path_pattern=BY_PATH)
    with pytest.raises(InputError, match=r"correct source\.path_pattern"):
        list(read_readings(path, config))


@pytest.mark.parametrize(
    ("settings_", "words"),
    [
        ({"wide": {"facility_id": "F"}}, "wide.equipment_column or wide.equipment_id"),
        ({"wide": {"facility_id": "F", "equipment_id": "e", "pattern": BY_COLUMN}}, "wide.equipment_id, wide.pattern"),
        ({"wide": {"facility_id": "F", "pattern": "(?P<machine>.+)"}}, "expected some of facility_id"),
        ({"wide": {"facility_id": "F", "pattern": "(?P<equipment_id>"}}, "is no pattern"),
        ({"wide": {"facility_id": "F", "pattern": "(?P<equipment_id>.+)"}}, "gives no point_id"),
        ({"wide": {"facility_id": "F", "points": {"a": "x", "b": OWN_MACHINE}}}, "to all or to none"),
        ({"wide": {"facility_id": "F", "pattern": BY_COLUMN, "points": {"a": "x"}}}, "give one of them"),
        ({"wide": {}, "path_pattern": "(?P<facility>.+)"}, "path_pattern"),
    ],
)  # fmt: skip
def test_settings_that_leave_an_id_open_or_double_are_refused(
    settings_: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words.replace("(", r"\(")):
        SourceConfig(readings="a.csv", format="wide", **settings_)


def two_files(folder: Path, **more: Any) -> SourceConfig:
    for machine, value in (("AHU-1", 20), ("AHU-2", 70)):
        rows = [f"2024-01-{day:02d},{value + day}" for day in range(1, 21)]
        write(folder, "\n".join(["date,SAT", *rows]), f"F/{machine}.csv")
    return SourceConfig(readings=str(folder), format="wide", **more)


def test_two_machines_are_not_merged_into_one_in_silence(tmp_path: Path) -> None:
    """Their files are read as one machine: told, and refused where they contradict each other."""
    one = {"facility_id": "F", "equipment_id": "AHU"}
    merged = two_files(tmp_path, wide=one)
    unit = Unit("F", "AHU")
    shared = shared_machines(merged, {"a.csv": [unit], "b.csv": [unit]})
    assert "F/AHU in a.csv, b.csv" in notes_on_shared(shared)[0]
    require_apart(
        shared, {"replaced_by_later_files": 2}, readings=40
    )  # a few corrections
    with pytest.raises(InputError, match=r"source\.path_pattern"):
        require_apart(shared, {"replaced_by_later_files": 20}, readings=40)
    apart = two_files(tmp_path, wide={}, path_pattern=BY_PATH)
    assert (
        shared_machines(apart, {"a.csv": [Unit("F", "1")], "b.csv": [Unit("F", "2")]})
        == {}
    )
    assert [panel.unit.equipment_id for panel in read_panels(**apart.model_dump())] == [
        "AHU-1",
        "AHU-2",
    ]


def test_files_that_name_their_machines_share_them_as_they_like() -> None:
    unit = Unit("F", "AHU")
    assert shared_machines(SourceConfig(readings="x"), {"a": [unit], "b": [unit]}) == {}


def test_facility_of_tables_without_such_a_column_is_the_setting(
    tmp_path: Path,
) -> None:
    readings = write(
        tmp_path, "equipment_id,point_id,date,value\nA,p,2024-01-01,1\n", "r.csv"
    )
    events = write(tmp_path, "equipment_id,kind,start\nA,failure,2024-01-01\n", "e.csv")
    register = write(tmp_path, "facility_id,equipment_id,class\nF,A,AHU\n", "u.csv")
    tables = {"readings": readings, "events": events, "equipment": register}
    record = read_record(SourceConfig(**tables, facility_id="F"), by_class=True)
    assert record.registry.classes == {Unit("F", "A"): "AHU"}
    assert record.registry.events["facility_id"].to_pylist() == ["F"]
    wide = write(tmp_path, "date,p\n2024-01-01,1\n", "w.csv")
    config = SourceConfig(
        readings=wide, format="wide", wide={"equipment_id": "A"}, facility_id="F"
    )
    (result,) = read_readings(wide, config)
    assert result.readings["facility_id"].to_pylist() == ["F"]


def test_column_of_facilities_holds_before_the_setting(tmp_path: Path) -> None:
    header = "facility_id,equipment_id,point_id,date,value"
    path = write(tmp_path, f"{header}\nG,A,p,2024-01-01,1\n")
    (result,) = read_readings(path, SourceConfig(readings=path, facility_id="F"))
    assert result.readings["facility_id"].to_pylist() == ["G"]
