"""The command line that every step shares: `--config FILE [key.sub=value …]`."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from typing import Any

from hvac.errors import HvacError
from ray_jobs.run_config import RunConfig, load_run
from ray_jobs.runtime import ray_session

EXIT_USER_ERROR = 2


def main(work: Callable[[RunConfig], Any], about: str | None) -> Any:
    """Parse, check, connect to Ray, work; an error that is the user's to mend ends in one sentence and status 2."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="YAML file of the run, e.g. ray_jobs/configs/demo.yaml")
    parser.add_argument("overrides", nargs="*", metavar="key.sub=value", help="settings laid over the file")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    for noisy in ("ray", "matplotlib", "fsspec", "numba", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        config = load_run(arguments.config, arguments.overrides)
        with ray_session(config.ray):
            return work(config)
    except HvacError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(EXIT_USER_ERROR)
