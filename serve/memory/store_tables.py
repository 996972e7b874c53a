"""The tables of the store, and the conditions and values that statements about one unit share.

Days are int32 days since 1970-01-01; `since`, `opened`, `due` and `leased` are seconds since
1970-01-01 UTC. A change of a table needs a new file in serve/memory/migrations/versions as well.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import (
    DOUBLE_PRECISION,
    BigInteger,
    BindParameter,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    and_,
    bindparam,
    tuple_,
)

METADATA = MetaData()
# Alembic's; of a name of its own, as a database may be shared
VERSION_TABLE = "store_schema"


def _unit_key() -> tuple[Column[str], Column[str]]:
    """Return the two columns that name a unit, as the beginning of a primary key."""
    facility = Column("facility_id", Text, primary_key=True)
    return facility, Column("equipment_id", Text, primary_key=True)


UNITS = Table(
    "units",
    METADATA,
    *_unit_key(),
    Column("class", Text, key="class_name", nullable=False),
    Column("install_day", Integer),
    Column("version", Integer, nullable=False),
)
READINGS = Table(
    "readings",
    METADATA,
    *_unit_key(),
    Column("point_id", Text, primary_key=True),
    Column("day", Integer, primary_key=True),
    Column("value", DOUBLE_PRECISION, nullable=False),
    Column("lower_limit", DOUBLE_PRECISION),
    Column("upper_limit", DOUBLE_PRECISION),
    Column("known_day", Integer),
)
RECORDS = Table(
    "records",
    METADATA,
    *_unit_key(),
    Column("version", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
EVENTS = Table(
    "events",
    METADATA,
    *_unit_key(),
    Column("kind", Text, primary_key=True),
    Column("start_day", Integer, primary_key=True),
    Column("end_day", Integer),
    Column("point_id", Text, nullable=False),
)
WAITING = Table(
    "waiting",
    METADATA,
    *_unit_key(),
    Column("version", BigInteger, nullable=False),
    Column("since", DOUBLE_PRECISION, nullable=False),
    Column("leased", DOUBLE_PRECISION, nullable=False),
    Column("holder", Text, nullable=False),
)
SCORED = Table(
    "scored", METADATA, *_unit_key(), Column("version", BigInteger, nullable=False)
)
SET_ASIDE = Table(
    "set_aside", METADATA, *_unit_key(), Column("reason", Text, nullable=False)
)
PREDICTIONS = Table(
    "predictions",
    METADATA,
    *_unit_key(),
    Column("point_id", Text, primary_key=True),
    Column("horizon", Integer, primary_key=True),
    Column("end_day", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("risk", DOUBLE_PRECISION),
    Column("alarm", Integer, nullable=False),
    Column("bundle_id", Text, nullable=False),
    Column("body", Text, nullable=False),
)
HISTORY = Table(
    "history",
    METADATA,
    *_unit_key(),
    Column("point_id", Text, primary_key=True),
    Column("horizon", Integer, primary_key=True),
    Column("end_day", Integer, primary_key=True),
    Column("risk", DOUBLE_PRECISION),
    Column("alarm", Integer, nullable=False),
    Column("bundle_id", Text, nullable=False),
)
SHADOW = Table(
    "shadow",
    METADATA,
    *_unit_key(),
    Column("point_id", Text, primary_key=True),
    Column("horizon", Integer, primary_key=True),
    Column("end_day", Integer, primary_key=True),
    Column("champion_risk", DOUBLE_PRECISION, nullable=False),
    Column("challenger_risk", DOUBLE_PRECISION, nullable=False),
    Column("shift", DOUBLE_PRECISION, nullable=False),
    Column("champion_alarm", Integer, nullable=False),
    Column("challenger_alarm", Integer, nullable=False),
    Column("champion_id", Text, nullable=False),
    Column("challenger_id", Text, nullable=False),
    Column("since", DOUBLE_PRECISION, nullable=False),
)
EPISODES = Table(
    "episodes",
    METADATA,
    *_unit_key(),
    Column("episode", Text, nullable=False),
    Column("since", DOUBLE_PRECISION, nullable=False),
)
NOTICES = Table(
    "notices",
    METADATA,
    Column("episode", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("body", Text, nullable=False),
    Column("since", DOUBLE_PRECISION, nullable=False),
    Column("due", DOUBLE_PRECISION, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("leased", DOUBLE_PRECISION, nullable=False),
    Column("holder", Text, nullable=False),
)
CASES = Table(
    "cases",
    METADATA,
    Column("case_id", Text, primary_key=True),
    Column("facility_id", Text, nullable=False),
    Column("equipment_id", Text, nullable=False),
    Column("opened", DOUBLE_PRECISION, nullable=False),
    Column("alarm_day", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("assignee", Text, nullable=False),
    Column("due_day", Integer),
    Column("snooze_day", Integer),
    Column("snooze_reason", Text, nullable=False),
    Column("closed_day", Integer),
    Column("version", Integer, nullable=False),
    Column("body", Text, nullable=False),
)
CASE_CHANGES = Table(
    "case_changes",
    METADATA,
    Column("case_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("since", DOUBLE_PRECISION, nullable=False),
    Column("who", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("changes", Text, nullable=False),
)
OUTCOMES = Table(
    "outcomes",
    METADATA,
    *_unit_key(),
    Column("day", Integer, primary_key=True),
    Column("who", Text, primary_key=True),
    Column("code", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("case_id", Text),
    Column("since", DOUBLE_PRECISION, nullable=False),
    Column("key_name", Text, nullable=False),
)
MAINTENANCE = Table(
    "maintenance",
    METADATA,
    *_unit_key(),
    Column("first_day", Integer, primary_key=True),
    Column("last_day", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("key_name", Text, nullable=False),
)
IS_OPEN = CASES.c.closed_day.is_(None)
ONE_OPEN_CASE = Index(
    "one_open_case",
    CASES.c.facility_id,
    CASES.c.equipment_id,
    unique=True,
    sqlite_where=IS_OPEN,
    postgresql_where=IS_OPEN,
)
ASSIGNMENTS = Table(
    "assignments",
    METADATA,
    Column("facility_id", Text, primary_key=True),
    Column("class", Text, key="class_name", primary_key=True),
    Column("bundle_id", Text, nullable=False),
    Column("since", DOUBLE_PRECISION, nullable=False),
)
NOTES = Table(
    "notes",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("hashed", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("facility_id", Text, nullable=False),
    Column("role", Text, nullable=False),
)


EventRow = tuple[str, str, str, int, int, str | None]
"""Facility, equipment, kind, first and last day (since 1970-01-01), point."""


def of_unit(table: Table) -> ColumnElement[bool]:
    """Return the condition that a row is of one unit, which `unit_values` names."""
    facility: BindParameter[str] = bindparam("unit_facility")
    equipment: BindParameter[str] = bindparam("unit_equipment")
    return and_(table.c.facility_id == facility, table.c.equipment_id == equipment)


def of_units(table: Table, units: Collection[tuple[str, str]]) -> ColumnElement[bool]:
    """Return the condition that a row is of one of some equipment."""
    ids = tuple_(table.c.facility_id, table.c.equipment_id)
    return ids.in_([tuple(unit) for unit in units])


def unit_values(unit: tuple[str, str]) -> dict[str, str]:
    """Return the values of `of_unit` for a unit.

    >>> unit_values(("F1", "E1"))
    {'unit_facility': 'F1', 'unit_equipment': 'E1'}
    """
    return {"unit_facility": unit[0], "unit_equipment": unit[1]}
