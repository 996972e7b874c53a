"""Keep cases with their changes, outcomes of visits, and maintenance windows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import DOUBLE_PRECISION, Column, Integer, Text

revision = "4"
down_revision = "3"


def upgrade() -> None:
    """Make the tables; a machine has at most one open case."""
    op.create_table(
        "cases",
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
    is_open = sa.text("closed_day IS NULL")
    op.create_index(
        "one_open_case",
        "cases",
        ["facility_id", "equipment_id"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_table(
        "case_changes",
        Column("case_id", Text, primary_key=True),
        Column("version", Integer, primary_key=True),
        Column("since", DOUBLE_PRECISION, nullable=False),
        Column("who", Text, nullable=False),
        Column("note", Text, nullable=False),
        Column("changes", Text, nullable=False),
    )
    op.create_table(
        "outcomes",
        Column("facility_id", Text, primary_key=True),
        Column("equipment_id", Text, primary_key=True),
        Column("day", Integer, primary_key=True),
        Column("who", Text, primary_key=True),
        Column("code", Text, nullable=False),
        Column("note", Text, nullable=False),
        Column("case_id", Text),
        Column("since", DOUBLE_PRECISION, nullable=False),
        Column("key_name", Text, nullable=False),
    )
    op.create_table(
        "maintenance",
        Column("facility_id", Text, primary_key=True),
        Column("equipment_id", Text, primary_key=True),
        Column("first_day", Integer, primary_key=True),
        Column("last_day", Integer, nullable=False),
        Column("reason", Text, nullable=False),
        Column("key_name", Text, nullable=False),
    )
