"""Which bundle serves which equipment: asked for, declared, promoted and listed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping
from typing import TypedDict

from hvac.errors import BundleError
from hvac.json_values import JsonObject
from serve.bodies.problems import Refused, Unknown
from serve.graph.asks import Watched
from serve.graph.rows import BundleFacts
from serve.graph.stages import Stages
from serve.keys import Caller
from serve.memory.step_records import read_user_config
from serve.memory.store import FLEET, Store, serving
from serve.memory.watched_bundles import watched_bundles
from serve.settings import ServeConfig

ASSIGNED_FOR_S = 1.0
Assigned = Mapping[tuple[str, str], str]


class Promotion(TypedDict):
    """The bundle that serves now, where, and which one did before."""

    promoted: BundleFacts
    facility_id: str | None
    before: str | None


class ServedBundle(BundleFacts):
    """Facts of a bundle, and the facilities that it serves."""

    serves: list[str]


class DamagedBundle(TypedDict):
    """A bundle that cannot be read, and why."""

    bundle_id: str
    serves: list[str]
    damaged: str


ListedBundle = ServedBundle | DamagedBundle


class BundleChoice:
    """The choice of bundles, by facility and class; assignments are read again every second."""

    def __init__(self, config: ServeConfig, store: Store, stages: Stages) -> None:
        self.config = config
        self.store = store
        self.stages = stages
        self._facilities: set[str] = set()
        self._assigned: tuple[float, dict[tuple[str, str], str]] = (0.0, {})
        self._watched: tuple[float, dict[str, Watched]] = (-ASSIGNED_FOR_S, {})

    def watched(self, bundle_id: str) -> Watched | None:
        """Return the champion and the challenger of which a bundle is one; None where it is none."""
        return self._watched_bundles().get(bundle_id)

    def challengers(self) -> set[str]:
        """Return the bundles that are watched beside a champion."""
        return {pair.challenger for pair in self._watched_bundles().values()}

    def _watched_bundles(self) -> dict[str, Watched]:
        """Return champion and challenger by each; none with `shadow.keep_days=0`."""
        since, of_bundle = self._watched
        if time.monotonic() - since > ASSIGNED_FOR_S:
            of_class = watched_bundles(self.store).of_class
            pairs = [Watched(*pair) for pair in of_class.values()]
            of_bundle = {name: pair for pair in pairs for name in pair}
            self._watched = (time.monotonic(), of_bundle)
        return of_bundle if self.config.shadow.keep_days else {}

    def label(self, facility_id: str) -> str:
        """Return a facility's name in metrics: "other" where it is not in the store.

        Otherwise callers could make endless series.
        """
        return facility_id if facility_id in self._facilities else "other"

    def plain(self, error: Exception) -> str:
        """Return an error's text without the folder of the bundles."""
        folder = str(self.config.bundle_folder)
        return (
            str(error)
            .replace(f"{folder}/", "")
            .replace(folder, "the folder of bundles")
        )

    def bundle_for(self, facility_id: str, class_name: str) -> str:
        """Return the facility's own bundle for a class, else the fleet's. Raise Refused without."""
        since, assigned = self._assigned
        if time.monotonic() - since > ASSIGNED_FOR_S:
            assigned = self.store.assignments()
            self._facilities = self.store.facilities()
            self._assigned = (time.monotonic(), assigned)
        return self.bundle_of(assigned, facility_id, class_name)

    def bundle_of(self, assigned: Assigned, facility_id: str, class_name: str) -> str:
        """Return the bundle of a class among given assignments. Raise Refused without one."""
        if bundle_id := serving(assigned, facility_id, class_name):
            return bundle_id
        known = {name for facility, name in assigned if facility == facility_id}
        present = {unit.class_name for unit in self.store.units(facility_id)}
        known |= present & {name for _, name in assigned}
        named = (
            f"class {class_name!r}"
            if class_name
            else "equipment whose class is not told"
        )
        listed = ", ".join(sorted(known)) or "those that GET /v1/models lists"
        raise Refused(f"no bundle scores {named}; give 'class' as one of: {listed}")

    def bundles_of(self, facility_id: str, assigned: Assigned) -> set[str]:
        """Return the bundles that score the equipment of a facility."""
        classes = {unit.class_name for unit in self.store.units(facility_id)}
        served = {serving(assigned, facility_id, name) for name in classes}
        return {bundle for bundle in served if bundle}

    async def event_kinds(self, facility_id: str) -> dict[str, tuple[str, ...]]:
        """Return the kinds of events that the bundles of a facility predict, by class.

        Classes without a bundle that can be read are left out.
        """
        assigned = await asyncio.to_thread(self.store.assignments)
        units = await asyncio.to_thread(self.store.units, facility_id)
        kinds = {}
        for name in {unit.class_name for unit in units}:
            try:
                bundle_id = self.bundle_of(assigned, facility_id, name)
                facts = await self.stages.about(bundle_id)
            except (BundleError, Refused):
                continue
            kinds[name] = tuple(facts["event_kinds"])
        return kinds

    def declare(self, user_config: JsonObject | None) -> None:
        """Take over the bundles of a Serve `user_config` where they differ from the last ones.

        Raises:
            ConfigError: it is not such a configuration.
        """
        if not user_config:
            return
        declared = {}
        for row in read_user_config(user_config).bundles:
            declared[row.facility_id or FLEET, row.equipment_class] = row.bundle_id
        text = json.dumps(sorted(map(str, declared.items())))
        mark = hashlib.sha256(text.encode()).hexdigest()
        if declared and self.store.note("declared") != mark:
            self.store.assign(declared)
            self.store.remember("declared", mark)
        self._assigned = (0.0, {})

    async def promote(self, bundle_id: str, facility_id: str | None) -> Promotion:
        """Read a bundle anew, and let it serve its class.

        Raises:
            Unknown, Refused: it is missing or damaged; the old one goes on serving.
        """
        try:
            promoted = await self.stages.about(bundle_id, fresh=True)
        except BundleError as error:
            status = Unknown if "there is no bundle" in str(error) else Refused
            raise status(
                f"{self.plain(error)}; the bundle that served before goes on serving"
            ) from error
        key = (facility_id or FLEET, promoted["class"])
        before = self.store.assignments().get(key)
        await asyncio.to_thread(self.store.assign, {key: bundle_id})
        self._assigned = (0.0, {})
        return {"promoted": promoted, "facility_id": facility_id, "before": before}

    async def models(self, caller: Caller) -> list[ListedBundle]:
        """List bundles with whom each serves; a key of one facility sees those that serve it."""
        assigned = await asyncio.to_thread(self.store.assignments)
        serves: dict[str, list[str]] = {}
        for (facility, _), bundle in assigned.items():
            if caller.sees(facility) or facility == FLEET:
                serves.setdefault(bundle, []).append(facility or "fleet")
        names = await asyncio.to_thread(self._bundle_names)
        if caller.facility_id != FLEET:
            names &= await asyncio.to_thread(
                self.bundles_of, caller.facility_id, assigned
            )
        models: list[ListedBundle] = []
        for name in sorted(names):
            served = sorted(serves.get(name, []))
            try:
                models.append({**await self.stages.about(name), "serves": served})
            except BundleError as error:
                damage = self.plain(error)
                models.append({"bundle_id": name, "serves": served, "damaged": damage})
        return models

    def _bundle_names(self) -> set[str]:
        manifests = self.config.bundle_folder.glob("*/manifest.json")
        return {
            path.parent.name
            for path in manifests
            if not path.parent.name.startswith(".")
        }
