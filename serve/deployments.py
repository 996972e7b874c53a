"""The graph on Ray Serve: Ingress → Features → (RiskModel, Forecast). Thin shells over
`serve.graph.core`.

Features calls the next stages itself, so that a window travels once. RiskModel holds bundles by
multiplexing: Serve sends a bundle's requests to replicas that have it in memory, and puts the least
recently used one back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from types import ModuleType
from typing import TYPE_CHECKING

import pyarrow as pa
from fastapi import FastAPI
from ray import serve
from ray.serve.handle import DeploymentHandle

from hvac.json_values import JsonObject
from hvac.lasting import keep_all
from serve import service_metrics
from serve.case_keeping import count_monitor_alerts_forever, keep_cases_forever
from serve.graph.asks import Ask
from serve.graph.rows import BundleFacts, ExplainedRow, OutlookRow, Rows
from serve.graph.stages import LocalStages, Part, Rounds, Stages, each_alone
from serve.http.api import make_api
from serve.http.door import Door
from serve.http.listening import check_keys, keys_needed
from serve.memory.store import Store
from serve.notifying import notify_forever
from serve.rescoring import rescore_forever
from serve.service import Service
from serve.settings import ServeConfig

if TYPE_CHECKING:  # the ingress imports no torch
    from hvac.arrays import Floats
    from hvac.features.table import Windows
    from hvac.scoring.bundle import Bundle
    from hvac.scoring.newest_windows import Newest
    from hvac.scoring.outlooks import DrivingOutlooks
    from serve.graph.core import Group
    from serve.graph.shadowing import Shadow

BUNDLES_PER_REPLICA = 32
PLAIN = {
    "request_serialization": "pickle",
    "response_serialization": "pickle",
}  # where stages talk by gRPC


class Methods:
    """A deployment's methods, by name (and by bundle where they are multiplexed).

    Each is made once, as every `handle.method` and every `handle.options(…)` builds a new handle.
    """

    def __init__(self, handle: DeploymentHandle) -> None:
        self._handle = handle
        self._handles: dict[tuple[str, str], DeploymentHandle] = {}

    def __call__(self, method: str, bundle_id: str = "") -> DeploymentHandle:
        """Return the handle of a method."""
        key = (method, bundle_id)
        if key not in self._handles:
            self._handles[key] = self._handle.options(
                method_name=method, multiplexed_model_id=bundle_id, **PLAIN
            )
        return self._handles[key]


def _core(config: ServeConfig) -> ModuleType:
    """Return the module of the stages, warmed up, so that a replica is healthy only when it answers
    fast.
    """
    import torch

    from serve.graph import core, warming

    torch.set_num_threads(1)
    warming.warm(config.bundle_folder)
    return core


def _shadow(config: ServeConfig) -> Shadow:
    """Return what scores a challenger beside the champion; it opens the store when there is one."""
    from serve.graph.published_peers import PeerLevels
    from serve.graph.shadowing import Shadow
    from serve.graph.shelf import Shelf

    peers = PeerLevels(config.peer_folder)
    shelf = Shelf(config.bundle_folder, config.bundles_in_memory, peers)
    return Shadow(shelf, lambda: Store.open(config.store_url), config.shadow.keep_days)


@serve.deployment
class RiskModel:
    """Second stage: classifier, calibration, thresholds."""

    def __init__(self, config: ServeConfig) -> None:
        self.core = _core(config)
        self.folder = config.bundle_folder
        self._rounds = Rounds(self._score, "model", most=config.batch)

    @serve.multiplexed(max_num_models_per_replica=BUNDLES_PER_REPLICA)
    async def bundle(self, bundle_id: str) -> Bundle:
        """Return a bundle, read when it is not in memory."""
        return await asyncio.to_thread(
            self.core.Bundle.load, self.core.bundle_path(self.folder, bundle_id)
        )

    async def risks(self, windows: Windows) -> Floats:
        """Return risks [B, H] of windows; the bundle is the request's multiplexed model id."""
        return await self._rounds(
            (await self.bundle(serve.get_multiplexed_model_id()), windows)
        )

    def _score(self, many: list[tuple[Bundle, Windows]]) -> list[Floats]:
        with service_metrics.timed("model"):
            return self.core.risks_of_many(many)


