"""What the endpoints do, without HTTP: it joins the store, the choice of bundles and the stages."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import json
import logging
import math
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import pyarrow as pa

from hvac.errors import BundleError, HvacError
from hvac.panel.grid import Unit
from hvac.panel.windows import OK
from hvac.readings.gate import CANONICAL
from hvac.scoring.worklist import ranking
from serve import service_metrics
from serve.bodies.answers import Stored, UnknownPoint
from serve.bodies.body_rows import (
    EPOCH,
    body_reading_rows,
    day_number,
    event_rows,
    given_readings,
    merged,
)
from serve.bodies.problems import Refused, TooMuch, TooSlow, Unknown
from serve.bodies.schemas import AskedUnit, PushedUnit
from serve.graph.asks import Ask, compact
from serve.graph.stages import Rounds, Stages, one_by_one
from serve.ids import is_id
from serve.keys import ANYONE, Caller
from serve.memory.step_records import read_user_config
from serve.memory.store import ALL, FLEET, Store, UnitRow, serving
from serve.settings import ServeConfig

log = logging.getLogger(__name__)
T = TypeVar("T")
CACHED_RECORDS = 256
ASSIGNED_FOR_S = 1.0


class Service:
    """One service over a store and stages; its methods are the endpoints' work."""

    def __init__(self, config: ServeConfig, store: Store, stages: Stages) -> None:
        self.config, self.store, self.stages = config, store, stages
        self._known: set[str] = set()
        self._points: dict[str, set[str]] = {}
        self.rescoring_fails = False
        self._assigned: tuple[float, dict[tuple[str, str], str]] = (0.0, {})
        self._read_together: Rounds[Sequence[AskedUnit], list[Ask]] = Rounds(
            lambda many: one_by_one(self.asks, many), "asks", most=config.limits.in_flight
        )
        self._records: OrderedDict[tuple[Unit, int], tuple[pa.Table, list[tuple[Any, ...]]]] = (
            OrderedDict()
        )

    # Judging

    async def predict(self, units: Sequence[AskedUnit]) -> list[dict[str, Any]]:
        """Rows of `latest.parquet` for the equipment asked, in that order, with the number of the
        ask in `ask`.
        """
        self._check_size(units)

        async def work() -> list[dict[str, Any]]:
            return checked_rows(await self.stages.predict(await self._read_together(units)))

        rows = await self.within(work())
        self._count(rows)
        return rows

    async def forecast(
        self, unit: AskedUnit, horizons: Sequence[int] | None
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The first row of the prediction (for status and date), and every point's forecast."""

        async def work() -> tuple[dict[str, Any], list[dict[str, Any]]]:
            (ask,) = await self._read_together([unit])
            known = await self.stages.about(ask.bundle_id)
            rows = await self.stages.predict([ask])
            return rows[0], await self.stages.forecast(ask, horizons or known["horizons_days"])

        return await self.within(work())

    async def bulk(self, table: pa.Table, sees: Callable[[str], bool]) -> pa.Table:
        """Predictions of ready windows, in their order (columns: see `api.bulk`)."""
        if table.num_rows > self.config.limits.windows:
            raise TooMuch(
                f"{table.num_rows} windows in one request; at most {self.config.limits.windows} are"
                " allowed"
            )
        numbered = table.append_column("row", pa.array(range(table.num_rows), pa.int64()))
        parts = await asyncio.to_thread(self._by_bundle, numbered, sees)
        found = await self.within(asyncio.gather(*(self.stages.bulk(part) for part in parts)))
        answers = []
        for (_, rows), answer in zip(parts, found, strict=True):
            each = len(answer) // max(len(rows), 1)
            answers.append(
                answer.append_column(
                    "row", pa.array([r for r in rows["row"].to_pylist() for _ in range(each)])
                )
            )
        for answer in answers:
            _check_risks(answer["risk"].to_pylist(), answer["bundle_id"])
        joined = pa.concat_tables(answers).sort_by([("row", "ascending"), ("horizon", "ascending")])
        for facility, n in Counter(table["facility_id"].to_pylist()).items():
            service_metrics.WINDOWS.labels(self.label(facility), "ok").inc(n)
        return joined.drop_columns(["row"])

    def _by_bundle(
        self, table: pa.Table, sees: Callable[[str], bool]
    ) -> list[tuple[str, pa.Table]]:
        facilities = table["facility_id"].to_pylist()
        classes = (
            table["class"].to_pylist() if "class" in table.column_names else [ALL] * len(facilities)
        )
        strangers = sorted({str(f) for f in facilities if f is None or not sees(f)})
        if strangers:
            raise Unknown(f"facility {strangers[0]} is not known to this key")
        of_bundle: dict[str, list[int]] = {}
        for row, key in enumerate(zip(facilities, classes, strict=True)):
            of_bundle.setdefault(self.bundle_for(key[0], key[1] or ALL), []).append(row)
        return [(bundle, table.take(pa.array(rows))) for bundle, rows in of_bundle.items()]

    def _check_size(self, units: Sequence[AskedUnit]) -> None:
        limits = self.config.limits
        if len(units) > limits.units:
            raise TooMuch(
                f"{len(units)} units in one request; at most {limits.units} are allowed (use"
                " /v1/predict/bulk)"
            )
        self._check_readings(sum(len(unit.readings or ()) for unit in units))

    def _check_readings(self, readings: int) -> None:
        if readings > self.config.limits.readings:
            raise TooMuch(
                f"{readings} readings in one request; at most {self.config.limits.readings} are"
                " allowed"
            )

    def stored_ask(self, unit: Unit, assigned: Mapping[tuple[str, str], str]) -> Ask:
        """What the stages need to score a unit of the store, by the bundles that serve now.

        Raises:
            Unknown, Refused: it cannot be scored.
        """
        stored = self.store.unit(unit)
        if stored is None:
            raise Unknown("it is not in the store any more")
        if not (is_id(unit.facility_id) and is_id(unit.equipment_id)):
            raise Refused(
                "its id is none that is accepted: expected 1 to 128 characters, none a control"
                " character"
            )
        bundle_id = self._bundle_of(assigned, unit.facility_id, stored.class_name)
        table, events = self._record(stored)
        return Ask(
            bundle_id=bundle_id,
            unit=unit,
            class_name=stored.class_name or ALL,
            readings=compact(table),
            events=events,
            install_day=stored.install_day,
        )

    def asks(self, units: Sequence[AskedUnit]) -> list[Ask]:
        """What the stages need of every unit: its record with what was sent laid over it, and its
        bundle.
        """
        return [self._ask(unit) for unit in units]

    def _ask(self, asked: AskedUnit) -> Ask:
        unit = asked.unit
        stored = self.store.unit(unit)
        class_name = asked.equipment_class or (stored.class_name if stored else "")
        given = given_readings(asked)
        if stored is None and not len(given) and (asked.readings or asked.window):
            raise Refused(f"{unit.facility_id} {unit.equipment_id}: no value is given, only nulls")
        if stored is None and not len(given):
            raise Unknown(
                f"{unit.facility_id} {unit.equipment_id} is not known here: send its readings, or a"
                " window"
            )
        bundle_id = self.bundle_for(unit.facility_id, class_name)
        table, events = self._record(stored) if stored else (CANONICAL.empty_table(), [])
        return Ask(
            bundle_id=bundle_id,
            unit=unit,
            class_name=class_name or ALL,
            readings=merged(compact(table), given),
            events=[*events, *(row for row in event_rows(unit, asked.events) if row not in events)],
            install_day=(
                stored.install_day
                if stored and asked.install_date is None
                else day_number(asked.install_date)
            ),
            end_day=day_number(asked.end_date),
        )

    def _record(self, stored: UnitRow) -> tuple[pa.Table, list[tuple[Any, ...]]]:
        """Readings and events of stored equipment, kept in memory until the record changes."""
        unit = Unit(stored.facility_id, stored.equipment_id)
        key = (unit, stored.version)
        found = self._records.get(key)
        if found is None:
            events = [(*row[:5], row[5] or None) for row in self.store.events(unit)]
            found = self._records[key] = (self.store.readings(unit), events)
            while len(self._records) > CACHED_RECORDS:
                self._records.popitem(last=False)
        return found

    async def within(self, work: Awaitable[T], seconds: float | None = None) -> T:
        """The result, or `TooSlow` when the time is up (as configured, unless told otherwise)."""
        seconds = seconds or self.config.limits.timeout_s
        try:
            return await asyncio.wait_for(work, seconds)
        except TimeoutError as error:
            raise TooSlow(
                f"no answer within {seconds:g} s; ask for fewer units or try again",
                retry_after=self.config.limits.retry_after_s,
            ) from error

    def label(self, facility_id: str) -> str:
        """A facility as metrics name it: those not in the store are "other", so that no caller
        makes endless series.
        """
        return facility_id if facility_id in self._known else "other"

    def _count(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if row["alarm"]:
                service_metrics.ALARMS.labels(
                    self.label(row["facility_id"]), str(row["horizon"])
                ).inc()
        for key in {
            (row["ask"], row["point_id"], row["facility_id"], row["status"]) for row in rows
        }:
            service_metrics.WINDOWS.labels(self.label(key[2]), key[3]).inc()

    def plain(self, error: Exception) -> str:
        """What an error says, without the folder in which the bundles lie."""
        folder = str(self.config.bundle_folder)
        return str(error).replace(f"{folder}/", "").replace(folder, "the folder of bundles")

    # Which bundle serves whom

    def bundle_for(self, facility_id: str, class_name: str) -> str:
        """The facility's own bundle for a class, else the fleet's. Raises Unknown where there is
        none.
        """
        since, assigned = self._assigned
        if time.monotonic() - since > ASSIGNED_FOR_S:
            assigned = self.store.assignments()
            self._known = self.store.facilities()
            self._assigned = (time.monotonic(), assigned)
        return self._bundle_of(assigned, facility_id, class_name)

    def _bundle_of(
        self, assigned: Mapping[tuple[str, str], str], facility_id: str, class_name: str
    ) -> str:
        if found := serving(assigned, facility_id, class_name):
            return found
        known = {name for facility, name in assigned if facility == facility_id}
        known |= {unit.class_name for unit in self.store.units(facility_id)} & {
            name for _, name in assigned
        }
        named = f"class {class_name!r}" if class_name else "equipment whose class is not told"
        listed = ", ".join(sorted(known)) or "those that GET /v1/models lists"
        raise Refused(f"no bundle judges {named}; give 'class' as one of: {listed}")

    def declare(self, user_config: dict[str, Any] | None) -> None:
        """Take over the bundles of a Serve `user_config` when they are others than those declared
        last.

        Raises:
            ConfigError: it is not such a configuration.
        """
        if not user_config:
            return
        declared = read_user_config(user_config).bundles
        wanted = {
            (row.facility_id or FLEET, row.equipment_class): row.bundle_id for row in declared
        }
        mark = hashlib.sha256(json.dumps(sorted(map(str, wanted.items()))).encode()).hexdigest()
        if wanted and self.store.note("declared") != mark:
            self.store.assign(wanted)
            self.store.remember("declared", mark)
        self._assigned = (0.0, {})

    async def promote(self, bundle_id: str, facility_id: str | None) -> dict[str, Any]:
        """Read a bundle anew, and let it serve its class. A damaged one is refused; the old one
        goes on serving.
        """
        try:
            found = await self.stages.about(bundle_id, fresh=True)
        except BundleError as error:
            status = Unknown if "there is no bundle" in str(error) else Refused
            raise status(
                f"{self.plain(error)}; the bundle that served before goes on serving"
            ) from error
        before = self.store.assignments().get((facility_id or FLEET, found["class"]))
        await asyncio.to_thread(
            self.store.assign, {(facility_id or FLEET, found["class"]): bundle_id}
        )
        self._assigned = (0.0, {})
        return {"promoted": found, "facility_id": facility_id, "before": before}

    async def models(self, caller: Caller = ANYONE) -> list[dict[str, Any]]:
        """Bundles in the folder, with whom each serves; to a key of one facility, those that serve
        it.
        """
        assigned = await asyncio.to_thread(self.store.assignments)
        serves: dict[str, list[str]] = {}
        for (facility, _), bundle in assigned.items():
            if caller.sees(facility) or facility == FLEET:
                serves.setdefault(bundle, []).append(facility or "fleet")
        names = await asyncio.to_thread(self._bundle_names)
        if caller.facility_id != FLEET:
            names &= await asyncio.to_thread(self._bundles_of, caller.facility_id, assigned)
        found = []
        for name in sorted(names):
            told = {"bundle_id": name, "serves": sorted(serves.get(name, []))}
            try:
                found.append({**await self.stages.about(name), "serves": told["serves"]})
            except BundleError as error:
                found.append({**told, "damaged": self.plain(error)})
        return found

    def _bundle_names(self) -> set[str]:
        manifests = self.config.bundle_folder.glob("*/manifest.json")
        return {path.parent.name for path in manifests if not path.parent.name.startswith(".")}

    def _bundles_of(self, facility_id: str, assigned: dict[tuple[str, str], str]) -> set[str]:
        """Bundles that judge the equipment of a facility."""
        classes = {unit.class_name for unit in self.store.units(facility_id)}
        served = {serving(assigned, facility_id, name) for name in classes}
        return {bundle for bundle in served if bundle}

    async def ready(self, caller: Caller | None) -> dict[str, Any]:
        """Whether requests can be answered; to a caller also how much waits, and what cannot be
        scored and why.
        """
        assigned = await asyncio.to_thread(self.store.assignments)
        if not assigned:
            raise Refused("no bundle serves yet: train one, or promote one")
        serving_now = set(assigned.values())
        try:
            await self.within(self._any_answers(sorted(serving_now)))
        except BundleError as error:
            told = f": {self.plain(error)}" if caller and caller.facility_id == FLEET else ""
            raise Refused(f"no bundle that serves can be read{told}") from error
        if caller is None:
            return {"status": "ready"}
        aside = await asyncio.to_thread(self.store.aside)
        if caller.facility_id != FLEET:
            serving_now = await asyncio.to_thread(self._bundles_of, caller.facility_id, assigned)
        return {
            "status": "ready",
            "bundles": len(serving_now),
            "rescoring": "failing" if self.rescoring_fails else "going on",
            "waiting": await asyncio.to_thread(self.store.stale_count, caller.sees),
            "set_aside": [
                {**unit._asdict(), "reason": reason}
                for unit, reason in aside.items()
                if caller.sees(unit.facility_id)
            ],
        }

    async def _any_answers(self, bundles: Sequence[str]) -> None:
        """Raise BundleError where none of the bundles can be read."""
        for number, bundle in enumerate(bundles, 1):
            try:
                await self.stages.about(bundle)
                return
            except BundleError:
                if number == len(bundles):
                    raise

    # Readings

    async def push(self, units: Sequence[PushedUnit], sees: Callable[[str], bool]) -> Stored:
        """Keep readings and events; the equipment is scored again soon. Points that nobody looks at
        are told.
        """
        told = await asyncio.to_thread(self._push, units, sees)
        try:
            unknown = await self.within(self._unknown_points(units))
        except (
            Exception
        ):  # the readings are kept: what is merely told beside must not make it look otherwise
            log.warning("which points the bundles know cannot be told now", exc_info=True)
            return told
        return told.model_copy(update={"unknown_points": unknown})

    async def _unknown_points(self, units: Sequence[PushedUnit]) -> list[UnknownPoint]:
        """Points of pushed units that no bundle of their class looks at."""
        counts = Counter(
            (unit.unit, reading.point_id) for unit in units for reading in unit.readings
        )
        classes = {
            unit: await asyncio.to_thread(self._class_of, unit)
            for unit in {unit for unit, _ in counts}
        }
        points = {name: await self._points_of(name) for name in set(classes.values())}
        found = []
        for (unit, point), n in counts.items():
            known = points[classes[unit]]
            if known is not None and point not in known:
                found.append(UnknownPoint(**unit._asdict(), point_id=point, readings=n))
        return found

    def _class_of(self, unit: Unit) -> str:
        stored = self.store.unit(unit)
        return stored.class_name if stored else ""

    async def _points_of(self, class_name: str) -> set[str] | None:
        """Points that the bundles of a class look at; None where one of them cannot be read."""
        assigned = await asyncio.to_thread(self.store.assignments)
        bundles = {bundle for (_, name), bundle in assigned.items() if name in (class_name, ALL)}
        found: set[str] = set()
        for bundle in bundles:
            if bundle not in self._points:
                try:
                    self._points[bundle] = set((await self.stages.about(bundle))["points"])
                except HvacError:
                    return None
            found |= self._points[bundle]
        return found

    def _push(self, units: Sequence[PushedUnit], sees: Callable[[str], bool]) -> Stored:
        if len(units) > self.config.limits.units:
            raise TooMuch(
                f"{len(units)} units in one request; at most {self.config.limits.units} are allowed"
            )
        self._check_readings(sum(len(unit.readings) for unit in units))
        readings, events, rows = [], [], []
        for unit in units:
            key = unit.unit
            stored = self.store.unit(key)
            if stored is None or (
                unit.equipment_class and unit.equipment_class != stored.class_name
            ):
                self.bundle_for(unit.facility_id, unit.equipment_class or "")
            rows.append((*key, unit.equipment_class or "", day_number(unit.install_date)))
            readings += [(*key, *row) for row in body_reading_rows(unit.readings)]
            events += event_rows(key, unit.events)
        self.store.add(units=rows, readings=readings, events=events)
        for facility, n in Counter(row[0] for row in readings).items():
            service_metrics.READINGS.labels(self.label(facility)).inc(n)
        return Stored(
            units=len(rows),
            readings=len(readings),
            events=len(events),
            to_be_scored=self.store.stale_count(sees),
        )

    # Looking

    def facilities(self, sees: Callable[[str], bool]) -> list[dict[str, Any]]:
        """Every facility with how much equipment it has, how much of it is in alarm, and the newest
        day.
        """
        units = Counter(unit.facility_id for unit in self.store.units() if sees(unit.facility_id))
        by_facility: dict[str, list[dict[str, Any]]] = {name: [] for name in units}
        for row in self.rows():
            by_facility.get(row["facility_id"], []).append(row)
        return [_facility(name, units[name], rows) for name, rows in sorted(by_facility.items())]

    def ranking(self, facility_id: str | None = None) -> list[dict[str, Any]]:
        """Equipment of a facility (or of all), the highest risk first."""
        rows = self.rows(facility_id)
        return ranking(rows, last_day=max((row["end_date"] for row in rows), default=EPOCH))

    def rows(
        self, facility_id: str | None = None, equipment_id: str | None = None
    ) -> list[dict[str, Any]]:
        """Newest predictions, with days as dates; without what an earlier version kept of a damaged
        bundle.
        """
        rows = self.store.predictions(facility_id, equipment_id)
        return [
            row | {"end_date": dt.date.fromisoformat(row["end_date"])}
            for row in rows
            if _is_sound(row)
        ]

    def record(self, unit: Unit) -> tuple[UnitRow, pa.Table, list[tuple[Any, ...]]]:
        """Equipment with its readings and events. Raises Unknown."""
        stored = self.store.unit(unit)
        if stored is None:
            raise Unknown(f"{unit.facility_id} {unit.equipment_id} is not known here")
        return stored, *self._record(stored)


def _is_sound(row: dict[str, Any]) -> bool:
    """Whether the risk is a probability where there is one, and the forecast numbers."""
    risk, forecast = row["risk"], row["forecast"] or ()
    judged = row["status"] != OK or (risk is not None and 0 <= risk <= 1)
    return judged and all(map(math.isfinite, forecast))


def checked_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows of `latest.parquet`. Raises Refused where a risk is no probability: the bundle is
    damaged.
    """
    for row in rows:
        if not _is_sound(row):
            raise Refused(_no_probability(row["bundle_id"]))
    return rows


def _no_probability(bundle: str) -> str:
    return (
        f"bundle {bundle} gave a risk that is no probability, or a forecast that is no number:"
        " promote another"
    )


def _check_risks(risks: Sequence[float | None], bundles: Any) -> None:
    for risk, bundle in zip(risks, bundles, strict=True):
        if risk is None or not 0 <= risk <= 1:
            raise Refused(_no_probability(bundle))


def _facility(name: str, units: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    entries = ranking(rows, last_day=max((row["end_date"] for row in rows), default=EPOCH))
    return {
        "facility_id": name,
        "equipment": units,
        "in_alarm": sum(any(entry["alarms"].values()) for entry in entries),
        "alarms": {
            str(h): sum(bool(entry["alarms"].get(h)) for entry in entries)
            for h in sorted({row["horizon"] for row in rows})
        },
        "not_scored": units - len({row["equipment_id"] for row in rows if row["status"] == "ok"}),
        "end_date": max((row["end_date"] for row in rows), default=None),
    }
