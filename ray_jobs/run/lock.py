"""One job at a time in a workspace: two would remove each other's unfinished files."""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from hvac.errors import HvacError
from hvac.storage import AnyPath, Place, remove_leftovers

log = logging.getLogger(__name__)
LOCK = ".lock"


@contextmanager
def held(workspace: AnyPath, job: str) -> Iterator[None]:
    """Hold a workspace while the block runs, and remove what killed jobs left half written there.

    The lock is the operating system's, so that a dead holder's falls at once. A workspace behind a
    URL has none: an object store gives no way to take one.

    Raises:
        HvacError: another job holds it; the message says which, since when and where.
    """
    if isinstance(workspace, Place):
        yield
        return
    try:
        workspace.mkdir(parents=True, exist_ok=True)
        file = (workspace / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise HvacError(
            f"{workspace} cannot be written ({error.strerror}): set another workspace"
        ) from error
    with file:
        _take(file, workspace)
        _sign(file, job)
        removed = remove_leftovers(workspace)
        if removed:
            log.info(
                "%s: removed %d unfinished files of a job that was killed",
                workspace,
                removed,
            )
        yield


def _take(file: IO[str], workspace: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise HvacError(
            f"{workspace} is in use by {_holder(file.read())}: wait until it ends, or set another"
            " workspace"
        ) from None


def _holder(text: str) -> str:
    try:
        owner = json.loads(text)
        return f"{owner['job']} (process {owner['pid']} on {owner['host']}, since {owner['since']})"
    except (ValueError, KeyError, TypeError):
        return "another job"


def _sign(file: IO[str], job: str) -> None:
    since = dt.datetime.now().astimezone().isoformat(timespec="seconds")
    file.seek(0)
    file.truncate()
    json.dump(
        {"job": job, "pid": os.getpid(), "host": socket.gethostname(), "since": since},
        file,
    )
    file.flush()
