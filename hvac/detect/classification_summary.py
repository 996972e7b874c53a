"""The closing summary of a detection run: plain text for the terminal.

It holds a classification report in the layout of the predecessor's.
"""

from __future__ import annotations

from collections.abc import Iterator

from hvac.detect.detection_results import DetectionMetrics, EventResult, WindowResult
from hvac.detect.series import DETECTOR, REPORTED
from hvac.report.view import show

HEADS = ("precision", "recall", "f1-score")


def summary_text(metrics: DetectionMetrics) -> str:
    """Return what was learned from, what was evaluated, and how well it went."""
    network = metrics["detector"]
    counts = metrics["examples"]["train"]
    learned = ", ".join(f"{counts[name]:,} {name}" for name in counts if counts[name])
    lines = [
        f"Learned from {learned} windows; {network['parameters']:,} parameters;"
        f" epoch {network['kept_epoch']} of {network['epochs']} kept"
    ]
    for part, by_kind in metrics["models"][DETECTOR].items():
        if part in REPORTED:
            lines += ["", f"{part}:", *_classification(by_kind["windows"])]
            lines += _models(metrics, part)
    return "\n".join(lines)


def _classification(windows: WindowResult) -> Iterator[str]:
    """Yield the lines of the classification report and of the confusion matrix."""
    titles = "".join(f"{head:>11}" for head in (*HEADS, "support"))
    yield f"{'windows of ' + DETECTOR:>20}{titles}"
    for name, row in windows["report"].items():
        shares = "".join(f"{show(row[head], 'rate'):>11}" for head in HEADS)
        yield f"{name:>20}{shares}{row['support']:>11,.0f}"
    accuracy = show(windows["accuracy"], "rate")
    yield f"{'accuracy':>20}{accuracy:>33}{windows['windows']:>11,}"
    counts = windows["confusion"]
    yield f"{'confusion':>20}  [[{counts['tn']} {counts['fp']}] [{counts['fn']} {counts['tp']}]]"


def _models(metrics: DetectionMetrics, part: str) -> Iterator[str]:
    """Yield a line for every model."""
    for name, by_part in metrics["models"].items():
        windows = by_part[part]["windows"]
        threshold = metrics["thresholds"][name]["value"]
        line = f"  {name:<15}threshold {threshold:.3g}, windows: PR-AUC {show(windows['pr_auc'])}"
        line += f" (guessing {show(windows['base_rate'])})"
        if "events" in by_part[part]:
            line += _events_text(by_part[part]["events"])
        yield line


def _events_text(events: EventResult) -> str:
    unit = "a week" if events["exposure_unit"] == "week" else "in 1,000 normal steps"
    text = f"; anomalies found {events['found']} of {events['events']}"
    rate = show(events["false_rate"], "rate")
    return f"{text}, false alarms {events['false_alarms']} ({rate} {unit})"
