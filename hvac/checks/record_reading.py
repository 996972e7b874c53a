"""Read all tables of a source as ingest does, and go on where ingest would stop.

Where a table is refused for want of a setting, the refusal is kept and the table is read as if the
setting were there, so that one look shows the faults behind it too.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pyarrow as pa

from hvac.checks.findings import Finding, joined_by_cause, noted, stopping
from hvac.errors import InputError
from hvac.panel.daily_readings import count_overlap
from hvac.panel.grid import Unit
from hvac.panel.registering import build_registry, recorded_units
from hvac.panel.registry import Registry
from hvac.panel.series_table import joined_series, series_table
from hvac.panel.shared_files import notes_on_shared, require_apart, shared_machines
from hvac.panel.spans import readings_by_month
from hvac.readings.file_notes import notes_on_passed_over
from hvac.readings.gate import (
    CANONICAL,
    CLASSES,
    REJECTS,
    add_counts,
    read_equipment,
    read_events,
    read_predecessor,
    read_readings,
    source_files,
)
from hvac.readings.names_table import read_names
from hvac.readings.notation_notes import notes_on_counts, notes_on_files
from hvac.readings.sources import SourceConfig

Read = TypeVar("Read")
# What a setting is taken for, to see what lies behind a refusal that asks for it.
SUPPOSED: dict[str, Any] = {
    "time_zone": "UTC",
    "decimal": ",",
    "encoding": "cp1252",
    "date_format": "%d/%m/%Y",
    "min_matching": 0.0,
}
NAMED = re.compile(r"source\.(\w+)")


@dataclass(kw_only=True)
class ReadRecord:
    """Readings in memory with the registry of their units, and what was wrong on the way.

    `registry` is None where no reading could be read. `rejects` are those of all tables.
    """

    source: SourceConfig
    files: list[str] = field(default_factory=list)
    files_read: int = 0
    readings: pa.Table = field(default_factory=CANONICAL.empty_table)
    counts: dict[str, int] = field(default_factory=dict)
    rejects: pa.Table = field(default_factory=REJECTS.empty_table)
    registry: Registry | None = None
    faults: list[Finding] = field(default_factory=list)

    @property
    def rejected(self) -> dict[str, int]:
        """Return how many rows were rejected, or entries of them left out, by reason."""
        return dict(Counter(self.rejects["reason"].to_pylist()))


def read_all_tables(
    source: SourceConfig, *, by_class: bool, min_point_share: float
) -> ReadRecord:
    """Read readings, events and register of a source; raise nothing that a user can mend.

    Args:
        source: which tables, in any format but the predecessor's.
        by_class: whether units keep the class of the register.
        min_point_share: least share of a class's units that must have a point.
    """
    record = ReadRecord(source=source)
    try:
        record.files = source_files(source)
    except InputError as error:
        record.faults.append(stopping(str(error)))
        return record
    record.faults += noted(notes_on_passed_over(source))
    series, classes, months = _read_files(record, source)
    if not record.readings.num_rows:
        if not record.faults or not any(
            fault.level == "stops" for fault in record.faults
        ):
            record.faults.append(_nothing_read(record))
        return record
    usable = _usable_tables(record)
    record.registry = _registry(
        record,
        usable,
        lambda source: build_registry(
            recorded_units(joined_series(series), classes, months),
            source,
            by_class=by_class,
            min_point_share=min_point_share,
        ),
    )
    record.rejects = pa.concat_tables([record.rejects, record.registry.rejects])
    record.counts |= count_overlap(record.readings)
    record.faults += _shared(record)
    record.faults += noted(
        [*_untold(record, record.registry), *notes_on_counts(record.counts)]
    )
    return record


def _shared(record: ReadRecord) -> list[Finding]:
    """Return what there is to tell of machines that several files hold."""
    pairs: dict[str, set[Unit]] = defaultdict(set)
    ids = record.readings.group_by(["file", *Unit._fields]).aggregate([]).to_pylist()
    for row in sorted(ids, key=lambda row: row["file"]):
        pairs[row["file"]].add(Unit(row["facility_id"], row["equipment_id"]))
    shared = shared_machines(record.source, pairs)
    try:
        require_apart(shared, record.counts, readings=record.readings.num_rows)
    except InputError as error:
        return [stopping(str(error))]
    return noted(notes_on_shared(shared))


def _untold(record: ReadRecord, registry: Registry) -> list[str]:
    """Leave out which events match no equipment where that stops ingest: it is told there."""
    stops_ingest = any("events were read" in fault.text for fault in record.faults)
    return [
        note
        for note in registry.notes
        if not (stops_ingest and "events are of equipment" in note)
    ]


def read_ready_windows(source: SourceConfig) -> ReadRecord:
    """Read the predecessor's windows, which come without a record; there is no registry of them."""
    record = ReadRecord(source=source)
    refusals: list[tuple[str, str]] = []
    rejects = [REJECTS.empty_table()]
    counts = []
    try:
        record.files = source_files(source)
    except InputError as error:
        record.faults.append(stopping(str(error)))
    for path in record.files:
        try:
            batches = list(read_predecessor(path, source))
        except InputError as error:
            refusals.append((path, str(error)))
            continue
        record.files_read += 1
        counts += [batch.counts for batch in batches]
        rejects += [batch.rejects for batch in batches]
    record.faults += map(stopping, joined_by_cause(refusals))
    record.counts = add_counts(counts)
    record.rejects = pa.concat_tables(rejects)
    return record


