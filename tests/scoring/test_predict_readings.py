"""Risks from readings in one call, and what gets none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import hvac
from hvac.errors import BundleError, InputError
from hvac.panel.windows import LEARNING
from hvac.scoring.bundle import Bundle
from tests.models.models_example import bundle, described

POINTS = ("a", "b")


def readings(days: int, *units: str, points: tuple[str, ...] = POINTS) -> pd.DataFrame:
    """Readings of every day, of units that differ by chance alone."""
    rng = np.random.default_rng(5)
    dates = pd.date_range("2024-01-01", periods=days)
    rows = [
        {
            "facility_id": "F",
            "equipment_id": unit,
            "point_id": point,
            "date": date,
            "value": value,
        }
        for unit in units
        for point in points
        for date, value in zip(dates, rng.normal(size=days), strict=True)
    ]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def trained() -> Bundle:
    return bundle(POINTS)


def test_unit_with_a_long_record_gets_risks_that_never_fall(trained: Bundle) -> None:
    risks = trained.predict_readings(readings(300, "E1", "E2"))
    assert risks["status"].tolist() == ["ok"] * 6
    assert risks["horizon"].tolist() == [30, 60, 90] * 2
    for _, of_unit in risks.groupby("equipment_id"):
        assert of_unit["risk"].is_monotonic_increasing
    assert risks["risk"].between(0, 1).all()


def test_risks_come_with_their_bands_and_alarms_with_reasons(trained: Bundle) -> None:
    low = tuple(
        threshold._replace(value=0.2) for threshold in trained.decision.thresholds
    )
    anxious = replace(trained, decision=replace(trained.decision, thresholds=low))
    risks = anxious.predict_readings(readings(300, "E1", "E2", "E3", "E4"))
    assert (risks["risk_low"] <= risks["risk"]).all()
    assert (risks["risk"] <= risks["risk_high"]).all()
    assert (risks["similar_units"] >= 0).all()
    assert risks["alarm"].any()
    alarmed = risks.groupby("equipment_id")["alarm"].transform("any")
    assert alarmed[risks["why"].notna()].all()
    assert risks["why"].notna().any()


def test_unit_of_30_days_is_learning_and_has_no_risk_and_no_alarm(
    trained: Bundle,
) -> None:
    risks = trained.predict_readings(readings(30, "E1"))
    assert set(risks["status"]) == {"learning"}
    assert risks[["risk", "alarm"]].isna().all(axis=None)
    assert (risks["learning_days_left"] > 0).all()


def test_unit_of_other_points_has_no_risk(trained: Bundle) -> None:
    table = pd.concat([readings(300, "E1"), readings(300, "E2", points=("x",))])
    risks = trained.predict_readings(table).set_index("equipment_id")
    assert set(risks.loc["E1", "status"]) == {"ok"}
    assert set(risks.loc["E2", "status"]) == {"no_known_point"}
    assert risks.loc["E2", "risk"].isna().all()


def test_unit_of_another_class_has_no_risk(trained: Bundle) -> None:
    own, other = trained.recipe.class_name, "other"
    register = pd.DataFrame(
        {"facility_id": "F", "equipment_id": ["E1", "E2"], "class": [own, other]}
    )
    risks = trained.predict_readings(readings(300, "E1", "E2"), equipment=register)
    by_unit = risks.groupby("equipment_id")["status"].first()
    assert by_unit.to_dict() == {"E1": "ok", "E2": "other_class"}


def test_class_that_the_readings_tell_themselves_counts_as_the_registers(
    trained: Bundle,
) -> None:
    table = readings(300, "E1", "E2")
    table["class"] = np.where(
        table["equipment_id"] == "E1", trained.recipe.class_name, "other"
    )
    by_unit = trained.predict_readings(table).groupby("equipment_id")["status"].first()
    assert by_unit.to_dict() == {"E1": "ok", "E2": "other_class"}


def test_files_and_tables_give_the_same(trained: Bundle, tmp_path: Any) -> None:
    table = readings(200, "E1")
    table.to_csv(tmp_path / "readings.csv", index=False)
    from_file = trained.predict_readings(str(tmp_path / "readings.csv"))
    pd.testing.assert_frame_equal(from_file, trained.predict_readings(table))


def test_windows_that_the_product_does_not_score_are_refused(trained: Bundle) -> None:
    ready = described(4, points=2)
    place = ready.keys.column_names.index("status")
    learning = ready.keys.set_column(
        place, "status", pa.array([LEARNING, "ok", "ok", "ok"])
    )
    with pytest.raises(BundleError, match="1 of 4 windows are learning"):
        trained.predict(replace(ready, keys=learning))
    with pytest.raises(
        BundleError, match=r"expected windows of the points .*, found x, y"
    ):
        trained.predict(replace(ready, points=("x", "y")))


def test_table_with_a_column_of_mixed_types_is_refused_in_one_sentence() -> None:
    table = readings(3, "E1").astype({"value": object})
    table.loc[0, "value"] = "12"
    with pytest.raises(
        InputError, match="the table of readings has a column of mixed types"
    ):
        hvac.read_readings(table)


def test_public_names_are_there_and_others_are_not() -> None:
    assert all(hasattr(hvac, name) for name in hvac.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        hvac.nothing  # noqa: B018
