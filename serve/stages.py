"""The stages in one process, as the fused layout, plain uvicorn and tests run them; the graph has the same methods."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from serve.asks import Ask
from serve.metrics import timed

Part = tuple[str, pa.Table]


class Stages(Protocol):
    """What the service asks of features, model and forecast, wherever they run."""

    async def predict(self, asks: Sequence[Ask]) -> pa.Table:
        """Rows of `latest.parquet` with the number of the ask in `ask`."""

    async def forecast(self, ask: Ask, horizons: Sequence[int]) -> list[dict[str, Any]]:
        """Every point's forecast for each horizon."""

    async def bulk(self, part: Part) -> pa.Table:
        """Predictions of ready windows that one bundle judges, in their order."""

    async def about(self, bundle_id: str, *, fresh: bool = False) -> dict[str, Any]:
        """What a bundle is; `fresh` reads it anew from its folder (BundleError where it is damaged)."""


class LocalStages:
    """All three stages here, one request at a time (the work is on one core anyway)."""

    def __init__(self, folder: Path, size: int) -> None:
        import torch

        from serve import core

        torch.set_num_threads(1)
        self.core, self.shelf = core, core.Shelf(folder, size)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="stages")

    async def _run(self, work: Any, *given: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *given)

    async def predict(self, asks: Sequence[Ask]) -> pa.Table:
        """See `Stages`."""
        return await self._run(self.predict_now, asks)

    def predict_now(self, asks: Sequence[Ask]) -> pa.Table:
        """`predict` as a plain call."""
        tables = []
        with timed("features"):
            groups = self.core.prepare(self.shelf, asks)
        for group in groups:
            bundle = self.shelf(group.bundle_id)
            with timed("model"):
                risk_BH = self.core.risks(bundle, group.made.windows)
            with timed("forecast"):
                outlook_B = self.core.forecasts(bundle, group.made)
            tables.append(self.core.assemble(bundle, group, risk_BH, outlook_B))
        return self.core.in_order(tables)

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
