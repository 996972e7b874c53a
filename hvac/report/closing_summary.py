"""The closing summary of a run: what was read, left out and found, as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hvac.json_values import Json, JsonObject, branch
from hvac.panel.splits import SPLITS
from hvac.report.view import dig, number


def closing_summary(
    metrics: JsonObject,
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
        *_reading_lines(branch(metrics, "panel")),
        *(f"Warning: {sentence}" for sentence in warnings),
        f"Windows left out {_counts(_counts_at(metrics, 'windows', 'excluded'))}",
        *_split_lines(branch(metrics, "windows")),
        *_newest_lines(units_by_status or {}, learning_days_left),
        *model_lines(metrics),
        "",
        *(f"  {file}" for file in files),
        f"Report: {report}",
    ]
    return "\n".join(lines)


def _reading_lines(panel: JsonObject) -> list[str]:
    rejected = _counts_at(panel, "rejected")
    return [
        f"Rows read {panel['rows_read']:,}; readings {panel['readings']:,};"
        f" missing {panel['missing']:,}; rejected {sum(rejected.values()):,} {_counts(rejected)}",
        f"{panel['equipment']} pieces of equipment in {panel['facilities']} facilities,"
        f" {panel['points']} points, {panel['first_date']} to {panel['last_date']};"
        f" events {_counts(_counts_at(panel, 'events'))}",
    ]


def _counts(counts: Mapping[str, int]) -> str:
    if not counts:
        return ""
    return "(" + ", ".join(f"{name} {n:,}" for name, n in sorted(counts.items())) + ")"


def _counts_at(tree: JsonObject, *keys: str) -> dict[str, int]:
    return {name: int(number(count) or 0) for name, count in branch(tree, *keys).items()}


def _split_lines(windows: JsonObject) -> list[str]:
    lines = []
    for split in SPLITS:
        row = branch(windows, split)
        by_horizon = branch(row, "base_rate")
        rates = ", ".join(f"{h} d {_percent(rate)}" for h, rate in by_horizon.items())
        lines.append(
            f"  {split:<6}{row['windows']:>9,} windows of {row['units']:>5,} units; base rate"
            f" {rates}"
        )
        lines += _effective_lines(row)
    return lines


def _effective_lines(row: JsonObject) -> list[str]:
    """Return how many equally weighted labels tell as much, where that is not their number."""
    numbers = []
    for horizon in branch(row, "effective", "known"):
        known = round(number(dig(row, "effective", "known", horizon)) or 0)
        positive = round(number(dig(row, "effective", "positives", horizon)) or 0)
        counted = dig(row, "known", horizon), dig(row, "positives", horizon)
        if (known, positive) != counted:
            numbers.append(f"{horizon} d {known:,} ({positive:,} positive)")
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


def model_lines(metrics: JsonObject) -> list[str]:
    """Return PR-AUC with its interval for every model and horizon."""
    models = branch(metrics, "models")
    horizons = list(branch(models, next(iter(models))))
    heads = "".join(f"{horizon + ' days':>26}" for horizon in horizons)
    lines = ["", f"{'PR-AUC [95 %]':<16}{heads}"]
    for name in models:
        intervals = [_interval(dig(models, name, horizon, "pr_auc")) for horizon in horizons]
        cells = "".join(f"{interval:>26}" for interval in intervals)
        lines.append(f"{name:<16}{cells}")
    measured = branch(models, str(dig(metrics, "run", "family")))
    base_rates = [dig(measured, horizon, "base_rate", "value") for horizon in horizons]
    rates = "".join(f"{_percent(rate):>26}" for rate in base_rates)
    return [*lines, f"{'base rate':<16}{rates}"]


def _interval(figure: Json) -> str:
    bounds = [number(figure, name) for name in ("value", "low", "high")]
    value, low, high = ("–" if bound is None else f"{bound:.3f}" for bound in bounds)
    return f"{value} [{low}, {high}]"


def _percent(rate: Json) -> str:
    share = number(rate)
    return "–" if share is None else f"{100 * share:.1f} %"
