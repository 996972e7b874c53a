"""Tasks that run while the driver waits for something else."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import ray

from ray_jobs.fit.meanwhile import start_meanwhile


def marked(folder: Path, name: str, until: Path) -> str:
    """Write a file, and wait for another one."""
    (folder / name).touch()
    while not until.exists():
        time.sleep(0.05)
    return name


@pytest.fixture
def starts(ray: None, tmp_path: Path) -> dict[str, Callable[[], ray.ObjectRef]]:
    return {name: partial(start, tmp_path, name) for name in ("a", "b", "c")}


def start(folder: Path, name: str) -> ray.ObjectRef:
    task = ray.remote(num_cpus=0.5)(marked)
    return task.remote(folder, name, folder / "end")


def wait_for(file: Path) -> None:
    for _ in range(600):
        if file.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{file} was not written in 30 s")


def test_tasks_run_while_the_work_goes_on_and_no_more_at_once_than_said(
    starts: dict[str, Callable[[], ray.ObjectRef]], tmp_path: Path
) -> None:
    def work() -> list[str]:
        wait_for(tmp_path / "a")
        wait_for(tmp_path / "b")
        time.sleep(1.0)  # the third would be there, were it not to wait
        return sorted(file.name for file in tmp_path.iterdir())

    running, started = start_meanwhile(work, starts, at_once=2)
    assert running == ["a", "b"]
    (tmp_path / "end").touch()
    assert ray.get(list(started.values())) == ["a", "b"]


def test_next_task_starts_when_one_has_ended(
    starts: dict[str, Callable[[], ray.ObjectRef]], tmp_path: Path
) -> None:
    (tmp_path / "end").touch()
    _, started = start_meanwhile(lambda: wait_for(tmp_path / "c"), starts, at_once=1)
    assert ray.get(list(started.values())) == ["a", "b", "c"]


def test_no_task_starts_where_there_is_no_room(
    starts: dict[str, Callable[[], ray.ObjectRef]], tmp_path: Path
) -> None:
    result, started = start_meanwhile(lambda: time.sleep(1.0), starts, at_once=0)
    assert (result, started) == (None, {})
    assert not list(tmp_path.iterdir())


def test_work_that_fails_raises_and_starts_nothing_more(
    starts: dict[str, Callable[[], ray.ObjectRef]], tmp_path: Path
) -> None:
    def work() -> None:
        wait_for(tmp_path / "a")
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        start_meanwhile(work, starts, at_once=1)
    (tmp_path / "end").touch()
    time.sleep(1.0)
    assert not (tmp_path / "b").exists()
