"""The closing summary of a run: what was read, left out and found, as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hvac.panel.splits import SPLITS


def closing_summary(
    metrics: Mapping[str, Any],
    *,
    warnings: Iterable[str] = (),
    units_by_status: Mapping[str, int] | None = None,
    learning_days_left: Sequence[int] | None = None,
    files: Iterable[str] = (),
    report: str = "",
) -> str:
    """Return the summary of a run for a terminal.

    Args:
        metrics: the content of metrics.json.
        warnings: sentences that ingest wrote.
        units_by_status: pieces of equipment by the status of their newest window.
        learning_days_left: least and most days that new equipment still learns.
        files: what the run wrote.
        report: the report's file.
    """
    lines = [
        *_reading_lines(metrics["panel"]),
        *(f"Warning: {sentence}" for sentence in warnings),
        f"Windows left out {_counts(metrics['windows']['excluded'])}",
        *_split_lines(metrics["windows"]),
        *_newest_lines(units_by_status or {}, learning_days_left),
        *_model_lines(metrics),
        "",
        *(f"  {file}" for file in files),
        f"Report: {report}",
    ]
    return "\n".join(lines)


def _reading_lines(panel: Mapping[str, Any]) -> list[str]:
    rejected = panel["rejected"]
    return [
        f"Rows read {panel['rows_read']:,}; readings {panel['readings']:,};"
        f" missing {panel['missing']:,}; rejected {sum(rejected.values()):,} {_counts(rejected)}",
        f"{panel['equipment']} pieces of equipment in {panel['facilities']} facilities,"
        f" {panel['points']} points, {panel['first_date']} to {panel['last_date']};"
        f" events {_counts(panel['events'])}",
    ]


def _counts(counts: Mapping[str, int]) -> str:
    if not counts:
        return ""
    return "(" + ", ".join(f"{name} {n:,}" for name, n in sorted(counts.items())) + ")"


def _split_lines(windows: Mapping[str, Any]) -> list[str]:
    lines = []
    for split in SPLITS:
        row = windows[split]
        rates = ", ".join(f"{h} d {_percent(rate)}" for h, rate in row["base_rate"].items())
        lines.append(
            f"  {split:<6}{row['windows']:>9,} windows of {row['units']:>5,} units; base rate"
            f" {rates}"
        )
        lines += _effective_lines(row)
    return lines


def _effective_lines(row: Mapping[str, Any]) -> list[str]:
    """Return how many equally weighted labels tell as much, where that is not their number."""
    effective = row.get("effective", {})
    numbers = []
    for horizon, known in effective.get("known", {}).items():
        positive = effective["positives"][horizon]
        counted = row["known"][horizon], row["positives"][horizon]
        if (round(known), round(positive)) != counted:
            numbers.append(f"{horizon} d {round(known):,} ({round(positive):,} positive)")
    return [f"        as many as, unweighted: {', '.join(numbers)}"] if numbers else []


def _newest_lines(units_by_status: Mapping[str, int], days_left: Sequence[int] | None) -> list[str]:
    """Return equipment by the status of its newest window, and how long new ones still learn."""
    if not units_by_status:
        return []
    line = f"Newest window of equipment {_counts(units_by_status)}"
    if days_left:
        wait = " to ".join(map(str, sorted(set(days_left))))
        line += f"; new equipment is scored after {wait} more days of readings"
    return [line]


def _model_lines(metrics: Mapping[str, Any]) -> list[str]:
    """Return PR-AUC with its interval for every model and horizon."""
    horizons = list(next(iter(metrics["models"].values())))
    heads = "".join(f"{horizon + ' days':>26}" for horizon in horizons)
    lines = ["", f"{'PR-AUC [95 %]':<16}{heads}"]
    for name, figures in metrics["models"].items():
        cells = "".join(f"{_interval(figures[horizon]['pr_auc']):>26}" for horizon in horizons)
        lines.append(f"{name:<16}{cells}")
    measured = metrics["models"][metrics["run"]["family"]]
    rates = "".join(
        f"{_percent(measured[horizon]['base_rate']['value']):>26}" for horizon in horizons
    )
    return [*lines, f"{'base rate':<16}{rates}"]


def _interval(figure: Mapping[str, Any]) -> str:
    numbers = [figure[name] for name in ("value", "low", "high")]
    value, low, high = ("–" if number is None else f"{number:.3f}" for number in numbers)
    return f"{value} [{low}, {high}]"


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{100 * rate:.1f} %"
