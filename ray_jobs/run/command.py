"""The command line that every step shares: `--config FILE [key.sub=value …]`."""

from __future__ import annotations

import argparse
import errno
import json
import logging
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ray.exceptions import RayError

from hvac.errors import HvacError
from hvac.storage import place
from ray_jobs.run.lock import held
from ray_jobs.run.run_config import load_run
from ray_jobs.run.runtime import ray_session

EXIT_USER_ERROR = 2
LONGEST_FACT = 2000  # characters; longer facts stay in the workspace
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def main(work: Callable[[Any], Any], about: str | None, load: Callable[..., Any] = load_run) -> Any:
    """Parse, check, connect to Ray, work; an error that is the user's to mend ends in one sentence
    and status 2.

    The last line of standard output is `RESULT {…}`, JSON for whoever submitted the job: `job`,
    `exit`, `seconds`, and `result` or `error`.

    Args:
        work: given the configuration; what it returns is told where it is a mapping.
        load: makes the configuration from the file's path and the overrides; it must have a `ray`
            section.
    """
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--config", required=True, help="YAML file of the run, e.g. ray_jobs/configs/demo.yaml"
    )
    parser.add_argument(
        "overrides", nargs="*", metavar="key.sub=value", help="settings laid over the file"
    )
    arguments = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    for noisy in ("ray", "matplotlib", "fsspec", "numba", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    started = time.monotonic()
    try:
        config = load(arguments.config, arguments.overrides)
        with held(place(config.workspace), _job()), ray_session(config.ray):
            found = work(config)
    except (HvacError, RayError, OSError) as error:
        told = root_of(error)
        if told is None:
            raise
        sys.stderr.write(f"error: {told}\n")
        _tell(started, EXIT_USER_ERROR, error=str(told))
        sys.exit(EXIT_USER_ERROR)
    _tell(started, 0, workspace=str(place(config.workspace)), result=_short(found))
    return found


def _job() -> str:
    """Return the name of the job that runs, such as ray_jobs.train."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec.name if spec else Path(sys.argv[0]).stem


def _tell(started: float, status: int, **facts: Any) -> None:
    told = {"job": _job(), "exit": status, "seconds": round(time.monotonic() - started, 1), **facts}
    sys.stdout.write(f"RESULT {json.dumps(told, default=str, ensure_ascii=False)}\n")
    sys.stdout.flush()


def _short(found: Any) -> dict[str, Any]:
    if not isinstance(found, Mapping):
        return {}
    return {
        k: v
        for k, v in found.items()
        if len(json.dumps(v, default=str, ensure_ascii=False)) <= LONGEST_FACT
    }


def root_of(error: BaseException) -> HvacError | None:
    """The user's error at the root of one that may have travelled through Ray, None where there is
    none.

    >>> root_of(RuntimeError("a bug")) is None
    True
    >>> print(root_of(OSError(28, "No space left on device", "/runs/demo/windows/part.parquet")))
    /runs/demo/windows/part.parquet: no room is left: free some, or set another workspace, and run the job again
    """
    seen: BaseException | None = error
    while seen is not None:
        cause = getattr(seen, "cause", None) or seen.__cause__
        if isinstance(seen, HvacError) and not isinstance(seen, RayError):
            return seen
        if isinstance(seen, OSError) and not isinstance(seen, RayError) and _full(seen):
            where = seen.filename or " ".join(str(seen).split())[:200]
            return HvacError(
                f"{where}: no room is left: free some, or set another workspace, and run the job"
                " again"
            )
        seen = cause
    return None


def _full(error: OSError) -> bool:
    return error.errno in NO_ROOM or "No space left on device" in str(error)
