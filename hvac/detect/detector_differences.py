"""How the detector stands to each baseline: by an interval where there are series enough, else by
counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hvac.detect.series import DETECTOR
from hvac.report.view import Block, Note, View, show

PART = "test"
TONES = {"better": "better", "worse": "worse", "no clear difference": "unclear"}


def difference_notes(view: View) -> list[Block]:
    """A line for every baseline; none where series are one window long (their accuracy says it
    all).
    """
    mine = view.at("models", DETECTOR, PART, "events")
    if not mine:
        return []
    others = [model for model in view.at("models") if model != DETECTOR]
    return [_line(view, other, mine, view.at("models", other, PART, "events")) for other in others]


def _line(view: View, other: str, mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> Note:
    words = view.words
    names = {"model": words.name("model", DETECTOR), "other": words.name("model", other)}
    difference = view.at("differences", other)
    if difference:
        tone = TONES[difference["verdict"]]
        shown = {key: f"{100 * difference[key]:+.1f}" for key in ("value", "low", "high")}
        false = {"mine": mine["false_alarms"], "theirs": theirs["false_alarms"]}
        text = words("summary.difference", **names, **shown, **false)
    else:
        tone, key = "unclear", standing(mine, theirs)
        told = [
            words("summary.standing", found=e["found"], false=e["false_alarms"])
            for e in (mine, theirs)
        ]
        text = words(
            f"summary.{key}",
            **names,
            mine=told[0],
            theirs=told[1],
            events=show(mine["events"], "count"),
        )
    return Note(kind="item", tone=tone, label=words(f"summary.{tone}"), text=text)


def standing(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """Where counts put one model against another: ahead or behind in found or false and in neither
    the reverse.

    >>> standing({"found": 2, "false_alarms": 3}, {"found": 2, "false_alarms": 5})
    'ahead'
    >>> standing({"found": 2, "false_alarms": 5}, {"found": 1, "false_alarms": 3})
    'mixed'
    """
    gains = (mine["found"] - theirs["found"], theirs["false_alarms"] - mine["false_alarms"])
    if not any(gains):
        return "level"
    if min(gains) >= 0:
        return "ahead"
    return "behind" if max(gains) <= 0 else "mixed"
