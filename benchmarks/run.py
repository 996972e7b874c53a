"""Run all benchmarks, one after the other, each in a process of its own, and write benchmarks/RESULTS.md.

    python benchmarks/run.py [--quick] [--large] [--only features encoder train featurize] [--report]

BENCH_PYTHON names another interpreter for them (one that has the optional peers pycatch22 and tsfresh). `--report` runs
nothing and makes the page from the JSON files that are there. For figures worth keeping the machine should do nothing
else meanwhile; the load before each script is in the page.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from support import QUICK_RESULTS, RESULTS, ROOT, THREAD_LIMITS, parser

SCRIPTS = ("features", "encoder", "runtimes", "train", "featurize", "pipeline", "daily", "scale", "chaos",
           "chaos_daily", "calibration", "few_units", "facilities", "serve", "serve_chaos", "reasons",
           "reasons_stability", "certainty", "network_certainty", "monitors", "updates", "shadow", "kernels",
           "gpu")  # fmt: skip
PAGE = ROOT / "benchmarks" / "RESULTS.md"
MACHINE = (
    "cpu",
    "cpu_count",
    "cores_used",
    "load_average_before",
    "million_additions_ms",
    "system",
    "python",
)
WORDS = {True: "yes", False: "**missed**", None: "–"}


def main() -> None:
    command = parser(__doc__)
    command.add_argument(
        "--large",
        action="store_true",
        help="featurize at 583,000 windows too (minutes)",
    )
    command.add_argument("--only", nargs="+", choices=SCRIPTS, default=SCRIPTS)
    command.add_argument(
        "--report", action="store_true", help="run nothing, write the page"
    )
    arguments = command.parse_args()
    failed = (
        []
        if arguments.report
        else [name for name in arguments.only if not run(name, arguments)]
    )
    folder = QUICK_RESULTS if arguments.quick else RESULTS
    page = folder / "RESULTS.md" if arguments.quick else PAGE
    found = {name: read(folder / f"{name}.json") for name in SCRIPTS}
    page.write_text(
        report({name: result for name, result in found.items() if result}),
        encoding="utf-8",
    )
    print(f"written to {page.relative_to(ROOT)}")
    if failed:
        sys.exit(
            f"failed: {', '.join(failed)} (their rows, if any, are of an earlier run)"
        )


def run(name: str, arguments: Any) -> bool:
    """One script in its own process; False where it failed."""
    interpreter = os.environ.get("BENCH_PYTHON", sys.executable)
    command = [interpreter, str(ROOT / "benchmarks" / f"{name}.py")]
    command += ["--quick"] if arguments.quick else []
    command += ["--large"] if arguments.large and name == "featurize" else []
    print(f"\n$ {' '.join(command)}", flush=True)
    environment = {**os.environ, **dict.fromkeys(THREAD_LIMITS, "1")}
    return (
        subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0
    )


def read(path: Path) -> dict[str, Any] | None:
    """A result; None where there is none, or one of an older form."""
    found: dict[str, Any] = (
        json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    )
    return found if "summary" in found else None


def report(results: dict[str, dict[str, Any]]) -> str:
    rows = [(result, row) for result in results.values() for row in result["summary"]]
    missed = [row["what"] for _, row in rows if row["met"] is False]
    lines = [
        "# Benchmarks",
        "",
        "Made by `python benchmarks/run.py` from `benchmarks/results/*.json`; the bars are those of the design. Ratios",
        "count: both sides of each were measured in one run, taking turns, and each keeps its shortest time. The",
        "docstring of each script says what exactly is timed, and what is not.",
        "",
        f"Bars missed: {len(missed)}" + (f" ({'; '.join(missed)})." if missed else "."),
        "",
        "| what | bar | measured | peer | met? | command |",
        "|---|---|---|---|---|---|",
        *(line(result, row) for result, row in rows),
        "",
        "## Machine and versions",
        "",
        *(origin(name, result) for name, result in results.items()),
    ]
    return "\n".join(lines) + "\n"


def line(result: dict[str, Any], row: dict[str, Any]) -> str:
    cells = [
        row["what"],
        row["bar"] or "–",
        row["measured"],
        row["peer"] or "–",
        WORDS[row["met"]],
    ]
    return f"| {' | '.join(cells)} | `{result['command'].split(' ', 1)[1]}` |"


def origin(name: str, result: dict[str, Any]) -> str:
    where = result["machine"]
    versions = ", ".join(
        f"{key} {value or '(not installed)'}"
        for key, value in where.items()
        if key not in MACHINE
    )
    pace = where.get("million_additions_ms")  # the same machine is not always as fast
    speed = f", a million additions in Python {pace} ms" if pace else ""
    quick = ", **a smoke run, not a measurement**" if result["quick"] else ""
    return (
        f"- **{name}** ({result['date']}{quick}): `{result['command']}`; {where['cpu']}, {where['cores_used']} of "
        f"{where['cpu_count']} cores, load before {where['load_average_before']}{speed}; {where['system']}; "
        f"python {where['python']}, {versions}."
    )


if __name__ == "__main__":
    main()
