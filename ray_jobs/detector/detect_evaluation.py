"""AnomalyScorer the test part with the detector, loaded anew, beside the baselines: metrics, tables,
figures, report.
"""

from __future__ import annotations

import datetime as dt
import json
import shlex
import sys
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv

from hvac.cells import safe_table
from hvac.detect.baseline import RecordZScore, WindowZScore
from hvac.detect.classification_summary import summary_text
from hvac.detect.detection_page import write_detection_report
from hvac.detect.detection_tables import alarms_table, scored_windows_table, steps_table
from hvac.detect.detections import slack_of
from hvac.detect.detector import AnomalyScorer, Detector
from hvac.detect.figure_files import draw_detection_figures
from hvac.detect.part_scores import metrics_of, score_parts
from hvac.detect.series import Series
from hvac.storage import AnyPath, write_json, write_parquet, writing
from ray_jobs.assess.run_facts import own_version
from ray_jobs.detector.detect_config import DetectConfig
from ray_jobs.run.workspace import Result, Workspace, content_key

DETECTOR = "detector"


def evaluate_detector(
    config: DetectConfig, workspace: Workspace, series: Sequence[Series], steps: dict[str, Result]
) -> Result:
    """All results of a run, from the model folder and the series.

    Args:
        steps: what the steps before recorded, by name.
    """
    detector = Detector.load(workspace.root / DETECTOR)
    baselines: list[AnomalyScorer] = [WindowZScore(windows=detector.windows)]
    baselines += [RecordZScore.fit(series, detector.windows)] if config.source else []
    found = score_parts(series, detector, baselines, config.alarms)
    metrics = _finite(
        _facts(config, steps) | metrics_of(found, series, detector.windows, seed=config.seed)
    )
    write_json(workspace.root / "metrics.json", metrics)
    _write_csv(scored_windows_table(found), workspace.root / "predictions.csv")
    if found.outcomes:
        _write_csv(alarms_table(found), workspace.root / "alarms.csv")
        write_parquet(steps_table(found), workspace.root / "scores.parquet")
    figures = draw_detection_figures(found, series, metrics, workspace.figures)
    write_detection_report(
        metrics, figures, path=workspace.root / "report.html", language=config.language
    )
    return {"summary": summary_text(metrics)}


def _write_csv(table: pa.Table, path: AnyPath) -> None:
    with writing(path) as file:
        pacsv.write_csv(safe_table(table), file)


def _facts(config: DetectConfig, steps: dict[str, Result]) -> dict[str, Any]:
    """What is known of a run without judging it."""
    dumped, trained = config.model_dump(mode="json"), steps["train"]
    windows, alarms = config.windows, config.alarms
    return {
        "run": {
            "name": config.name,
            "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "version": own_version(),
            "config_hash": content_key(dumped),
            "config": dumped,
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
        "records": steps["series"]["records"],
        "examples": trained["examples"],
        "detector": {
            "parameters": trained["parameters"],
            "kept_epoch": trained["kept_epoch"],
            "epochs": trained["epochs"],
            "window": f"{windows.length}, {windows.stride}",
            "channels": list(windows.channels),
            "detector": DETECTOR,
            "sha256": trained["sha256"],
        },
        "history": trained["history"],
    }


def _finite(tree: Any) -> Any:
    """The same tree with None where a number is not finite."""
    return json.loads(json.dumps(tree), parse_constant=lambda name: None)
