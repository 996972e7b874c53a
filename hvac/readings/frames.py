"""Readings, events and the register as files or as pandas tables, checked by the one gate."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from hvac.errors import InputError
from hvac.readings.gate import read_all
from hvac.readings.rejects import add_counts
from hvac.readings.sources import SourceConfig
from hvac.storage import write_parquet

Table = str | Path | pd.DataFrame


def readings_frame(readings: Table, **settings: Any) -> pd.DataFrame:
    """Read readings of any format, or check a table of them.

    Args:
        readings: a file, folder, glob or URL, or a table with the columns `facility_id`,
            `equipment_id`, `point_id`, `date` and `value`.
        settings: how they are written, as in a run file's `source` section: `format`, `columns`,
            `encoding`, `time_zone`, …

    Returns:
        One row per reading: ids, `date`, `value`, `lower_limit`, `upper_limit`, `known_at`. Its
        `attrs` hold `counts` (rows, read, missing, rejected) and `rejects`, one mapping for each
        row that could not be read.

    Raises:
        InputError: the file is absent, empty, of another kind, or no row can be read.

    >>> table = pd.DataFrame({"facility_id": "F", "equipment_id": "AHU-1", "point_id": "t",
    ...                       "date": ["2024-03-01", "2024-03-02"], "value": [21.5, None]})
    >>> readings = readings_frame(table)
    >>> readings["value"].tolist(), readings.attrs["counts"]["missing"]
    ([21.5], 1)
    """
    with source_of(readings, **settings) as source:
        results = list(read_all(source))
    joined = pa.concat_tables([result.readings for result in results])
    frame: pd.DataFrame = joined.to_pandas()
    rejects = pa.concat_tables([result.rejects for result in results])
    frame = frame.drop(columns="second")
    frame.attrs["counts"] = add_counts([result.counts for result in results])
    frame.attrs["rejects"] = rejects.to_pylist()
    return frame


@contextmanager
def source_of(
    readings: Table,
    events: Table | None = None,
    equipment: Table | None = None,
    **settings: Any,
) -> Iterator[SourceConfig]:
    """Give a source configuration of files or tables; tables lie in a temporary folder meanwhile."""
    tables = {"readings": readings, "events": events, "equipment": equipment}
    with tempfile.TemporaryDirectory(prefix="hvac-") as folder:
        paths = {
            name: _path(table, Path(folder) / f"{name}.parquet")
            for name, table in tables.items()
            if table is not None
        }
        yield SourceConfig(**paths, **settings)


def _path(table: Table, file: Path) -> str:
    """Return the path of a table, which is written to `file` where it is in memory."""
    if not isinstance(table, pd.DataFrame):
        return str(table)
    try:
        write_parquet(pa.Table.from_pandas(table, preserve_index=False), file)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"the table of {file.stem} has a column of mixed types ({reason}):"
            " give each column one type, such as text"
        ) from error
    return str(file)
