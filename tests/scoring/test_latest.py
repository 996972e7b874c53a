"""The newest window of every unit, and the ranking a facility manager opens in Excel."""

from __future__ import annotations

import csv
import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from hvac.features.describing import describe
from hvac.features.scene import Scene, UnitRecord, scenes
from hvac.features.table import concat
from hvac.panel.grid import Unit, panels
from hvac.scoring.bundle import Bundle
from hvac.scoring.latest import EXTRA, LATEST, latest_rows
from hvac.scoring.predictions import SCHEMA
from hvac.scoring.worklist import ranking, write_ranking
from tests.models.models_example import HORIZONS, bundle, departing
from tests.panel.panel_example import FIRST, Row, readings, series

TODAY = dt.date(2024, 6, 30)


def noise(days: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(20, 1, days)


def scenes_of(units: dict[str, list[Row]], made: Bundle) -> list[Scene]:
    """Readings of several equipment (by id) as scenes of one class."""
    rows = [row | {"equipment_id": name} for name, own in units.items() for row in own]
    points = {Unit("F1", name): made.recipe.points for name in units}
    known = UnitRecord(class_name="ahu")
    return [
        scene
        for panel in panels(readings(rows), points)
        for scene in scenes(panel, made.recipe, known)
    ]


def rows_of(table: pa.Table, equipment: str) -> list[dict[str, Any]]:
    return [row for row in table.to_pylist() if row["equipment_id"] == equipment]


@pytest.fixture(scope="module")
def made() -> Bundle:
    return bundle()


@pytest.fixture(scope="module")
def found(made: Bundle) -> pa.Table:
    gappy = series(noise(200, 3)) + series([21.0], start=290)
    drifting = series(
        np.r_[noise(120, 4), noise(90, 4) + np.linspace(0, 12, 90)], limits=(10.0, 30.0)
    )
    return latest_rows(
        scenes_of(
            {
                "A": series(noise(300)),
                "B-new": series(noise(40, 2)),
                "C-gappy": gappy,
                "D-drift": drifting,
            },
            made,
        ),
        made,
    )


# Rows


def test_each_unit_has_a_row_per_horizon_with_the_predictions_columns_and_more(
    found: pa.Table,
) -> None:
    assert found.schema.names == [*SCHEMA.names, *EXTRA]
    assert found.schema.types == LATEST.types
    assert found["equipment_id"].to_pylist() == [
        e for e in ("A", "B-new", "C-gappy", "D-drift") for _ in HORIZONS
    ]
    assert found["horizon"].to_pylist() == list(HORIZONS) * 4
    assert [row["end_date"] for row in rows_of(found, "A")] == [
        dt.date(2023, 1, 1) + dt.timedelta(days=299)
    ] * 3


def test_risk_is_what_the_bundle_predicts_for_the_newest_window(
    made: Bundle, found: pa.Table
) -> None:
    (scene,) = scenes_of({"A": series(noise(300))}, made)
    window = describe(scene, np.array([FIRST + 299], np.int32), made.recipe)
    expected = made.predict(window)
    rows = rows_of(found, "A")
    np.testing.assert_allclose(
        [row["risk"] for row in rows], expected.risk_BH[0], atol=1e-6
    )
    assert [row["alarm"] for row in rows] == expected.alarm_BH[0].tolist()
    assert {row["status"] for row in rows} == {"ok"}


@pytest.mark.parametrize("facility", ["F1", "F2"])
def test_rows_of_a_facility_with_a_decision_of_its_own_are_what_the_bundle_predicts(
    facility: str,
) -> None:
    """The unit stands at F1: at F2's decision nothing changes for it."""
    own = departing(facility)
    (scene,) = scenes_of({"A": series(noise(300))}, own)
    expected = own.predict(
        describe(scene, np.array([FIRST + 299], np.int32), own.recipe)
    )
    rows = latest_rows([scene], own).to_pylist()
    np.testing.assert_allclose(
        [row["risk"] for row in rows], expected.risk_BH[0], atol=1e-6
    )
    assert [row["threshold"] for row in rows] == expected.threshold_BH[0].tolist()
    assert [row["alarm"] for row in rows] == expected.alarm_BH[0].tolist()
    departs = [
        row["threshold"] != cut
        for row, cut in zip(rows, own.decision.threshold_H, strict=True)
    ]
    assert departs == [facility == "F1"] * 3


def test_learning_unit_has_no_risk_but_its_days_left(found: pa.Table) -> None:
    for row in rows_of(found, "B-new"):
        assert (row["status"], row["learning_days_left"]) == ("learning", 50)
        assert [
            row[name]
            for name in (
                "risk",
                "alarm",
                "forecast",
                "driving_point",
                "crossing_probability",
            )
        ] == [None] * 5


def test_unit_with_too_few_observed_days_has_no_risk_and_says_why(
    found: pa.Table,
) -> None:
    for row in rows_of(found, "C-gappy"):
        assert row["status"] == "insufficient_data"
        assert (
            row["risk"]
            is row["alarm"]
            is row["forecast"]
            is row["learning_days_left"]
            is None
        )
        assert row["observed_share"] == pytest.approx(1 / 90)


def test_forecast_is_in_physical_units_on_every_day_of_the_horizon(
    found: pa.Table,
) -> None:
    for row, horizon in zip(rows_of(found, "A"), HORIZONS, strict=True):
        assert (
            len(row["forecast"])
            == len(row["forecast_low"])
            == len(row["forecast_high"])
            == horizon
        )
        assert np.all(
            (np.array(row["forecast"]) > 15) & (np.array(row["forecast"]) < 25)
        )
        assert np.all(np.array(row["forecast_low"]) < row["forecast"])
        assert np.all(np.array(row["forecast_high"]) > row["forecast"])
        assert row["driving_point"] == "p"


def test_forecast_equals_that_of_the_physical_values_themselves(
    made: Bundle, found: pa.Table
) -> None:
    """The damped quadratic follows a change of units, so normalising and back changes nothing."""
    for row, horizon in zip(rows_of(found, "A"), HORIZONS, strict=True):
        value_BCD, low_BCD, high_BCD = made.forecast(
            noise(300)[None, None, -90:], horizon
        )
        for name, expected in (
            ("forecast", value_BCD),
            ("forecast_low", low_BCD),
            ("forecast_high", high_BCD),
        ):
            np.testing.assert_allclose(row[name], expected[0, 0], rtol=1e-4)


def test_crossing_probability_needs_limits_and_is_high_for_a_value_on_its_way_out(
    found: pa.Table,
) -> None:
    assert [row["crossing_probability"] for row in rows_of(found, "A")] == [None] * 3
    chances = [row["crossing_probability"] for row in rows_of(found, "D-drift")]
    assert all(0.5 < chance <= 1 for chance in chances)


def test_driving_point_is_the_one_furthest_from_its_baseline() -> None:
    made = bundle(("calm", "moved"))
    moved = np.r_[noise(200, 1), noise(30, 1) + 9]
    (scene,) = scenes_of(
        {"A": series(noise(230), point="calm") + series(moved, point="moved")}, made
    )
    rows = latest_rows([scene], made).to_pylist()
    assert {row["driving_point"] for row in rows} == {"moved"}
    assert all(np.mean(row["forecast"]) > 24 for row in rows)
    assert {row["point_id"] for row in rows} == {None}


def test_a_unit_has_the_same_rows_alone_as_among_others(
    made: Bundle, found: pa.Table
) -> None:
    alone = latest_rows(scenes_of({"A": series(noise(300))}, made), made).to_pylist()
    for one, other in zip(alone, rows_of(found, "A"), strict=True):
        rounded = ("risk", "risk_low", "risk_high")
        for name in rounded:
            assert one[name] == pytest.approx(other[name], abs=1e-6)
        assert {**one, **dict.fromkeys(rounded)} == {**other, **dict.fromkeys(rounded)}


def test_a_fleet_that_is_all_learning_has_rows_without_risk(made: Bundle) -> None:
    table = latest_rows(scenes_of({"B": series(noise(40))}, made), made)
    assert table["risk"].null_count == 3
    assert table["learning_days_left"].to_pylist() == [50] * 3


def test_saved_bundle_gives_its_folder_name_as_bundle_id(
    made: Bundle, tmp_path: Path
) -> None:
    again = Bundle.load(made.save(tmp_path))
    table = latest_rows(scenes_of({"A": series(noise(200))}, again), again)
    assert set(table["bundle_id"].to_pylist()) == {made.id}


def test_by_point_every_point_has_rows_of_its_own() -> None:
    made = bundle(("a", "b"), by="point")
    found = scenes_of(
        {"A": series(noise(200), point="a") + series(noise(200, 1), point="b")}, made
    )
    rows = latest_rows(found, made).to_pylist()
    assert [row["point_id"] for row in rows] == ["a"] * 3 + ["b"] * 3
    last_day = dt.date(1970, 1, 1) + dt.timedelta(days=FIRST + 199)
    (entry,) = ranking(latest_rows(found, made).to_pylist(), last_day=last_day)
    assert entry["risks"] == {
        h: max(r["risk"] for r in rows if r["horizon"] == h) for h in HORIZONS
    }
    assert (
        len(
            concat(
                [
                    describe(s, np.array([FIRST + 199], np.int32), made.recipe)
                    for s in found
                ]
            )
        )
        == 2
    )


# Ranking


def unit(
    name: str, *risks: float, point: str | None = None, days_ago: int = 0, **more: Any
) -> list[dict[str, Any]]:
    """Rows of one unit: its risks by horizon, or none where it has no score."""
    same = {
        "facility_id": "F1", "equipment_id": name, "point_id": point, "class": "ahu",
        "end_date": TODAY - dt.timedelta(days=days_ago), "threshold": 0.5, "status": "ok", "observed_share": 1.0,
        "driving_point": point or "p", **more,
    }  # fmt: skip
    values = risks or (None,) * 3
    return [
        same
        | {"horizon": h, "risk": risk, "alarm": None if risk is None else risk >= 0.5}
        for h, risk in zip(HORIZONS, values, strict=True)
    ]


def learning(name: str, left: int, **more: Any) -> list[dict[str, Any]]:
    return unit(
        name, status="learning", learning_days_left=left, driving_point=None, **more
    )


def ranked(*units: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = [row for own in units for row in own]
    return ranking(
        pa.Table.from_pylist(rows, schema=LATEST).to_pylist(), last_day=TODAY
    )


def names(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["equipment_id"] for entry in entries]


def test_ranking_is_by_the_risk_within_the_shortest_horizon_then_the_next() -> None:
    entries = ranked(
        unit("low", 0.1, 0.3, 0.4),
        unit("high", 0.3, 0.3, 0.3),
        unit("mid", 0.1, 0.35, 0.35),
    )
    assert names(entries) == ["high", "mid", "low"]


def test_what_alarms_comes_first_and_sooner_alarms_before_later_ones() -> None:
    entries = ranked(
        unit("calm", 0.4, 0.4, 0.4),
        unit("later", 0.1, 0.8, 0.9),
        unit("sooner", 0.6, 0.6, 0.6),
    )
    assert names(entries) == ["sooner", "later", "calm"]


def test_units_without_a_score_come_last_whatever_the_risks() -> None:
    entries = ranked(
        learning("new", 12),
        unit("calm", 0.0, 0.0, 0.0),
        unit("gap", status="insufficient_data"),
    )
    assert names(entries)[0] == "calm"
    assert set(names(entries)[1:]) == {"new", "gap"}
    (new,) = (entry for entry in entries if entry["equipment_id"] == "new")
    assert (new["status"], new["learning_days_left"], new["risks"]) == (
        "learning",
        12,
        {},
    )


def test_equipment_of_two_facilities_with_one_name_stay_apart() -> None:
    assert (
        len(
            ranked(unit("A", 0.1, 0.1, 0.1), unit("A", 0.2, 0.2, 0.2, facility_id="F2"))
        )
        == 2
    )


def test_days_behind_count_from_the_last_day_of_the_record() -> None:
    entries = ranked(
        unit("fresh", 0.9, 0.9, 0.9), unit("late", 0.1, 0.1, 0.1, days_ago=12)
    )
    assert [entry["days_behind"] for entry in entries] == [0, 12]


def test_by_point_the_highest_risk_wins_and_names_its_point() -> None:
    (entry,) = ranked(
        unit("A", 0.1, 0.2, 0.3, point="x"),
        unit("A", 0.6, 0.7, 0.8, point="y"),
        unit("A", 0.2, 0.3, 0.4, point="z"),
    )
    assert entry["risks"] == {30: 0.6, 60: 0.7, 90: 0.8}
    assert entry["alarms"] == {30: True, 60: True, 90: True}
    assert entry["point"] == "y"


@pytest.mark.parametrize("turned", [False, True])
def test_by_point_the_named_point_is_the_one_that_gave_the_rank_in_whatever_order_points_come(
    turned: bool,
) -> None:
    """x leads within 30 days, by which equipment is ranked; y within 90."""
    points = [unit("A", 0.5, 0.6, 0.7, point="x"), unit("A", 0.4, 0.6, 0.8, point="y")]
    (entry,) = ranked(*(reversed(points) if turned else points))
    assert entry["risks"] == {30: 0.5, 60: 0.6, 90: 0.8}
    assert entry["point"] == "x"


@pytest.mark.parametrize("turned", [False, True])
def test_by_point_a_scored_point_speaks_for_the_equipment_where_another_still_learns(
    turned: bool,
) -> None:
    points = [
        learning("A", 30, point="x", days_ago=9),
        unit("A", 0.4, 0.6, 0.8, point="y", observed_share=0.9),
    ]
    (entry,) = ranked(*(reversed(points) if turned else points))
    assert (entry["status"], entry["point"], entry["learning_days_left"]) == (
        "ok",
        "y",
        None,
    )
    assert entry["end_date"] == TODAY
    assert entry["observed_share"] == 0.9
    assert entry["days_behind"] == 0


# The file


def written(
    entries: list[dict[str, Any]], path: Path, language: str = "en"
) -> list[list[str]]:
    write_ranking(entries, path / "ranking.csv", language)
    with (path / "ranking.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


FLEET = [
    unit("空調機-1", 0.912, 0.95, 0.99),
    unit("B", 0.1, 0.2, 0.3, days_ago=3),
    learning("new", 12),
]


@pytest.mark.parametrize("language", ["en", "ja"])
def test_ranking_file_starts_with_a_byte_order_mark_and_has_as_many_cells_as_headers(
    tmp_path: Path, language: str
) -> None:
    table = written(ranked(*FLEET), tmp_path, language)
    assert (tmp_path / "ranking.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert len(table) == 4
    assert {len(row) for row in table} == {len(table[0])}
    assert len(set(table[0])) == len(table[0])


def test_ranking_file_reads_as_the_ranking(tmp_path: Path) -> None:
    header, *rows = written(ranked(*FLEET), tmp_path)
    first, second, last = (dict(zip(header, row, strict=True)) for row in rows)
    assert [
        first["rank"],
        first["equipment"],
        first["as of"],
        first["days behind"],
    ] == [
        "1",
        "空調機-1",
        "2024-06-30",
        "0",
    ]
    assert [first[f"risk within {h} days"] for h in HORIZONS] == [
        "91.2%",
        "95.0%",
        "99.0%",
    ]
    assert [second[f"alarm within {h} days"] for h in HORIZONS] == ["no"] * 3
    assert second["days behind"] == "3"
    assert [
        last["status"],
        last["days of learning left"],
        last["risk within 30 days"],
    ] == [
        "learning",
        "12",
        "",
    ]


def test_japanese_file_has_japanese_headers_and_words(tmp_path: Path) -> None:
    header, first, _, last = written(ranked(*FLEET), tmp_path, "ja")
    assert header[:3] == ["順位", "施設", "設備"]
    assert "30日以内に異常が始まる確率" in header
    assert "あり" in first
    assert "学習中" in last


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r="])
def test_no_cell_can_be_taken_for_a_formula(tmp_path: Path, start: str) -> None:
    """OWASP's list: = + - @, tab, carriage return."""
    text = f"{start}HYPERLINK(A1)"
    found = ranked(
        unit(text, 0.9, 0.9, 0.9, point=text, facility_id=text, **{"class": text})
    )
    _, row = written(found, tmp_path)
    cells = [cell for cell in row if "HYPERLINK" in cell]
    assert len(cells) == 4
    assert not any(cell.startswith(start) for cell in cells)


def test_ids_with_commas_quotes_and_line_breaks_keep_their_place(
    tmp_path: Path,
) -> None:
    text = 'AHU "3", roof\nnorth'
    header, row = written(ranked(unit(text, 0.9, 0.9, 0.9)), tmp_path)
    assert row[header.index("equipment")] == text


def test_file_of_a_fleet_that_is_all_learning_is_written(tmp_path: Path) -> None:
    header, row = written(ranked(learning("new", 7)), tmp_path)
    assert row[header.index("days of learning left")] == "7"


def test_ranking_of_real_rows_puts_the_learning_unit_last(found: pa.Table) -> None:
    entries = ranking(
        found.to_pylist(), last_day=dt.date(1970, 1, 1) + dt.timedelta(days=FIRST + 299)
    )
    assert set(names(entries)[:2]) == {"A", "D-drift"}
    assert set(names(entries)[2:]) == {"B-new", "C-gappy"}
    risk = [entry["risks"][30] for entry in entries[:2]]
    assert risk == sorted(risk, reverse=True)


def test_thresholds_of_the_bundle_stand_beside_the_risks(
    made: Bundle, found: pa.Table
) -> None:
    assert [
        row["threshold"] for row in rows_of(found, "A")
    ] == made.decision.threshold_H.tolist()
    assert replace(made).horizons == HORIZONS
