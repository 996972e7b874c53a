"""Tables of outcomes, taken row by row: new ones are kept, known ones recognised, others named with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pydantic import ValidationError

from hvac.casework.outcome_codes import Outcome
from hvac.casework.outcome_table import (
    FOUND_CHARACTERS,
    GivenOutcome,
    RefusedRow,
    read_outcome_table,
)
from hvac.errors import InputError
from hvac.panel.grid import Unit
from serve.bodies.case_bodies import OutcomeBody
from serve.bodies.problems import Refused, Unknown
from serve.keys import Caller
from serve.memory.store_cases import CaseRow
from serve.memory.store_outcomes import OutcomeRow
from serve.work.casework import Casework

Key = tuple[Unit, int, str]


class TakenTable(NamedTuple):
    """How many rows of a table were taken, how many were known already, and those refused."""

    taken: int
    known: int
    refused: list[RefusedRow]


class _Fault(Exception):  # noqa: N818
    """One of our columns of a row that cannot be, and why."""

    def __init__(self, column: str, why: str) -> None:
        super().__init__(why)
        self.column = column


def take_table(
    casework: Casework, content: bytes, encoding: str | None, caller: Caller
) -> TakenTable:
    """Keep the outcomes of a CSV table; sending it twice is the same as once.

    A row is taken whole or refused. One that says what the store holds already is known.

    Raises:
        InputError: the table cannot be read at all; nothing was kept.
        StoreError: the database cannot be reached or written; nothing was kept.
    """
    table = read_outcome_table(content, encoding)
    refused = list(table.refused)
    seen: dict[Key, tuple[int, Outcome]] = {}
    new: list[tuple[Outcome, str | None]] = []
    stored = _Stored(casework)
    for row in table.rows:
        try:
            outcome, case = _read(casework, row.fields, caller)
            if _is_first(seen, outcome, row.line) and not stored.has(
                outcome, row, case
            ):
                new.append((outcome, case and case.case_id))
        except _Fault as fault:
            name = table.names.get(fault.column, fault.column)
            given = row.fields.get(fault.column, "")[:FOUND_CHARACTERS]
            refused.append(RefusedRow(row.line, name, given, str(fault)))
    casework.store.add_outcomes(new, caller.name)
    of_rows = len(refused) - len(table.refused)
    known = len(table.rows) - of_rows - len(new)
    return TakenTable(len(new), known, sorted(refused))


class _Stored:
    """The outcomes that the store holds, read once a machine."""

    def __init__(self, casework: Casework) -> None:
        self._casework = casework
        self._of_unit: dict[Unit, dict[tuple[int, str], OutcomeRow]] = {}

    def has(self, outcome: Outcome, row: GivenOutcome, case: CaseRow | None) -> bool:
        """Tell whether the store says the same; a case counts where the row names it."""
        unit = outcome.unit
        if unit not in self._of_unit:
            rows = self._casework.store.outcomes(unit)
            self._of_unit[unit] = {(one.day, one.who): one for one in rows}
        known = self._of_unit[unit].get((outcome.day, outcome.who))
        if known is None or known.outcome != outcome:
            return False
        named = case is not None and "case_id" in row.fields
        return not named or known.case_id == (case and case.case_id)


def _is_first(
    seen: dict[Key, tuple[int, Outcome]], outcome: Outcome, line: int
) -> bool:
    """Tell whether no row above tells an outcome. Raise _Fault where one tells another."""
    key = (outcome.unit, outcome.day, outcome.who)
    first, before = seen.setdefault(key, (line, outcome))
    if before != outcome:
        raise _Fault(
            "code",
            f"line {first} tells another outcome of this machine, day and person: keep one of them",
        )
    return first == line


def _read(
    casework: Casework, fields: Mapping[str, str], caller: Caller
) -> tuple[Outcome, CaseRow | None]:
    """Return the outcome of a row, and its case. Raise _Fault."""
    if caller.facility_id:
        fields = {"facility_id": caller.facility_id, **fields}
    try:
        if "case_id" in fields:
            case = casework.case(fields["case_id"], caller)
            fields = {**case.unit._asdict(), **fields}
    except Unknown as error:
        raise _Fault("case_id", str(error)) from None
    try:
        return casework.outcome(OutcomeBody.model_validate(fields), caller)
    except ValidationError as error:
        raise _fault(error) from None
    except Unknown as error:
        raise _Fault("equipment_id", str(error)) from None
    except Refused as error:
        raise _Fault("case_id", str(error)) from None
    except InputError as error:
        raise _Fault("date", str(error)) from None


def _fault(error: ValidationError) -> _Fault:
    """Return the first fault of a row in a sentence."""
    first = error.errors(include_url=False)[0]
    field = str((*first["loc"], "date")[0])  # the whole body is about its day
    if first["type"] == "missing":
        return _Fault(field, "a value is missing here")
    if first["type"] == "string_too_long":
        most = first["ctx"]["max_length"]
        return _Fault(field, f"longer than {most} characters: shorten it")
    if first["type"] == "string_pattern_mismatch":
        return _Fault(field, "a control character cannot be kept: leave it out")
    return _Fault(field, str(first["msg"]).removeprefix("Value error, "))
