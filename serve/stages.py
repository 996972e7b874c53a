"""The stages in one process, as the fused layout, plain uvicorn and tests run them; the graph has the same methods."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import pyarrow as pa

from hvac.storage import AnyPath
from serve import metrics
from serve.asks import Ask

Part = tuple[str, pa.Table]
Rows = list[dict[str, Any]]
ROUND = 16


class Stages(Protocol):
    """What the service asks of features, model and forecast, wherever they run."""

    async def predict(self, asks: Sequence[Ask]) -> Rows:
        """Rows of `latest.parquet` with the number of the ask in `ask`."""

    async def forecast(self, ask: Ask, horizons: Sequence[int]) -> list[dict[str, Any]]:
        """Every point's forecast for each horizon."""

    async def bulk(self, part: Part) -> pa.Table:
        """Predictions of ready windows that one bundle judges, in their order."""

    async def about(self, bundle_id: str, *, fresh: bool = False) -> dict[str, Any]:
        """What a bundle is; `fresh` reads it anew from its folder (BundleError where it is damaged)."""


class LocalStages:
    """All three stages here, on one thread; requests that come while it works are done together in the next round."""

    def __init__(self, folder: AnyPath, size: int) -> None:
        import torch

        from serve import core

        torch.set_num_threads(1)
        core.warm(folder)
        self.core, self.shelf = core, core.Shelf(folder, size)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="stages")
        self._waiting: deque[tuple[Sequence[Ask], asyncio.Future[Rows]]] = deque()

    async def _run(self, work: Any, *given: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *given)

    async def predict(self, asks: Sequence[Ask]) -> Rows:
        """See `Stages`."""
        answer: asyncio.Future[Rows] = asyncio.get_running_loop().create_future()
        self._waiting.append((asks, answer))
        await self._run(self._round, asyncio.get_running_loop())
        return await answer

    def _round(self, loop: asyncio.AbstractEventLoop) -> None:
        """Answer all that waits; a round that finds nothing was forestalled by the one before."""
        taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), ROUND))]
        if not taken:
            return
        metrics.BATCH_SIZE.labels("features").observe(len(taken))
        for (_, answer), found in zip(taken, self._answers([asks for asks, _ in taken]), strict=True):
            loop.call_soon_threadsafe(_settle, answer, found)

    def _answers(self, many: Sequence[Sequence[Ask]]) -> list[Rows | Exception]:
        """Answers of several requests, made in one pass; what is wrong with one of them is that one's answer only."""
        try:
            rows = self._rows([ask for asks in many for ask in asks])
        except Exception as error:  # of whatever kind: nobody of this round is left waiting
            return [error] if len(many) == 1 else [each for asks in many for each in self._answers([asks])]
        return list(self.core.shared_out(rows, [len(asks) for asks in many]))

    def _rows(self, asks: Sequence[Ask]) -> Rows:
        with metrics.timed("features"):
            groups = self.core.prepare(self.shelf, asks)
        return self.core.in_order(map(self._finish, groups))

    def _finish(self, group: Any) -> Rows:
        bundle = self.shelf(group.bundle_id)
        with metrics.timed("model"):
            risk_BH = self.core.newest_risks(bundle, group.made.windows)
        with metrics.timed("forecast"):
            outlook_B = self.core.driving_outlooks(bundle, group.made)
        return self.core.assemble(bundle, group, risk_BH, outlook_B)

    async def forecast(self, ask: Ask, horizons: Sequence[int]) -> list[dict[str, Any]]:
        """See `Stages`."""

        def work() -> list[dict[str, Any]]:
            (group,) = self.core.prepare(self.shelf, [ask])
            found = self.core.all_outlooks(self.shelf(group.bundle_id), group.made, horizons)
            return [one for window in found for one in window]

        found: list[dict[str, Any]] = await self._run(work)
        return found

    async def bulk(self, part: Part) -> pa.Table:
        """See `Stages`."""

        def work() -> pa.Table:
            bundle = self.shelf(part[0])
            windows = self.core.ready_windows(bundle, part[1])
            return self.core.ready_rows(bundle, windows, bundle.predict(windows).risk_BH)

        return await self._run(work)

    async def about(self, bundle_id: str, *, fresh: bool = False) -> dict[str, Any]:
        """See `Stages`."""

        found: dict[str, Any] = await self._run(
            self.core.about_fresh if fresh else self.core.about_one, self.shelf, bundle_id
        )
        return found


def _settle(answer: asyncio.Future[Rows], found: Rows | Exception) -> None:
    """Give an answer to who still waits for it."""
    if answer.done():
        return
    if isinstance(found, Exception):
        answer.set_exception(found)
    else:
        answer.set_result(found)
