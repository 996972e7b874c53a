"""What passes the gate: the columns of checked readings, and what one batch gave."""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

CANONICAL = pa.schema(
    [
        ("facility_id", pa.string()),
        ("equipment_id", pa.string()),
        ("point_id", pa.string()),
        ("date", pa.date32()),
        ("value", pa.float64()),
        ("lower_limit", pa.float64()),
        ("upper_limit", pa.float64()),
        ("known_at", pa.date32()),
        ("second", pa.int32()),
    ]
)
CLASSES = pa.schema(
    [
        ("facility_id", pa.string()),
        ("equipment_id", pa.string()),
        ("class", pa.string()),
    ]
)


class GateResult(NamedTuple):
    """What one batch gave.

    `readings`: CANONICAL, in file order; `second` of the day is null where no time was written.
    `rejects`: REJECTS (file, row, column, reason, found). `counts`: rows = read + missing +
    rejected; repeated_unit_days (readings beyond the first of a unit's day, within the batch); the
    number of offenders per reason; and, where there are any, repeated_readings (of the same second
    and value, within the batch: they count once), read_with_unit and read_as_word (21.5℃, 良).
    `classes`: CLASSES, the distinct classes in the readings themselves (the inspection format's
    共通分類コード), empty where there are none. `notes`: what was guessed of the file as a whole,
    such as its encoding.
    """

    readings: pa.Table
    rejects: pa.Table
    counts: dict[str, int]
    classes: pa.Table
    notes: tuple[str, ...] = ()
