"""Faults that a whole record shows: what was rejected, odd values, thin records, few events."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Final

from hvac.checks.expected_windows import Expected
from hvac.checks.findings import Finding
from hvac.checks.machines import CheckedMachine, sentinels_by_unit
from hvac.checks.record_reading import ReadRecord
from hvac.days import EPOCH
from hvac.panel.grid import Unit
from hvac.panel.labels import LabelConfig
from hvac.panel.registry import Registry
from hvac.panel.windows import WindowConfig

NAMED: Final = 3
FEW_EVENTS: Final = 30  # in the test part: fewer make no headline
MENDED_BY: Final = {
    "text_in_value": "add what means 'not measured' to source.missing_values, or set"
    " source.decimal",
    "unreadable_date": "set source.date_format",
    "day_or_month_first_in_date": "set source.date_format",
    "date_out_of_range": "correct the dates, or set source.date_format",
    "date_in_the_future": "correct the dates, or set source.date_format",
    "field_count": "set source.delimiter and source.skip_rows",
    "repeated_equipment": "leave one row per machine in source.equipment",
    "unreadable_limit": "set source.decimal, or add to source.missing_values",
    "installed_after_readings": "correct install_date: it is later than the machine's first reading",
}


def rejected(read: ReadRecord) -> list[Finding]:
    """Return a fault for each reason for which rows were rejected, with the first of them.

    Events of unknown equipment are told where the tables are joined.
    """
    first: dict[str, dict[str, object]] = {}
    for row in read.rejects.to_pylist():
        first.setdefault(row["reason"], row)
    faults = []
    for reason, count in sorted(read.rejected.items()):
        if reason == "unknown_equipment":
            continue
        row = first[reason]
        where = f"{row['file']}, row {row['row']}, column {row['column']}"
        text = f"{count:,} × {reason} (first: {where}: {row['found']!r})"
        faults.append(
            Finding("fault", text, MENDED_BY.get(reason, "correct them in the file"))
        )
    return faults


def missing_limits(registry: Registry, windows: WindowConfig) -> list[Finding]:
    """Return a fault where windows are measured in limits and the readings have none."""
    if windows.normalise != "limits" or any(registry.units["limited"].to_pylist()):
        return []
    text = (
        "windows.normalise: limits measures values in their limits, and no reading has any: set"
        " windows.normalise: baseline, or bring the columns lower_limit and upper_limit"
    )
    return [Finding("stops", text)]


def lost_points(registry: Registry) -> list[Finding]:
    faults = []
    for name, points in registry.dropped_points.items():
        if points:
            text = f"class {name!r}: too few machines have {_named(points)}: left out"
            faults.append(
                Finding("fault", text, "lower windows.min_point_share to keep them")
            )
    return faults


def odd_values(read: ReadRecord, machines: Sequence[CheckedMachine]) -> list[Finding]:
    """Return faults on marks for "no value", and notes on points that stand still or jumped."""
    faults = []
    by_unit = sentinels_by_unit(read.readings)
    if by_unit:
        marks = sorted({mark for marks in by_unit.values() for mark in marks})
        listed = ", ".join(f"{mark:g}" for mark in marks)
        text = (
            f"{listed} stand among the values of {_units(by_unit)}, far from all others"
        )
        faults.append(Finding("fault", text, f"set source.missing_values: [{listed}]"))
    odd = {
        "flat": "stood still for 14 readings: a stuck sensor?",
        "jump": "jumped alone: another sensor, or another unit of measure?",
    }
    for kind, what in odd.items():
        points = {
            machine.unit: [
                doubt.point_id for doubt in machine.doubts if doubt.kind == kind
            ]
            for machine in machines
        }
        suspects = [unit for unit, names in points.items() if names]
        if suspects:
            text = f"a point of {_units(suspects)} {what}"
            faults.append(Finding("note", text))
    return faults


def thin(machines: Sequence[CheckedMachine], windows: WindowConfig) -> list[Finding]:
    """Return faults on machines with few readings or a rhythm that carries no window."""
    faults = []
    thin = [
        machine.unit for machine in machines if machine.observed < windows.min_observed
    ]
    if thin:
        text = f"less than {windows.min_observed:.0%} of the readings of {_units(thin)} are there"
        faults.append(
            Finding(
                "fault", text, "lower windows.min_observed, or bring what is missing"
            )
        )
    rare = [machine.unit for machine in machines if "rarer" in machine.rhythms.values()]
    if rare:
        text = f"points of {_units(rare)} are read more than 45 days apart: no window holds enough"
        remedy = "read them more often, or set windows.lookback longer"
        faults.append(Finding("fault", text, remedy))
    learning = [machine for machine in machines if machine.learning_until is not None]
    if learning:
        last = max(machine.learning_until or 0 for machine in learning)
        text = (
            f"{_units([machine.unit for machine in learning])} still learn their baseline, until"
            f" {day_text(last)} at the latest: they get no risk until then"
        )
        faults.append(Finding("note", text))
    return faults


def too_few_events(
    registry: Registry, labels: LabelConfig, expected: Expected
) -> list[Finding]:
    """Return a note where the record has fewer events than a headline needs."""
    if labels.source != "events" or not expected.windows:
        return []
    events = sum(
        len(of.of_kinds(labels.kinds).start_N) for of in registry.unit_events.values()
    )
    if not 0 < events < FEW_EVENTS:
        return []
    text = (
        f"{events} events of {', '.join(labels.kinds)} in all: the report gives no headline figure"
        f" where fewer than {FEW_EVENTS} lie in the test part"
    )
    return [Finding("note", text)]


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _units(units: Mapping[Unit, object] | Sequence[Unit]) -> str:
    names = ["/".join(unit) for unit in units]
    return f"{len(names)} machine{'s' if len(names) > 1 else ''} ({_named(names)})"


def day_text(day: int) -> str:
    """Return a day since 1970-01-01 as a date."""
    return (EPOCH + dt.timedelta(days=day)).isoformat()
