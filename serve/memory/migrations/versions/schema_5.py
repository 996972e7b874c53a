"""Keep the risks of champion and challenger side by side, while a challenger is watched."""

from __future__ import annotations

from alembic import op
from sqlalchemy import DOUBLE_PRECISION, Column, Integer, Text

revision = "5"
down_revision = "4"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "shadow",
        Column("facility_id", Text, primary_key=True),
        Column("equipment_id", Text, primary_key=True),
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