def _nothing_read(record: ReadRecord) -> Finding:
    return stopping(
        f"{', '.join(record.files[:5])}: {record.counts.get('rows', 0)} rows were read, and none"
        " holds a value: correct source.columns or source.missing_values"
    )


def _read_files(
    record: ReadRecord, source: SourceConfig
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Read every readings file; return its series, the classes in it, and readings by month."""
    parts: list[pa.Table] = []
    series: list[pa.Table] = []
    months: list[pa.Table] = []
    classes = [CLASSES.empty_table()]
    rejects = [REJECTS.empty_table()]
    counts: list[dict[str, int]] = []
    notes: dict[str, tuple[str, ...]] = {}
    refusals: list[tuple[str, str]] = []
    for path in record.files:

        def read(source: SourceConfig, path: str = path) -> list[Any]:
            return list(read_readings(path, source))

        results = _read_on(read, source, path, refusals)
        if results is None:
            continue
        record.files_read += 1
        counts += [result.counts for result in results]
        for result in results:
            file = pa.array(
                [path] * len(result.readings), pa.string()
            ).dictionary_encode()
            parts.append(result.readings.append_column("file", file))
            series.append(series_table(result.readings))
            months.append(readings_by_month(result.readings))
            classes.append(result.classes)
            rejects.append(result.rejects)
            notes[path] = result.notes
    record.faults += map(stopping, joined_by_cause(refusals))
    record.counts = add_counts(counts)
    record.rejects = pa.concat_tables(rejects)
    if parts:
        record.readings = pa.concat_tables(parts).unify_dictionaries()
    record.faults += noted(_guesses(source, notes))
    return _joined(series), pa.concat_tables(classes), _joined(months)


def _joined(tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables) if tables else pa.table({})


def _guesses(source: SourceConfig, notes: dict[str, tuple[str, ...]]) -> list[str]:
    """Return what was guessed of the tables; what cannot be opened is told elsewhere."""
    try:
        return notes_on_files(source, notes)
    except InputError:
        return notes_on_files(
            source.replace(events=None, equipment=None, names=None), notes
        )


def _read_on(
    read: Callable[[SourceConfig], Read],
    source: SourceConfig,
    file: str,
    refusals: list[tuple[str, str]],
) -> Read | None:
    """Read a table, supposing what its refusals ask for; None where that does not help.

    Args:
        read: reads it by the settings of a source.
        file: its path, or the setting that leads to it.
        refusals: each refusal is added, with the file.
    """
    for _ in SUPPOSED:
        try:
            return read(source)
        except InputError as error:
            text = str(error)
            if refusals[-1:] == [(file, text)]:
                break
            refusals.append((file, text))
            changed = _supposing(source, text)
            if changed == source:
                break
            source = changed
    return None


def _supposing(source: SourceConfig, refusal: str) -> SourceConfig:
    """Return the source with a first value for the first setting that a refusal asks for."""
    for name in NAMED.findall(refusal):
        if name in SUPPOSED and getattr(source, name) != SUPPOSED[name]:
            return source.replace(**{name: SUPPOSED[name]})
    return source


def _usable_tables(record: ReadRecord) -> SourceConfig:
    """Return the source with what events and register need to be read, or without them."""
    source = record.source
    refusals: list[tuple[str, str]] = []
    readers: dict[str, Callable[[SourceConfig], SourceConfig]] = {
        "events": lambda source: (read_events(source), source)[1],
        "equipment": lambda source: (read_equipment(source), source)[1],
        "names": lambda source: (read_names(source), source)[1],
    }
    for name, read in readers.items():
        usable = _read_on(read, source, f"source.{name}", refusals)
        source = source.replace(**{name: None}) if usable is None else usable
    record.faults += [stopping(text) for _, text in refusals]
    return source


def _registry(
    record: ReadRecord, source: SourceConfig, build: Callable[[SourceConfig], Registry]
) -> Registry:
    """Join the tables; where too few events match, keep the refusal and join them all the same."""
    try:
        return build(source)
    except InputError as error:
        record.faults.append(stopping(str(error)))
        return build(source.replace(min_matching=0.0))
