"""The tables and figures of the report's sections: every function is `View -> blocks`."""

from __future__ import annotations

from collections.abc import Mapping

from hvac.json_values import Json, JsonObject, branch
from hvac.report.texts import Words, in_order, texts
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
)
from hvac.words import LANGUAGES

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
CORNERS = {"ablation": "variant", "forecast_method": "method"}


def by_metric(view: View, kinds: Mapping[str, str]) -> list[Row]:
    """Return a row per metric the model has, with a cell per horizon.

    Args:
        view: the metrics of a run.
        kinds: the format of each metric, as in `FORMATS`.
    """
    by_horizon = {
        horizon: with_lead(view.measured(horizon)) for horizon in view.horizons
    }
    rows = []
    for key, form in kinds.items():
        if any(key in measured for measured in by_horizon.values()):
            cells = [cell(measured.get(key), form) for measured in by_horizon.values()]
            rows.append(Row(head=labelled(view.words, key), cells=cells))
    return rows


def with_lead(measured: JsonObject) -> JsonObject:
    """Add `lead`: the three quartiles of lead time as one value with bounds."""
    if "lead_median" not in measured:
        return measured
    lead = {
        "value": number(measured.get("lead_median")),
        "low": number(measured.get("lead_q25")),
        "high": number(measured.get("lead_q75")),
    }
    return {**measured, "lead": lead}


def main_table(view: View) -> list[Block]:
    """Return the default model's table, metric by horizon."""
    rows = by_metric(view, MAIN)
    if not rows:
        return []
    head = [view.words("table.metric"), *view.heads(view.horizons)]
    return [
        Table(
            caption=view.words("caption.main", model=view.model), head=head, rows=rows
        )
    ]


def all_models(view: View) -> list[Block]:
    """Return one table of every model by horizon, with its difference from the default."""
    if not view.horizons:
        return []
    words = view.words
    of_horizon = [
        words("metric.pr_auc"),
        words("metric.difference", model=view.model),
        words("metric.brier_skill"),
        words("table.ece"),
    ]
    head = [words("table.model"), *of_horizon * len(view.horizons)]
    groups = [(text, len(of_horizon)) for text in view.heads(view.horizons)]
    rows = [model_row(view, model) for model in _models_in_order(view)]
    table = Table(caption=words("caption.models"), groups=groups, head=head, rows=rows)
    return [table, Note(words("note.models", model=view.model)), *_how_to_compare(view)]


def _how_to_compare(view: View) -> list[Block]:
    """Return the command that compares the families that do not stand here; nothing where all do."""
    command = view.at("compare_command")
    if not command:
        return []
    return [Note(view.words("note.compare")), Note(kind="code", text=str(command))]


def _models_in_order(view: View) -> list[str]:
    """Return all models, best mean PR-AUC first."""
    means = {}
    for model in view.group("models"):
        areas = [
            number(view.at("models", model, h, "pr_auc")) or 0.0 for h in view.horizons
        ]
        means[model] = sum(areas) / len(areas)
    return sorted(means, key=lambda model: -means[model])


def model_row(view: View, model: str) -> Row:
    """Return the row of one model."""
    cells = []
    for horizon in view.horizons:
        measured = view.group("models", model, horizon)
        difference = dig(view.group("differences", model, horizon), "pr_auc")
        cells += [
            cell(measured.get("pr_auc")),
            difference_cell(view.words, difference),
            cell(measured.get("brier_skill")),
            cell(measured.get("ece")),
        ]
    return Row(
        head=model_cell(view.words, model), cells=cells, strong=model == view.default
    )


def difference_cell(words: Words, difference: Json) -> Cell:
    """Return the conclusion in words over the difference and its interval."""
    if number(difference) is None:
        return Cell(DASH)
    conclusion = str(dig(difference, "verdict") or "")
    bounds = cell(difference, "signed")
    return Cell(
        words.name("verdict", conclusion) or DASH,
        detail=f"{bounds.text} {bounds.detail}".strip(),
        tone=conclusion if conclusion in ("better", "worse") else "unclear",
    )


def curve_figures(view: View) -> list[Block]:
    """Return three figures: precision–recall, reliability, forest plot."""
    forest = image(view, "metric_bars", metric=view.words("metric.pr_auc"))
    return [*image(view, "pr_curves"), *image(view, "reliability"), *forest]


