"""Score the test part with the detector, loaded anew, beside the baselines: metrics, tables,
figures, report.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence

import hvac
from hvac.cells import write_table_csv
from hvac.days import now_text
from hvac.detect.baseline import RecordZScore, WindowZScore
from hvac.detect.classification_summary import summary_text
from hvac.detect.detection_page import write_detection_report
from hvac.detect.detection_results import DetectionMetrics
from hvac.detect.detection_tables import alarms_table, scored_windows_table, steps_table
from hvac.detect.detections import slack_of
from hvac.detect.detector import AnomalyScorer, Detector
from hvac.detect.figure_files import draw_detection_figures
from hvac.detect.part_scores import metrics_of, score_parts
from hvac.detect.series import Series
from hvac.json_values import JsonObject, as_json
from hvac.storage import content_key, write_json, write_parquet
from ray_jobs.detector.detect_config import DetectConfig
from ray_jobs.run.records import DetectionRecord, DetectorRecord, SeriesRecord
from ray_jobs.run.workspace import Workspace

DETECTOR = "detector"


def evaluate_detector(
    config: DetectConfig,
    workspace: Workspace,
    series: Sequence[Series],
    read: SeriesRecord,
    trained: DetectorRecord,
) -> DetectionRecord:
    """Evaluate the detector of the model folder beside the baselines, and write all results."""
    detector = Detector.load(workspace.root / DETECTOR)
    baselines: list[AnomalyScorer] = [WindowZScore(windows=detector.windows)]
    if config.source:
        baselines.append(RecordZScore.fit(series, detector.windows))
    scores = score_parts(series, detector, baselines, config.alarms)
    figures_of_parts = metrics_of(scores, series, detector.windows, seed=config.seed)
    path = workspace.root / "metrics.json"
    write_json(path, {**_facts(config, read, trained), **as_json(figures_of_parts)})
    metrics: DetectionMetrics = json.loads(path.read_text(encoding="utf-8"))
    write_table_csv(scored_windows_table(scores), workspace.root / "predictions.csv")
    if scores.outcomes:
        write_table_csv(alarms_table(scores), workspace.root / "alarms.csv")
        write_parquet(steps_table(scores), workspace.root / "scores.parquet")
    figures = draw_detection_figures(scores, series, metrics, workspace.figures)
    report = workspace.root / "report.html"
    write_detection_report(metrics, figures, path=report, language=config.language)
    return DetectionRecord(summary=summary_text(metrics))


def _facts(
    config: DetectConfig, read: SeriesRecord, trained: DetectorRecord
) -> JsonObject:
    """Return how the run was made and what its detector is."""
    settings = config.model_dump(mode="json")
    windows, alarms = config.windows, config.alarms
    return {
        "run": {
            "name": config.name,
            "created": now_text(),
            "version": hvac.__version__,
            "config_hash": content_key(settings),
            "config": settings,
            "seed": config.seed,
            "workers": config.train.workers,
            "command": shlex.join(["python", "-m", "ray_jobs.detect", *sys.argv[1:]]),
        },
        "settings": {
            "kind": config.kind,
            "rule": alarms.rule,
            "budget": alarms.budget,
            "most_in_alarm": alarms.most_in_alarm,
            "exposure_unit": "week" if config.source else "steps",
            "gap": alarms.gap,
            "slack": slack_of(alarms, windows),
            "join": windows.join,
            "inject": config.inject is not None,
        },
        "records": read.records,
        "examples": trained.examples,
        "detector": {
            "parameters": trained.parameters,
            "kept_epoch": trained.kept_epoch,
            "epochs": trained.epochs,
            "window": f"{windows.length}, {windows.stride}",
            "channels": list(windows.channels),
            "detector": DETECTOR,
            "sha256": trained.sha256,
        },
        "history": trained.history,
    }
