"""The tables of the sweep's page: the best settings, and every trial.

Every function is `SweepView -> blocks`.
"""

from __future__ import annotations

from hvac.json_values import Json
from hvac.report.sweep_figures import short_setting
from hvac.report.sweep_view import SweepView, Trial
from hvac.report.texts import Words
from hvac.report.view import DASH, Block, Cell, Row, Table, show

MEASURES = (
    ("pr_auc", "tune_pr_auc"),
    ("threshold", "threshold"),
)  # heading, name in the ledger


def best_settings(view: SweepView) -> list[Block]:
    """Return the best settings beside what was searched and the settings before the sweep."""
    words = view.words
    rows = []
    for key, distribution in view.space.items():
        cells = [
            Cell(short_setting(view.best["settings"][key])),
            Cell(short_setting(view.sweep["before"][key])),
            Cell(_range(words, distribution)),
        ]
        rows.append(Row(head=Cell(key), cells=cells))
    heads = [
        words(f"head.{name}") for name in ("setting", "best", "before", "searched")
    ]
    return [Table(caption=words("caption.best"), head=heads, rows=rows)]


def _range(words: Words, distribution: dict[str, list[Json]]) -> str:
    [(kind, values)] = distribution.items()
    if kind == "choice":
        return " / ".join(map(short_setting, values))
    return words(
        f"range.{kind}", low=short_setting(values[0]), high=short_setting(values[1])
    )


def all_trials(view: SweepView) -> list[Block]:
    """Return a table of every trial, best first, and one of the failed with the reason."""
    words = view.words
    heads = [
        words(f"head.{name}")
        for name in ("trial", "value", "status", "epochs", "seconds")
    ]
    heads += view.space
    for heading, _ in MEASURES:
        heads += [
            words(f"head.{heading}", days=days) for days in view.sweep["horizons"]
        ]
    trials = sorted(view.trials, key=lambda trial: -(trial["value"] or 0.0))
    rows = [_trial_row(view, trial) for trial in trials]
    return [
        Table(caption=words("caption.trials"), head=heads, rows=rows),
        *_failed_table(view),
    ]


def _trial_row(view: SweepView, trial: Trial) -> Row:
    cells = [
        Cell(show(trial["value"])),
        Cell(view.words(f"status.{trial['status']}")),
        Cell(show(trial["epochs"], "count")),
        Cell(show(trial["seconds"], "days")),
    ]
    for key in view.space:
        cells.append(Cell(short_setting(trial["settings"].get(key, DASH))))
    last = trial["rows"][-1] if trial["rows"] else {}
    for _, name in MEASURES:
        for days in view.sweep["horizons"]:
            cells.append(Cell(show(last.get(f"{name}_{days}"))))
    best = trial["trial"] == view.sweep["best"]
    return Row(head=Cell(trial["trial"]), cells=cells, strong=best)


def _failed_table(view: SweepView) -> list[Table]:
    words = view.words
    rows = []
    for trial in view.trials:
        if trial["status"] == "failed":
            reason = Cell(trial["why"] or DASH)
            rows.append(Row(head=Cell(trial["trial"]), cells=[reason]))
    if not rows:
        return []
    heads = [words("head.trial"), words("head.why")]
    return [Table(caption=words("caption.failed"), head=heads, rows=rows, kind="words")]
