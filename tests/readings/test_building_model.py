"""Haystack grids and Brick models say what the columns of a wide export are."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import Any

import pytest

from hvac.errors import ConfigError, InputError
from hvac.panel.names import Name, names_of
from hvac.panel.record import read_record
from hvac.readings import brick_model, haystack_model
from hvac.readings.gate import read_readings
from hvac.readings.model_files import read_building_model
from hvac.readings.names_table import read_names
from hvac.readings.sources import SourceConfig

GRID = """id,dis,site,equip,point,ahu,pump,hvac,discharge,return,air,temp,sensor,run,cmd,navName,siteRef,equipRef,unit
@site-1 "East Wing",East Wing,✓,,,,,,,,,,,,,,,,
@ahu-1,AHU 1,,✓,,✓,,✓,,,,,,,,,@site-1,,
@ahu-2,AHU 2,,✓,,✓,,✓,,,,,,,,,@site-1,,
@pump-1,冷水ポンプ,,✓,,,✓,✓,,,,,,,,,@site-1,,
@p1,AHU 1 SAT,,,✓,,,,✓,,✓,✓,✓,,,SAT,@site-1,@ahu-1,°C
@p2,AHU 2 Supply,,,✓,,,,✓,,✓,✓,✓,,,Supply,@site-1,@ahu-2,°C
@p3,AHU 1 RAT,,,✓,,,,,✓,✓,✓,✓,,,RAT,@site-1,@ahu-1,°C
@p4,Pump run,,,✓,,,,,,,,,✓,✓,,@site-1,@pump-1,
@p5,Nobody's,,,✓,,,,,,,✓,✓,,,,@site-1,,°C
"""
SUPPLY, RETURN, RUN = "discharge air temp sensor", "return air temp sensor", "run cmd"
BRICK = """
@prefix brick: <https://brickschema.org/schema/Brick#> .
@prefix ref: <https://brickschema.org/schema/Brick/ref#> .
@prefix unit: <http://qudt.org/vocab/unit/> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix : <http://example.com/east#> .
:east a brick:Building ; rdfs:label "East Wing" .
:floor a brick:Floor ; brick:isPartOf :east .
:ahu-1 a brick:AHU, brick:Equipment ; rdfs:label "AHU 1" ; brick:hasLocation :floor .
:ahu-2 a brick:AHU ; brick:isLocatedIn :floor ; brick:hasPoint :p2 .
:p1 a brick:Supply_Air_Temperature_Sensor ; brick:isPointOf :ahu-1 ; brick:hasUnit unit:DEG_C ;
    ref:hasExternalReference [ a ref:TimeseriesReference ; ref:hasTimeseriesId "ts-0001" ] .
