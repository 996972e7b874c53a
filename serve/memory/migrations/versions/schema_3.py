"""Keep which equipment is in an alarm that was told, and the notifications that wait to be sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import DOUBLE_PRECISION, Integer, Text

revision = "3"
down_revision = "2"


def upgrade() -> None:
    """Make the two tables."""
    op.create_table(
        "episodes",
        sa.Column("facility_id", Text, primary_key=True),
        sa.Column("equipment_id", Text, primary_key=True),
        sa.Column("episode", Text, nullable=False),
        sa.Column("since", DOUBLE_PRECISION, nullable=False),
    )
    op.create_table(
        "notices",
        sa.Column("episode", Text, primary_key=True),
        sa.Column("target", Text, primary_key=True),
        sa.Column("body", Text, nullable=False),
        sa.Column("since", DOUBLE_PRECISION, nullable=False),
        sa.Column("due", DOUBLE_PRECISION, nullable=False),
        sa.Column("attempts", Integer, nullable=False),
        sa.Column("leased", DOUBLE_PRECISION, nullable=False),
        sa.Column("holder", Text, nullable=False),
    )
