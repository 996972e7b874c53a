"""What the sections of the detector's report share: cells of measured numbers, rows and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hvac.detect.detection_results import DetectionView
from hvac.detect.series import DETECTOR
from hvac.json_values import as_json
from hvac.report.view import Cell, Row, Table, cell


def cells(measured: Mapping[str, object], forms: Mapping[str, str]) -> list[Cell]:
    """Return a cell per number, in the order of `forms`, its format as in `FORMATS`."""
    stored = as_json(measured)
    return [cell(stored[key], form) for key, form in forms.items()]


def row(view: DetectionView, group: str, key: str, values: Sequence[Cell]) -> Row:
    """Return a row headed by a name of the texts; the detector's stands out."""
    head = Cell(view.words.name(group, key))
    return Row(head=head, cells=values, strong=(group, key) == ("model", DETECTOR))


def table(
    view: DetectionView,
    caption: str,
    head: Sequence[str],
    rows: Sequence[Row],
    *,
    part: str = "",
    unit: str = "",
    more: Sequence[str] = (),
    groups: Sequence[tuple[str, int]] = (),
) -> Table:
    """Return a table of the report.

    Args:
        view: the metrics of a run.
        caption: the caption's name in the texts.
        head: the columns' names in the texts.
        rows: the rows.
        part: the part of the data that the caption names.
        unit: the unit of time that a column names.
        more: texts of further columns.
        groups: a first header line, as in `Table`.
    """
    words = view.words
    names = {"part": words.name("part", part), "model": words.name("model", DETECTOR)}
    columns = [words(f"table.{key}", unit=unit) for key in head]
    return Table(
        caption=words(f"caption.{caption}", **names),
        head=[*columns, *more],
        groups=groups,
        rows=rows,
    )
