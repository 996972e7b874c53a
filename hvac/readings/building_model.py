"""A building model: what each column of a wide export is, as Project Haystack or Brick tells it.

Both are read into the same points. A column is a point's where its name is one that the model gives
to that point only.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

from hvac.errors import InputError

SETTING: Final = "source.building_model"


class Thing(NamedTuple):
    """An id and what people call it."""

    id: str
    name: str = ""


class ModelPoint(NamedTuple):
    """One point of a building model; a facility or class without an id is not told.

    `headings` are the names that a column of it may have, `kind` says what is measured.
    """

    headings: tuple[str, ...]
    kind: str
    own_name: str
    unit: str
    equipment: Thing
    facility: Thing
    class_name: str


class ModelColumn(NamedTuple):
    """What a column of an export is."""

    facility_id: str
    equipment_id: str
    point_id: str
    class_name: str


class BuildingModel(NamedTuple):
    """The columns that a model knows, by folded name, and its points with their ids."""

    columns: dict[str, ModelColumn]
    points: list[tuple[ModelPoint, str]]


def model_of(points: Sequence[ModelPoint]) -> BuildingModel:
    """Give every point its id, and find the names of columns that are of one point only.

    A point is called what it measures, so that machines of a class have the same points; where a
    machine has several points of a kind, each of them adds its own name.
    """
    alike = Counter(
        (point.facility.id, point.equipment.id, point.kind) for point in points
    )
    named = []
    for point in points:
        several = alike[point.facility.id, point.equipment.id, point.kind] > 1
        named.append(
            (point, f"{point.kind} ({point.own_name})" if several else point.kind)
        )
    of_heading: dict[str, set[ModelColumn]] = defaultdict(set)
    for point, point_id in named:
        column = ModelColumn(
            point.facility.id, point.equipment.id, point_id, point.class_name
        )
        for heading in point.headings:
            of_heading[fold(heading)].add(column)
    columns = {
        name: next(iter(under)) for name, under in of_heading.items() if len(under) == 1
    }
    return BuildingModel(columns, named)


def fold(name: str) -> str:
    """Return what a name and its other spellings have in common: width, case and outer spaces.

    >>> fold(" ＡＨＵ-1 SAT ")
    'ahu-1 sat'
    """
    return unicodedata.normalize("NFKC", name).strip().casefold()


def needs_library(path: str, library: str, extra: str) -> InputError:
    """Return the error for a model whose library is not installed."""
    return InputError(
        f"{path}: reading it needs the package {library}: pip install 'hvac-foresight[{extra}]'"
    )


def unreadable_model(path: str, what: str, error: Exception) -> InputError:
    """Return the error for a file that is not what its ending says."""
    reason = " ".join(str(error).split())[:200]
    return InputError(
        f"{path}: expected {what} ({reason}): export it again, or correct {SETTING}"
    )
