"""The tables and figures of the report's sections: every function is `View -> blocks`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hvac.report.texts import LANGUAGES, Words, in_order, texts
from hvac.report.view import (
    DASH,
    Block,
    Cell,
    Note,
    Row,
    Table,
    View,
    cell,
    dig,
    image,
    labelled,
    model_cell,
    number,
    show,
)

MAIN = {
    "events": "count",
    "windows": "count",
    "units": "count",
    "base_rate": "share",
    "pr_auc": "ratio",
    "roc_auc": "ratio",
    "lift_10": "rate",
    "recall_10": "share",
    "brier_skill": "ratio",
    "ece": "ratio",
}
ALARMS = {
    "alarm_precision": "share",
    "event_recall": "share",
    "false_alarms_per_unit_year": "rate",
    "lead": "days",
    "precision": "share",
    "recall": "share",
    "f1": "ratio",
    "accuracy": "share",
}


def by_metric(view: View, kinds: Mapping[str, str]) -> list[Row]:
    """A row per metric the model has, a column per horizon."""
    found = {h: with_lead(view.measured(h)) for h in view.horizons}
    kept = [key for key in kinds if any(key in measured for measured in found.values())]
    return [
        Row(
            head=labelled(view.words, key),
            cells=[cell(found[h].get(key), kinds[key]) for h in view.horizons],
        )
        for key in kept
    ]


def with_lead(measured: Mapping[str, Any]) -> Mapping[str, Any]:
    """The three quartiles of lead time as one value with bounds."""
    if "lead_median" not in measured:
        return measured
    quartiles = {"value": "lead_median", "low": "lead_q25", "high": "lead_q75"}
    return {
        **measured,
        "lead": {part: number(measured.get(key)) for part, key in quartiles.items()},
    }


def main_table(view: View) -> list[Block]:
    """The default model, metric by horizon."""
    rows = by_metric(view, MAIN)
    if not rows:
        return []
    head = [view.words("table.metric"), *view.heads(view.horizons)]
    return [Table(caption=view.words("caption.main", model=view.model), head=head, rows=rows)]


def all_models(view: View) -> list[Block]:
    """A table per horizon with every model and its difference from the default."""
    if not view.horizons:
        return []
    words, difference = view.words, view.words("metric.difference", model=view.model)
    spans = (("ranking", 2), ("roc", 2), ("probability", 3), ("top", 1))
    groups = [(words(f"table.group_{name}"), span) for name, span in spans]
    value = words("table.value")
    head = [words("table.model"), value, difference, value, difference, words("metric.brier_skill")]
    head += [difference, words("table.ece"), words("table.recall")]
    tables: list[Block] = [
        Table(
            caption=words("caption.models", days=h),
            groups=groups,
            head=head,
            rows=model_rows(view, h),
        )
        for h in view.horizons
    ]
    return [*tables, Note(text=words("note.models", model=view.model))]


def model_rows(view: View, horizon: str) -> list[Row]:
    """Every model measured at this horizon, best PR-AUC first."""
    found = {model: by[horizon] for model, by in view.at("models").items() if horizon in by}
    order = sorted(found, key=lambda model: -(number(found[model].get("pr_auc")) or 0.0))
    return [model_row(view, model, horizon) for model in order]


def model_row(view: View, model: str, horizon: str) -> Row:
    """One model at one horizon."""
    measured, gaps = view.at("models", model, horizon), view.at("differences", model, horizon)
    pr, roc, brier = (
        difference_cell(view.words, dig(gaps, key)) for key in ("pr_auc", "roc_auc", "brier")
    )
    cells = [
        cell(measured.get("pr_auc")),
        pr,
        cell(measured.get("roc_auc")),
        roc,
        cell(measured.get("brier_skill")),
    ]
    cells += [brier, cell(measured.get("ece")), cell(measured.get("recall_10"), "share")]
    return Row(head=model_cell(view.words, model), cells=cells, strong=model == view.default)


def difference_cell(words: Words, gap: Any) -> Cell:
    """The verdict in words over the difference and its interval."""
    if number(gap) is None:
        return Cell(text=DASH)
    verdict, bounds = str(dig(gap, "verdict") or ""), cell(gap, "signed")
    tone = verdict if verdict in ("better", "worse") else "unclear"
    return Cell(
        text=words.name("verdict", verdict) or DASH,
        detail=f"{bounds.text} {bounds.detail}".strip(),
        tone=tone,
    )


def curve_figures(view: View) -> list[Block]:
    """Precision–recall, reliability, forest plot."""
    forest = image(view, "metric_bars", metric=view.words("metric.pr_auc"))
    return [*image(view, "pr_curves"), *image(view, "reliability"), *forest]


def alarm_table(view: View) -> list[Block]:
    """Thresholds, what alarms are worth, the confusion matrix."""
    rows = [*threshold_rows(view), *by_metric(view, ALARMS)]
    if not rows or not view.horizons:
        return []
    head = [view.words("table.metric"), *view.heads(view.horizons)]
    return [
        Table(caption=view.words("caption.alarms", model=view.model), head=head, rows=rows),
        *confusion_table(view),
    ]


def threshold_rows(view: View) -> list[Row]:
    """Cut-off, how it was set, how scores were calibrated."""
    words, rows = view.words, []
    set_to, calibrated = (view.at(key, view.default) for key in ("thresholds", "calibration"))
    if set_to:
        rows.append(
            Row(
                head=labelled(words, "threshold"),
                cells=[cell(dig(set_to, h), "share") for h in view.horizons],
            )
        )
        policies = [
            Cell(
                text=words.name("policy", str(dig(set_to, h, "policy") or DASH)),
                detail=str(dig(set_to, h, "note") or ""),
            )
            for h in view.horizons
        ]
        rows.append(Row(head=labelled(words, "policy"), cells=policies))
    if calibrated:
        methods = [
            Cell(text=words.name("calibration", str(dig(calibrated, h, "method") or DASH)))
            for h in view.horizons
        ]
        rows.append(Row(head=labelled(words, "calibration"), cells=methods))
    return rows


def confusion_table(view: View) -> list[Block]:
    """What happened (rows) against what was said (columns), per horizon."""
    if not any("tp" in view.measured(h) for h in view.horizons):
        return []
    words, rows = view.words, []
    for actual, pair in (("event", ("tp", "fn")), ("none", ("fp", "tn"))):
        cells = [
            Cell(text=show(view.measured(h).get(key), "count"), detail=words(f"outcome.{key}"))
            for h in view.horizons
            for key in pair
        ]
        rows.append(Row(head=Cell(text=words(f"actual.{actual}")), cells=cells))
    head = [
        words("table.actual"),
        *[words("table.alarm"), words("table.silence")] * len(view.horizons),
    ]
    groups = [(text, 2) for text in view.heads(view.horizons)]
    return [Table(caption=words("caption.confusion"), groups=groups, head=head, rows=rows)]


def grouped(
    view: View, found: Mapping[str, Any], kinds: Mapping[str, str], *, caption: str, corner: str
) -> Table:
    """Rows of `found` ({row: {horizon: {metric: number}}}) by horizon and metric."""
    words = view.words
    horizons = in_order([h for by_horizon in found.values() for h in by_horizon])
    rows = [
        Row(
            head=Cell(text=words.name(corner, row) if corner in texts() else row),
            cells=[
                cell(dig(by_horizon, h, key), form) for h in horizons for key, form in kinds.items()
            ],
            strong=row in ("both", "quadratic"),
        )
        for row, by_horizon in found.items()
    ]
    names = [words.name("metric", key) for key in kinds]
    corners = {"ablation": "variant", "forecast_method": "method"}
    head = [words(f"table.{corners.get(corner, corner)}"), *names * len(horizons)]
    groups = [(words("horizon", days=h), len(kinds)) for h in horizons]
    return Table(caption=caption, head=head, groups=groups, rows=rows)


def forecast(view: View) -> list[Block]:
    """The comparison figure, then error and coverage."""
    blocks, found = image(view, "forecast_comparison"), view.at("forecast")
    if found:
        methods = dict.fromkeys(
            m for by_method in found.values() for m in by_method if m != "windows"
        )
        turned = {method: {h: dig(found, h, method) for h in found} for method in methods}
        kinds = {"mase": "rate", "coverage": "share"}
        table = grouped(
            view, turned, kinds, caption=view.words("caption.forecast"), corner="forecast_method"
        )
        blocks += [table, Note(text=view.words("note.forecast"))]
    return blocks


def ablation(view: View) -> list[Block]:
    """Features only, embedding only, both, untrained encoder."""
    if not (found := view.at("ablation")):
        return []
    kinds = {"pr_auc": "ratio", "roc_auc": "ratio"}
    table = grouped(view, found, kinds, caption=view.words("caption.ablation"), corner="ablation")
    return [table, Note(text=view.words("note.ablation"))]


def slices(view: View) -> list[Block]:
    """By facility and by class: counts first."""
    kinds = {"windows": "count", "events": "count", "base_rate": "share", "pr_auc": "ratio"}
    tables: list[Block] = [
        grouped(
            view,
            found,
            kinds,
            caption=view.words(f"caption.slices_{corner}", model=view.model),
            corner=corner,
        )
        for corner in ("facility", "class")
        if (found := view.at("slices", corner))
    ]
    return [*tables, Note(text=view.words("note.slices"))] if tables else []


def leakage(view: View) -> list[Block]:
    """Six sentences."""
    return [Note(kind="verdict", text=view.words(f"leak.{key}")) for key in texts()["leak"]]


def glossary(view: View) -> list[Block]:
    """Every word in both languages, explained in one."""
    rows = []
    for key, entry in texts()["glossary"].items():
        others = [
            entry["term"][language] for language in LANGUAGES if language != view.words.language
        ]
        name = Cell(text=view.words(f"glossary.{key}.term"), detail=others[0])
        rows.append(Row(head=name, cells=[Cell(text=view.words(f"glossary.{key}.text"))]))
    return [Table(caption=view.words("caption.glossary"), rows=rows, kind="words")]
