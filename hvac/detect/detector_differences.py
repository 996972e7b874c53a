"""How the detector compares with each baseline: by an interval, else by counts.

The interval needs enough series with anomalies.
"""

from __future__ import annotations

from hvac.detect.detection_results import DetectionView, EventResult
from hvac.detect.series import DETECTOR
from hvac.report.summary import CONCLUSIONS
from hvac.report.view import Block, Note, show

PART = "test"
TONES = {conclusion: tone for tone, conclusion in CONCLUSIONS.items()}


def difference_notes(view: DetectionView) -> list[Block]:
    """Return a line for every baseline; none where series are one window long.

    The accuracy of such series is enough.
    """
    detector = view.events_of(DETECTOR, PART)
    if not detector:
        return []
    notes: list[Block] = []
    for other in view.results["models"]:
        baseline = view.events_of(other, PART)
        if other != DETECTOR and baseline:
            notes.append(_line(view, other, detector, baseline))
    return notes


def _line(
    view: DetectionView, other: str, detector: EventResult, baseline: EventResult
) -> Note:
    words = view.words
    difference = view.results["differences"].get(other)
    texts = {
        "model": words.name("model", DETECTOR),
        "other": words.name("model", other),
    }
    if difference:
        key = "difference"
        tone = TONES[str(difference["verdict"])]
        texts |= {
            part: f"{100 * float(difference[part]):+.1f}"
            for part in ("value", "low", "high")
        }
        texts |= {
            "mine": str(detector["false_alarms"]),
            "theirs": str(baseline["false_alarms"]),
        }
    else:
        key = _standing(detector, baseline)
        tone = "unclear"
        for name, events in (("mine", detector), ("theirs", baseline)):
            counts = {"found": events["found"], "false": events["false_alarms"]}
            texts[name] = words("summary.standing", **counts)
        texts["events"] = show(detector["events"], "count")
    text = words(f"summary.{key}", **texts)
    return Note(text, kind="item", tone=tone, label=words(f"summary.{tone}"))


def _standing(one: EventResult, other: EventResult) -> str:
    """Tell how the counts of one model compare with those of the other.

    One is ahead (behind) if it is better (worse) in anomalies found or in false alarms and in
    neither the reverse.
    """
    more_found = one["found"] - other["found"]
    fewer_false = other["false_alarms"] - one["false_alarms"]
    gains = (more_found, fewer_false)
    if not any(gains):
        return "level"
    if min(gains) >= 0:
        return "ahead"
    return "behind" if max(gains) <= 0 else "mixed"
