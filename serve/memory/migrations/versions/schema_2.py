"""Make the tables of an empty store, or take over those that versions before Alembic wrote.

Those have schema 1 or 2. The columns are written out here and not taken from
serve/memory/store_tables.py, which may have others later."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import (
    DOUBLE_PRECISION,
    BigInteger,
    Column,
    Integer,
    MetaData,
    Table,
    Text,
)

revision = "2"
down_revision = None

SCHEMA = MetaData()
STALE = sa.table(
    "stale", sa.column("facility_id"), sa.column("equipment_id"), sa.column("since")
)


def _key(
    *names: str, of_numbers: tuple[str, ...] = ()
) -> list[Column[str] | Column[int]]:
    """Return the columns of a primary key: texts, then whole numbers."""
    texts = [Column(name, Text, primary_key=True) for name in names]
    numbers = [Column(name, Integer, primary_key=True) for name in of_numbers]
    return [*texts, *numbers]


UNITS = Table(
    "units",
    SCHEMA,
    *_key("facility_id", "equipment_id"),
    Column("class", Text, nullable=False),
    Column("install_day", Integer),
    Column("version", Integer, nullable=False),
)
READINGS = Table(
    "readings",
    SCHEMA,
    *_key("facility_id", "equipment_id", "point_id", of_numbers=("day",)),
    Column("value", DOUBLE_PRECISION, nullable=False),
    Column("lower_limit", DOUBLE_PRECISION),
    Column("upper_limit", DOUBLE_PRECISION),
    Column("known_day", Integer),
)
EVENTS = Table(
    "events",
    SCHEMA,
    *_key("facility_id", "equipment_id", "kind", of_numbers=("start_day",)),
    Column("end_day", Integer),
    Column("point_id", Text, nullable=False),
)
WAITING = Table(
    "waiting",
    SCHEMA,
    *_key("facility_id", "equipment_id"),
    Column("version", BigInteger, nullable=False),
    Column("since", DOUBLE_PRECISION, nullable=False),
    Column("leased", DOUBLE_PRECISION, nullable=False),
    Column("holder", Text, nullable=False),
)
SCORED = Table(
    "scored",
    SCHEMA,
    *_key("facility_id", "equipment_id"),
    Column("version", BigInteger, nullable=False),
)
SET_ASIDE = Table(
    "set_aside",
    SCHEMA,
    *_key("facility_id", "equipment_id"),
    Column("reason", Text, nullable=False),
)
PREDICTIONS = Table(
    "predictions",
    SCHEMA,
    *_key("facility_id", "equipment_id", "point_id", of_numbers=("horizon",)),
    Column("end_day", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("risk", DOUBLE_PRECISION),
    Column("alarm", Integer, nullable=False),
    Column("bundle_id", Text, nullable=False),
    Column("body", Text, nullable=False),
)
HISTORY = Table(
    "history",
    SCHEMA,
    *_key("facility_id", "equipment_id", "point_id", of_numbers=("horizon", "end_day")),
    Column("risk", DOUBLE_PRECISION),
    Column("alarm", Integer, nullable=False),
    Column("bundle_id", Text, nullable=False),
)
ASSIGNMENTS = Table(
    "assignments",
    SCHEMA,
    *_key("facility_id", "class"),
    Column("bundle_id", Text, nullable=False),
    Column("since", DOUBLE_PRECISION, nullable=False),
)
NOTES = Table("notes", SCHEMA, *_key("name"), Column("value", Text, nullable=False))
API_KEYS = Table(
    "api_keys",
    SCHEMA,
    *_key("hashed"),
    Column("name", Text, nullable=False),
    Column("facility_id", Text, nullable=False),
    Column("role", Text, nullable=False),
)


def upgrade() -> None:
    """Make the tables that are not there yet, and move what schema 1 kept in `stale`."""
    has_stale = sa.inspect(op.get_bind()).has_table(STALE.name)
    SCHEMA.create_all(op.get_bind())
    if has_stale:
        _move_stale()
    _note_number()


def _move_stale() -> None:
    """Let what waited in `stale` wait with the present version of its unit."""
    same_facility = UNITS.c.facility_id == STALE.c.facility_id
    same_unit = sa.and_(same_facility, UNITS.c.equipment_id == STALE.c.equipment_id)
    columns = (
        STALE.c.facility_id,
        STALE.c.equipment_id,
        UNITS.c.version,
        STALE.c.since,
    )
    rows = sa.select(*columns, sa.literal(0.0), sa.literal("")).join_from(
        STALE, UNITS, same_unit
    )
    op.execute(sa.insert(WAITING).from_select(WAITING.columns.keys(), rows))
    op.drop_table(STALE.name)
    op.execute(sa.delete(NOTES).where(NOTES.c.name.startswith("unscored ")))


def _note_number() -> None:
    """Keep the number that versions before Alembic look for, so that they can open the store."""
    op.execute(sa.delete(NOTES).where(NOTES.c.name == "schema"))
    op.execute(sa.insert(NOTES).values(name="schema", value=revision))
