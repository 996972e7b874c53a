"""The closing summary of a detection run: plain text for the terminal, the seed's classification
reports in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hvac.detect.series import DETECTOR, REPORTED


def summary_text(metrics: Mapping[str, Any]) -> str:
    """What was learned from, what was judged, and how well."""
    learned, kept = metrics["examples"]["train"], metrics["detector"]
    lines = [
        "Learned from "
        + ", ".join(f"{count:,} {name}" for name, count in learned.items() if count)
        + " windows; "
        f"{kept['parameters']:,} parameters; epoch {kept['kept_epoch']} of {kept['epochs']} kept",
    ]
    for part in REPORTED:
        if part in metrics["models"][DETECTOR]:
            lines += [
                "",
                f"{part}:",
                *_classification(metrics["models"][DETECTOR][part]["windows"]),
            ]
            lines += _models(metrics, part)
    return "\n".join(lines)


def _classification(found: Mapping[str, Any]) -> Iterator[str]:
    """The seed's report and confusion matrix."""
    yield (
        f"{'windows of ' + DETECTOR:>20}{'precision':>11}{'recall':>11}{'f1-score':>11}{'support':>11}"
    )
    for name, row in found["report"].items():
        shares = "".join(
            f"{_number(row[key], '.2f'):>11}" for key in ("precision", "recall", "f1-score")
        )
        yield f"{name:>20}{shares}{row['support']:>11,.0f}"
    counts = found["confusion"]
    yield f"{'accuracy':>20}{_number(found['accuracy']['value'], '.2f'):>33}{found['windows']:>11,}"
    yield f"{'confusion':>20}  [[{counts['tn']} {counts['fp']}] [{counts['fn']} {counts['tp']}]]"


def _models(metrics: Mapping[str, Any], part: str) -> Iterator[str]:
    """A line for every model."""
    for name, by_part in metrics["models"].items():
        found = by_part[part]
        line = f"  {name:<15}threshold {metrics['thresholds'][name]['value']:.3g}, windows: PR-AUC "
        line += (
            f"{_number(found['windows']['pr_auc'], '.3f')} (guessing"
            f" {_number(found['windows']['base_rate'], '.3f')})"
        )
        if "events" in found:
            events = found["events"]
            unit = "a week" if events["exposure_unit"] == "week" else "in 1,000 normal steps"
            line += (
                f"; anomalies found {events['found']} of {events['events']}, false alarms"
                f" {events['false_alarms']}"
            )
            line += f" ({_number(events['false_rate']['value'], '.2f')} {unit})"
        yield line


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
