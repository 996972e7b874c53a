"""What the report says in a paragraph: the headline, its limits, conclusions and warnings."""

from __future__ import annotations

from collections.abc import Callable

from hvac.json_values import Json, JsonObject, branch
from hvac.models.families import sees_context
from hvac.report.readiness_section import worst_part
from hvac.report.texts import Words, in_order
from hvac.report.view import FEW_UNITS, Block, Note, View, dig, number, show

SENTENCES = (
    ("alarms", "alarm_precision", "hundred"),
    ("events", "event_recall", "hundred"),
    ("top", "recall_10", "hundred"),
    ("cost", "false_alarms_per_unit_year", "rate"),
)
CONCLUSIONS = {"better": "better", "worse": "worse", "unclear": "no clear difference"}
OPPOSITE = {"better": "worse", "worse": "better"}


def summary(view: View) -> list[Block]:
    """Return the warnings, what the report says and does not say, and its conclusions."""
    if not view.horizons:
        return []
    warnings = [*few_events(view), *few_units(view), *context_warning(view)]
    meaning, limits = headline(view)
    gap = view.words("sentence_gap")
    headlines = [Note(gap.join(meaning)), Note(gap.join(limits))]
    return [*warnings, *headlines, *worst_part(view), *conclusions(view)]


def headline(view: View) -> tuple[list[str], list[str]]:
    """Return sentences on the results, and sentences on what they do not mean.

    The results are those of the first horizon with enough events; where there is none, they are
    left out.
    """
    words = view.words
    sure = [horizon for horizon in view.horizons if not view.few(horizon)]
    measured = view.measured(sure[0] if sure else view.horizons[0])
    by = str(view.at("run", "by") or "equipment")
    meaning = [scope(view, measured, by)]
    limits = [words("summary.not_what")]
    if sure:
        values = {"days": sure[0], "unit": words.name("unit_singular", by)}
        for key, metric, form in SENTENCES:
            meaning += sentence(words, key, measured.get(metric), form, **values)
        recall = number(measured.get("event_recall"))
        if recall is not None:
            limits.append(words("summary.not_safe", n=round(100 * (1 - recall))))
    return meaning, [*limits, words("summary.not_where")]


def scope(view: View, measured: JsonObject, by: str) -> str:
    """Return the sentence on how many units and windows were evaluated, and since when."""
    border = view.at("run", "split", "t2")
    return view.words(
        "summary.scope",
        after=view.words("summary.after", date=border) if border else "",
        units=view.words(f"unit_count.{by}", n=show(measured.get("units"), "count")),
        windows=show(measured.get("windows"), "count"),
    )


def sentence(
    words: Words, key: str, measured: Json, form: str, **values: str
) -> list[str]:
    """Return one sentence with its interval; none where the number is unknown.

    Args:
        words: the texts of a language.
        key: the sentence's name under `summary`.
        measured: a number, or {value, low, high}.
        form: the number's format as in `FORMATS`, or `hundred`: a share as n of 100.
        values: what else the sentence names.
    """
    n = _amount(measured, "value", form)
    if n is None:
        return []
    interval = ""
    low = _amount(measured, "low", form)
    high = _amount(measured, "high", form)
    if low and high:
        interval = words("summary.interval", low=low, high=high)
    return [words(f"summary.{key}", n=n, interval=interval, **values)]


def _amount(measured: Json, part: str, form: str) -> str | None:
    value = number(measured, part)
    if value is None:
        return None
    return f"{100 * value:.0f}" if form == "hundred" else show(value, form)


def few_events(view: View) -> list[Note]:
    """Return the warning that horizons with too few events have no headline, with the counts."""
    words = view.words
    counts = []
    for horizon in view.horizons:
        if view.few(horizon):
            events = show(view.measured(horizon).get("events"), "count")
            counts.append(words("warning.few_item", days=horizon, n=events))
    return few_warning(words, counts)


def few_warning(words: Words, counts: list[str]) -> list[Note]:
    """Return the warning of too few events; nothing where no horizon has too few."""
    if not counts:
        return []
    text = words("warning.few_events", list=words.join(counts))
    return [Note(text, kind="warning")]


def few_units(view: View) -> list[Note]:
    """Return the warning that calibration and thresholds rest on few units with an event.

    It names the classes and horizons.
    """
    words = view.words
    counts = {}
    for horizon in view.horizons:
        counts[horizon] = view.group(
            "thresholds", view.default, horizon, "units_with_event"
        )
    lines = []
    for name in dict.fromkeys(
        name for by_class in counts.values() for name in by_class
    ):
        numbers = []
        for horizon, by_class in counts.items():
            count = number(by_class.get(name))
            if count is not None and count < FEW_UNITS:
                units = show(count, "count")
                numbers.append(words("warning.few_units_item", days=horizon, n=units))
        if numbers:
            listed = words.join(numbers)
            lines.append(
                words(
                    "warning.few_units_of",
                    name=view.called("class", name),
                    numbers=listed,
                )
            )
    if not lines:
        return []
    text = words(
        "warning.few_units",
        least=FEW_UNITS,
        list=words("warning.few_units_list").join(lines),
    )
    return [Note(text, kind="warning")]


def context_warning(view: View) -> list[Note]:
    """Return the warning that the context alone is not beaten, or was not compared."""
    if sees_context(view.default) or not view.at("differences"):
        return []
    words = view.words
    by_horizon = view.group("differences", "gbdt_context")
    if not by_horizon:
        return [Note(kind="warning", text=words("warning.context_absent"))]
    unbeaten = []
    for horizon in in_order(list(by_horizon)):
        if view.few(horizon):
            continue
        if dig(by_horizon, horizon, "pr_auc", "verdict") != "better":
            unbeaten.append(horizon)
    if not unbeaten:
        return []
    return [
        Note(kind="warning", text=words("warning.context", list=view.days(unbeaten)))
    ]


def conclusions(view: View) -> list[Note]:
    """Return what the default model is better than, worse than, not clearly different from.

    Horizons with too few events are left out.
    """
    words = view.words
    differences = view.group("differences")
    named = {words.name("model", model): differences[model] for model in differences}
    lines = conclusion_lines(view, named, few=view.few)
    if not lines:
        return []
    return [Note(words("summary.verdicts", model=view.model)), *lines]


def conclusion_lines(
    view: View,
    differences: JsonObject,
    *,
    few: Callable[[str], bool],
    turned: bool = False,
) -> list[Note]:
    """Return up to three lines: whom a model is better than, worse than, like, by PR-AUC.

    Args:
        view: the metrics of a run.
        differences: {name of the other model: {horizon: {"pr_auc": difference}}}.
        few: tells whether a horizon has too few events; such horizons are left out.
        turned: whether the differences speak of the other model instead.
    """
    words = view.words
    lines = []
    for tone, conclusion in CONCLUSIONS.items():
        if turned:
            conclusion = OPPOSITE.get(conclusion, conclusion)
        others = []
        for name in differences:
            by_horizon = branch(differences, name)
            days = []
            for horizon in in_order(list(by_horizon)):
                stored = dig(by_horizon, horizon, "pr_auc", "verdict")
                if stored == conclusion and not few(horizon):
                    days.append(horizon)
            if days and len(days) == len(by_horizon):
                others.append(name)
            elif days:
                others.append(words("with_detail", text=name, detail=view.days(days)))
        if others:
            text = words("summary.list").join(others)
            label = words(f"summary.{tone}")
            lines.append(Note(kind="item", tone=tone, label=label, text=text))
    return lines
