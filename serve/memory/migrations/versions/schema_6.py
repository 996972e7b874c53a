"""Keep the readings of equipment in one piece, which is read a hundred times as fast as its rows."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Integer, LargeBinary, Text

revision = "6"
down_revision = "5"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "records",
        Column("facility_id", Text, primary_key=True),
        Column("equipment_id", Text, primary_key=True),
        Column("version", Integer, nullable=False),
        Column("content", LargeBinary, nullable=False),
    )