@serve.deployment
class Forecast:
    """Third stage: the class's forecast with its band, and the probability of crossing a limit."""

    def __init__(self, config: ServeConfig) -> None:
        self.core = _core(config)
        self.shelf = self.core.Shelf(config.bundle_folder, config.bundles_in_memory)

    async def outlooks(self, bundle_id: str, latest: Newest) -> DrivingOutlooks:
        """Return the outlook of the driving point of every window that can be scored."""
        with service_metrics.timed("forecast"):
            return await asyncio.to_thread(
                lambda: self.core.driving_outlooks(self.shelf(bundle_id), latest)
            )

    async def every_point(
        self, bundle_id: str, latest: Newest, horizons: Sequence[int]
    ) -> list[OutlookRow]:
        """Return every point's forecast of one window."""
        with service_metrics.timed("forecast"):
            of_windows = await asyncio.to_thread(
                lambda: self.core.all_outlooks(self.shelf(bundle_id), latest, horizons)
            )
            return list(chain.from_iterable(of_windows))


@dataclass
class _Together:
    """Requests that were prepared in one round, and the task that answers them."""

    groups: list[Group]
    sizes: list[int]
    answers: asyncio.Task[list[Rows | BaseException]] | None = None


@serve.deployment
class Features:
    """First stage: 28 statistics, context, embedding; then it calls the model and the forecast at
    the same time.
    """

    def __init__(
        self, config: ServeConfig, risk: DeploymentHandle, forecast: DeploymentHandle
    ) -> None:
        self.core = _core(config)
        peers = self.core.PeerLevels(config.peer_folder)
        self.shelf = self.core.Shelf(
            config.bundle_folder, config.bundles_in_memory, peers
        )
        self.shadow = _shadow(config)
        self.risk = Methods(risk)
        self.outlook = Methods(forecast)
        self._rounds: Rounds[Sequence[Ask], tuple[_Together, int]] = Rounds(
            lambda many: each_alone(self._prepared, many), "features", most=config.batch
        )

    async def predict(self, asks: Sequence[Ask]) -> Rows:
        together, place = await self._rounds(asks)
        if (
            together.answers is None
        ):  # the first request asks the next stages for the whole round
            together.answers = asyncio.create_task(
                self._finished(together.groups, together.sizes)
            )
        answer = (await asyncio.shield(together.answers))[place]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _prepared(self, many: Sequence[Sequence[Ask]]) -> list[tuple[_Together, int]]:
        with service_metrics.timed("features"):
            groups = self.core.prepare(
                self.shelf, [ask for asks in many for ask in asks]
            )
        together = _Together(groups, [len(asks) for asks in many])
        return [(together, place) for place in range(len(many))]

    async def _finished(
        self, groups: Sequence[Group], sizes: Sequence[int]
    ) -> list[Rows | BaseException]:
        """Return the answer of every request of a round; an error of one bundle goes only to the
        requests that asked for it.
        """
        parts = await asyncio.gather(*map(self._finish, groups), return_exceptions=True)
        of_group = list(zip(groups, parts, strict=True))
        failed = {
            ask: part
            for group, part in of_group
            if isinstance(part, BaseException)
            for ask in group.ask_B
        }
        rows = self.core.rows_in_order(
            part for part in parts if not isinstance(part, BaseException)
        )
        answers: list[Rows | BaseException] = []
        for request_rows in self.core.shared_out(rows, sizes):
            first = sum(sizes[: len(answers)])
            asks = range(first, sum(sizes[: len(answers) + 1]))
            answers.append(
                next((failed[ask] for ask in asks if ask in failed), request_rows)
            )
        return answers

    async def _finish(self, group: Group) -> Rows:
        bundle = self.shelf(group.bundle_id)
        windows = self.core.slim(group.latest.windows, bundle)
        risk_BH, driving = await asyncio.gather(
            self.risk("risks", group.bundle_id).remote(windows),
            self.outlook("outlooks").remote(
                group.bundle_id, self.core.values_only(group.latest)
            ),
        )
        self.shadow.follow(bundle, group, risk_BH)
        return self.core.assemble(bundle, group, risk_BH, driving)

    async def forecast(self, ask: Ask, horizons: Sequence[int]) -> list[OutlookRow]:
        (group,) = await self._rounds.alone(self.core.prepare, self.shelf, [ask])
        latest = self.core.values_only(group.latest)
        outlooks: list[OutlookRow] = await self.outlook("every_point").remote(
            group.bundle_id, latest, horizons
        )
        return outlooks

    async def explain(self, asks: Sequence[Ask], detailed: bool) -> list[ExplainedRow]:
        return await self._rounds.alone(
            self.core.explanations, self.shelf, asks, detailed
        )

    async def bulk(self, part: Part) -> pa.Table:
        bundle = self.shelf(part[0])
        with service_metrics.timed("features"):
            windows = await asyncio.to_thread(self.core.ready_windows, bundle, part[1])
        slim = self.core.slim(windows, bundle)
        risk_BH = await self.risk("risks", part[0]).remote(slim)
        return self.core.ready_rows(bundle, windows, risk_BH)

    async def about(self, bundle_id: str, fresh: bool = False) -> BundleFacts:
        return await asyncio.to_thread(
            self.core.about_fresh if fresh else self.core.about_one,
            self.shelf,
            bundle_id,
        )


