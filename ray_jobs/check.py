"""Look at a run's record before anything is trained: what was read, every fault, what to expect.

    python -m ray_jobs.check --config FILE [--json] [--page FILE] [key.sub=value …]

It reads the tables as ingest does, without starting Ray, and tells all faults at once, each with
the setting that mends it. It draws the record into check.html: a row per machine, days across,
events on it. Exit status: 0 nothing was found (notes do not count), 1 faults were found, 2 the run
file is not valid."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from hvac.checks.check_facts import check_facts, check_lines
from hvac.checks.record_check import RecordCheck, Settings, check_record
from hvac.errors import HvacError
from hvac.json_values import finite
from hvac.readings.sources import SourceConfig
from hvac.report.check_page import write_check_page
from hvac.simulate.fleet import simulate_facilities
from hvac.simulate.fleet_files import write_canonical
from hvac.simulate.simulate_config import SimulateConfig
from hvac.storage import AnyPath, place
from ray_jobs.run.command import config_path, make_parser, start_logging, stop_for
from ray_jobs.run.run_config import RunConfig, load_run

FAULTS_FOUND = 1
PAGE = "check.html"


def main() -> None:
    """Check a run's record from the command line."""
    parser = make_parser(__doc__)
    parser.add_argument(
        "--json", action="store_true", help="print JSON instead of lines"
    )
    parser.add_argument(
        "--page", help=f"where the picture goes; default: {PAGE} in the workspace"
    )
    arguments = parser.parse_intermixed_args()
    start_logging()
    started = time.monotonic()
    try:
        config = load_run(config_path(arguments.config), arguments.overrides)
        check = run(config)
        page = (
            place(arguments.page) if arguments.page else place(config.workspace) / PAGE
        )
        write_check_page(check, name=config.name, path=page, language=config.language)
    except (HvacError, OSError) as error:
        stop_for(error, started)
    _print(check, page, config.language, as_json=arguments.json)
    sys.exit(FAULTS_FOUND if check.found else 0)


def run(config: RunConfig) -> RecordCheck:
    """Check the record that a run reads; a simulated one is written to a folder that goes again."""
    if config.simulate is None:
        assert config.source is not None, "a run has a source or simulates one"
        return check_record(_settings(config, config.source))
    with TemporaryDirectory() as folder:
        return check_record(
            _settings(config, _simulated(config.simulate, Path(folder)))
        )


def _simulated(fleet: SimulateConfig, folder: Path) -> SourceConfig:
    write_canonical(simulate_facilities(fleet), folder)
    tables = {name: str(folder / f"{name}.parquet") for name in ("events", "equipment")}
    return SourceConfig(readings=str(folder / "readings"), **tables)


def _settings(config: RunConfig, source: SourceConfig) -> Settings:
    return Settings(
        source=source,
        windows=config.windows,
        labels=config.labels,
        splits=config.splits,
        family=config.model.family,
        cpus=config.ray.num_cpus or os.cpu_count() or 1,
    )


def _print(check: RecordCheck, page: AnyPath, language: str, *, as_json: bool) -> None:
    if as_json:
        facts = {**check_facts(check), "page": str(page)}
        sys.stdout.write(
            json.dumps(finite(facts), ensure_ascii=False, default=str) + "\n"
        )
        return
    sys.stdout.write("".join(f"{line}\n" for line in check_lines(check, language)))
    sys.stdout.write(f"picture: {page}\n")


if __name__ == "__main__":
    main()
