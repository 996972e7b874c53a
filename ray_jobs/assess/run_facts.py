"""The facts of a run for metrics.json, and the closing summary a person reads."""

from __future__ import annotations

import datetime as dt
import json
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from hvac.panel.registry import EPOCH
from hvac.scoring.bundle import Bundle
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Result, Workspace, content_key
from ray_jobs.tables.windows_table import effective

DISTRIBUTION = "hvac-foresight"


def run_facts(config: RunConfig, workspace: Workspace, command: str) -> dict[str, Any]:
    """Sections `run`, `panel` and `windows` of metrics.json."""
    ingested, featurized, trained = (
        workspace.finished(step) for step in ("ingest", "featurize", "train")
    )
    dumped = config.model_dump(mode="json", by_alias=True)
    inner = ("key", "seconds", "buckets", "buckets_each", "files_read")
    return {
        "run": {
            "name": config.name,
            "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "config_hash": content_key(dumped),
            "config": dumped,
            "version": own_version(),
            "language": config.language,
            "command": command,
            "bundles": trained["bundles"],
            "family": config.model.family,
            "encoder": _encoder_facts(config, workspace, trained),
            "split": _split_facts(config, featurized),
            "labels": {"source": config.labels.source, "events": list(config.labels.kinds)},
            "seed": config.seed,
            "by": config.windows.by,
        },
        "panel": {name: value for name, value in ingested.items() if name not in inner},
        "windows": {**window_facts(featurized), "excluded": featurized["left_out"]},
    }


