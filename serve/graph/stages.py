"""The stages in one process, as the fused layout, plain uvicorn and tests run them; the graph has
the same methods.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, TypeVarTuple

import pyarrow as pa

from hvac.storage import AnyPath
from serve import service_metrics
from serve.graph.asks import Ask
from serve.graph.rows import BundleFacts, ExplainedRow, OutlookRow, Rows

if TYPE_CHECKING:
    from serve.graph.core import Group
    from serve.graph.shadowing import Shadow

Part = tuple[str, pa.Table]
Given = TypeVarTuple("Given")
Item = TypeVar("Item")
Result = TypeVar("Result")
Other = TypeVar("Other")


class Stages(Protocol):
    """What the service asks of features, model and forecast, wherever they run."""

    async def predict(self, asks: Sequence[Ask]) -> Rows:
        """Return rows of `latest.parquet` with the number of the ask in `ask`."""

    async def forecast(self, ask: Ask, horizons: Sequence[int]) -> list[OutlookRow]:
        """Return every point's forecast for each horizon."""

    async def explain(
        self, asks: Sequence[Ask], *, detailed: bool = False
    ) -> list[ExplainedRow]:
        """Return reasons by horizon and past cases of every window, with its `ask` and point.

        Where `detailed`, what is behind the reasons too.
        """

    async def bulk(self, part: Part) -> pa.Table:
        """Predict ready windows that one bundle scores, in their order."""

    async def about(self, bundle_id: str, *, fresh: bool = False) -> BundleFacts:
        """Describe a bundle; `fresh` reads it anew from its folder (BundleError where it is
        damaged).
        """


