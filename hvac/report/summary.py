"""What the report says in a paragraph: the headline, what it does not mean, verdicts and warnings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hvac.report.texts import Words, in_order
from hvac.report.view import FEW_UNITS, Block, Note, View, dig, number, show


def summary(view: View) -> list[Block]:
    """What the report says in a paragraph, what it does not, the verdicts, the warnings."""
    if not view.horizons:
        return []
    warnings = [*few_events(view), *few_units(view), *context_warning(view)]
    says, says_not = headline(view)
    gap = view.words("sentence_gap")
    return [*warnings, Note(text=gap.join(says)), Note(text=gap.join(says_not)), *conclusions(view)]


def headline(view: View) -> tuple[list[str], list[str]]:
    """Sentences of what was found at the first horizon with enough events, and of what it does not
    mean.
    """
    horizon = next((h for h in view.horizons if not view.few(h)), None)
    measured, words = view.measured(horizon or view.horizons[0]), view.words
    by = str(view.at("run", "by") or "equipment")
    says, says_not = [scope(view, measured, by)], [words("summary.not_what")]
    if horizon is not None:
        unit = words.name("unit_singular", by)
        for key, metric, form in (
            ("alarms", "alarm_precision", "hundred"),
            ("events", "event_recall", "hundred"),
            ("top", "recall_10", "hundred"),
            ("cost", "false_alarms_per_unit_year", "rate"),
        ):
            says += sentence(words, key, measured.get(metric), form, days=horizon, unit=unit)
        if (found := number(measured.get("event_recall"))) is not None:
            says_not.append(words("summary.not_safe", n=round(100 * (1 - found))))
    return says, [*says_not, words("summary.not_where")]


def scope(view: View, measured: Mapping[str, Any], by: str) -> str:
    """How much was judged."""
    border = view.at("run", "split", "t2")
    after = view.words("summary.after", date=border) if border else ""
    units = view.words(f"unit_count.{by}", n=show(measured.get("units"), "count"))
    return view.words(
        "summary.scope", after=after, units=units, windows=show(measured.get("windows"), "count")
    )


def sentence(words: Words, key: str, measured: Any, form: str, **values: str) -> list[str]:
    """One sentence with its interval; none where the number is unknown. `hundred` says a share as n
    of 100.
    """

    def said(part: str) -> str | None:
        found = number(measured, part)
        return (
            None
            if found is None
            else (f"{100 * found:.0f}" if form == "hundred" else show(found, form))
        )

    n, low, high = (said(part) for part in ("value", "low", "high"))
    if n is None:
        return []
    interval = words("summary.interval", low=low, high=high) if low and high else ""
    return [words(f"summary.{key}", n=n, interval=interval, **values)]


def few_events(view: View) -> list[Note]:
    """The warning that there is no headline, with the counts."""
    few = [
        view.words("warning.few_item", days=h, n=show(view.measured(h).get("events"), "count"))
        for h in view.horizons
        if view.few(h)
    ]
    return (
        [Note(kind="warning", text=view.words("warning.few_events", list=view.words.join(few)))]
        if few
        else []
    )


def few_units(view: View) -> list[Note]:
    """Warn of classes and horizons whose calibration and thresholds rest on few units with an
    event.
    """
    words, few = view.words, list[str]()
    counts = {h: view.at("thresholds", view.default, h, "units_with_event") for h in view.horizons}
    for name in dict.fromkeys(name for by_class in counts.values() for name in by_class):
        numbers = [
            words("warning.few_units_item", days=h, n=show(by_class[name], "count"))
            for h, by_class in counts.items()
            if name in by_class and by_class[name] < FEW_UNITS
        ]
        few += (
            [words("warning.few_units_of", name=name, numbers=words.join(numbers))]
            if numbers
            else []
        )
    text = words(
        "warning.few_units", least=FEW_UNITS, list=words("warning.few_units_list").join(few)
    )
    return [Note(kind="warning", text=text)] if few else []


def context_warning(view: View) -> list[Note]:
    """The warning that context alone is not beaten, or was not compared."""
    if view.default in ("gbdt_context", "gbdt_full", "fusion") or not view.at("differences"):
        return []
    found = view.at("differences", "gbdt_context")
    if not found:
        return [Note(kind="warning", text=view.words("warning.context_absent"))]
    unbeaten = [h for h in in_order(list(found)) if dig(found, h, "pr_auc", "verdict") != "better"]
    text = view.words("warning.context", list=view.days(unbeaten))
    return [Note(kind="warning", text=text)] if unbeaten else []


def conclusions(view: View) -> list[Note]:
    """Three lines: better than, worse than, not clearly different from; none where events are too
    few.
    """
    named = {
        view.words.name("model", model): found for model, found in view.at("differences").items()
    }
    lines = verdict_lines(view, named, few=view.few)
    return [Note(text=view.words("summary.verdicts", model=view.model)), *lines] if lines else []


def verdict_lines(
    view: View, differences: Mapping[str, Any], *, few: Callable[[str], bool], turned: bool = False
) -> list[Note]:
    """Whom a model is better than, worse than, not clearly different from by PR-AUC, at horizons
    with enough events.

    Args:
        differences: by name of the other and horizon; `turned` where their verdicts speak of the
            other.
    """
    lines, opposite = [], {"better": "worse", "worse": "better"} if turned else {}
    for tone, verdict in (
        ("better", "better"),
        ("worse", "worse"),
        ("unclear", "no clear difference"),
    ):
        others = []
        for name, by_horizon in differences.items():
            sure = [h for h in in_order(list(by_horizon)) if not few(h)]
            at = [
                h
                for h in sure
                if dig(by_horizon, h, "pr_auc", "verdict") == opposite.get(verdict, verdict)
            ]
            said = (
                name
                if len(at) == len(by_horizon)
                else view.words("with_detail", text=name, detail=view.days(at))
            )
            others += [said] if at else []
        if others:
            text = view.words("summary.list").join(others)
            lines.append(
                Note(kind="verdict", tone=tone, label=view.words(f"summary.{tone}"), text=text)
            )
    return lines
