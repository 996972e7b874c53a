"""Collect what finished runs found into one table: `python benchmarks/collect.py runs/demo runs/chillers …`.

Reads each run's metrics.json; writes benchmarks/results/runs.json and benchmarks/RUNS.md. Runs that were collected
before and are not named stay as they are.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
HORIZON = "30"


def figure(found: dict[str, Any]) -> str:
    value, low, high = (found.get(name) for name in ("value", "low", "high"))
    if value is None:
        return "–"
    return f"{value:.3f}" if low is None else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def verdicts(metrics: dict[str, Any], word: str) -> str:
    pairs = (
        (name, found[HORIZON]["pr_auc"]["verdict"])
        for name, found in metrics["differences"].items()
    )
    return ", ".join(name for name, verdict in pairs if verdict == word) or "none"


def section(metrics: dict[str, Any]) -> list[str]:
    run, windows = metrics["run"], metrics["windows"]
    counts = ", ".join(
        f"{s} {windows[s]['windows']:,} windows / {windows[s]['units']} units"
        for s in ("train", "test")
    )
    lines = [
        f"## {run['name']}",
        "",
        f"`{run['command']}` · {run['created'][:10]} · split {run['split']['kind']} · {counts}",
        "",
        "| model | "
        + " | ".join(
            f"PR-AUC {h} d | ROC-AUC {h} d" for h in metrics["models"]["hybrid"]
        )
        + " |",
        "|---|" + "---|" * (2 * len(metrics["models"]["hybrid"])),
    ]
    for name, found in metrics["models"].items():
        cells = [
            figure(each[metric])
            for each in found.values()
            for metric in ("pr_auc", "roc_auc")
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for name, found in metrics.get("ablation", {}).items():
        cells = [
            figure(each[metric])
            for each in found.values()
            for metric in ("pr_auc", "roc_auc")
        ]
        lines.append(f"| *ablation: {name}* | " + " | ".join(cells) + " |")
    told = (
        f"{word}: {verdicts(metrics, word)}"
        for word in ("better", "worse", "no clear difference", "too few events")
    )
    return [
        *lines,
        "",
        f"`hybrid` against the others by PR-AUC at {HORIZON} days: "
        + "; ".join(told)
        + ".",
        "",
    ]


def main() -> None:
    found = {
        Path(folder).name: json.loads((Path(folder) / "metrics.json").read_text())
        for folder in sys.argv[1:]
    }
    kept = ("run", "windows", "models", "differences", "ablation", "forecast")
    file = HERE / "results" / "runs.json"
    small = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    small |= {
        name: {key: metrics.get(key) for key in kept} for name, metrics in found.items()
    }
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(small, indent=1) + "\n", encoding="utf-8")
    head = [
        "# What the runs found",
        "",
        "Made by `python benchmarks/collect.py runs/…` from each run's metrics.json;",
        "",
    ]
    head[2] += " 95 % intervals by bootstrap over equipment (B = 2,000)."
    lines = [line for metrics in small.values() for line in section(metrics)]
    (HERE / "RUNS.md").write_text("\n".join([*head, *lines]), encoding="utf-8")


if __name__ == "__main__":
    main()
