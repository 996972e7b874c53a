"""Look at a whole record before any training: what was read, all faults, what to expect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hvac.arrays import DayNumbers
from hvac.checks.cost import RunCost, expected_cost
from hvac.checks.expected_windows import Expected, expect_windows
from hvac.checks.findings import Finding
from hvac.checks.machines import CheckedMachine, look_at, worst_first
from hvac.checks.record_faults import (
    lost_points,
    missing_limits,
    odd_values,
    rejected,
    thin,
    too_few_events,
)
from hvac.checks.record_reading import ReadRecord, read_all_tables, read_ready_windows
from hvac.panel.grid import Panel, Unit, panels
from hvac.panel.labels import LabelConfig
from hvac.panel.registry import Registry
from hvac.panel.split_config import SplitConfig
from hvac.panel.windows import WindowConfig
from hvac.readings.sources import SourceConfig


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The parts of a run file that a check needs."""

    source: SourceConfig
    windows: WindowConfig
    labels: LabelConfig
    splits: SplitConfig
    family: str = "fusion"
    cpus: int = 2


@dataclass(frozen=True, kw_only=True)
class RecordCheck:
    """What a check of a record tells; without a registry nothing could be read."""

    read: ReadRecord
    machines: Sequence[CheckedMachine] = ()
    events: Mapping[Unit, list[tuple[int, int, str]]] = field(default_factory=dict)
    expected: Expected = field(default_factory=Expected)
    cost: RunCost | None = None
    faults: Sequence[Finding] = ()

    @property
    def registry(self) -> Registry | None:
        """Return units, events and points; None where no reading could be read."""
        return self.read.registry

    @property
    def found(self) -> bool:
        """Tell whether there is a fault: something that stops a step, is lost or is wrong."""
        return any(fault.level != "note" for fault in self.faults)


def check_record(settings: Settings) -> RecordCheck:
    """Read the tables of a run as ingest does, and tell all that is wrong with them at once."""
    if settings.source.ready_windows:
        read = read_ready_windows(settings.source)
        return RecordCheck(read=read, faults=[*read.faults, *rejected(read)])
    read = read_all_tables(
        settings.source,
        by_class=settings.windows.classes == "each",
        min_point_share=settings.windows.min_point_share,
    )
    registry = read.registry
    if registry is None:
        return RecordCheck(read=read, faults=[*read.faults, *rejected(read)])
    laid = _panels(read, registry, settings.windows)
    machines = [
        look_at(panel, registry.classes[panel.unit], settings.windows) for panel in laid
    ]
    expected, refusals = expect_windows(
        laid,
        registry,
        settings.windows,
        settings.labels,
        settings.splits,
        has_log=settings.source.events is not None,
    )
    points = sum(len(panel.points) for panel in laid) / max(len(laid), 1)
    cost = expected_cost(
        readings=read.readings.num_rows,
        windows=expected.windows,
        points=1 if settings.windows.by == "point" else points,
        machines=len(laid),
        family=settings.family,
        cpus=settings.cpus,
    )
    return RecordCheck(
        read=read,
        machines=worst_first(machines),
        events=_events(registry),
        expected=expected,
        cost=cost,
        faults=[
            *read.faults,
            *_own(refusals, read),
            *rejected(read),
            *missing_limits(registry, settings.windows),
            *lost_points(registry),
            *odd_values(read, machines),
            *thin(machines, settings.windows),
            *too_few_events(registry, settings.labels, expected),
        ],
    )


def _own(refusals: Sequence[Finding], read: ReadRecord) -> list[Finding]:
    """Leave out that the log has no events where none of its events was joined: that is told."""
    unmatched = "unknown_equipment" in read.rejected
    return [
        fault for fault in refusals if not (unmatched and "has no events" in fault.text)
    ]


def _panels(read: ReadRecord, registry: Registry, windows: WindowConfig) -> list[Panel]:
    points = {unit: registry.points[name] for unit, name in registry.classes.items()}
    return list(panels(read.readings, points, aggregate=windows.aggregate))


def _events(registry: Registry) -> dict[Unit, list[tuple[int, int, str]]]:
    """Return first day, last day and kind of every unit's events."""
    events = {}
    for unit, of_unit in registry.unit_events.items():
        days: list[DayNumbers] = [of_unit.start_N, of_unit.end_N]
        rows = zip(
            days[0].tolist(), days[1].tolist(), of_unit.kind_N.tolist(), strict=True
        )
        events[unit] = list(rows)
    return events


def rhythm_counts(machines: Sequence[CheckedMachine]) -> dict[str, int]:
    """Count points by how often they are read."""
    names = [name for machine in machines for name in machine.rhythms.values()]
    return dict(Counter(names).most_common())
