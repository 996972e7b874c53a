"""Wide tables: a row per date, a column per point, or per point of each machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from hvac.errors import InputError
from hvac.readings.building_model import fold
from hvac.readings.files import iter_table
from hvac.readings.id_patterns import groups_of, ids_of_columns
from hvac.readings.model_files import read_building_model
from hvac.readings.raw_columns import (
    RawBatch,
    constant_columns,
    how_else,
    match_column,
    missing_column,
    path_ids,
)
from hvac.readings.sources import SourceConfig, WideConfig
from hvac.readings.table_file import FileBatch, TableFile
from hvac.readings.text_values import as_text, is_number, one_array

NAMED = 5  # columns that a note names
WIDE_SETTINGS = {
    "date": "date_column",
    "facility_id": "facility_column",
    "equipment_id": "equipment_column",
}


def read_wide(
    file: TableFile, source: SourceConfig, batch_rows: int
) -> Iterator[RawBatch]:
    wide = source.wide
    assert wide is not None, "checked with the configuration"
    names = _wide_names(file, wide)
    points = _wide_points(file, source, names)
    columns = list(dict.fromkeys([*names.values(), *points]))
    given = {"facility_id": wide.facility_id, "equipment_id": wide.equipment_id}
    constants = {name: text for name, text in given.items() if text is not None}
    constants |= path_ids(file, source)
    if source.facility_id and not wide.origins("facility_id"):
        constants.setdefault("facility_id", source.facility_id)
    for batch in iter_table(
        file, columns, batch_rows=max(1, batch_rows // len(points))
    ):
        yield _melt(batch, names=names, points=points, constants=constants)


def _wide_names(file: TableFile, wide: WideConfig) -> dict[str, str]:
    names = {}
    for ours, option in WIDE_SETTINGS.items():
        expected = getattr(wide, option)
        if expected is None:
            continue
        name = match_column(expected, file.columns, file.path)
        if name is None:
            setting = f"source.wide: {{{option}: <name in the file>}}"
            message = missing_column(
                file, ours, expected, file.columns, setting=setting
            )
            raise InputError(message + how_else(file, expected))
        names[ours] = name
    return names


def _wide_points(
    file: TableFile, source: SourceConfig, names: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """Return the ids that each value column gives.

    Raises InputError where there is none, or two columns are the same point of a machine.
    """
    wide = source.wide
    assert wide is not None, "checked with the configuration"
    others = [name for name in file.columns if _holds_values(name, names)]
    if source.building_model:
        points = _ids_of_model(file, source, others)
    elif wide.pattern:
        points = ids_of_columns(wide.pattern, others)
        _require_ids(file, wide.pattern, points, others)
    else:
        by_path = groups_of(source.path_pattern)
        ids_of = (
            {}
            if "point_id" in by_path
            else {name: {"point_id": name} for name in others}
        )
        points = wide.mapped or ids_of or {name: {} for name in others}
    for name in points:
        if match_column(name, file.columns, file.path) != name:
            setting = "source.wide: {points: {<name in the file>: <point id>}}"
            raise InputError(
                missing_column(file, name, name, file.columns, setting=setting)
            )
    if not points:
        raise InputError(
            f"{file.path}: expected value columns beside {', '.join(names.values())}, found none"
        )
    _require_distinct(file, points)
    return points


def _ids_of_model(
    file: TableFile, source: SourceConfig, others: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Return the ids and class that the building model gives to each column that it knows.

    Raises InputError where it knows none, or says nothing of their facility.
    """
    path = str(source.building_model)
    model = read_building_model(path)
    known = {
        name: model.columns[fold(name)]
        for name in others
        if fold(name) in model.columns
    }
    if not known:
        examples = ", ".join(list(model.columns)[:NAMED])
        raise InputError(
            f"{file.path}: no column is a point of {path}: the columns are"
            f" {', '.join(others[:10])}; the model knows {examples}: correct source.building_model"
        )
    elsewhere = _facility_is_given(source)
    points = {}
    for name, column in known.items():
        ids = {"equipment_id": column.equipment_id, "point_id": column.point_id}
        if not elsewhere:
            if not column.facility_id:
                raise InputError(
                    f"{path}: machine {column.equipment_id} has no site: name its facility by"
                    " source.facility_id"
                )
            ids = {"facility_id": column.facility_id, **ids}
        points[name] = {**ids, "class": column.class_name}
    return points


