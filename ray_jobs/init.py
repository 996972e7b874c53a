"""Write a commented run file for your own tables: what can be guessed is guessed, and marked.

    python -m ray_jobs.init DATA [--events FILE] [--equipment FILE] [--out run.yaml] [source.key=value …]

DATA is a file, folder, glob or URL of readings. Settings given as source.key=value are taken as they
are. The file is checked when it is written: exit status 0 where `check` finds nothing, 1 where it
finds faults (they are printed), 2 where something cannot be guessed (nothing is written)."""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path

from hvac.checks.check_facts import check_lines
from hvac.checks.guesses import Guesses
from hvac.checks.guessing import guess_source
from hvac.checks.run_file import choose_sections, run_file
from hvac.config import read_overrides
from hvac.errors import ConfigError, HvacError
from hvac.json_values import branch
from ray_jobs.run.command import add_overrides, start_logging, stop_for

FAULTS_FOUND = 1
SAY_NOTHING = ("readings", "data", "export", "values")


def main() -> None:
    """Write a run file from the command line."""
    arguments = _parser().parse_intermixed_args()
    start_logging()
    started = time.monotonic()
    out = Path(arguments.out)
    try:
        guesses = _guess(arguments, out)
        sections, check = choose_sections(guesses.source)
        text = run_file(guesses, sections, name=_name(arguments.data))
        out.write_text(text, encoding="utf-8")
    except (HvacError, OSError) as error:
        stop_for(error, started)
    sys.stdout.write(text + "\n" + "".join(f"{line}\n" for line in check_lines(check)))
    sys.stdout.write(f"written: {out}\nnext: hvac-foresight check --config {out}\n")
    sys.exit(FAULTS_FOUND if check.found else 0)


def _guess(arguments: argparse.Namespace, out: Path) -> Guesses:
    if out.exists():
        raise ConfigError(f"{out} is there already: name another file with --out")
    given = read_overrides(arguments.overrides)
    if others := sorted(set(given) - {"source"}):
        raise ConfigError(
            f"{others[0]}: only settings of source are taken here, as source.key=value"
        )
    return guess_source(
        arguments.data,
        events=arguments.events,
        equipment=arguments.equipment,
        given=branch(given, "source"),
    )


def _name(data: str) -> str:
    """Return a name for the run: that of the file, or of its folder where the file's says nothing.

    >>> _name("exports/plant 7/*.csv"), _name("s3://lake/readings.parquet")
    ('plant-7', 'lake')
    """
    parts = [part.split(".")[0] for part in re.split(r"[/\\]", data) if "*" not in part]
    named = [part for part in parts if part and part not in SAY_NOTHING]
    name = named[-1] if named else ""
    return re.sub(r"[^\w\-]+", "-", name).strip("-") or "run"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hvac-foresight init",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "data", metavar="DATA", help="file, folder, glob or URL of the readings"
    )
    parser.add_argument("--events", help="that of the event log")
    parser.add_argument("--equipment", help="that of the equipment register")
    parser.add_argument("--out", default="run.yaml", help="where the run file goes")
    add_overrides(parser)
    return parser


if __name__ == "__main__":
    main()
