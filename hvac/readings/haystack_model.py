"""Project Haystack grids of sites, machines and points: CSV and JSON as they are, Zinc by `phable`.

https://project-haystack.org/doc/docHaystack/Grids. A row is an entity: its tags are columns.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any, Final

from hvac.readings.building_model import (
    ModelPoint,
    Thing,
    needs_library,
    unreadable_model,
)
from hvac.storage import as_given

Entity = dict[str, str]  # tags; a marker is MARK
MARK: Final = "✓"
MARKS: Final = ("✓", "M", "m:", "marker")
# Tags that say nothing of what a point measures, or of what kind a machine is.
COMMON: Final = {
    *(
        "point",
        "equip",
        "site",
        "his",
        "hisCollect",
        "cur",
        "curTracksHis",
        "writable",
        "weather",
    ),
    *(
        "hvac",
        "elec",
        "device",
        "network",
        "bacnetPoint",
        "modbusPoint",
        "obixPoint",
        "id",
        "dis",
    ),
    *("space", "floor", "room", "tenant", "navName", "enabled", "disabled"),
}
PARENTS: Final = ("equipRef", "siteRef")


def haystack_points(path: str) -> list[ModelPoint]:
    """Read the points of a grid that belong to a machine. Raises InputError where it is no grid."""
    text = as_given(path).read_bytes().decode("utf-8-sig", "replace")
    ending = path[path.rfind(".") :].lower()
    read = {".zinc": _zinc_rows, ".json": _json_rows}.get(ending, _csv_rows)
    try:
        rows = read(text, path)
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise unreadable_model(
            path, f"a Haystack grid in {ending[1:]}", error
        ) from error
    entities = {row["id"]: row for row in map(_entity, rows) if row.get("id")}
    points = []
    for entity in entities.values():
        machine = entities.get(entity.get("equipRef", ""))
        if "point" in entity and machine is not None:
            points.append(_point(entity, machine, entities))
    return points


def _csv_rows(text: str, path: str) -> list[Mapping[str, Any]]:
    return list(csv.DictReader(StringIO(text)))


def _json_rows(text: str, path: str) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = json.loads(text)["rows"]
    return rows


def _zinc_rows(text: str, path: str) -> list[Mapping[str, Any]]:
    try:
        from phable.io.ph_zinc import ph_from_zinc
    except ImportError as error:
        raise needs_library(path, "phable", "haystack") from error
    return list(ph_from_zinc(text).rows)  # type: ignore[union-attr,unused-ignore]  # of a grid


def _entity(row: Mapping[str, Any]) -> Entity:
    """Return the tags of a row that are markers, texts or references."""
    tags = {}
    for name, value in row.items():
        shown = _plain(value)
        if name and shown:
            tags[name] = shown
    if name := _display(row.get("id")):
        tags.setdefault("dis", name)
    return tags


def _plain(value: Any) -> str:
    """Return a value as text: a marker as MARK, a reference as its id, all else as written."""
    if type(value).__name__ in ("Marker", "Ref"):  # phable's
        return MARK if type(value).__name__ == "Marker" else str(value.val)
    if isinstance(value, dict):  # JSON of Haystack 4
        return MARK if value.get("_kind") == "marker" else str(value.get("val") or "")
    text = "" if value is None else str(value).strip()
    if text in MARKS:
        return MARK
    if text.startswith(("@", "r:")):
        return text.removeprefix("@").removeprefix("r:").partition(" ")[0]
    return text.removeprefix("s:")


def _display(reference: Any) -> str:
    """Return the display name that a reference carries."""
    if isinstance(reference, dict):
        return str(reference.get("dis") or "")
    if isinstance(reference, str):
        return reference.strip().partition(" ")[2].strip(' "')
    return str(getattr(reference, "dis", None) or "")


def _point(
    entity: Entity, machine: Entity, entities: Mapping[str, Entity]
) -> ModelPoint:
    site = entities.get(entity.get("siteRef") or machine.get("siteRef", ""), {})
    given, name = entity["id"], entity.get("dis", "")
    short = entity.get("navName", "")
    machine_name = machine.get("dis", "")
    headings = [
        given,
        f"@{given}",
        name,
        short,
        *(f"{machine_name}{sign}{short}" for sign in " ."),
    ]
    facility_id = site.get("id") or entity.get("siteRef") or machine.get("siteRef", "")
    return ModelPoint(
        headings=tuple(dict.fromkeys(heading for heading in headings if heading)),
        kind=_kind(entity, machine_name),
        own_name=short or name or given,
        unit=entity.get("unit", ""),
        equipment=Thing(machine["id"], machine_name),
        facility=Thing(facility_id, site.get("dis", "")),
        class_name=next(iter(_own_tags(machine)), ""),
    )


def _kind(entity: Entity, machine_name: str) -> str:
    """Return what a point measures: its tags, else its short name, else its name."""
    tags = _own_tags(entity)
    if len(tags) > 1:
        return " ".join(tags)
    name = entity.get("navName") or entity.get("dis", "").removeprefix(
        machine_name
    ).strip(" -.")
    return name or entity["id"]


def _own_tags(entity: Entity) -> Sequence[str]:
    """Return the markers of an entity that say what it is, in the order of the grid's columns."""
    return [tag for tag, value in entity.items() if value == MARK and tag not in COMMON]
