"""Sentences on readings files that were passed over, and on those of which much was rejected."""

from __future__ import annotations

from collections.abc import Mapping

from hvac.readings.sources import SourceConfig
from hvac.readings.table_paths import SUFFIXES, passed_over

MUCH = 0.1  # of the rows of a file rejected: worth a sentence of its own
NAMED_FILES = 5


def notes_on_passed_over(source: SourceConfig) -> list[str]:
    """Return a sentence on the files in the folders of the readings that are no tables."""
    others = passed_over(source.readings)
    if not others:
        return []
    more = len(others) - NAMED_FILES
    names = ", ".join(others[:NAMED_FILES]) + (f" and {more} more" if more > 0 else "")
    return [
        f"{len(others)} files were passed over, as their endings are not {', '.join(SUFFIXES)}:"
        f" {names}"
    ]


def notes_on_rejects(path: str, counts: Mapping[str, int]) -> list[str]:
    """Return sentences on the rejected rows of one file, where they are many or of the future."""
    sentences = []
    if ahead := counts.get("date_in_the_future"):
        sentences.append(
            f"{path}: {ahead} readings are dated after tomorrow and were rejected: see rejects.csv"
        )
    if counts.get("rejected", 0) >= MUCH * max(counts["rows"], 1):
        sentences.append(
            f"{path}: {counts['rejected']} of {counts['rows']} rows could not be read: see"
            " rejects.csv"
        )
    return sentences
