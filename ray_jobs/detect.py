"""Detect anomalies in plain series: the whole workflow of the 1D-CNN predecessor, from series to
report.

    python -m ray_jobs.detect --config ray_jobs/configs/detect_seed.yaml [key.sub=value …]

Three steps, each skipped where it was done with the same configuration and input: series (simulate
them, or read records), train (sliding windows, the `cnn1d` network on Ray Train, its threshold on
validation, a model folder) and evaluate (load the model anew, score the test part beside the robust
z-score, metrics, figures, report).
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace

from hvac.detect.detection_metrics import HALF, choose, score_series
from hvac.detect.detector import Detector
from hvac.detect.labelled_records import read_records, stamps_of
from hvac.detect.series import Series, facts_of, from_table, of_part, to_table
from hvac.detect.simulated_series import simulate_series
from hvac.detect.training import training_examples
from hvac.json_values import Json, as_json
from hvac.storage import content_key, read_parquet, write_json, write_parquet
from ray_jobs.detector.detect_config import DetectConfig, load_detect
from ray_jobs.detector.detect_evaluation import DETECTOR, evaluate_detector
from ray_jobs.detector.detect_worker import fit_on_workers
from ray_jobs.run.command import main
from ray_jobs.run.records import DetectionRecord, DetectorRecord, SeriesRecord
from ray_jobs.run.workspace import Workspace, run_step, workspace_of

SERIES = "series"


def run(config: DetectConfig) -> DetectionRecord:
    """Make the series, fit the detector, evaluate it, and print a summary."""
    workspace = workspace_of(config)
    series = _make_series(config, workspace)
    trained = _train(config, workspace, series)
    settings = config.model_dump(mode="json", exclude={"workspace", "ray"})
    key = content_key(trained.key, trained.sha256, settings)

    def work() -> DetectionRecord:
        loaded = _load_series(workspace)
        return evaluate_detector(config, workspace, loaded, series, trained)

    record = run_step(workspace, DetectionRecord, key, work)
    sys.stdout.write(f"{record.summary}\n\nReport: {workspace.root / 'report.html'}\n")
    return record


def _make_series(config: DetectConfig, workspace: Workspace) -> SeriesRecord:
    """Simulate or read the series and keep them as a table."""
    stamps = stamps_of(config.source) if config.source else []
    key = content_key(
        config.model_dump(mode="json", include={"series", "source", "seed"}), stamps
    )

    def work() -> SeriesRecord:
        series, counts = _origin(config)
        write_parquet(to_table(series), workspace.root / f"{SERIES}.parquet")
        write_json(
            workspace.root / f"{SERIES}.json",
            [as_json(facts) for facts in facts_of(series)],
        )
        return SeriesRecord(records=counts)

    return run_step(workspace, SeriesRecord, key, work)


def _origin(config: DetectConfig) -> tuple[list[Series], dict[str, dict[str, Json]]]:
    if config.series:
        return simulate_series(config.series, config.seed), {}
    assert config.source is not None, "a configuration has one origin"
    return read_records(config.source)


def _load_series(workspace: Workspace) -> list[Series]:
    facts = json.loads((workspace.root / f"{SERIES}.json").read_text(encoding="utf-8"))
    return from_table(read_parquet(workspace.root / f"{SERIES}.parquet"), facts)


def _train(
    config: DetectConfig, workspace: Workspace, series: SeriesRecord
) -> DetectorRecord:
    """Fit the network, choose its threshold on validation, keep both as a model folder."""
    sections = config.model_dump(
        mode="json", include={"windows", "inject", "model", "alarms", "seed"}
    )
    key = content_key(series.key, sections, config.train.workers)

    def work() -> DetectorRecord:
        loaded = _load_series(workspace)
        train, validation = training_examples(
            loaded, config.windows, config.inject, config.seed
        )
        model, state = fit_on_workers(
            train,
            validation,
            config.network,
            config=config.train,
            folder=workspace.root / "ray_train",
            key=key[:12],
        )
        detector = Detector(model=model, windows=config.windows, threshold=HALF)
        scores = score_series(detector, of_part(loaded, "validation"), config.windows)
        threshold, note = choose(
            scores, config.alarms, config.windows, probability=True
        )
        facts = {
            "run": config.name,
            "key": key,
            "note": note,
            "kept_epoch": state.best_epoch[0],
            "epochs": state.epoch,
            "parameters": model.parameters,
            "examples": {"train": train.counts, "validation": validation.counts},
        }
        detector = replace(detector, threshold=threshold, training=facts)
        sha256 = detector.save(workspace.root / DETECTOR)
        return DetectorRecord(**facts, sha256=sha256, history=state.history_H[0])

    return run_step(workspace, DetectorRecord, key, work)


if __name__ == "__main__":
    main(run, __doc__, load=load_detect)
