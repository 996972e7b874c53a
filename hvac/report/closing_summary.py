"""The closing summary of a run: what was read, left out and found, as plain text.

The words are in `closing_texts.yaml`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from hvac.json_values import Json, JsonObject, branch
from hvac.panel.splits import SPLITS
from hvac.report.provenance import kind_name
from hvac.report.texts import Words
from hvac.report.view import dig, number
from hvac.sentences import translated

TEXTS: Final = "closing_texts.yaml"
ENGLISH: Final = Words("en", TEXTS)
WIDE: Final = "WF"  # East Asian widths of two columns


def closing_summary(
    metrics: JsonObject,
    *,
    warnings: Iterable[str] = (),
    units_by_status: Mapping[str, int] | None = None,
    learning_days_left: Sequence[int] | None = None,
    files: Iterable[str] = (),
    report: str = "",
    language: str = "en",
) -> str:
    """Return the summary of a run for a terminal.

    Args:
        metrics: the content of metrics.json.
        warnings: sentences that ingest wrote.
        units_by_status: pieces of equipment by the status of their newest window.
        learning_days_left: least and most days that new equipment still learns.
        files: what the run wrote.
        report: the report's file.
        language: `en` or `ja`.
    """
    words = Words(language, TEXTS)
    left_out = _counts(words, _counts_at(metrics, "windows", "excluded"), "excluded")
    lines = [
        *_reading_lines(words, branch(metrics, "panel")),
        *(words("warning", sentence=translated(text, language)) for text in warnings),
        words("left_out", reasons=left_out),
        *_split_lines(words, branch(metrics, "windows")),
        *_newest_lines(words, units_by_status or {}, learning_days_left),
        *model_lines(metrics, words),
        *_compare_lines(words, metrics.get("compare_command")),
        "",
        *(f"  {file}" for file in files),
        words("report", file=report),
    ]
    return "\n".join(lines)


def _reading_lines(words: Words, panel: JsonObject) -> list[str]:
    rejected = _counts_at(panel, "rejected")
    amounts = {name: f"{panel[name]:,}" for name in ("readings", "missing")}
    read = words(
        "read",
        rows=f"{panel['rows_read']:,}",
        rejected=f"{sum(rejected.values()):,}",
        reasons=_counts(words, rejected, "rejected"),
        **amounts,
    )
    record = words(
        "record",
        **{name: panel[name] for name in ("equipment", "facilities", "points")},
        first=panel["first_date"],
        last=panel["last_date"],
        events=_counts(words, _counts_at(panel, "events"), "event_kind"),
    )
    return [read, record]


def _counts(words: Words, counts: Mapping[str, int], group: str) -> str:
    """Return counts in brackets; English keeps the names that files and settings have."""
    if not counts:
        return ""
    parts = []
    for name, n in sorted(counts.items()):
        shown = name if words.language == "en" else _name(words, group, name)
        parts.append(words("count", name=shown, n=f"{n:,}"))
    return words("counts", list=words.join(parts))


def _name(words: Words, group: str, name: str) -> str:
    return kind_name(words, name) if group == "event_kind" else words.name(group, name)


def _counts_at(tree: JsonObject, *keys: str) -> dict[str, int]:
    return {
        name: int(number(count) or 0) for name, count in branch(tree, *keys).items()
    }


def _split_lines(words: Words, windows: JsonObject) -> list[str]:
    lines = []
    for split in SPLITS:
        row = branch(windows, split)
        by_horizon = branch(row, "base_rate")
        rates = [
            words("rate", days=h, rate=_percent(rate)) for h, rate in by_horizon.items()
        ]
        counted = words(
            "split",
            n=f"{row['windows']:>9,}",
            units=f"{row['units']:>5,}",
            rates=words.join(rates),
        )
        lines.append(f"  {_padded(words.name('part', split), 6)}{counted}")
        lines += effective_lines(row, words)
    return lines


def effective_lines(row: JsonObject, words: Words = ENGLISH) -> list[str]:
    """Return how many equally weighted labels tell as much, where that is not their number."""
    numbers = []
    for horizon in branch(row, "effective", "known"):
        known = round(number(dig(row, "effective", "known", horizon)) or 0)
        positive = round(number(dig(row, "effective", "positives", horizon)) or 0)
        counted = dig(row, "known", horizon), dig(row, "positives", horizon)
        if (known, positive) != counted:
            shown = {"n": f"{known:,}", "positive": f"{positive:,}"}
            numbers.append(words("effective_one", days=horizon, **shown))
    return (
        [f"        {words('effective', numbers=words.join(numbers))}"]
        if numbers
        else []
    )


def _newest_lines(
    words: Words, units_by_status: Mapping[str, int], days_left: Sequence[int] | None
) -> list[str]:
    """Return equipment by the status of its newest window, and how long new ones still learn."""
    if not units_by_status:
        return []
    line = words("newest", counts=_counts(words, units_by_status, "status"))
    if days_left:
        least, most = min(days_left), max(days_left)
        wait = (
            str(least) if least == most else words("days_from", least=least, most=most)
        )
        line = words("newest_learning", newest=line, days=wait)
    return [line]


def model_lines(metrics: JsonObject, words: Words = ENGLISH) -> list[str]:
    """Return PR-AUC with its interval for every model and horizon."""
    models = branch(metrics, "models")
    horizons = list(branch(models, next(iter(models))))
    heads = "".join(_padded(words("horizon", days=h), 26, right=True) for h in horizons)
    lines = ["", f"{_padded(words('head'), 16)}{heads}"]
    for name in models:
        intervals = [
            _interval(dig(models, name, horizon, "pr_auc")) for horizon in horizons
        ]
        cells = "".join(f"{interval:>26}" for interval in intervals)
        lines.append(f"{name:<16}{cells}")
    measured = branch(models, str(dig(metrics, "run", "family")))
    base_rates = [dig(measured, horizon, "base_rate", "value") for horizon in horizons]
    rates = "".join(f"{_percent(rate):>26}" for rate in base_rates)
    return [*lines, f"{_padded(words('base_rate'), 16)}{rates}"]


def _compare_lines(words: Words, command: Json) -> list[str]:
    """Return the command that compares the families that do not stand in the table, if there is one."""
    return ["", words("compare", command=str(command))] if command else []


def _padded(text: str, columns: int, *, right: bool = False) -> str:
    """Return a text with spaces up to so many columns of a terminal; wide letters take two."""
    wide = sum(unicodedata.east_asian_width(letter) in WIDE for letter in text)
    spaces = " " * (columns - len(text) - wide)
    return spaces + text if right else text + spaces


def _interval(figure: Json) -> str:
    bounds = [number(figure, name) for name in ("value", "low", "high")]
    value, low, high = ("–" if bound is None else f"{bound:.3f}" for bound in bounds)
    return f"{value} [{low}, {high}]"


def _percent(rate: Json) -> str:
    share = number(rate)
    return "–" if share is None else f"{100 * share:.1f} %"