class GraphStages:
    """The stages behind a handle of Features."""

    def __init__(self, features: DeploymentHandle) -> None:
        self.features = Methods(features)

    async def predict(self, asks: Sequence[Ask]) -> Rows:
        return await self.features("predict").remote(asks)

    async def forecast(self, ask: Ask, horizons: Sequence[int]) -> list[OutlookRow]:
        return await self.features("forecast").remote(ask, horizons)

    async def explain(
        self, asks: Sequence[Ask], *, detailed: bool = False
    ) -> list[ExplainedRow]:
        return await self.features("explain").remote(asks, detailed)

    async def bulk(self, part: Part) -> pa.Table:
        return await self.features("bulk").remote(part)

    async def about(self, bundle_id: str, *, fresh: bool = False) -> BundleFacts:
        return await self.features("about").remote(bundle_id, fresh)


@serve.deployment(max_ongoing_requests=256)
@serve.ingress()
class Ingress:
    """HTTP in, HTTP out; holds no model (but all stages where the layout is fused)."""

    async def __init__(
        self, config: ServeConfig, features: DeploymentHandle | None = None
    ) -> None:
        store = Store.open(config.store_url)
        keys = keys_needed(config)
        if keys:
            check_keys(store, config)
        stages: Stages = (
            GraphStages(features)
            if features
            else LocalStages(
                config.bundle_folder,
                config.bundles_in_memory,
                config.batch,
                peers=config.peer_folder,
                shadow=_shadow(config),
            )
        )
        self.service = Service(config, store, stages)
        self.door = Door(store, keys=keys)
        self._rescoring = asyncio.create_task(rescore_forever(self.service))
        self._notifying = asyncio.create_task(notify_forever(self.service))
        self._keeping = asyncio.create_task(keep_cases_forever(self.service))
        self._counting = asyncio.create_task(count_monitor_alerts_forever(self.service))

    def __serve_build_asgi_app__(self) -> FastAPI:
        api = make_api(self.service, self.door)
        keep_all()
        return api

    def reconfigure(self, user_config: JsonObject) -> None:
        """Take over which bundles serve, `{bundles: [{class, bundle_id, facility_id?}]}`, without a
        restart.
        """
        self.service.declare(user_config)

    def check_health(self) -> None:
        """Raise RuntimeError where the loop that scores again has died: the replica is then
        replaced.
        """
        if self._rescoring.done():
            raise RuntimeError("the loop that scores again has ended")
