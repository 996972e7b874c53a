"""The command line that every step shares: `--config FILE [key.sub=value …]`."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from typing import Any

from ray.exceptions import RayError

from hvac.errors import HvacError
from ray_jobs.run_config import load_run
from ray_jobs.runtime import ray_session

EXIT_USER_ERROR = 2


def main(work: Callable[[Any], Any], about: str | None, load: Callable[..., Any] = load_run) -> Any:
    """Parse, check, connect to Ray, work; an error that is the user's to mend ends in one sentence and status 2.

    Args:
        work: given the configuration.
        load: makes it from the file's path and the overrides; it must have a `ray` section.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="YAML file of the run, e.g. ray_jobs/configs/demo.yaml")
    parser.add_argument("overrides", nargs="*", metavar="key.sub=value", help="settings laid over the file")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    for noisy in ("ray", "matplotlib", "fsspec", "numba", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        config = load(arguments.config, arguments.overrides)
        with ray_session(config.ray):
            return work(config)
    except (HvacError, RayError) as error:
        told = root_of(error)
        if told is None:
            raise
        sys.stderr.write(f"error: {told}\n")
        sys.exit(EXIT_USER_ERROR)


def root_of(error: BaseException) -> HvacError | None:
    """The user's error at the root of one that may have travelled through Ray, None where there is none.

    >>> root_of(RuntimeError("a bug")) is None
    True
    """
    seen: BaseException | None = error
    while seen is not None:
        cause = getattr(seen, "cause", None) or seen.__cause__
        if isinstance(seen, HvacError) and not isinstance(seen, RayError):
            return seen
        seen = cause
    return None
