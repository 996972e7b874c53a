"""How the detector compares with each baseline: by an interval, else by counts.

The interval needs enough series with anomalies.
"""

from __future__ import annotations

from typing import TypedDict

from hvac.detect.detection_results import DetectionView, EventResult
from hvac.detect.series import DETECTOR
from hvac.report.texts import Words
from hvac.report.view import Block, Note, show

PART = "test"
TONES = {"better": "better", "worse": "worse", "no clear difference": "unclear"}


class FoundAndFalse(TypedDict):
    """How many anomalies a model found, and how many false alarms it gave."""

    found: int
    false_alarms: int


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


def _line(view: DetectionView, other: str, detector: EventResult, baseline: EventResult) -> Note:
    words = view.words
    names = {"model": words.name("model", DETECTOR), "other": words.name("model", other)}
    difference = view.results["differences"].get(other)
    if difference:
        tone = TONES[str(difference["verdict"])]
        points = {key: f"{100 * float(difference[key]):+.1f}" for key in ("value", "low", "high")}
        text = words(
            "summary.difference",
            **names,
            **points,
            mine=detector["false_alarms"],
            theirs=baseline["false_alarms"],
        )
    else:
        tone = "unclear"
        text = words(
            f"summary.{standing(detector, baseline)}",
            **names,
            mine=_counts_text(words, detector),
            theirs=_counts_text(words, baseline),
            events=show(detector["events"], "count"),
        )
    return Note(text, kind="item", tone=tone, label=words(f"summary.{tone}"))


def _counts_text(words: Words, events: EventResult) -> str:
    return words("summary.standing", found=events["found"], false=events["false_alarms"])


def standing(one: FoundAndFalse, other: FoundAndFalse) -> str:
    """Tell how the counts of one model compare with those of the other.

    One is ahead (behind) if it is better (worse) in anomalies found or in false alarms and in
    neither the reverse.

    >>> standing({"found": 2, "false_alarms": 3}, {"found": 2, "false_alarms": 5})
    'ahead'
    >>> standing({"found": 2, "false_alarms": 5}, {"found": 1, "false_alarms": 3})
    'mixed'
    """
    more_found = one["found"] - other["found"]
    fewer_false = other["false_alarms"] - one["false_alarms"]
    gains = (more_found, fewer_false)
    if not any(gains):
        return "level"
    if min(gains) >= 0:
        return "ahead"
    return "behind" if max(gains) <= 0 else "mixed"
