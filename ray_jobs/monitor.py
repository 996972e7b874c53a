"""Watch data, inputs, scores and calibration: alerts at a declared rate, and nothing else.

    python -m ray_jobs.monitor --config FILE [key.sub=value …]

It needs scores (`python -m ray_jobs.score`). Weeks that are over are set against the weeks before
`monitor.since`. `monitor/alerts.parquet` holds every alert (and of each chart that has none the subject
that is nearest to one), `monitor/summary.json` what was declared, what was measured, and what waits.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from hvac.casework.told_outcomes import outcomes_keys
from hvac.days import EPOCH, date_of
from hvac.json_values import Json
from hvac.monitor.alert_rows import Watch
from hvac.monitor.alerts import alert_sentence, alert_table
from hvac.monitor.monitor_findings import read_findings
from hvac.monitor.periods import closed_weeks, first_day_of, week_of
from hvac.panel.registry import Registry
from hvac.scoring.bundle import Bundle
from hvac.storage import content_key, read_mark, write_json, write_parquet
from ray_jobs.run.command import main
from ray_jobs.run.records import (
    FeaturizeRecord,
    IngestRecord,
    MonitorRecord,
    ScoreRecord,
    TrainRecord,
)
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace, run_step, workspace_of
from ray_jobs.watch.found import Found
from ray_jobs.watch.machine_causes import with_causes
from ray_jobs.watch.record_monitors import (
    data_alerts,
    input_alerts,
    weeks_of_buckets,
)
from ray_jobs.watch.score_monitors import score_alerts

log = logging.getLogger(__name__)
TOLD_AGAIN = 5  # newest alerts that are told where nothing is to be done
TOLD_WEEKS = 4  # alerts of so many weeks are told in the log
VERSION = 4  # raised when the same tables give other alerts


def run(config: RunConfig) -> MonitorRecord:
    """Run the monitors, unless that was done with the same scores and settings."""
    workspace = workspace_of(config)
    if config.ready_windows:
        log.info(
            "monitor: the predecessor's CSV holds ready windows and no record to watch"
        )
        return MonitorRecord()
    trained = workspace.record(TrainRecord)
    ingested, scored = workspace.record(IngestRecord), workspace.record(ScoreRecord)
    evaluated = read_mark(workspace.record_file("evaluate")).get("key")
    settings = config.monitor.model_dump(mode="json", exclude={"enabled"})
    key = content_key(
        ingested.key,
        scored.key,
        trained.bundles,
        evaluated,
        settings,
        config.language,
        VERSION,
        *outcomes_keys(config.outcomes),
    )
    record = run_step(
        workspace, MonitorRecord, key, lambda: _monitor(config, workspace, trained)
    )
    if record.skipped:
        tell_findings(workspace, config.language)
    return record


def tell_findings(workspace: Workspace, language: str) -> None:
    """Tell the newest alerts again, and how many there are."""
    findings = read_findings(workspace.root / "monitor", TOLD_AGAIN)
    if findings is None:
        return
    for alert in findings.alerts:
        log.info("monitor: %s", alert.words[language])
    count = sum(facts.alerts for facts in findings.monitors)
    log.info("monitor: %d alerts in all since %s", count, findings.since)


def run_weekly(config: RunConfig) -> MonitorRecord | None:
    """Run the monitors once a week: weeks that are over do not change from day to day."""
    workspace = workspace_of(config)
    if config.ready_windows:
        return None
    before = read_mark(workspace.record_file("monitor"))
    week = str(date_of(first_day_of(_last_week(Registry.load(workspace.panel)))))
    if before.get("last_week") == week:
        log.info("monitor: the week of %s is the last that is over: done already", week)
        return None
    return run(config)


def _monitor(
    config: RunConfig, workspace: Workspace, trained: TrainRecord
) -> MonitorRecord:
    registry = Registry.load(workspace.panel)
    folders = [workspace.bundles / bundle for bundle in trained.bundles.values()]
    recipes = [Bundle.load(str(folder)).recipe for folder in folders]
    watch = _watch(config, workspace, registry)
    by_monitor: dict[str, Found] = {}
    monitors = config.monitor.monitors
    if {"data", "inputs"} & set(monitors):
        parts = weeks_of_buckets(workspace, recipes, watch)
        if "inputs" in monitors:
            inputs = input_alerts(config, workspace, registry, watch, parts)
            by_monitor["inputs"] = with_causes(config, workspace, registry, inputs)
        if "data" in monitors:
            by_monitor["data"] = data_alerts(config, watch, parts)
    if {"scores", "calibration"} & set(monitors):
        by_monitor |= score_alerts(config, workspace, registry, _last_week(registry))
    return _write(config, workspace, watch, by_monitor, _last_week(registry))


def _watch(config: RunConfig, workspace: Workspace, registry: Registry) -> Watch:
    """Return the reference's and the watched weeks."""
    first, last = registry.days
    record = closed_weeks(first, last)
    most = config.monitor.reference_weeks
    since = config.monitor.since
    if since is not None:
        border = week_of((since - EPOCH).days + 6)
    elif workspace.has_finished("featurize"):
        border = week_of(workspace.record(FeaturizeRecord).borders.t1 + 7)
    else:
        border = record.start + most
    start = max(border - most, record.start)
    weeks = range(start, max(record.stop, start))
    return Watch(weeks, min(max(border - start, 0), len(weeks)))


def _last_week(registry: Registry) -> int:
    return closed_weeks(*registry.days).stop - 1


def _write(
    config: RunConfig,
    workspace: Workspace,
    watch: Watch,
    found: Mapping[str, Found],
    last_week: int,
) -> MonitorRecord:
    """Write the table and the summary, and tell the alerts that were raised in the last 4 weeks."""
    table = alert_table(row for result in found.values() for row in result.rows)
    folder = workspace.root / "monitor"
    write_parquet(table, folder / "alerts.parquet")
    alerts = {
        name: sum(row.alert for row in result.rows) for name, result in found.items()
    }
    waits = {
        name: result.waits[config.language]
        for name, result in found.items()
        if result.waits
    }
    summary: dict[str, Json] = {
        "alerts_per_year": config.monitor.alerts_per_year,
        "reference_from": str(date_of(first_day_of(watch.weeks.start))),
        "since": str(date_of(first_day_of(watch.first))),
        "last_week": str(date_of(first_day_of(last_week))),
        "monitors": {
            name: {
                "alerts": alerts[name],
                "explained": result.explained,
                "waits": dict(result.waits) or None,
                "charts": result.facts,
            }
            for name, result in found.items()
        },
    }
    write_json(folder / "summary.json", summary)
    newest = date_of(first_day_of(last_week - TOLD_WEEKS))
    for row in table.to_pylist():
        if row["alert"] and row["day"] >= newest:
            log.info("monitor: %s", alert_sentence(row, config.language))
    for text in waits.values():
        log.info("monitor: %s", text)
    week = str(date_of(first_day_of(last_week)))
    return MonitorRecord(last_week=week, alerts=alerts, waiting=waits)


if __name__ == "__main__":
    main(run, __doc__)
