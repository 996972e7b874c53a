"""Who is in the record: classes, points, events; what is set aside is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from hvac.panel.grid import Unit
from hvac.panel.registering import build_registry, recorded_units
from hvac.panel.registry import Registry
from hvac.readings.gate import CLASSES, SourceConfig
from tests.panel.panel_example import FIRST, date

SERIES = pa.schema(
    [(name, pa.string()) for name in ("facility_id", "equipment_id", "point_id")]
    + [
        ("date_min", pa.date32()),
        ("date_max", pa.date32()),
        ("date_count", pa.int64()),
        ("limited_sum", pa.int64()),
    ]
)
POINTS = {"E1": "abc", "E2": "ab", "E3": "ab", "P1": "q"}


def series_of(points: dict[str, str], *, limited: int = 0) -> pa.Table:
    names = [
        (equipment, point) for equipment, found in points.items() for point in found
    ]
    rows = [
        {
            "facility_id": "F",
            "equipment_id": equipment,
            "point_id": point,
            "date_min": date(k),
            "date_max": date(99),
        }
        | {"date_count": 10, "limited_sum": limited}
        for k, (equipment, point) in enumerate(names)
    ]
    return pa.Table.from_pylist(rows, schema=SERIES)


def build(
    folder: Path,
    *,
    equipment: str = "",
    events: str = "",
    told: dict[str, str] | None = None,
    points: dict[str, str] = POINTS,
    **more: float,
) -> Registry:
    paths = {}
    for name, text in (("equipment", equipment), ("events", events)):
        if text:
            path = folder / f"{name}.csv"
            path.write_text(text, encoding="utf-8")
            paths[name] = str(path)
    classes = [
        {"facility_id": "F", "equipment_id": e, "class": c}
        for e, c in (told or {}).items()
    ]
    return build_registry(
        recorded_units(
            series_of(points, limited=int(more.pop("limited", 0))),
            pa.Table.from_pylist(classes, schema=CLASSES),
        ),
        SourceConfig(
            readings="readings.csv", min_matching=more.pop("min_matching", 0.5), **paths
        ),
        by_class=bool(more.pop("by_class", True)),
        min_point_share=more.pop("min_point_share", 0.5),
    )


REGISTER = "facility_id,equipment_id,class,install_date\nF,E1,ahu,2020-01-02\nF,E2,ahu,\nF,E3,ahu,\nF,P1,pump,\n"
EVENTS = "facility_id,equipment_id,kind,start,end\nF,E1,failure,2023-02-01,2023-02-05\nF,GHOST,failure,2023-02-02,\n"


def test_classes_come_from_the_register(tmp_path: Path) -> None:
    found = build(tmp_path, equipment=REGISTER)
    assert found.classes == {
        Unit("F", e): "pump" if e == "P1" else "ahu" for e in POINTS
    }


def test_classes_come_from_the_codes_of_the_inspection_record_without_a_register(
    tmp_path: Path,
) -> None:
    found = build(
        tmp_path, told={"E1": "AHU-01", "E2": "AHU-01", "E3": "AHU-01", "P1": "PMP"}
    )
    assert found.classes[Unit("F", "E1")] == "AHU-01"
    assert set(found.points) == {"AHU-01", "PMP"}


def test_register_has_the_last_word_on_a_class(tmp_path: Path) -> None:
    found = build(tmp_path, equipment=REGISTER, told=dict.fromkeys(POINTS, "code"))
    assert found.classes[Unit("F", "E1")] == "ahu"


def test_without_a_register_all_equipment_is_of_one_class(tmp_path: Path) -> None:
    found = build(tmp_path)
    assert len(set(found.classes.values())) == 1
    assert set(found.classes) == {Unit("F", e) for e in POINTS}


def test_pooled_classes_share_one_group_and_keep_their_kind(tmp_path: Path) -> None:
    found = build(tmp_path, equipment=REGISTER, by_class=False)
    assert set(found.classes.values()) == {"all"}
    assert found.kinds[Unit("F", "P1")] == "pump"


def test_install_day_is_none_where_unknown(tmp_path: Path) -> None:
    found = build(tmp_path, equipment=REGISTER).install_days
    assert found[Unit("F", "E1")] == FIRST - 1095
    assert found[Unit("F", "E2")] is None


def test_points_of_a_class_are_sorted_and_those_too_few_units_have_are_named(
    tmp_path: Path,
) -> None:
    found = build(tmp_path, equipment=REGISTER)
    assert found.points == {"ahu": ("a", "b"), "pump": ("q",)}
    assert found.dropped_points["ahu"] == ("c",)
    assert found.summary()["dropped_points"] == {"ahu": ["c"]}


@pytest.mark.parametrize(
    ("share", "kept"), [(1 / 3, "abc"), (0.34, "ab"), (1.0, "ab"), (0.0, "abc")]
)
def test_point_at_the_share_is_kept(tmp_path: Path, share: float, kept: str) -> None:
    found = build(tmp_path, equipment=REGISTER, min_point_share=share)
    assert found.points["ahu"] == tuple(kept)


def test_events_of_unknown_equipment_are_rejected_by_name(tmp_path: Path) -> None:
    found = build(tmp_path, equipment=REGISTER, events=EVENTS)
    assert found.events["equipment_id"].to_pylist() == ["E1"]
    (reject,) = found.rejects.to_pylist()
    assert reject["reason"] == "unknown_equipment"
    assert "GHOST" in reject["found"]


def test_events_of_a_unit_without_any_are_none(tmp_path: Path) -> None:
    found = build(tmp_path, equipment=REGISTER, events=EVENTS)
    assert found.events_of(Unit("F", "E1")).start_N.tolist() == [FIRST + 31]
    assert len(found.events_of(Unit("F", "E2")).start_N) == 0
    assert found.event_kinds == ("failure",)


def test_registered_equipment_without_readings_is_no_unit(tmp_path: Path) -> None:
    found = build(tmp_path, equipment=REGISTER + "F,IDLE,ahu,\n")
    assert Unit("F", "IDLE") not in found.classes
    assert found.points["ahu"] == ("a", "b")


def test_days_are_those_of_the_whole_record(tmp_path: Path) -> None:
    assert build(tmp_path).days == (FIRST, FIRST + 99)


def test_registry_is_the_same_after_save_and_load(tmp_path: Path) -> None:
    found = build(tmp_path, equipment=REGISTER, events=EVENTS)
    found.save(tmp_path)
    again = Registry.load(tmp_path)
    assert again.units.equals(found.units)
    assert again.events.equals(found.events)
    assert again.points == found.points
    assert again.classes == found.classes


def test_points_that_were_dropped_are_still_named_after_save_and_load(
    tmp_path: Path,
) -> None:
    found = build(tmp_path, equipment=REGISTER)
    found.save(tmp_path)
    assert Registry.load(tmp_path).summary()["dropped_points"] == {"ahu": ["c"]}


def test_installation_after_the_first_reading_is_listed(tmp_path: Path) -> None:
    register = "facility_id,equipment_id,class,install_date\nF,E1,ahu,2023-02-01\nF,E2,ahu,2020-01-02\nF,E3,ahu,\n"
    found = build(tmp_path, equipment=register).rejects.to_pylist()
    assert [(each["reason"], each["column"], each["found"]) for each in found] == [
        ("installed_after_readings", "install_date", "F/E1: 2023-02-01")
    ]


def test_unit_is_followed_until_it_departs_or_its_administrative_end(
    tmp_path: Path,
) -> None:
    """E1 and E9 are last read on day 40: both have departed, for the register tells no end of theirs."""
    readings = series_of({**POINTS, "E9": "a"}).to_pylist()
    rows = [
        row | {"date_max": date(40)} if row["equipment_id"] in ("E1", "E9") else row
        for row in readings
    ]
    log = "facility_id,equipment_id,kind,start,end\nF,E1,failure,2023-02-10,\nF,E9,maintenance,2023-02-10,\n"
    (tmp_path / "events.csv").write_text(log, encoding="utf-8")
    source = SourceConfig(readings="readings.csv", events=str(tmp_path / "events.csv"))
    told = pa.Table.from_pylist([], schema=CLASSES)
    made = build_registry(
        recorded_units(pa.Table.from_pylist(rows, schema=SERIES), told),
        source,
        by_class=False,
        min_point_share=0.5,
    )
    found = made.follow_up(("failure",))
    ends = {
        unit.equipment_id: (each.until - FIRST, each.end - FIRST)
        for unit, each in found.items()
    }
    assert ends == dict.fromkeys(POINTS, (99, 99)) | dict.fromkeys(
        ("E1", "E9"), (40, 99)
    )


def test_end_of_follow_up_of_the_register_wins(tmp_path: Path) -> None:
    register = "facility_id,equipment_id,end_of_follow_up\nF,E1,2023-02-10\nF,E2,\nF,E3,2024-01-01\n"
    made = build(tmp_path, equipment=register)
    made.save(tmp_path / "panel")
    found = Registry.load(tmp_path / "panel").follow_up(("failure",))
    ends = {
        unit.equipment_id: (each.until - FIRST, each.end - FIRST)
        for unit, each in found.items()
    }
    assert ends == {"E1": (40, 40), "E2": (99, 99), "E3": (99, 365), "P1": (99, 99)}


def test_panel_of_before_has_no_end_of_follow_up_in_its_register(
    tmp_path: Path,
) -> None:
    made = build(tmp_path, equipment=REGISTER)
    replace(made, units=made.units.drop_columns(["end_of_follow_up"])).save(tmp_path)
    assert {
        each.end - FIRST
        for each in Registry.load(tmp_path).follow_up(("failure",)).values()
    } == {99}


# How often events come


LOG = """facility_id,equipment_id,kind,start,end
F,E1,failure,{0},
F,E1,failure,{1},
F,E2,failure,{2},
F,E3,maintenance,{2},
F,P1,failure,{2},
""".format(date(10), date(60), date(20))


def rates(folder: Path, units: str, until: int) -> dict[str, float]:
    found = build(folder, equipment=REGISTER, events=LOG)
    return found.yearly_rates(
        [Unit("F", name) for name in units.split()], FIRST + until
    )


def test_yearly_rates_are_events_per_observed_year_of_the_given_units(
    tmp_path: Path,
) -> None:
    days = {
        unit: last - first + 1
        for unit, ((first, last),) in build(
            tmp_path, equipment=REGISTER
        ).unit_spans.items()
    }
    both = days[Unit("F", "E1")] + days[Unit("F", "E2")]
    assert rates(tmp_path, "E1 E2", 99) == pytest.approx(
        {"failure": 3 / both * 365.25, "maintenance": 0.0}
    )


def test_yearly_rates_know_nothing_after_their_day(tmp_path: Path) -> None:
    first = build(tmp_path, equipment=REGISTER).unit_spans[Unit("F", "E1")][0][0]
    assert rates(tmp_path, "E1", 59)["failure"] == pytest.approx(
        1 / (FIRST + 59 - first + 1) * 365.25
    )
    assert rates(tmp_path, "E1", 60)["failure"] == pytest.approx(
        2 / (FIRST + 60 - first + 1) * 365.25
    )


def test_yearly_rates_of_no_units_are_0(tmp_path: Path) -> None:
    assert rates(tmp_path, "", 99) == {"failure": 0.0, "maintenance": 0.0}
    assert rates(tmp_path, "E1 E2", -50) == {"failure": 0.0, "maintenance": 0.0}
