"""Run a step by its name: `hvac-foresight STEP --config FILE [key.sub=value …]`."""

from __future__ import annotations

import argparse
import ast
import importlib.util
import runpy
import sys
from pathlib import Path

import hvac

STEPS = (
    "init",
    "check",
    "pipeline",
    "ingest",
    "featurize",
    "train",
    "evaluate",
    "score",
    "monitor",
    "daily",
    "update",
    "rollback",
    "describe",
    "compare",
    "rotate",
    "facilities",
    "tune",
    "detect",
    "pretrain",
)
SERVICE = "serve"


def main() -> None:
    """Run the step that is named first; the other arguments are its own."""
    parser = argparse.ArgumentParser(
        prog="hvac-foresight",
        description="How likely an anomaly begins within 30, 60 and 90 days, on Ray.",
        epilog=_steps(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {hvac.__version__}"
    )
    parser.add_argument("step", choices=[*STEPS, SERVICE], metavar="STEP")
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, metavar="…", help="of the step"
    )
    given = parser.parse_args()
    module = SERVICE if given.step == SERVICE else f"ray_jobs.{given.step}"
    sys.argv = [f"hvac-foresight {given.step}", *given.arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _steps() -> str:
    """Return one line per step: its name and what it does."""
    lines = ["steps (STEP --help tells more):"]
    lines += [f"  {step:<11}{_summary(f'ray_jobs.{step}')}" for step in STEPS]
    lines.append(f"  {SERVICE:<11}The API and the pages on this machine.")
    return "\n".join(lines)


def _summary(module: str) -> str:
    """Return the first sentence of a module, without importing it."""
    spec = importlib.util.find_spec(module)
    assert spec is not None, f"{module} is part of this package"
    assert spec.origin is not None, f"{module} is a file"
    text = (
        ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8")))
        or ""
    )
    return " ".join(text.split("\n\n")[0].split())


if __name__ == "__main__":
    main()