def _facility_is_given(source: SourceConfig) -> bool:
    """Tell whether settings, a column or the path give the facility of a wide table."""
    wide = source.wide
    by_path = "facility_id" in groups_of(source.path_pattern)
    return bool(source.facility_id or by_path or (wide and wide.origins("facility_id")))


def _require_ids(
    file: TableFile,
    pattern: str,
    points: Mapping[str, dict[str, str]],
    others: Sequence[str],
) -> None:
    """Raise InputError where no column matches a pattern, or one lacks a group of it."""
    if not points:
        raise InputError(
            f"{file.path}: no column matches {pattern!r}: the columns are {', '.join(others[:10])};"
            " correct source.wide.pattern"
        )
    for name, ids in points.items():
        if lacking := set(groups_of(pattern)) - set(ids):
            raise InputError(
                f"{file.path}: column {name!r} gives no {', '.join(sorted(lacking))}: correct"
                " source.wide.pattern"
            )


def _require_distinct(file: TableFile, points: Mapping[str, dict[str, str]]) -> None:
    seen: dict[tuple[str, ...], str] = {}
    for name, ids in points.items():
        key = tuple(text for id_name, text in ids.items() if id_name != "class")
        if key in seen:
            raise InputError(
                f"{file.path}: columns {seen[key]!r} and {name!r} are the same point"
                f" ({', '.join(key) or 'that of the path'}): tell them apart in source.wide.pattern"
                " or source.wide.points"
            )
        seen[key] = name


def notes_on_columns(file: TableFile, source: SourceConfig) -> tuple[str, ...]:
    """Return a note on the columns that pattern or model leave out; none where there are none."""
    wide = source.wide
    if (
        source.format != "wide"
        or wide is None
        or not (wide.pattern or source.building_model)
    ):
        return ()
    names = _wide_names(file, wide)
    others = [name for name in file.columns if _holds_values(name, names)]
    points = _wide_points(file, source, names)
    setting = (
        "source.building_model" if source.building_model else "source.wide.pattern"
    )
    left = [name for name in others if name not in points]
    if not left:
        return ()
    more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
    return (
        f"columns that {setting} does not match were left out: {', '.join(left[:NAMED])}{more}",
    )


def _holds_values(name: str, names: Mapping[str, str]) -> bool:
    """Tell whether a column is a point: not an id or date, and not pandas' row number."""
    return (
        bool(name)
        and name not in names.values()
        and not name.startswith("__index_level_")
    )


def _melt(
    batch: FileBatch,
    *,
    names: dict[str, str],
    points: dict[str, dict[str, str]],
    constants: Mapping[str, str],
) -> RawBatch:
    """Lay a wide batch out row by row, and within a row by the order of the points.

    Args:
        batch: rows of the table.
        names: the file's names by ours.
        points: the ids that each value column gives.
        constants: ids of all rows.
    """
    rows = len(batch.row)
    many = len(points)
    columns = constant_columns(constants, rows * many)
    repeated = pa.array(np.repeat(np.arange(rows), many))
    for ours, theirs in names.items():
        columns[ours] = one_array(batch.table[theirs]).take(repeated)
    place = pa.array(np.tile(np.arange(many), rows))
    for ours in next(iter(points.values())):
        ids = pa.array([of_column[ours] for of_column in points.values()], pa.string())
        columns[ours] = ids.take(place)
    by_column = np.arange(rows * many).reshape(many, rows)
    by_row = pa.array(by_column.T.ravel())
    values = _one_type([one_array(batch.table[name]) for name in points])
    columns["value"] = pa.concat_arrays(values).take(by_row)
    value_names = pa.array(list(points), pa.string()).take(place)
    return RawBatch(
        columns, np.repeat(batch.row, many), names, batch.ragged, value_names
    )


def _one_type(columns: list[pa.Array]) -> list[pa.Array]:
    """Return columns of one type: as they are, else as numbers, else as texts."""
    kinds = {column.type for column in columns}
    if len(kinds) == 1:
        return columns
    if all(is_number(kind) or pa.types.is_null(kind) for kind in kinds):
        return [column.cast(pa.float64(), safe=False) for column in columns]
    return [as_text(column) for column in columns]
