"""No cell of a CSV file for people is taken for a formula."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
import pytest

from hvac.cells import safe_cell, safe_table
from hvac.scoring.worklist import ranking_csv

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "＝1", "＋1", "－1", "＠A", "\u00a0=1", "\t=1", " \r\n=1", "\u3000＝1",
            "\u200b=1", "\ufeff@A", "\u202f+1", "﹦1"]  # fmt: skip


@pytest.mark.parametrize("text", FORMULAS)
def test_text_that_begins_like_a_formula_is_marked_as_text(text: str) -> None:
    assert safe_cell(text) == f"'{text}"
    assert safe_table(pa.table({"a": [text]}))["a"].to_pylist() == [f"'{text}"]


@pytest.mark.parametrize(
    "value", ["AHU-1", "本社/北館", "", " a", -1.5, None, 3, "a=b"]
)
def test_other_cells_stay_as_they_are(value: object) -> None:
    assert safe_cell(value) == value


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_of_the_ranking_begins_like_a_formula(text: str) -> None:
    entry = {
        "facility_id": text, "equipment_id": text, "class": text, "end_date": "2024-03-01", "days_behind": 0,
        "status": text, "learning_days_left": None, "risks": {30: 0.5}, "alarms": {30: True}, "point": text,
        "observed_share": 1.0, "reasons": [], "unsure": [],
    }  # fmt: skip
    (_, row) = csv.reader(io.StringIO(ranking_csv([entry], "en"), newline=""))
    assert all(cell == safe_cell(cell) for cell in row)
