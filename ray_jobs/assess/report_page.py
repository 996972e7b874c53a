"""The report of a workspace: metrics.json, its figures and, where they fit, the newest scores."""

from __future__ import annotations

import json
from collections.abc import Sequence

from hvac.json_values import JsonObject, as_json, branch
from hvac.monitor.monitor_findings import read_findings
from hvac.panel.names import load_names
from hvac.report.now_section import now_of
from hvac.report.page import write_report
from hvac.scoring.latest_rows import RankedUnit
from hvac.storage import AnyPath, matching
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace

METRICS = "metrics.json"
REPORT = "report.html"


def write_workspace_report(
    workspace: Workspace,
    config: RunConfig,
    metrics: JsonObject,
    entries: Sequence[RankedUnit] = (),
) -> None:
    """Write the report; `entries` is the ranking of the newest scores, by the same bundles."""
    names = load_names(workspace.panel)
    content = {**metrics}
    if entries:
        content["now"] = as_json(now_of(entries, names))
    if findings := read_findings(workspace.root / "monitor"):
        content["monitors"] = findings.model_dump(mode="json")
    write_report(
        content,
        _drawn(workspace.figures),
        path=workspace.root / REPORT,
        language=config.language,
        names=names,
    )


def add_newest_scores(
    workspace: Workspace, config: RunConfig, entries: Sequence[RankedUnit]
) -> None:
    """Write the report anew with the newest scores; nothing where it is of other bundles, or absent."""
    file = workspace.root / METRICS
    if not file.exists() or not entries:
        return
    metrics = json.loads(file.read_text(encoding="utf-8"))
    scored_by = {entry["bundle_id"] for entry in entries}
    if scored_by <= set(map(str, branch(metrics, "run", "bundles").values())):
        write_workspace_report(workspace, config, metrics, entries)


def _drawn(folder: AnyPath) -> dict[str, dict[str, AnyPath]]:
    """Return the figures that were drawn, by name and language."""
    drawn: dict[str, dict[str, AnyPath]] = {}
    for file in matching(folder, "*_*.png"):
        name, _, language = file.stem.rpartition("_")
        drawn.setdefault(name, {})[language] = file
    return drawn
