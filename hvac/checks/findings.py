"""Faults of a record, and the setting or the act that mends each.

Sentences come from the code that reads and joins tables. Here each gets a level: `stops` (a step
would refuse), `fault` (something is lost or wrong) or `note` (read otherwise than written, and
fine).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

Level = Literal["stops", "fault", "note"]
SECTIONS = "source|windows|labels|splits|featurize|model|train|decision"
SETTING = re.compile(rf"(?<!/)\b(?:{SECTIONS})(?:\.[a-z]\w*)+")
# What these words are part of was settled, or is only told.
NOTES = (
    *(
        "were taken for one",
        "joined all the same",
        "another row tells too",
        "taken as still open",
    ),
    *("stand in several files and were joined", "does not match were left out"),
    *("count once", "which was cut off", "read as 1", "their day is the one written"),
    *(
        "the later file",
        "separated by",
        "the encoding was",
        "was read with a decimal comma",
    ),
)
# How to mend what a sentence says nothing of.
REMEDIES = {
    "have no class": "name their class in the register (source.equipment), or set windows.class:"
    " all",
    "without readings": "correct the ids there, or the names of their columns (source.columns)",
    "passed over": "unpack or rename them, or name the files that count in source.readings",
    "dated after tomorrow": "correct the dates, or set source.date_format",
    "could not be read": "see what was rejected below, and set source.columns, source.date_format,"
    " source.decimal or source.missing_values",
    "correct their dates": "correct the dates, or set source.date_format",
    "write them in one way": "write the ids in one way in source.readings",
    "of that facility": "correct source.facility_time_zones",
    "has no training window": "a longer record, or a lower windows.min_observed",
}
NAMED_FILES = 3


class Finding(NamedTuple):
    """One sentence on the record, how much it matters, and what mends it."""

    level: Level
    text: str
    remedy: str = ""


def stopping(text: str) -> Finding:
    """Return a sentence for which a step would refuse to go on; it says itself what mends it."""
    return Finding("stops", text, _remedy(text))


def noted(texts: Iterable[str]) -> list[Finding]:
    """Return the sentences that ingest would tell, each with its level and remedy.

    >>> noted(["e.csv: 3 events have no end yet and are taken as still open"])[0].level
    'note'
    >>> noted(["2 files were passed over, as their endings are not .csv: a.zip, b.zip"])[0].level
    'fault'
    """
    faults = []
    for text in texts:
        harmless = any(words in text for words in NOTES)
        faults.append(
            Finding(
                "note" if harmless else "fault", text, "" if harmless else _remedy(text)
            )
        )
    return faults


def _remedy(text: str) -> str:
    """Return what to do about a sentence; '' where it says that itself."""
    if SETTING.search(text):
        return ""
    return next((advice for words, advice in REMEDIES.items() if words in text), "")


def settings_named(text: str) -> list[str]:
    """Return the settings that a sentence names.

    >>> settings_named("set source.time_zone, such as Asia/Tokyo")
    ['source.time_zone']
    >>> settings_named("see steps/featurize.json")
    []
    """
    return list(dict.fromkeys(SETTING.findall(text)))


def joined_by_cause(causes: Sequence[tuple[str, str]]) -> list[str]:
    """Join the sentences of several files that differ in the file's name only.

    Args:
        causes: pairs of a file and a sentence on it.

    >>> joined_by_cause([("a.csv", "a.csv: no row"), ("b.csv", "b.csv: no row")])
    ['a.csv: no row (and so in b.csv)']
    """
    files_by_cause = defaultdict(list)
    for file, text in causes:
        files_by_cause[text.replace(file, "{file}")].append(file)
    sentences = []
    for cause, (first, *others) in files_by_cause.items():
        more = (
            f" and {len(others) - NAMED_FILES} more"
            if len(others) > NAMED_FILES
            else ""
        )
        also = f" (and so in {', '.join(others[:NAMED_FILES])}{more})" if others else ""
        sentences.append(cause.replace("{file}", first) + also)
    return sentences
