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
from hvac.update.champions import Champions, read_champions
from hvac.update.told_changes import told_changes
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
    """Write the report; `entries` is the ranking of the newest scores, by the bundles that serve."""
    names = load_names(workspace.panel)
    content = {**metrics}
    if entries:
        content["now"] = as_json(now_of(entries, names))
    if findings := read_findings(workspace.root / "monitor"):
        content["monitors"] = findings.model_dump(mode="json")
    champions = _champions(workspace, metrics)
    if champions.history:
        updates = told_changes(champions)
        changes = [change._asdict() for change in updates.changes]
        content["updates"] = {"as_trained": updates.as_trained, "changes": changes}
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
    """Write the report anew with the newest scores; nothing where it is absent, or of a model that
    was trained before.

    Updates of its model may serve.
    """
    file = workspace.root / METRICS
    if not file.exists() or not entries:
        return
    metrics = json.loads(file.read_text(encoding="utf-8"))
    champions = _champions(workspace, metrics)
    scored_by = {entry["bundle_id"] for entry in entries}
    if scored_by <= champions.speaking:
        write_workspace_report(workspace, config, metrics, entries)


def _champions(workspace: Workspace, metrics: JsonObject) -> Champions:
    """Return what serves of the model that a report is about."""
    bundles = branch(metrics, "run", "bundles")
    trained = {name: str(bundle_id) for name, bundle_id in bundles.items()}
    return read_champions(workspace.root, trained)


def _drawn(folder: AnyPath) -> dict[str, dict[str, AnyPath]]:
    """Return the figures that were drawn, by name and language."""
    drawn: dict[str, dict[str, AnyPath]] = {}
    for file in matching(folder, "*_*.png"):
        name, _, language = file.stem.rpartition("_")
        drawn.setdefault(name, {})[language] = file
    return drawn
