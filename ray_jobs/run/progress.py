"""Show how far a step is: a bar in a terminal, else a line now and then (in the logs of a submitted
job).
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import ray
from tqdm import tqdm

log = logging.getLogger(__name__)
Item = TypeVar("Item")
SECONDS_BETWEEN_LINES = 15.0


def counted(
    step: str,
    what: str,
    total: int,
    items: Iterable[Item],
    count: Callable[[Item], int] = lambda item: 1,
) -> Iterator[Item]:
    """Yield the same items; show how many of `total` are done, each counting for `count(item)`.

    Lines say how long the rest takes at the pace so far.
    """
    done = 0
    started = logged = time.monotonic()
    terminal = os.isatty(2)
    with tqdm(total=total, desc=step, unit=what, disable=not terminal) as bar:
        for item in items:
            yield item
            done += count(item)
            bar.update(count(item))
            if not terminal and (
                time.monotonic() - logged > SECONDS_BETWEEN_LINES or done == total
            ):
                logged = time.monotonic()
                rest = (logged - started) * (total - done) / max(done, 1)
                ahead = f", about {rest:.0f} s to go" if done < total else ""
                log.info("%s: %d of %d %s%s", step, done, total, what, ahead)


def finished(step: str, what: str, refs: list[ray.ObjectRef[Item]]) -> list[Item]:
    """Return the results of Ray tasks, in the order of `refs`; progress is shown as they end."""
    for _ in counted(step, what, len(refs), _as_they_end(refs)):
        pass
    return list(ray.get(refs))


def _as_they_end(refs: list[ray.ObjectRef[Item]]) -> Iterator[ray.ObjectRef[Item]]:
    waiting = list(refs)
    while waiting:
        done, waiting = ray.wait(waiting)
        ray.get(done)
        yield from done
