"""The readings of equipment in one piece, so that they are not put together from rows again.

A piece holds where its version is that of the equipment. What changes the version and no reading
takes the piece along (`carry_records`); new readings leave it behind.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping

import pyarrow as pa
from sqlalchemy import Connection, select, update

from hvac.panel.grid import Unit
from hvac.readings.gate import CANONICAL
from serve.memory.database import execute_many, upsert_rows
from serve.memory.store_part import StorePart
from serve.memory.store_tables import RECORDS, UNITS, of_unit, unit_values

CONTENT = select(RECORDS.c.version, RECORDS.c.content).where(of_unit(RECORDS))
VERSION = select(UNITS.c.version).where(of_unit(UNITS)).with_for_update()
BEFORE = select(UNITS.c.version - 1).where(of_unit(UNITS)).scalar_subquery()
CARRY = (
    update(RECORDS)
    .where(of_unit(RECORDS), RECORDS.c.version == BEFORE)
    .values(version=RECORDS.c.version + 1)
)
CHECK = 4  # bytes of a checksum stand before the table
SMALL = pa.ipc.IpcWriteOptions(compression="zstd")


class RecordStore(StorePart):
    """Whole records of equipment."""

    def kept_record(self, unit: Unit, version: int) -> pa.Table | None:
        """Return the readings of a version of equipment; None where no piece of it is kept.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        rows = self._database.rows(CONTENT, unit_values(unit))
        if not rows or rows[0][0] != version:
            return None
        content = bytes(rows[0][1])
        check, stream = content[:CHECK], content[CHECK:]
        if check != _check(stream):
            return None
        try:
            return _readings(unit, pa.ipc.open_stream(stream).read_all())
        except (pa.ArrowException, KeyError, OSError):  # of another version
            return None

    def keep_records(self, records: Mapping[tuple[Unit, int], pa.Table]) -> None:
        """Keep the readings of versions of equipment, but for what has changed since.

        Raises:
            StoreError: the database cannot be reached or written; nothing was changed.
        """
        pieces = {key: _piece(readings) for key, readings in records.items()}
        with self._database.write() as connection:
            rows = [
                (*unit, version, content)
                for (unit, version), content in sorted(pieces.items())
                if connection.scalar(VERSION, unit_values(unit)) == version
            ]
            upsert_rows(connection, RECORDS, rows)


def _piece(readings: pa.Table) -> bytes:
    """Return the bytes of one unit's readings: without its ids, points as codes."""
    points = readings["point_id"].dictionary_encode()
    small = readings.drop_columns(["facility_id", "equipment_id", "point_id"])
    table = small.append_column("point_id", points).combine_chunks()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=SMALL) as stream:
        stream.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return _check(content) + content


def _check(content: bytes) -> bytes:
    """Return what tells a damaged piece."""
    return zlib.crc32(content).to_bytes(CHECK)


def _readings(unit: Unit, piece: pa.Table) -> pa.Table:
    """Return the readings that a piece was made of."""
    ids = [pa.repeat(pa.scalar(name, pa.string()), len(piece)) for name in unit]
    columns = [
        piece[name].cast(CANONICAL.field(name).type) for name in CANONICAL.names[2:]
    ]
    return pa.table([*ids, *columns], schema=CANONICAL)


def carry_records(connection: Connection, units: Collection[tuple[str, str]]) -> None:
    """Let the pieces hold of equipment whose version was raised, and not its readings."""
    execute_many(connection, CARRY, [unit_values(unit) for unit in sorted(units)])
