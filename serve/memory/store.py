"""What the service remembers: readings, events, predictions, which bundle serves whom, API keys.

One interface over two databases: SQLite in a file (no server; several processes of one node may
share it) and PostgreSQL (several nodes). Every write is one transaction; readings are upserts, so
that sending them twice is the same as once. Days are int32 days since 1970-01-01.
"""

from __future__ import annotations

from typing import Self

from hvac.errors import ConfigError, HvacError
from hvac.storage import Place, as_given
from serve.memory.database import SERVERS, Database, StoreError
from serve.memory.redact import without_secrets
from serve.memory.schema import migrate
from serve.memory.store_assignments import AssignmentStore, KeyRow, serving
from serve.memory.store_cases import CaseConflictError, CaseStore
from serve.memory.store_claims import ClaimStore
from serve.memory.store_notices import NoticeStore
from serve.memory.store_outcomes import OutcomeStore
from serve.memory.store_part import ALL, FLEET, Claim
from serve.memory.store_predictions import PredictionStore
from serve.memory.store_records import RecordStore
from serve.memory.store_shadow import ShadowStore
from serve.memory.store_units import (
    EVENT,
    READING,
    UnitRow,
    UnitStore,
    canonical,
    reading_rows,
)

__all__ = [
    "ALL",
    "EVENT",
    "FLEET",
    "READING",
    "CaseConflictError",
    "Claim",
    "KeyRow",
    "Store",
    "StoreError",
    "UnitRow",
    "canonical",
    "reading_rows",
    "serving",
]


class Store(
    UnitStore,
    RecordStore,
    ClaimStore,
    PredictionStore,
    AssignmentStore,
    NoticeStore,
    CaseStore,
    OutcomeStore,
    ShadowStore,
):
    """A database with the tables of the service, at the newest schema."""

    def __init__(self, url: str) -> None:
        super().__init__(Database(url))
        try:
            migrate(self._database, f"the store {without_secrets(url)}")
        except HvacError:
            self._database.close()
            raise

    @classmethod
    def open(cls, url: str) -> Self:
        """Open a store, and create it where it does not exist.

        Args:
            url: a local file, or `postgresql://user:password@host/database`.

        Raises:
            StoreError: it cannot be reached or created.
            ConfigError: it would be a file behind a URL, where no database can live; or it holds
                other tables, or those of a newer version.
        """
        if url.startswith(SERVERS):
            return cls(url)
        try:
            file = as_given(url)
        except HvacError as error:
            raise ConfigError(without_secrets(str(error), url)) from None
        if isinstance(file, Place):
            reason = "cannot be the store, a database: set store=postgresql://… or a local file"
            raise ConfigError(f"{without_secrets(url)} {reason}")
        file.parent.mkdir(parents=True, exist_ok=True)
        return cls(str(file))

    def close(self) -> None:
        """Close the connections that are not in use; a later call opens one again."""
        self._database.close()
