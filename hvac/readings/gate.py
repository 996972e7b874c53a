"""The one gate: readings of every format become one checked table.

What cannot be read is listed and counted. Missing is not a reject (and neither zero nor off): a
blank, `欠測`, `－` or nan value is counted and not emitted. A row with an unreadable id, date,
value or `known_at` is rejected. A row with unreadable or swapped limits (lower > upper) keeps its
value: only its limits become null, and that is listed too. An infinite limit means no limit.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from hvac.errors import InputError
from hvac.readings.event_log import check_events, unknown_equipment
from hvac.readings.gate_batch import gate
from hvac.readings.gate_result import CANONICAL, CLASSES, GateResult
from hvac.readings.notation import read_settled
from hvac.readings.predecessor_csv import PredecessorBatch, read_predecessor
from hvac.readings.registers import read_equipment, read_events
from hvac.readings.rejects import REJECTS, add_counts, require_some_read
from hvac.readings.small_tables import TableResult
from hvac.readings.sources import SourceConfig, WideConfig
from hvac.readings.table_paths import source_files

__all__ = [
    "CANONICAL",
    "CLASSES",
    "REJECTS",
    "GateResult",
    "PredecessorBatch",
    "SourceConfig",
    "TableResult",
    "WideConfig",
    "add_counts",
    "check_events",
    "gate",
    "read_all",
    "read_equipment",
    "read_events",
    "read_predecessor",
    "read_readings",
    "require_rows",
    "source_files",
    "unknown_equipment",
]


def read_all(
    source: SourceConfig, *, batch_rows: int = 1_000_000
) -> Iterator[GateResult]:
    """Stream all files of a source.

    Raises InputError where they hold no row at all, besides `read_readings`' errors.

    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "readings.csv"
    >>> header = "facility_id,equipment_id,point_id,date,value"
    >>> lines = [header, "F,007,t,2024/3/1 5:04,2", "F,007,t,2024-03-02,欠測"]
    >>> _ = file.write_text("\\n".join(lines), encoding="cp932")
    >>> result = next(read_all(SourceConfig(readings=str(file))))
    >>> result.counts
    {'rows': 2, 'read': 1, 'missing': 1, 'rejected': 0, 'repeated_unit_days': 0}
    >>> result.readings["equipment_id"].to_pylist()
    ['007']
    """
    files = source_files(source)
    rows = 0
    for path in files:
        for result in read_readings(path, source, batch_rows=batch_rows):
            rows += result.counts["rows"]
            yield result
    require_rows(rows, files)


def require_rows(rows: int, files: list[str]) -> None:
    """Raise InputError where all files together gave no row (headers only)."""
    if rows == 0:
        named = ", ".join(files[:5])
        raise InputError(
            f"{named}: expected readings below the header, found 0 rows in {len(files)} file(s)"
        )


def read_readings(
    path: str, source: SourceConfig, *, batch_rows: int = 1_000_000
) -> Iterator[GateResult]:
    """Stream one readings file through the gate.

    Memory is bounded by `batch_rows`, whatever the file's size. How numbers and dates are written
    is settled over the whole file first (`notation`). A file with a header and no rows gives one
    empty result. Raises InputError for what concerns the whole file: absent, empty, of another
    kind, another encoding, a missing column, a notation that cannot be told, and, at its end, where
    no row could be read.
    """
    counts: dict[str, int] = {}
    offenders = REJECTS.empty_table()
    settled = read_settled(path, source, batch_rows=batch_rows)
    for raw in settled.batches:
        result = gate(raw, source, file=path, notation=settled.notation)
        counts = add_counts([counts, result.counts])
        if len(offenders) < 5:
            offenders = pa.concat_tables([offenders, result.rejects.slice(0, 5)])
        yield result._replace(notes=settled.notes)
    if not counts:
        yield _empty()
    require_some_read(path, counts, offenders)


def _empty() -> GateResult:
    counts = {
        "rows": 0,
        "read": 0,
        "missing": 0,
        "rejected": 0,
        "repeated_unit_days": 0,
    }
    return GateResult(
        CANONICAL.empty_table(), REJECTS.empty_table(), counts, CLASSES.empty_table()
    )
