"""The work of the endpoints, without HTTP: it joins store, choice of bundles and stages."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import pyarrow as pa

from hvac.errors import HvacError
from hvac.json_values import JsonObject
from hvac.panel.grid import Unit
from hvac.scoring.latest_rows import LatestRow, RankedUnit
from serve import service_metrics
from serve.bodies.answer_rows import unit_predictions
from serve.bodies.answers import Stored, UnscoredUnit
from serve.bodies.schemas import AskedUnit, PushedUnit
from serve.graph.asks import Ask
from serve.graph.rows import ExplainedRow, OutlookRow, Rows
from serve.graph.stages import Rounds, Stages, one_by_one
from serve.keys import ANYONE, Caller
from serve.memory.store import Store, UnitRow
from serve.memory.store_tables import EventRow
from serve.settings import ServeConfig
from serve.work.alarm_watch import AlarmWatch
from serve.work.bulk_windows import predict_windows
from serve.work.bundle_choice import BundleChoice, ListedBundle, Promotion
from serve.work.casework import Casework
from serve.work.claim_scoring import score_claims
from serve.work.pushed_readings import PushedReadings
from serve.work.ready_state import ServiceReadiness, ready_state
from serve.work.record_cache import RecordCache
from serve.work.request_limits import check_count, within
from serve.work.risk_rows import (
    FacilitySummary,
    checked_rows,
    facility_summary,
    is_sound,
    ranked_units,
    with_reasons,
)
from serve.work.stored_answers import dated, names_alone, stored_answers
from serve.work.trends import TREND_DAYS, Trend, trends
from serve.work.unit_asks import UnitAsks

T = TypeVar("T")
LOOK_AGAIN_S = 0.01  # for equipment that another process is scoring


class Service:
    """One service over a store and stages; its methods are the endpoints' work."""

    def __init__(self, config: ServeConfig, store: Store, stages: Stages) -> None:
        self.config = config
        self.store = store
        self.stages = stages
        self.choice = BundleChoice(config, store, stages)
        records = RecordCache(store)
        self.units = UnitAsks(store, self.choice, records)
        self.pushed = PushedReadings(self.choice, records)
        self.alarm_watch = AlarmWatch(store)
        self.casework = Casework(store)
        self.rescoring_fails = False
        self._read_together: Rounds[Sequence[AskedUnit], list[Ask]] = Rounds(
            lambda many: one_by_one(self.asks, many),
            "asks",
            most=config.limits.in_flight,
        )

    # Predictions

    async def predict(
        self, units: Sequence[AskedUnit], *, explain: bool = False, detail: bool = False
    ) -> Rows:
        """Return rows of `latest.parquet` for units, in their order, each with its number `ask`.

        Where they are to be explained, rows have `reasons` and `cases` too, and with `detail`
        what is behind the reasons.
        """
        explain = explain or detail
        limits = self.config.limits
        if explain:
            check_count(len(units), limits.explained_units, "units with explain=true")
        check_count(len(units), limits.units, "units", " (use /v1/predict/bulk)")
        readings = sum(len(unit.readings or ()) for unit in units)
        check_count(readings, limits.readings, "readings")

        async def work() -> Rows:
            if not explain:
                return await self._answers(units)
            asks = await self._read_together(units)
            rows = checked_rows(await self.stages.predict(asks))
            explained = await self._explained(asks, range(len(asks)), detailed=detail)
            return with_reasons(rows, explained)

        rows = await self.within(work())
        self._count(rows)
        return rows

    async def _answers(self, units: Sequence[AskedUnit]) -> Rows:
        """Return rows of units by their number: what the store holds, and the others predicted."""
        named = names_alone(units)
        answers: list[Rows] = [[] for _ in units]
        if named:
            known = await asyncio.to_thread(
                stored_answers, self.store, [units[place].unit for place in named]
            )
            for place, rows in zip(named, known, strict=True):
                answers[place] = rows
        places = [place for place, rows in enumerate(answers) if not rows]
        if places:
            asks = await self._read_together([units[place] for place in places])
            for row in checked_rows(await self.stages.predict(asks)):
                answers[places[row["ask"]]].append(row)
        return [
            {**row, "ask": place} for place, rows in enumerate(answers) for row in rows
        ]

    async def explain(self, unit: AskedUnit) -> list[ExplainedRow]:
        """Return why one piece of equipment, or each of its points, has its risks, in detail."""

        async def work() -> list[ExplainedRow]:
            return await self.stages.explain(
                await self._read_together([unit]), detailed=True
            )

        return await self.within(work())

    async def alarms_explained(self, asks: Sequence[Ask], rows: Rows) -> Rows:
        """Return rows with the reasons of those asks that have an alarm; without, where none are."""
        alarmed = sorted({row["ask"] for row in rows if row["alarm"]})
        if not alarmed:
            return rows
        try:
            explained = await self.within(self._explained(asks, alarmed))
        except (
            HvacError
        ):  # made before reasons, or of a family that has none: the risks stand
            return rows
        return with_reasons(rows, explained)

    async def _explained(
        self, asks: Sequence[Ask], numbers: Sequence[int], *, detailed: bool = False
    ) -> list[ExplainedRow]:
        """Explain some of the asks one by one, so that predictions may come in between."""
        explained: list[ExplainedRow] = []
        for number in numbers:
            for row in await self.stages.explain([asks[number]], detailed=detailed):
                explained.append({**row, "ask": number})
        return explained

    async def forecast(
        self, unit: AskedUnit, horizons: Sequence[int] | None
    ) -> tuple[LatestRow, list[OutlookRow]]:
        """Return the prediction's first row (for status and date), and every point's forecast."""

        async def work() -> tuple[LatestRow, list[OutlookRow]]:
            (ask,) = await self._read_together([unit])
            known = await self.stages.about(ask.bundle_id)
            rows = await self.stages.predict([ask])
            return rows[0], await self.stages.forecast(
                ask, horizons or known["horizons_days"]
            )

        return await self.within(work())

    async def bulk(self, table: pa.Table, sees: Callable[[str], bool]) -> pa.Table:
        """Predict ready windows; rows in their order, by horizon (columns: see `api.bulk`)."""
        return await predict_windows(self.choice, self.stages, table, sees)

    def _count(self, rows: Rows) -> None:
        for row in rows:
            if row["alarm"]:
                facility = self.choice.label(row["facility_id"])
                service_metrics.ALARMS.labels(facility, str(row["horizon"])).inc()
        windows = {
            (row["ask"], row["point_id"], row["facility_id"], row["status"])
            for row in rows
        }
        for _, _, facility, status in windows:
            service_metrics.WINDOWS.labels(self.choice.label(facility), status).inc()

    def asks(self, units: Sequence[AskedUnit]) -> list[Ask]:
        """Return the ask for each unit: its stored record with what was sent laid over it."""
        return self.units.asks(units)

    def stored_ask(self, unit: Unit, assigned: Mapping[tuple[str, str], str]) -> Ask:
        """Return the ask for a unit of the store. Raise Unknown or Refused where it has none."""
        return self.units.stored_ask(unit, assigned)

    async def within(self, work: Awaitable[T], seconds: float | None = None) -> T:
        """Return the result of work. Raise TooSlow after so many seconds (default: `timeout_s`)."""
        return await within(work, self.config.limits, seconds)

    def plain(self, error: Exception) -> str:
        """Return an error's text without the folder of the bundles."""
        return self.choice.plain(error)

    # Bundles

    def bundle_for(self, facility_id: str, class_name: str) -> str:
        """Return the facility's own bundle for a class, else the fleet's. Raise Refused without."""
        return self.choice.bundle_for(facility_id, class_name)

    def declare(self, user_config: JsonObject | None) -> None:
        """Take over the bundles of a Serve `user_config`. Raise ConfigError where it is none."""
        self.choice.declare(user_config)

    async def promote(self, bundle_id: str, facility_id: str | None) -> Promotion:
        """Read a bundle anew, and let it serve its class. Raise Unknown or Refused."""
        return await self.choice.promote(bundle_id, facility_id)

    async def models(self, caller: Caller = ANYONE) -> list[ListedBundle]:
        """List bundles with whom each serves; a key of one facility sees those that serve it."""
        return await self.choice.models(caller)

    async def ready(self, caller: Caller | None) -> ServiceReadiness:
        """Tell whether requests can be answered. Raise Refused where they cannot."""
        return await ready_state(
            self.choice, caller, rescoring_fails=self.rescoring_fails
        )

    # The store

    async def push(
        self,
        units: Sequence[PushedUnit],
        sees: Callable[[str], bool],
        *,
        only_known_points: bool = False,
        wait: bool = False,
    ) -> Stored:
        """Keep readings and events, so that the equipment is scored again; name unknown points.

        Raise Refused for them where only known ones are to be kept.

        With `wait`, return when it is scored, with the new risks. Raise TooSlow where that takes
        too long: everything is kept all the same.
        """
        stored = await self.pushed.push(
            units, sees, only_known_points=only_known_points
        )
        if not wait:
            return stored
        pushed = list(dict.fromkeys(unit.unit for unit in units))
        await self.within(self._scored(pushed))
        rows: Rows = []
        aside = []
        for unit in pushed:
            rows += await asyncio.to_thread(self.rows, *unit)
            for reason in (await asyncio.to_thread(self.store.aside, unit)).values():
                aside.append(UnscoredUnit(**unit._asdict(), reason=reason))
        more = {
            "predictions": unit_predictions(rows),
            "set_aside": aside,
            "to_be_scored": await asyncio.to_thread(self.store.stale_count, sees),
        }
        return stored.model_copy(update=more)

    async def _scored(self, units: Sequence[Unit]) -> None:
        """Score equipment that waits, and wait for what others have begun to score."""
        while waiting := await asyncio.to_thread(self.store.waiting, units):
            claims = await asyncio.to_thread(self.store.claim_units, waiting)
            if claims:
                await score_claims(self, claims)
            else:
                await asyncio.sleep(LOOK_AGAIN_S)

    def facilities(self, sees: Callable[[str], bool]) -> list[FacilitySummary]:
        """List facilities with their equipment, how much of it is in alarm, and the newest day."""
        units = Counter(
            unit.facility_id for unit in self.store.units() if sees(unit.facility_id)
        )
        by_facility: dict[str, Rows] = {name: [] for name in units}
        for row in self.rows():
            by_facility.get(row["facility_id"], []).append(row)
        return [
            facility_summary(name, units[name], rows)
            for name, rows in sorted(by_facility.items())
        ]

    def ranking(self, facility_id: str | None = None) -> list[RankedUnit]:
        """Rank the equipment of a facility (or of all), the highest risk first."""
        return ranked_units(self.rows(facility_id))

    def ranked(self, unit: Unit) -> RankedUnit | None:
        """Return one piece of equipment as the ranking shows it; None where nothing is scored."""
        entries = ranked_units(self.rows(*unit))
        return entries[0] if entries else None

    def trends(self, facility_id: str | None = None) -> dict[Unit, Trend]:
        """Return how the risk of equipment of a facility (or of all) moved in the last 90 days."""
        last_day = self.store.last_day()
        if last_day is None:
            return {}
        return trends(self.store.recent(last_day - TREND_DAYS, facility_id))

    def rows(
        self, facility_id: str | None = None, equipment_id: str | None = None
    ) -> Rows:
        """Return newest predictions with `end_date` as a date, without those of damaged bundles."""
        stored = self.store.predictions(facility_id, equipment_id)
        return dated(filter(is_sound, stored))

    def record(self, unit: Unit) -> tuple[UnitRow, pa.Table, list[EventRow]]:
        """Return equipment with its readings and events. Raise Unknown where it is not stored."""
        return self.units.record(unit)