def own_version() -> str:
    """Version of the installed distribution."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "not installed"


def _encoder_facts(config: RunConfig, workspace: Workspace, trained: Result) -> dict[str, Any]:
    bundle = Bundle.load(workspace.bundles / next(iter(trained["bundles"].values())))
    encoder = bundle.encoder
    return {
        "source": config.encoder.source,
        "sha256": encoder.sha256,
        "dim": encoder.dim,
        "patches": encoder.patches,
        "pooling": config.encoder.pooling,
    }


def _split_facts(config: RunConfig, featurized: Result) -> dict[str, Any]:
    borders = featurized["borders"]
    timed = config.splits.kind in ("time", "both")
    dates = {
        name: (EPOCH + dt.timedelta(days=borders[name])).isoformat() if timed else None
        for name in ("t1", "t2")
    }
    return {
        "kind": config.splits.kind,
        **dates,
        "purge_days": borders["purge"] if timed else None,
        "train_stride": config.windows.train_stride,
        "evaluation_stride": config.windows.evaluation_stride,
    }


def window_facts(featurized: Result) -> dict[str, Any]:
    """Return windows, units, known labels, positives, effective numbers and base rates per split,
    over all classes.

    Base rates are weighted. Tables made before labels had weights count each label once.
    """
    facts: dict[str, Any] = {}
    for splits in featurized["windows"].values():
        for split, row in splits.items():
            total = facts.setdefault(
                split, {"windows": 0, "units": 0, "known": {}, "positives": {}, "weights": {}}
            )
            total["windows"] += row["windows"]
            total["units"] += row["units"]
            for part in ("known", "positives"):
                counts = row[part]
                weights = row.get("weights", {}).get(part) or {h: [n, n] for h, n in counts.items()}
                _add(total[part], counts)
                _add(
                    total["weights"].setdefault(part, {}),
                    {h: np.array(sums, float) for h, sums in weights.items()},
                )
    for row in facts.values():
        weights = row.pop("weights")
        row["effective"] = effective(weights)
        row["base_rate"] = {
            h: float(weights["positives"][h][0] / known[0]) if known[0] else None
            for h, known in weights["known"].items()
        }
    return facts


def _add(total: dict[str, Any], more: dict[str, Any]) -> None:
    for key, value in more.items():
        total[key] = total.get(key, 0) + value


def closing_summary(workspace: Workspace) -> str:
    """What was read, left out and found, and where it lies: plain text for the terminal."""
    metrics = json.loads((workspace.root / "metrics.json").read_text(encoding="utf-8"))
    panel, windows = metrics["panel"], metrics["windows"]
    lines = [
        (
            f"Rows read {panel['rows_read']:,}; readings {panel['readings']:,}; missing"
            f" {panel['missing']:,}; rejected {sum(panel['rejected'].values()):,}"
            f" {_named(panel['rejected'])}"
        ),
        (
            f"{panel['equipment']} pieces of equipment in {panel['facilities']} facilities,"
            f" {panel['points']} points, {panel['first_date']} to {panel['last_date']}; events"
            f" {_named(panel['events'])}"
        ),
        *(f"Warning: {sentence}" for sentence in workspace.finished("ingest").get("warnings", ())),
        f"Windows left out {_named(windows['excluded'])}",
        *_split_lines(windows),
        *_newest_lines(workspace),
        *_model_lines(metrics),
        "",
        *(f"  {path}" for path in sorted(map(str, workspace.root.glob("[!.]*.*")))),
        f"Report: {workspace.root / 'report.html'}",
    ]
    return "\n".join(lines)


def _named(counts: dict[str, int]) -> str:
    return (
        "(" + ", ".join(f"{name} {n:,}" for name, n in sorted(counts.items())) + ")"
        if counts
        else ""
    )


def _split_lines(windows: dict[str, Any]) -> list[str]:
    lines = []
    for split in ("train", "tune", "cal", "test"):
        row = windows[split]
        rates = ", ".join(f"{h} d {_percent(rate)}" for h, rate in row["base_rate"].items())
        lines.append(
            f"  {split:<6}{row['windows']:>9,} windows of {row['units']:>5,} units; base rate"
            f" {rates}"
        )
        lines += _effective_lines(row)
    return lines


def _effective_lines(row: dict[str, Any]) -> list[str]:
    """Say how many equally weighted labels tell as much, where that is not their number."""
    told = [
        f"{h} d {round(known):,} ({round(row['effective']['positives'][h]):,} positive)"
        for h, known in row.get("effective", {}).get("known", {}).items()
        if any(round(row["effective"][part][h]) != row[part][h] for part in ("known", "positives"))
    ]
    return [f"        as many as, unweighted: {', '.join(told)}"] if told else []


def _newest_lines(workspace: Workspace) -> list[str]:
    """Equipment by the state of its newest window, and how long the new ones still learn; none
    before score.
    """
    if not workspace.state("score").exists():
        return []
    scored = workspace.finished("score")
    days = scored.get("learning_days_left")
    wait = " to ".join(map(str, sorted(set(days)))) if days else ""
    left = f"; new equipment is judged after {wait} more days of readings" if wait else ""
    return (
        [f"Newest window of equipment {_named(scored['units'])}{left}"] if scored["units"] else []
    )


def _model_lines(metrics: dict[str, Any]) -> list[str]:
    """PR-AUC with its interval for every model and horizon."""
    horizons = list(next(iter(metrics["models"].values())))
    lines = ["", f"{'PR-AUC [95 %]':<16}" + "".join(f"{h + ' days':>26}" for h in horizons)]
    for name, found in metrics["models"].items():
        lines.append(
            f"{name:<16}" + "".join(f"{_interval(found[h]['pr_auc']):>26}" for h in horizons)
        )
    own = metrics["models"][metrics["run"]["family"]]
    rates = "".join(f"{_percent(own[h]['base_rate']['value']):>26}" for h in horizons)
    return [*lines, f"{'base rate':<16}{rates}"]


def _interval(figure: dict[str, Any]) -> str:
    numbers = [figure[name] for name in ("value", "low", "high")]
    value, low, high = ("–" if n is None else f"{n:.3f}" for n in numbers)
    return f"{value} [{low}, {high}]"


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{100 * rate:.1f} %"
