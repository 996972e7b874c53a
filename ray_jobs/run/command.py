"""The command line that every step shares: `--config FILE [key.sub=value …]`."""

from __future__ import annotations

import argparse
import errno
import json
import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypeVar

from pydantic import BaseModel
from ray.exceptions import RayError

from hvac.errors import HvacError
from hvac.json_values import Json, finite
from hvac.storage import AnyPath, place
from ray_jobs.run.lock import held
from ray_jobs.run.run_config import load_run
from ray_jobs.run.runtime import RayConfig, ray_on_demand


class RunnableConfig(Protocol):
    """What every command's configuration says: where it works, and on which cluster."""

    @property
    def workspace(self) -> AnyPath:
        """Return the folder or URL of the run."""

    @property
    def ray(self) -> RayConfig:
        """Return where Ray runs."""


AnyConfig = TypeVar("AnyConfig", bound=RunnableConfig)
Result = TypeVar("Result")
EXIT_USER_ERROR = 2
PACKAGED = "ray_jobs/configs"
LONGEST_FACT = 2000  # characters; longer facts stay in the workspace
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
QUIET_LOGGERS = ("ray", "matplotlib", "fsspec", "numba", "httpx")


def main(
    work: Callable[[AnyConfig], Result],
    about: str | None,
    load: Callable[[str, Sequence[str]], AnyConfig] = load_run,  # type: ignore[assignment]  # of most
) -> Result:
    """Run a step from the command line. Ray starts with the first step that is not done already.

    An error that a user can mend ends in one sentence and status 2. The last line of standard
    output is `RESULT {…}`, JSON for whoever submitted the job: `job`, `exit`, `seconds`, and
    `result` or `error`.

    Args:
        work: does the step, given the configuration; what it returns is printed if it is a mapping
            or a record.
        about: the step's description, for `--help`.
        load: makes the configuration of the file's path and the overrides; it has a `ray` section
            and a workspace.
    """
    arguments = make_parser(about).parse_args()
    start_logging()
    started = time.monotonic()
    try:
        config = load(config_path(arguments.config), arguments.overrides)
        with held(place(config.workspace), _job()), ray_on_demand(config.ray):
            result = work(config)
    except (HvacError, RayError, OSError) as error:
        stop_for(error, started)
    _print_result(
        started, 0, workspace=str(place(config.workspace)), result=_short_facts(result)
    )
    return result


def make_parser(about: str | None) -> argparse.ArgumentParser:
    """Return a parser with `--config` and overrides."""
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    example = "YAML file of the run, or the name of a packaged one, e.g. demo"
    parser.add_argument("--config", required=True, help=example)
    add_overrides(parser)
    return parser


def config_path(given: str) -> str:
    """Return the path of a run file, here or of this package.

    A name alone, such as `demo`, is a file of this package; so is `ray_jobs/configs/demo.yaml`
    outside of a checkout.
    """
    name = given.removeprefix(f"{PACKAGED}/").removesuffix(".yaml")
    file = Path(__file__).parents[2] / PACKAGED / f"{name}.yaml"
    is_ours = given in (name, f"{PACKAGED}/{name}.yaml") and file.exists()
    return str(file) if is_ours and not Path(given).exists() else given


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """Let a command take settings as `key.sub=value`."""
    about = "settings laid over the file"
    parser.add_argument("overrides", nargs="*", metavar="key.sub=value", help=about)


def start_logging() -> None:
    """Log to standard error in one format, and keep libraries quiet."""
    form = "%(asctime)s %(levelname)s %(message)s"
    logging.basicConfig(level=logging.INFO, format=form, stream=sys.stderr)
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


def stop_for(error: BaseException, started: float) -> NoReturn:
    """End the process with one sentence where a user can mend the error, else raise it."""
    message = root_of(error)
    if message is None:
        raise error
    sys.stderr.write(f"error: {message}\n")
    _print_result(started, EXIT_USER_ERROR, error=str(message))
    sys.exit(EXIT_USER_ERROR)


def _job() -> str:
    """Return the name of the job that runs, such as ray_jobs.train."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec.name if spec else Path(sys.argv[0]).stem


def _print_result(started: float, status: int, **facts: Any) -> None:
    seconds = round(time.monotonic() - started, 1)
    line = {"job": _job(), "exit": status, "seconds": seconds, **facts}
    text = json.dumps(finite(line), default=str, ensure_ascii=False)
    sys.stdout.write(f"RESULT {text}\n")
    sys.stdout.flush()


def _short_facts(result: object) -> dict[str, Json]:
    """Return the facts of a result that fit into a line."""
    if isinstance(result, BaseModel):
        result = result.model_dump(mode="json") | {
            "skipped": getattr(result, "skipped", False)
        }
    facts = result if isinstance(result, Mapping) else {}
    return {name: value for name, value in facts.items() if _fits(value)}


def _fits(value: Json) -> bool:
    return len(json.dumps(value, default=str, ensure_ascii=False)) <= LONGEST_FACT


def root_of(error: BaseException) -> HvacError | None:
    """Return the user's error at the root of one that may have travelled through Ray.

    None where there is none: then it is a fault of ours.

    >>> root_of(RuntimeError("a bug")) is None
    True
    >>> print(root_of(OSError(28, "No space left on device", "/runs/demo/part.parquet")))
    /runs/demo/part.parquet: no room is left: free some, or set another workspace, and run the job again
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, HvacError) and not isinstance(cause, RayError):
            return cause
        if (
            isinstance(cause, OSError)
            and not isinstance(cause, RayError)
            and _is_full(cause)
        ):
            where = cause.filename or " ".join(str(cause).split())[:200]
            return HvacError(
                f"{where}: no room is left: free some, or set another workspace,"
                " and run the job again"
            )
        cause = getattr(cause, "cause", None) or cause.__cause__
    return None


def _is_full(error: OSError) -> bool:
    return error.errno in NO_ROOM or "No space left on device" in str(error)
