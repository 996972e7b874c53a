"""Sentences of ingest on what was guessed, read in another way than it stands there, or left out as
told twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from hvac.readings.files import open_table
from hvac.readings.sources import SourceConfig, table_files

NAMED_FILES = 3
TOLD = {
    "read_with_unit": (
        "{n:,} values had a unit behind the number, which was cut off (such as 21.5℃)"
    ),
    "read_as_word": "{n:,} values were words, read as 1 (良, ○, 正常) or 0 (否, ×, 異常)",
    "days_as_written": (
        "{n:,} stamps carry an offset and source.time_zone is not set: their day is the one written"
    ),
    "repeated_readings": (
        "{n:,} readings repeat one of the same second and value in their file: they count once"
    ),
    "repeated_across_files": "{n:,} readings stand in several files alike: they count once",
    "replaced_by_later_files": (
        "{n:,} readings differ from those of a later file for the same moment: the later file "
        "(in the order of paths) holds"
    ),
}


def told_of_counts(counts: Mapping[str, int]) -> list[str]:
    """Return a sentence for each count of `TOLD` that is not 0.

    >>> told_of_counts({"rows": 5, "repeated_across_files": 1234})
    ['1,234 readings stand in several files alike: they count once']
    """
    return [sentence.format(n=counts[name]) for name, sentence in TOLD.items() if counts.get(name)]


def told_of_notes(source: SourceConfig, notes: Mapping[str, Sequence[str]]) -> list[str]:
    """Return what was guessed of the readings files, and of the events and equipment, the same of
    many files once.
    """
    files = defaultdict(list)
    for path, sentences in {**notes, **_notes_of_others(source)}.items():
        for sentence in sentences:
            files[sentence].append(path)
    return [f"{_named(paths)}: {sentence}" for sentence, paths in files.items()]


def _notes_of_others(source: SourceConfig) -> dict[str, Sequence[str]]:
    notes: dict[str, Sequence[str]] = {}
    for setting, given in (
        ("source.events", source.events),
        ("source.equipment", source.equipment),
    ):
        for path in table_files(given, setting):
            notes[path] = open_table(path, source, setting=setting).notes
    return notes


def _named(paths: Sequence[str]) -> str:
    more = len(paths) - NAMED_FILES
    return ", ".join(paths[:NAMED_FILES]) + (f" and {more} more files" if more > 0 else "")
