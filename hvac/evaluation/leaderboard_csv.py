"""The leaderboard as CSV, a row per candidate and horizon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hvac.cells import SafeWriter
from hvac.evaluation.leaderboard import Cost
from hvac.storage import AnyPath, writing

CSV_HEADER = [
    "rank",
    "model",
    "family",
    "champion",
    "horizon",
    "validation_pr_auc",
    "test_pr_auc",
    "low",
    "high",
    "base_rate",
    "against_default",
    "difference",
    "difference_low",
    "difference_high",
    "parameters",
    "fit_seconds",
    "microseconds_per_window",
]


def write_leaderboard_csv(leaderboard: Mapping[str, Any], path: AnyPath) -> None:
    """Write one row per candidate and horizon, with a byte-order mark so that Excel reads it."""
    with writing(path, "w", newline="", encoding="utf-8-sig") as file:
        writer = SafeWriter(file)
        writer.writerow(CSV_HEADER)
        for rank, row in enumerate(leaderboard["rows"], 1):
            for horizon in map(str, leaderboard["horizons"]):
                writer.writerow(_csv_row(leaderboard, rank, row, horizon))


def _csv_row(
    leaderboard: Mapping[str, Any], rank: int, row: Mapping[str, Any], horizon: str
) -> list[Any]:
    test = row["test"][horizon]
    difference = {"verdict": "", "value": "", "low": "", "high": ""}
    if row["against_default"]:
        difference = row["against_default"][horizon]["pr_auc"]
    return [
        rank,
        row["name"],
        row["family"],
        row["name"] == leaderboard["champion"],
        horizon,
        row["validation"]["pr_auc"][horizon],
        test["pr_auc"]["value"],
        test["pr_auc"]["low"],
        test["pr_auc"]["high"],
        test["base_rate"]["value"],
        difference["verdict"],
        difference["value"],
        difference["low"],
        difference["high"],
        *(row[name] for name in Cost._fields),
    ]
