"""Sentences of ingest on readings that were guessed, read otherwise than written, or left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from hvac.readings.files import open_table
from hvac.readings.sources import SourceConfig
from hvac.readings.table_paths import table_files

NAMED_FILES = 3
SENTENCES = {
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


def notes_on_counts(counts: Mapping[str, int]) -> list[str]:
    """Return a sentence for each count of `SENTENCES` that is not 0.

    >>> notes_on_counts({"rows": 5, "repeated_across_files": 1234})
    ['1,234 readings stand in several files alike: they count once']
    """
    return [
        sentence.format(n=counts[name])
        for name, sentence in SENTENCES.items()
        if counts.get(name)
    ]


def notes_on_files(
    source: SourceConfig, notes: Mapping[str, Sequence[str]]
) -> list[str]:
    """Return what was guessed of the readings, events and equipment files.

    A note on many files is one sentence. `notes` holds those on each readings file by its path.
    """
    paths_by_note = defaultdict(list)
    for path, sentences in {**notes, **_notes_on_other_tables(source)}.items():
        for sentence in sentences:
            paths_by_note[sentence].append(path)
    return [f"{_named(paths)}: {sentence}" for sentence, paths in paths_by_note.items()]


def _notes_on_other_tables(source: SourceConfig) -> dict[str, Sequence[str]]:
    notes: dict[str, Sequence[str]] = {}
    tables = {"source.events": source.events, "source.equipment": source.equipment}
    for setting, given in tables.items():
        for path in table_files(given, setting):
            notes[path] = open_table(path, source, setting=setting).notes
    return notes


def _named(paths: Sequence[str]) -> str:
    names = ", ".join(paths[:NAMED_FILES])
    more = len(paths) - NAMED_FILES
    return f"{names} and {more} more files" if more > 0 else names
