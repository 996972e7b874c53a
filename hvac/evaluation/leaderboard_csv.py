"""The leaderboard as CSV, a row per candidate and horizon."""

from __future__ import annotations

from hvac.cells import write_csv_for_people
from hvac.evaluation.comparison import StoredDifference
from hvac.evaluation.leaderboard import Leaderboard, LeaderboardRow
from hvac.evaluation.model_metrics import StoredFigure
from hvac.storage import AnyPath

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


def write_leaderboard_csv(leaderboard: Leaderboard, path: AnyPath) -> None:
    """Write one row per candidate and horizon."""
    rows: list[list[str | float | None]] = [[*CSV_HEADER]]
    for rank, row in enumerate(leaderboard["rows"], 1):
        for horizon in map(str, leaderboard["horizons"]):
            rows.append(_csv_row(leaderboard, rank, row, horizon))
    write_csv_for_people(rows, path)


def _figure(row: LeaderboardRow, horizon: str, name: str) -> StoredFigure:
    figure = row["test"][horizon][name]
    assert not isinstance(figure, bool), "the headline is no figure"
    return figure


def _csv_row(
    leaderboard: Leaderboard, rank: int, row: LeaderboardRow, horizon: str
) -> list[str | float | None]:
    pr_auc = _figure(row, horizon, "pr_auc")
    base_rate = _figure(row, horizon, "base_rate")
    difference: StoredDifference = {"verdict": "", "value": "", "low": "", "high": ""}
    if row["against_default"]:
        difference = row["against_default"][horizon]["pr_auc"]
    return [
        rank,
        row["name"],
        row["family"],
        row["name"] == leaderboard["champion"],
        horizon,
        row["validation"]["pr_auc"][horizon],
        pr_auc["value"],
        pr_auc["low"],
        pr_auc["high"],
        base_rate["value"],
        difference["verdict"],
        difference["value"],
        difference["low"],
        difference["high"],
        row["parameters"],
        row["fit_seconds"],
        row["microseconds_per_window"],
    ]