:p2 a brick:Supply_Air_Temperature_Sensor ; rdfs:label "Supply 2" ; brick:hasUnit unit:DEG_C .
:p3 a brick:Return_Air_Temperature_Sensor ; brick:isPointOf :ahu-1 .
:p4 a brick:Return_Air_Temperature_Sensor ; brick:isPointOf :ahu-1 .
:p5 a brick:Zone_Air_Temperature_Sensor ; brick:isPointOf :floor .
"""


def source_of(
    folder: Path, model: str, ending: str, heads: str, **settings: Any
) -> SourceConfig:
    """A wide export with these columns and a row of 1, 2, …, and the model beside it."""
    (folder / f"model.{ending}").write_text(model, encoding="utf-8")
    values = ",".join(str(number) for number in range(1, len(heads.split(",")) + 1))
    (folder / "export.csv").write_text(
        f"date,{heads}\n2024-05-01,{values}\n", encoding="utf-8"
    )
    usual = {"format": "wide", "wide": {}, "readings": str(folder / "export.csv")}
    return SourceConfig(
        **{**usual, "building_model": str(folder / f"model.{ending}"), **settings}
    )


def read(source: SourceConfig) -> dict[tuple[str, str, str], float]:
    """Values by facility, equipment and point."""
    (result,) = read_readings(str(source.readings), source)
    rows = result.readings.to_pylist()
    assert {row["date"] for row in rows} == {dt.date(2024, 5, 1)}
    return {
        (row["facility_id"], row["equipment_id"], row["point_id"]): row["value"]
        for row in rows
    }


def test_grid_gives_machines_points_classes_and_names(tmp_path: Path) -> None:
    source = source_of(
        tmp_path, GRID, "csv", "AHU 1 SAT,@p2,ahu 1 ＲＡＴ,Pump run,note"
    )
    assert read(source) == {
        ("site-1", "ahu-1", SUPPLY): 1.0,
        ("site-1", "ahu-2", SUPPLY): 2.0,
        ("site-1", "ahu-1", RETURN): 3.0,
        ("site-1", "pump-1", RUN): 4.0,
    }
    (result,) = read_readings(str(source.readings), source)
    classes = {row["equipment_id"]: row["class"] for row in result.classes.to_pylist()}
    assert classes == {"ahu-1": "ahu", "ahu-2": "ahu", "pump-1": "pump"}
    assert result.notes == (
        "columns that source.building_model does not match were left out: note",
    )
    names = names_of(read_names(source))
    assert names.shown("facility", "site-1", "en") == "East Wing"
    assert names.shown("equipment", "ahu-1", "en", "site-1") == "AHU 1"
    assert names.name("equipment", "pump-1").ja == "冷水ポンプ"
    assert names.unit(SUPPLY) == " °C"
    assert names.unit(RUN) == ""


def test_facility_of_the_settings_goes_before_the_models(tmp_path: Path) -> None:
    source = source_of(tmp_path, GRID, "csv", "AHU 1 SAT", facility_id="tokyo")
    assert list(read(source)) == [("tokyo", "ahu-1", SUPPLY)]


def test_table_of_names_goes_before_the_models(tmp_path: Path) -> None:
    rows = f"equipment,ahu-1,roof unit\npoint,{SUPPLY},supply air\n"
    (tmp_path / "names.csv").write_text(f"of,id,en\n{rows}", encoding="utf-8")
    source = source_of(
        tmp_path, GRID, "csv", "AHU 1 SAT", names=str(tmp_path / "names.csv")
    )
    names = names_of(read_names(source))
    assert names.shown("equipment", "ahu-1", "en") == "roof unit"
    assert names.shown("equipment", "ahu-2", "en") == "AHU 2"
    assert names.name("point", SUPPLY) == Name("supply air", unit="°C")


JSON_4 = """{"_kind": "grid", "meta": {"ver": "3.0"}, "cols": [{"name": "id"}], "rows": [
 {"id": {"_kind": "ref", "val": "ahu-1", "dis": "AHU 1"}, "equip": {"_kind": "marker"},
  "ahu": {"_kind": "marker"}, "siteRef": {"_kind": "ref", "val": "s"}},
 {"id": {"_kind": "ref", "val": "p1"}, "dis": "SAT", "point": {"_kind": "marker"},
  "air": {"_kind": "marker"}, "temp": {"_kind": "marker"}, "unit": "°C",
  "equipRef": {"_kind": "ref", "val": "ahu-1"}}]}"""
JSON_3 = """{"meta": {"ver": "2.0"}, "cols": [{"name": "id"}], "rows": [
 {"id": "r:ahu-1 AHU 1", "equip": "m:", "ahu": "m:", "siteRef": "r:s"},
 {"id": "r:p1", "dis": "s:SAT", "point": "m:", "air": "m:", "temp": "m:", "unit": "°C",
  "equipRef": "r:ahu-1 AHU 1"}]}"""
ZINC = """ver:"3.0"
id,dis,equip,ahu,point,air,temp,unit,siteRef,equipRef
@ahu-1 "AHU 1",,M,M,,,,,@s,
@p1,"SAT",,,M,M,M,"°C",,@ahu-1
"""


@pytest.mark.parametrize(
    ("text", "ending"), [(JSON_4, "json"), (JSON_3, "json"), (ZINC, "zinc")]
)
def test_other_notations_of_a_grid_give_the_same(
    tmp_path: Path, text: str, ending: str
) -> None:
    if ending == "zinc":
        pytest.importorskip("phable")
    source = source_of(tmp_path, text, ending, "SAT")
    assert list(read(source)) == [("s", "ahu-1", "air temp")]
    names = names_of(read_names(source))
    assert names.shown("equipment", "ahu-1", "en") == "AHU 1"
    assert names.unit("air temp") == " °C"


def test_brick_model_gives_machines_points_classes_and_names(tmp_path: Path) -> None:
    pytest.importorskip("rdflib")
    source = source_of(tmp_path, BRICK, "ttl", "ts-0001,Supply 2,p3,p4,p5")
    kind = "Return_Air_Temperature_Sensor"
    assert read(source) == {
        ("east", "ahu-1", "Supply_Air_Temperature_Sensor"): 1.0,
        ("east", "ahu-2", "Supply_Air_Temperature_Sensor"): 2.0,
        ("east", "ahu-1", f"{kind} (p3)"): 3.0,
        ("east", "ahu-1", f"{kind} (p4)"): 4.0,
    }
    (result,) = read_readings(str(source.readings), source)
    assert {row["class"] for row in result.classes.to_pylist()} == {"AHU"}
    names = names_of(read_names(source))
    assert names.shown("facility", "east", "en") == "East Wing"
    assert names.unit("Supply_Air_Temperature_Sensor") == " °C"
    shown = names.shown("point", "Supply_Air_Temperature_Sensor", "en")
    assert shown == "Supply Air Temperature Sensor"


def test_heading_of_two_points_is_of_neither(tmp_path: Path) -> None:
    twice = GRID.replace(",Supply,@site-1", ",SAT,@site-1")
    (tmp_path / "model.csv").write_text(twice, encoding="utf-8")
    columns = read_building_model(str(tmp_path / "model.csv")).columns
    assert "sat" not in columns
    assert columns["ahu 1 sat"].equipment_id == "ahu-1"
    assert columns["ahu 2.sat"].equipment_id == "ahu-2"


# What a user can get wrong


@pytest.mark.parametrize(
    ("model", "ending", "heads", "said"),
    [
        (GRID, "csv", "x,y", "no column is a point of"),
        (GRID.replace("@ahu-1,°C", "@gone,°C").replace("✓", ""), "csv", "x", "belongs to a machine"),
        ("not json", "json", "x", "expected a Haystack grid in json"),
        (GRID, "txt", "x", r"expected a Haystack grid \(\.csv"),
        (GRID.replace("@site-1", ""), "csv", "AHU 1 SAT", "has no site: name its facility"),
    ],
)  # fmt: skip
def test_model_that_does_not_fit_is_refused_with_what_to_do(
    tmp_path: Path, model: str, ending: str, heads: str, said: str
) -> None:
    source = source_of(tmp_path, model, ending, heads)
    with pytest.raises(InputError, match=said) as refused:
        read(source)
    assert "source." in str(refused.value)


def test_what_the_refusals_advise_gets_further(tmp_path: Path) -> None:
    source = source_of(tmp_path, GRID.replace("@site-1", ""), "csv", "AHU 1 SAT")
    assert list(read(source.replace(facility_id="tokyo"))) == [
        ("tokyo", "ahu-1", SUPPLY)
    ]
    missing = source.replace(building_model=str(tmp_path / "gone.csv"))
    with pytest.raises(
        InputError, match=r"no such file: correct source\.building_model"
    ):
        read(missing)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"format": "canonical", "wide": None}, "set source.format: wide"),
        ({"wide": {"equipment_id": "a"}}, "wide.equipment_id both say"),
        ({"wide": {"pattern": r"(?P<point_id>.+)"}}, "wide.pattern both say"),
        ({"path_pattern": r"(?P<equipment_id>[^/]+)\.csv$"}, "path_pattern both say"),
    ],
)
def test_ids_have_one_origin(
    tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        source_of(tmp_path, GRID, "csv", "x", **settings)


@pytest.mark.parametrize(
    ("ending", "text", "library"),
    [("zinc", ZINC, "phable.io.ph_zinc"), ("ttl", BRICK, "rdflib")],
)
def test_missing_library_is_named_with_the_extra_that_brings_it(
    tmp_path: Path,
    ending: str,
    text: str,
    library: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    path = tmp_path / f"model.{ending}"
    path.write_text(text, encoding="utf-8")
    extra = {"zinc": "haystack", "ttl": "brick"}[ending]
    with pytest.raises(InputError, match=rf"pip install 'hvac-foresight\[{extra}\]'"):
        read_building_model(str(path))


def test_damaged_turtle_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("rdflib")
    path = tmp_path / "model.ttl"
    path.write_text("this is no Turtle", encoding="utf-8")
    with pytest.raises(InputError, match=r"expected a Brick model in Turtle"):
        brick_model.brick_points(str(path))


def test_grid_without_any_row_has_no_points(tmp_path: Path) -> None:
    path = tmp_path / "model.csv"
    path.write_text("id,dis\n", encoding="utf-8")
    assert haystack_model.haystack_points(str(path)) == []


def test_check_of_a_wide_export_with_a_model_finds_its_machines(tmp_path: Path) -> None:
    """The whole way from two files to a checked record, with classes by the model."""
    days = [dt.date(2023, 1, 1) + dt.timedelta(days=day) for day in range(500)]
    heads = "AHU 1 SAT,AHU 2 Supply,AHU 1 RAT,Pump run"
    rows = [
        f"{day},{20 + n % 7},{21 + n % 5},{23 + n % 3},{n % 2}"
        for n, day in enumerate(days)
    ]
    source = source_of(tmp_path, GRID, "csv", heads)
    (tmp_path / "export.csv").write_text(
        "\n".join([f"date,{heads}", *rows]), encoding="utf-8"
    )
    record = read_record(source, by_class=True)
    assert {
        unit.equipment_id: name for unit, name in record.registry.classes.items()
    } == {
        "ahu-1": "ahu",
        "ahu-2": "ahu",
        "pump-1": "pump",
    }
