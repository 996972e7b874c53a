"""Start Ray tasks while the driver waits for something else, so that no CPU stands idle."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from threading import Event, Thread
from typing import TypeVar

import ray

Result = TypeVar("Result")
Name = TypeVar("Name", bound=Hashable)
SECONDS_BETWEEN_LOOKS = 0.5


def start_meanwhile(
    work: Callable[[], Result],
    starts: Mapping[Name, Callable[[], ray.ObjectRef]],
    *,
    at_once: int,
) -> tuple[Result, dict[Name, ray.ObjectRef]]:
    """Do some work, and start tasks until it is done.

    Args:
        work: done in this thread.
        starts: submits each task, by name.
        at_once: how many of the tasks may run at the same time; 0: none is started.

    Returns:
        What the work returned, and the tasks that were started, by name. The others are left to the
        caller.
    """
    started: dict[Name, ray.ObjectRef] = {}
    done = Event()

    def start() -> None:
        for name, submit in starts.items():
            if not _has_room(list(started.values()), at_once, done):
                return
            started[name] = submit()

    thread = Thread(target=start, name="start_meanwhile", daemon=True)
    thread.start()
    try:
        result = work()
    finally:
        done.set()
        thread.join()
    return result, started


def _has_room(running: list[ray.ObjectRef], at_once: int, done: Event) -> bool:
    """Wait until fewer than `at_once` tasks run; False where the work is done before that."""
    while not done.is_set():
        if running:
            _, running = ray.wait(running, num_returns=len(running), timeout=0)
        if len(running) < at_once:
            return True
        done.wait(SECONDS_BETWEEN_LOOKS)
    return False
