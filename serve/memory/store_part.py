"""What the parts of the store share: the database, and the names of things in it."""

from __future__ import annotations

from hvac.panel.grid import Unit
from serve.memory.database import Database

FLEET = ""  # the facility of an assignment, or of a key, that holds for all
ALL = "all"  # the class of a bundle that judges every class
Claim = tuple[Unit, int]  # equipment to be scored, in this version


class StorePart:
    """One subject of the store; its parts share a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
