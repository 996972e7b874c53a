"""Rounds: what comes while a stage works is done together, and nobody's trouble is another's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from serve.graph.stages import Rounds, each_alone


class Slow:
    """Work whose first round lasts until it is let go."""

    def __init__(self) -> None:
        self.rounds: list[list[int]] = []
        self.begun, self.go = threading.Event(), threading.Event()

    def __call__(self, many: list[int]) -> Sequence[int | Exception]:
        self.rounds.append(many)
        self.begun.set()
        assert self.go.wait(60)
        return each_alone(lambda some: [100 // each for each in some], many)


async def _asked(
    work: Slow, first: int, others: Sequence[int], most: int = 16
) -> list[asyncio.Task[int]]:
    """One asks; when its round has begun, the others do; then it may end."""
    rounds: Rounds[int, int] = Rounds(work, "features", most=most)
    tasks = [asyncio.create_task(rounds(first))]
    await asyncio.to_thread(work.begun.wait, 60)
    tasks += [asyncio.create_task(rounds(each)) for each in others]
    await asyncio.sleep(0)
    return tasks


def test_what_comes_while_one_is_done_is_done_together() -> None:
    work = Slow()

    async def run() -> list[int]:
        tasks = await _asked(work, 1, [2, 4, 5])
        work.go.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(run()) == [100, 50, 25, 20]
    assert work.rounds == [[1], [2, 4, 5]]


def test_what_nobody_waits_for_any_more_is_not_done() -> None:
    work = Slow()

    async def run() -> list[int | BaseException]:
        tasks = await _asked(work, 1, [2, 4, 5])
        tasks[2].cancel()
        await asyncio.sleep(0)
        work.go.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    found = asyncio.run(run())
    assert [each for each in found if not isinstance(each, BaseException)] == [
        100,
        50,
        20,
    ]
    assert work.rounds == [[1], [2, 5]]


def test_a_round_is_no_larger_than_allowed() -> None:
    work = Slow()

    async def run() -> list[int]:
        tasks = await _asked(work, 1, [2, 4, 5, 10, 20], most=2)
        work.go.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(run()) == [100, 50, 25, 20, 10, 5]
    assert work.rounds == [[1], [2, 4], [5, 10], [20]]


def test_wrong_item_fails_alone_and_one_that_is_given_up_harms_nobody() -> None:
    work = Slow()

    async def run() -> list[int | BaseException]:
        tasks = await _asked(work, 1, [0, 4, 5])
        tasks[2].cancel()
        work.go.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    found = asyncio.run(run())
    assert (found[0], found[3]) == (100, 20)
    assert isinstance(found[1], ZeroDivisionError)
    assert isinstance(found[2], asyncio.CancelledError)


def test_broken_work_leaves_nobody_waiting() -> None:
    def broken(many: list[int]) -> Sequence[int]:
        raise RuntimeError("broken")

    async def run() -> int:
        return await asyncio.wait_for(Rounds(broken, "features", most=16)(1), 60)

    with pytest.raises(RuntimeError, match="broken"):
        asyncio.run(run())