class Rounds(Generic[Item, Result]):
    """Work on a thread of its own; items that arrive while it works are done together in the next
    round.

    Nobody waits for company: an idle stage begins at once (`serve.batch` waits, and does not add to
    a batch that is itself waiting for its turn). What nobody waits for any more is left out.

    >>> async def ask() -> list[int]:
    ...     doubled = Rounds(lambda many: [2 * each for each in many], "features", most=16)
    ...     return await asyncio.gather(doubled(1), doubled(2))
    >>> asyncio.run(ask())
    [2, 4]

    Args:
        work: gives a result, or the exception to raise, for every item.
        stage: its name in the metrics.
        most: items in a round.
    """

    def __init__(
        self,
        work: Callable[[list[Item]], Sequence[Result | Exception]],
        stage: str,
        *,
        most: int,
    ) -> None:
        self._work = work
        self._stage = stage
        self._most = most
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=stage)
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()

    async def __call__(self, item: Item) -> Result:
        """Put an item into the next round and return its result."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, answer))
        self._thread.submit(self._round, loop)
        return await answer

    async def alone(self, work: Callable[[*Given], Other], *given: *Given) -> Other:
        """Run other work on the same thread."""
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, work, *given
        )

    def _round(self, loop: asyncio.AbstractEventLoop) -> None:
        """Work on all that waits; nothing is left where the round before took it."""
        count = min(len(self._waiting), self._most)
        taken = [self._waiting.popleft() for _ in range(count)]
        taken = [(item, answer) for item, answer in taken if not answer.done()]
        if not taken:
            return
        service_metrics.BATCH_SIZE.labels(self._stage).observe(len(taken))
        try:
            results = self._work([item for item, _ in taken])
        except (
            Exception
        ) as error:  # of whatever kind: nobody of this round is left waiting
            results = [error] * len(taken)
        loop.call_soon_threadsafe(_settle, [answer for _, answer in taken], results)


def _settle(
    answers: Sequence[asyncio.Future[Result]], results: Sequence[Result | Exception]
) -> None:
    """Hand each result, or exception, to the request that still waits for it."""
    for answer, result in zip(answers, results, strict=True):
        if answer.done():
            continue
        if isinstance(result, Exception):
            answer.set_exception(result)
        else:
            answer.set_result(result)


def each_alone(
    work: Callable[[Sequence[Item]], Sequence[Result]], many: Sequence[Item]
) -> Sequence[Result | Exception]:
    """Apply *work* to all items in one pass; where that fails, item by item, so that one bad item
    spoils no other.

    >>> each_alone(lambda many: [1 / each for each in many], [2, 0])
    [0.5, ZeroDivisionError('division by zero')]
    """
    try:
        return work(many)
    except Exception as error:
        if len(many) == 1:
            return [error]
        return one_by_one(lambda item: work([item])[0], many)


def one_by_one(
    work: Callable[[Item], Result], many: Iterable[Item]
) -> list[Result | Exception]:
    """Apply *work* to each item; an exception becomes that item's result.

    >>> one_by_one(lambda each: 1 / each, [2, 0])
    [0.5, ZeroDivisionError('division by zero')]
    """
    results: list[Result | Exception] = []
    for item in many:
        try:
            results.append(work(item))
        except Exception as error:
            results.append(error)
    return results


class LocalStages:
    """All three stages in this process, on one thread; `peers` is the folder of the levels of
    peers, if there is one, `shadow` keeps the risks of a challenger.
    """

    def __init__(
        self,
        folder: AnyPath,
        size: int,
        batch: int = 16,
        *,
        peers: AnyPath | None = None,
        shadow: Shadow | None = None,
    ) -> None:
        import torch

        from serve.graph import core, warming

        torch.set_num_threads(1)
        warming.warm(folder)
        self.core = core
        self.shelf = core.Shelf(folder, size, core.PeerLevels(peers) if peers else None)
        self.shadow = shadow
        self._rounds: Rounds[Sequence[Ask], Rows] = Rounds(
            lambda many: each_alone(self._answers, many), "features", most=batch
        )

    async def predict(self, asks: Sequence[Ask]) -> Rows:
        return await self._rounds(asks)

    def _answers(self, many: Sequence[Sequence[Ask]]) -> Sequence[Rows]:
        """Answer several requests in one pass."""
        rows = self._rows([ask for asks in many for ask in asks])
        return list(self.core.shared_out(rows, [len(asks) for asks in many]))

    def _rows(self, asks: Sequence[Ask]) -> Rows:
        with service_metrics.timed("features"):
            groups = self.core.prepare(self.shelf, asks)
        return self.core.rows_in_order(map(self._finish, groups))

    def _finish(self, group: Group) -> Rows:
        bundle = self.shelf(group.bundle_id)
        with service_metrics.timed("model"):
            risk_BH = self.core.newest_risks(bundle, group.latest.windows)
        with service_metrics.timed("forecast"):
            driving = self.core.driving_outlooks(bundle, group.latest)
        if self.shadow:
            self.shadow.follow(bundle, group, risk_BH)
        return self.core.assemble(bundle, group, risk_BH, driving)

    async def forecast(self, ask: Ask, horizons: Sequence[int]) -> list[OutlookRow]:

        def work() -> list[OutlookRow]:
            (group,) = self.core.prepare(self.shelf, [ask])
            outlooks_of_windows = self.core.all_outlooks(
                self.shelf(group.bundle_id), group.latest, horizons
            )
            return [outlook for window in outlooks_of_windows for outlook in window]

        return await self._rounds.alone(work)

    async def explain(
        self, asks: Sequence[Ask], *, detailed: bool = False
    ) -> list[ExplainedRow]:
        return await self._rounds.alone(
            self.core.explanations, self.shelf, asks, detailed
        )

    async def bulk(self, part: Part) -> pa.Table:

        def work() -> pa.Table:
            bundle = self.shelf(part[0])
            windows = self.core.ready_windows(bundle, part[1])
            return self.core.ready_rows(
                bundle, windows, bundle.predict(windows).risk_BH
            )

        return await self._rounds.alone(work)

    async def about(self, bundle_id: str, *, fresh: bool = False) -> BundleFacts:
        return await self._rounds.alone(
            self.core.about_fresh if fresh else self.core.about_one,
            self.shelf,
            bundle_id,
        )
