"""The closing summary in the terminal, in the language of the run."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import pytest

from hvac.report.closing_summary import closing_summary
from tests.report.report_example import example_metrics

WARNING = "e.csv: 3 events have no end yet and are taken as still open"


def summary(metrics: dict[str, Any], language: str) -> str:
    return closing_summary(
        metrics,
        warnings=[WARNING],
        units_by_status={"ok": 310, "learning": 2},
        learning_days_left=[12, 40],
        files=["runs/demo/latest.parquet"],
        report="runs/demo/report.html",
        language=language,
    )


@pytest.fixture
def metrics() -> dict[str, Any]:
    found = example_metrics()
    for row in found["windows"].values():
        if "windows" in row:
            row.setdefault("effective", {})
    return dict(found)


def test_english_keeps_the_names_of_files_and_settings(metrics: dict[str, Any]) -> None:
    text = summary(metrics, "en")
    assert f"Warning: {WARNING}" in text
    assert "Newest window of equipment (learning 2, ok 310)" in text
    assert "new equipment is scored after 12 to 40 more days of readings" in text


def test_japanese_summary_has_no_english_word_but_names(
    metrics: dict[str, Any],
) -> None:
    text = summary(metrics, "ja")
    assert "注意：e.csv：終了日のない 3 件のイベントは、継続中として扱いました" in text
    assert "設備ごとの最新ウィンドウ（学習中 2、判定済み 310）" in text
    assert "あと 12〜40 日分の計測値がそろうと判定されます" in text
    assert "レポート：runs/demo/report.html" in text
    names = {
        *metrics["models"],
        "PR",
        "AUC",
        "csv",
        "runs",
        "demo",
        "latest",
        "parquet",
        "report",
    }
    names |= {
        "comp3",
        "odd",
        "odd_fault",
        "odd_reason",
    }  # of the example, known to nobody
    left = set(re.findall(r"[A-Za-z_][A-Za-z_0-9]+", text)) - names - {"html"}
    assert not left


def test_columns_stand_below_each_other_in_both_languages(
    metrics: dict[str, Any],
) -> None:
    for language in ("en", "ja"):
        lines = summary(metrics, language).splitlines()
        table = lines[lines.index("", lines.index("") - 1) + 1 :]
        head = next(line for line in table if line.startswith("PR-AUC"))
        rows = [line for line in table if re.match(r"(hybrid|gbdt_28)\s", line)]
        assert {columns(line) for line in (head, *rows)} == {16 + 3 * 26}


def test_command_that_compares_more_models_is_told_where_there_is_one(
    metrics: dict[str, Any],
) -> None:
    command = "python -m ray_jobs.compare --config run.yaml"
    for language, head in (
        ("en", "Other families beside it: "),
        ("ja", "ほかのモデルとの比較："),
    ):
        assert head not in summary(metrics, language)
        told = summary({**metrics, "compare_command": command}, language)
        assert f"{head}{command}" in told.splitlines()


def columns(line: str) -> int:
    """How many columns of a terminal a line takes."""
    return sum(
        2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line
    )
