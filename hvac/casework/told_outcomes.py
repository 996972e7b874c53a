"""What visits found, read from the table that the service gives."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from hvac.casework.outcome_codes import Outcome
from hvac.casework.outcome_table import read_outcome_table, told_outcomes
from hvac.errors import InputError
from hvac.panel.grid import Unit
from hvac.panel.joins import units_of
from hvac.panel.registry import Registry
from hvac.storage import AnyPath, Location, file_sha256, place

log = logging.getLogger(__name__)
SHOWN: Final = 5  # lines that cannot be read
Outcomes = Mapping[Unit, Sequence[Outcome]]
"""What visits found, by machine."""


def read_outcomes(location: Location | None, registry: Registry) -> Outcomes:
    """Read what visits found, by machine, as `GET /v1/outcomes?format=csv` of the service gives it.

    Rows that cannot be read, and those of machines that have no readings, are told and left out.

    Raises:
        InputError: there is no such file, or it is no such table.
    """
    if location is None:
        return {}
    path = _there(location)
    try:
        table = read_outcome_table(path.read_bytes(), most_rows=None)
        outcomes, refused = told_outcomes(table)
    except InputError as error:
        raise InputError(f"outcomes {path}: {error}") from None
    for row in refused[:SHOWN]:
        log.warning("outcomes %s: line %d: %s", path, row.line, row.why)
    if len(refused) > SHOWN:
        log.warning("outcomes %s: %d lines were left out", path, len(refused))
    known = set(units_of(registry.units))
    by_unit: dict[Unit, list[Outcome]] = {}
    for outcome in outcomes:
        by_unit.setdefault(outcome.unit, []).append(outcome)
    strangers = [unit for unit in by_unit if unit not in known]
    for unit in strangers:
        del by_unit[unit]
    if strangers:
        log.warning(
            "outcomes %s: outcomes of %d machines that have no readings were left out, such as %s",
            path,
            len(strangers),
            " ".join(strangers[0]),
        )
    return by_unit


def of_facility(outcomes: Outcomes, facility: str) -> Outcomes:
    """Return the outcomes of a facility's machines."""
    return {unit: o for unit, o in outcomes.items() if unit.facility_id == facility}


def outcomes_keys(location: Location | None) -> list[str]:
    """Return the hash of the table, for keys of what is made of it; nothing where there is none.

    Raises:
        InputError: there is no such file.
    """
    return [] if location is None else [file_sha256(_there(location))]


def _there(location: Location) -> AnyPath:
    if str(location).startswith(("http://", "https://")):
        raise InputError(
            f"outcomes {location}: expected a file; fetch it before: curl -H 'X-API-Key: …'"
            f" '{location}' -o outcomes.csv"
        )
    path = place(location)
    if not path.is_file():
        raise InputError(f"outcomes {path}: there is no such file")
    return path
