"""Whether windows and labels can be learned from: every split has windows, every class both labels.

Counts are those of `count_windows`, by class and split.
"""

from __future__ import annotations

from collections.abc import Mapping

from hvac.days import date_of
from hvac.features.window_counts import WindowCounts
from hvac.panel.splits import SPLITS

PURPOSE = {"train": "train", "tune": "tune", "cal": "calibrate", "test": "test"}
Splits = Mapping[str, WindowCounts]


def empty_parts(classes: Mapping[str, Splits], *, t1: int, t2: int) -> list[str]:
    """Return a sentence where all classes together lack windows for some purpose.

    Args:
        classes: counts by class and split.
        t1: last day of training windows, in days since 1970-01-01.
        t2: the day after which windows test.
    """
    counts = {}
    for split in SPLITS:
        counts[split] = sum(splits[split]["windows"] for splits in classes.values())
    empty = [split for split, windows in counts.items() if not windows]
    if not empty:
        return []
    purposes = ", ".join(PURPOSE[split] for split in empty)
    return [
        f"no windows to {purposes} on (windows by part: {counts}; t1 is {date_of(t1)}, t2"
        f" {date_of(t2)}): set splits.t1 and splits.t2 to days between which windows end, or use"
        " splits.kind: equipment"
    ]


def unlearnable(name: str, splits: Splits | None) -> list[str]:
    """Return sentences on a class without a training window, or with labels of one kind only."""
    train = splits["train"] if splits else None
    if train is None or not train["windows"]:
        return [
            f"class {name!r} has no training window: see what was left out in steps/featurize.json"
        ]
    sentences = []
    for horizon, positive in train["positives"].items():
        known = train["known"][horizon]
        if positive in (0, known):
            sentences.append(
                f"class {name!r}, {horizon} days: {positive} of {known} training labels are"
                " positive; a classifier needs both kinds: choose other labels.events, a longer"
                " record, or windows.class: all"
            )
    return sentences
