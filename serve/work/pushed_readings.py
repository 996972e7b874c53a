"""Keep the readings and events that are pushed, and report points that no bundle looks at."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence

from hvac.errors import HvacError, nearest
from hvac.panel.grid import Unit
from serve import service_metrics
from serve.bodies.answers import Stored, UnknownPoint
from serve.bodies.body_rows import body_reading_rows, day_number, event_rows
from serve.bodies.problems import Away, Refused
from serve.bodies.schemas import PushedUnit
from serve.memory.database import SqlValue
from serve.memory.store import ALL, UnitRow
from serve.work.bundle_choice import BundleChoice
from serve.work.record_cache import RecordCache
from serve.work.request_limits import check_count, within

log = logging.getLogger(__name__)
# unknown points of a push for which the nearest known one is looked for
MOST_COMPARED = 100
MOST_NAMED = 3  # of them in a refusal
KnownPoints = dict[Unit, set[str] | None]  # None: a bundle cannot be read


class PushedReadings:
    """Readings on their way into the store, by the bundles that serve."""

    def __init__(self, choice: BundleChoice, records: RecordCache) -> None:
        self.choice = choice
        self.records = records
        self.store = choice.store
        self.limits = choice.config.limits
        self._points: dict[str, set[str]] = {}

    async def push(
        self,
        units: Sequence[PushedUnit],
        sees: Callable[[str], bool],
        *,
        only_known_points: bool = False,
    ) -> Stored:
        """Keep readings and events, so that the equipment is scored again; name unknown points.

        Raises:
            Refused: a point is unknown, and only known ones are to be kept.
            Away: which points are known cannot be told now.
        """
        if only_known_points:
            _require_known(units, await within(self._known_points(units), self.limits))
        stored = await asyncio.to_thread(self._push, units, sees)
        try:
            unknown = _unknown(
                units, await within(self._known_points(units), self.limits)
            )
        except Exception:  # the readings are kept: the answer must not look otherwise
            log.warning(
                "which points the bundles know cannot be told now", exc_info=True
            )
            return stored
        for point in unknown:
            label = self.choice.label(point.facility_id)
            service_metrics.UNKNOWN_READINGS.labels(label).inc(point.readings)
        return stored.model_copy(update={"unknown_points": unknown})

    def _push(self, units: Sequence[PushedUnit], sees: Callable[[str], bool]) -> Stored:
        check_count(len(units), self.limits.units, "units")
        check_count(
            sum(len(unit.readings) for unit in units), self.limits.readings, "readings"
        )
        readings = []
        events = []
        rows = []
        before: dict[Unit, UnitRow] = {}
        for unit in units:
            key = unit.unit
            stored = self.store.unit(key)
            if stored is not None:
                before[key] = stored
            class_name = unit.equipment_class or ""
            if stored is None or (class_name and class_name != stored.class_name):
                self.choice.bundle_for(unit.facility_id, class_name)
            rows.append((*key, class_name, day_number(unit.install_date)))
            readings += [(*key, *row) for row in body_reading_rows(unit.readings)]
            events += event_rows(key, unit.events)
        self.store.add(units=rows, readings=readings, events=events)
        self._lay(before, readings, {Unit(row[0], row[1]) for row in events})
        for facility, count in Counter(row[0] for row in readings).items():
            service_metrics.READINGS.labels(self.choice.label(facility)).inc(count)
        return Stored(
            units=len(rows),
            readings=len(readings),
            events=len(events),
            to_be_scored=self.store.stale_count(sees),
        )

    def _lay(
        self,
        before: Mapping[Unit, UnitRow],
        readings: Sequence[Sequence[SqlValue]],
        with_events: Collection[Unit],
    ) -> None:
        """Lay what was stored into the records in memory."""
        rows_of: dict[Unit, list[Sequence[SqlValue]]] = defaultdict(list)
        for row in readings:
            rows_of[Unit(str(row[0]), str(row[1]))].append(row)
        self.records.lay(
            [
                (before[unit], rows)
                for unit, rows in rows_of.items()
                if unit in before and unit not in with_events
            ]
        )

    async def _known_points(self, units: Sequence[PushedUnit]) -> KnownPoints:
        """Return the points that the bundles of each unit's class look at."""
        classes = {
            body.unit: body.equipment_class or "" for body in units if body.readings
        }
        for unit in [unit for unit, name in classes.items() if not name]:
            classes[unit] = await asyncio.to_thread(self._class_of, unit)
        points = {name: await self._points_of(name) for name in set(classes.values())}
        return {unit: points[name] for unit, name in classes.items()}

    def _class_of(self, unit: Unit) -> str:
        stored = self.store.unit(unit)
        return stored.class_name if stored else ""

    async def _points_of(self, class_name: str) -> set[str] | None:
        """Return points that the bundles of a class look at; None where one cannot be read."""
        assigned = await asyncio.to_thread(self.store.assignments)
        bundles = {
            bundle
            for (_, name), bundle in assigned.items()
            if name in (class_name, ALL)
        }
        points: set[str] = set()
        for bundle in bundles:
            if bundle not in self._points:
                try:
                    facts = await self.choice.stages.about(bundle)
                except HvacError:
                    return None
                self._points[bundle] = set(facts["points"])
            points |= self._points[bundle]
        return points


def _unknown(units: Sequence[PushedUnit], known: KnownPoints) -> list[UnknownPoint]:
    """Return points of pushed units that no bundle of their class looks at, with the nearest."""
    counts: Counter[tuple[Unit, str]] = Counter()
    for body in units:
        counts.update((body.unit, reading.point_id) for reading in body.readings)
    unknown: list[UnknownPoint] = []
    for (unit, point), count in counts.items():
        of_class = known[unit]
        if of_class is not None and point not in of_class:
            near = nearest(point, of_class) if len(unknown) < MOST_COMPARED else ""
            facts = {**unit._asdict(), "point_id": point, "readings": count}
            unknown.append(UnknownPoint(**facts, nearest=near or None))
    return unknown


def _require_known(units: Sequence[PushedUnit], known: KnownPoints) -> None:
    """Raise Refused where a point is unknown, Away where that cannot be told."""
    if None in known.values():
        raise Away(
            "which points the bundles look at cannot be told now: try again, or leave out"
            " only_known_points"
        )
    unknown = _unknown(units, known)
    if not unknown:
        return
    named = []
    for point in unknown[:MOST_NAMED]:
        hint = f" (did you mean {point.nearest}?)" if point.nearest else ""
        named.append(f"{point.facility_id} {point.equipment_id} {point.point_id}{hint}")
    more = f" and {len(unknown) - MOST_NAMED} more" if len(unknown) > MOST_NAMED else ""
    raise Refused(
        f"no bundle looks at {', '.join(named)}{more}: correct the points, or leave out"
        " only_known_points; nothing was kept"
    )
