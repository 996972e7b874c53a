"""The columns of a wide table: a row per date, a column per point or per point of each machine."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from hvac.config import Config
from hvac.readings.id_patterns import IDS, check_pattern, groups_of

COLUMN_EXAMPLE = r"'(?P<equipment_id>.+)\.(?P<point_id>.+)'"


def _column_pattern(pattern: str | None) -> str | None:
    return check_pattern(pattern, example=COLUMN_EXAMPLE)


class WidePoint(Config):
    """What one column of a wide table is."""

    point_id: str
    """The point."""
    equipment_id: str | None = None
    """The machine; none: that of the table."""
    facility_id: str | None = None
    """The facility; none: that of the table."""


class WideConfig(Config):
    """A wide table: a row per date, a column per point, or a column per machine and point.

    Every id has one origin: a column, one id for the table, the columns' names (`pattern`,
    `points`) or the file's path (`source.path_pattern`).

    >>> WideConfig(facility_id="F1", equipment_column="AHU").date_column
    'date'
    >>> WideConfig(facility_id="F1", pattern=r"(?P<equipment_id>.+)\\.(?P<point_id>.+)").origins(
    ...     "equipment_id"
    ... )
    ['wide.pattern']
    """

    facility_column: str | None = None
    """Name of the column of facility ids; give either this or `facility_id`."""
    facility_id: str | None = None
    """One facility id for the whole table."""
    equipment_column: str | None = None
    """Name of the column of equipment ids; give either this or `equipment_id`."""
    equipment_id: str | None = None
    """One equipment id for the whole table."""
    date_column: str = "date"
    """Name of the column of dates."""
    points: dict[str, str | WidePoint] = Field(default_factory=dict)
    """Point ids by value column, or `{equipment_id, point_id}` each; empty: all other columns."""
    pattern: Annotated[str | None, AfterValidator(_column_pattern)] = None
    """Pattern of columns' names, such as `(?P<equipment_id>.+)\\.(?P<point_id>.+)`; others go."""

    def origins(self, name: str) -> list[str]:
        """Return the settings that give an id: `facility_id`, `equipment_id` or `point_id`."""
        owner = name.removesuffix("_id")
        given = [f"{owner}_column", name] if name != "point_id" else []
        origins = [
            f"wide.{option}" for option in given if getattr(self, option) is not None
        ]
        if name in groups_of(self.pattern):
            origins.append("wide.pattern")
        if any(name in ids for ids in self.mapped.values()):
            origins.append("wide.points")
        return origins

    @property
    def mapped(self) -> dict[str, dict[str, str]]:
        """Return the ids of every column that `points` names."""
        mapped = {}
        for column, point in self.points.items():
            ids = {"point_id": point} if isinstance(point, str) else point.model_dump()
            mapped[column] = {
                name: ids[name] for name in IDS if ids.get(name) is not None
            }
        return mapped

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.points and self.pattern:
            raise ValueError(
                "points and pattern both say what the columns are: give one of them"
            )
        kinds = {tuple(ids) for ids in self.mapped.values()}
        if len(kinds) > 1:
            raise ValueError(
                "points: some columns have an equipment_id or facility_id of their own and others"
                " not: give it to all or to none"
            )
        counts = Counter(tuple(ids.values()) for ids in self.mapped.values())
        if twice := sorted(ids[-1] for ids, count in counts.items() if count > 1):
            raise ValueError(
                f"points: {', '.join(twice)} stands for several columns: give each its own point id"
            )
        return self
