"""Where the time of the whole demo run goes, step by step, beside an earlier commit of this repository.

    python benchmarks/pipeline.py [--before REVISION]

Both run `python -m ray_jobs.pipeline --config ray_jobs/configs/demo.yaml` on a copy of their own files (git archive) in
a new workspace, one after the other, on as many CPUs as there are. The seconds of a step are those it records itself
(`steps/*.json`); what evaluate does is read from its log: until its last model is judged it fits and scores, after that
it draws bootstrap replicates, figures and the report.
"""

import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from support import ROOT, Row, machine, parser, record

STEPS = ("ingest", "featurize", "train", "evaluate", "score")
QUICK = [
    "simulate.equipment_per_class=6",
    "model.family=hybrid",
    "model.epochs=2",
    "evaluate.replicates=100",
    "simulate.classes=[pump,ahu]",
]
STAMP, JUDGED = r"^(\d+-\d+-\d+ \d+:\d+:\d+),(\d+)", re.compile(r"evaluate: (\S+) / (\S+) judged")


def main() -> None:
    command = parser(__doc__)
    command.add_argument("--before", default="e35c1e1", help="revision to compare with")
    asked = command.parse_args()
    where = machine(("ray", "torch", "scikit-learn"), cores=os.cpu_count() or 1)
    with tempfile.TemporaryDirectory(prefix="pipeline-") as folder:
        found = {
            name: run(Path(folder) / name, revision, asked.quick)
            for name, revision in (("before", asked.before), ("now", "HEAD"))
        }
    record(
        "pipeline",
        where,
        rows(found, asked.before),
        {"before_revision": asked.before, **found},
        asked.quick,
    )


def run(folder: Path, revision: str, quick: bool) -> dict[str, Any]:
    """A whole run of a revision: seconds in all, of each step, and of what evaluate does."""
    packed = subprocess.run(
        ["git", "archive", revision], cwd=ROOT, check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as files:
        files.extractall(folder, filter="data")
    command = [
        sys.executable,
        "-m",
        "ray_jobs.pipeline",
        "--config",
        "ray_jobs/configs/demo.yaml",
        *QUICK * quick,
    ]
    started = time.monotonic()
    told = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - started
    if told.returncode:
        raise SystemExit(f"{revision} ended with {told.returncode}:\n{told.stderr[-3000:]}")
    states = {
        name: json.loads((folder / "runs" / "demo" / "steps" / f"{name}.json").read_text())
        for name in STEPS
    }
    steps = {name: state["seconds"] for name, state in states.items()}
    return {"revision": revision, "seconds": round(seconds, 1), "steps": steps,
            "evaluate": evaluation(told.stderr.splitlines())}  # fmt: skip


def evaluation(log: list[str]) -> dict[str, Any]:
    """Seconds between one judged model and the next, summed by model, and what comes after the last of them."""
    started = next(at(line) for line in log if "evaluate: started" in line)
    ended = next(at(line) for line in log if "evaluate: done" in line)
    last, by_model = started, {}
    for line in log:
        if found := JUDGED.search(line):
            by_model[found[2]] = round(by_model.get(found[2], 0.0) + at(line) - last, 2)
            last = at(line)
    return {"fitting_and_scoring": round(last - started, 1), "bootstrap_and_report": round(ended - last, 1),
            "wall_by_model": by_model}  # fmt: skip


def at(line: str) -> float:
    """The time of a line of the log."""
    found = re.match(STAMP, line)
    assert found, line
    return datetime.fromisoformat(found[1]).timestamp() + int(found[2]) / 1000


def rows(found: dict[str, Any], before: str) -> list[Row]:
    """The whole, and its parts."""
    one, other = found["now"], found["before"]
    told = [
        Row("whole demo run (`make demo`), 2 cores", "≥ 2× faster, or the profile that shows why not",
            f"{one['seconds']:.0f} s, {other['seconds'] / one['seconds']:.2f}× faster",
            f"commit {before}: {other['seconds']:.0f} s", None)
    ]  # fmt: skip
    parts = {name: (one["steps"][name], other["steps"][name]) for name in STEPS}
    for name in ("fitting_and_scoring", "bootstrap_and_report"):
        parts[f"evaluate, {name.replace('_', ' ')}"] = (
            one["evaluate"][name],
            other["evaluate"][name],
        )
    start = [each["seconds"] - sum(each["steps"].values()) for each in (one, other)]
    parts["start and end of Ray, imports"] = (start[0], start[1])
    share = {
        name: f"{mine:.1f} s ({mine / one['seconds']:.0%})" for name, (mine, _) in parts.items()
    }
    told += [
        Row(f"– of it {name}", "", share[name], f"{theirs:.1f} s", None)
        for name, (_, theirs) in parts.items()
    ]
    return told


if __name__ == "__main__":
    main()