def grouped(
    view: View,
    by_row: JsonObject,
    kinds: Mapping[str, str],
    *,
    caption: str,
    corner: str,
) -> Table:
    """Return a table with a group of columns per horizon and a column per metric in it.

    Args:
        view: the metrics of a run.
        by_row: {row: {horizon: {metric: number}}}.
        kinds: the format of each metric, as in `FORMATS`.
        caption: the table's caption.
        corner: what the rows are: the group of their names in the texts, if it has them.
    """
    words = view.words
    horizons = in_order(
        [horizon for name in by_row for horizon in branch(by_row, name)]
    )
    rows = []
    for name, by_horizon in by_row.items():
        cells = []
        for horizon in horizons:
            measured = dig(by_horizon, horizon)
            cells += [cell(dig(measured, key), form) for key, form in kinds.items()]
        known = Cell(words.name(corner, name)) if corner in texts() else None
        head_cell = known or view.named(corner, name)
        rows.append(Row(head=head_cell, cells=cells, strong=name in ("both", "shown")))
    metrics = [words.name("metric", key) for key in kinds]
    head = [words(f"table.{CORNERS.get(corner, corner)}"), *metrics * len(horizons)]
    groups = [(words("horizon", days=horizon), len(kinds)) for horizon in horizons]
    return Table(caption=caption, head=head, groups=groups, rows=rows)


def forecast(view: View) -> list[Block]:
    """Return the comparison figure, error and coverage by method, and what is shown by class."""
    blocks = image(view, "forecast_comparison")
    by_horizon = view.group("forecast")
    if not by_horizon:
        return blocks
    by_method: dict[str, dict[str, Json]] = {
        "shown": {h: dig(by_horizon, h, "shown") for h in by_horizon}
    }
    for horizon in by_horizon:
        for method in branch(by_horizon, horizon, "methods"):
            of_method = by_method.setdefault(method, {})
            of_method[horizon] = dig(by_horizon, horizon, "methods", method)
    table = grouped(
        view,
        by_method,
        {"mase": "rate", "coverage": "share"},
        caption=view.words("caption.forecast"),
        corner="forecast_method",
    )
    notes = [Note(view.words("note.forecast")), *_forecast_notes(view)]
    return [*blocks, table, *notes]


def _forecast_notes(view: View) -> list[Note]:
    """Say which forecast each class shows, and whether those are better than the last value."""
    words = view.words
    shown = [
        words(
            "forecast_shown.one",
            name=view.called("class", name),
            method=words.name("forecast_method", str(method)),
        )
        for name, method in view.group("forecast_methods").items()
    ]
    notes = (
        [Note(words("forecast_shown.all", classes=words.join(shown)))] if shown else []
    )
    for horizon in view.group("forecast"):
        over = view.group("forecast", horizon, "over_last_value")
        high, low = number(over.get("high")), number(over.get("low"))
        if high is None or low is None:
            continue
        key = "better" if high < 0 else "worse" if low > 0 else "level"
        difference = cell(over, "rate").text
        notes.append(
            Note(words(f"forecast_shown.{key}", days=horizon, difference=difference))
        )
    return notes


def ablation(view: View) -> list[Block]:
    """Return a table of features only, embedding only, both, and an untrained encoder."""
    by_variant = view.group("ablation")
    if not by_variant:
        return []
    kinds = {"pr_auc": "ratio", "roc_auc": "ratio"}
    caption = view.words("caption.ablation")
    table = grouped(view, by_variant, kinds, caption=caption, corner="ablation")
    return [table, Note(view.words("note.ablation"))]


def slices(view: View) -> list[Block]:
    """Return tables by facility, class, season, age and completeness, counts first."""
    kinds = {
        "windows": "count",
        "events": "count",
        "base_rate": "share",
        "pr_auc": "ratio",
    }
    blocks: list[Block] = []
    for corner in ("facility", "class", "season", "age", "observation"):
        by_name = view.group("slices", corner)
        if by_name:
            caption = view.words(f"caption.slices_{corner}", model=view.model)
            blocks.append(grouped(view, by_name, kinds, caption=caption, corner=corner))
    if blocks:
        blocks.append(Note(view.words("note.slices")))
    return blocks


def leakage(view: View) -> list[Block]:
    """Return the sentences on how leakage is avoided."""
    lines = [view.words(f"leak.{key}") for key in texts()["leak"]]
    return [Note(line, kind="item") for line in lines]


def glossary(view: View) -> list[Block]:
    """Return a table of every word in both languages, explained in one."""
    words = view.words
    [other] = [language for language in LANGUAGES if language != words.language]
    rows = []
    for key in texts()["glossary"]:
        term = Cell(
            words(f"glossary.{key}.term"),
            detail=str(branch(texts()["glossary"], key, "term")[other]),
        )
        rows.append(Row(head=term, cells=[Cell(words(f"glossary.{key}.text"))]))
    return [Table(caption=words("caption.glossary"), rows=rows, kind="words")]
