"""Display names: read from a table, found by facility, used where people read."""

from __future__ import annotations

from pathlib import Path

import pytest

from hvac.errors import InputError
from hvac.explain.reason import Reason
from hvac.explain.wording import reason_sentence
from hvac.panel.names import NO_NAMES, load_names, names_of, save_names
from hvac.readings.names_table import read_names
from hvac.readings.sources import SourceConfig
from hvac.simulate.catalogue import KINDS
from hvac.simulate.fleet_names import CLASSES, POINTS

TABLE = """of,id,facility_id,en,ja,unit,location,criticality
point,sat,,supply air temperature,給気温度,°C,,
equipment,A1,F1,,南棟の空調機,,3F,A
equipment,A1,,air handler,,,,
facility,F1,,,本社,,,
"""


def source(folder: Path, text: str = TABLE) -> SourceConfig:
    file = folder / "names.csv"
    file.write_text(text, encoding="utf-8-sig")
    return SourceConfig(readings="r.csv", names=str(file))


def test_names_are_by_facility_first_and_fall_back_to_the_other_language(
    tmp_path: Path,
) -> None:
    names = names_of(read_names(source(tmp_path)))
    assert names.shown("equipment", "A1", "ja", "F1") == "南棟の空調機"
    assert names.shown("equipment", "A1", "en", "F1") == "南棟の空調機"
    assert names.shown("equipment", "A1", "ja", "F2") == "air handler"
    assert names.name("equipment", "A1", "F1").location == "3F"
    assert names.shown("facility", "F9", "ja") == "F9"
    assert NO_NAMES.shown("point", "sat", "ja") == "sat"


def test_names_are_saved_with_the_panel(tmp_path: Path) -> None:
    save_names(read_names(source(tmp_path)), tmp_path / "panel")
    assert load_names(tmp_path / "panel").unit("sat") == " °C"
    written = (tmp_path / "panel" / "names.parquet").stat().st_mtime_ns
    save_names(read_names(source(tmp_path)), tmp_path / "panel")
    assert (tmp_path / "panel" / "names.parquet").stat().st_mtime_ns == written
    assert load_names(tmp_path / "none").name_of == {}
    assert read_names(SourceConfig(readings="r.csv")).num_rows == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("of,id,en\npiont,sat,supply\n", "row 1 is of 'piont': did you mean 'point'"),
        ("of,id,en\nsensor,sat,supply\n", "expected one of facility, equipment, point"),
        ("id,en\nsat,supply\n", "expected a column 'of'"),
        ("of,id,en\npoint,,supply\n", "row 1 has no id"),
    ],
)
def test_a_wrong_table_is_refused_in_a_sentence(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_names(source(tmp_path, text))


def test_reasons_speak_of_points_by_name_and_unit(tmp_path: Path) -> None:
    names = names_of(read_names(source(tmp_path)))
    worn = Reason("sat", "point", 1.1, now=23.0, usual=17.2, moved=3.0, over_peers=4.8)
    assert reason_sentence(worn, "ja", names) == (
        "給気温度が普段より高い（最近 23 °C、普段 17.2 °C）、同種設備より 4.8 °C 高い"
    )
    assert reason_sentence(worn, "en", names).startswith(
        "supply air temperature is higher"
    )


def test_every_class_and_point_of_the_simulated_fleet_has_names() -> None:
    assert set(CLASSES) == set(KINDS)
    assert set(POINTS) == {
        point.name for kind in KINDS.values() for point in kind.points
    }
