"""Facts of a run for metrics.json: how it was made, what was read, which windows there are."""

from __future__ import annotations

import datetime as dt
from typing import TypedDict

import hvac
from hvac.days import EPOCH, now_text
from hvac.features.window_counts import TotalCounts, total_counts
from hvac.json_values import JsonObject, as_json
from hvac.scoring.bundle import Bundle
from hvac.storage import content_key
from ray_jobs.run.records import FeaturizeRecord, IngestRecord, TrainRecord
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace


class CalibrationFacts(TypedDict):
    """How scores became probabilities at one horizon: the methods, and each class's."""

    method: str
    by_class: dict[str, str]


def run_facts(config: RunConfig, workspace: Workspace, command: str) -> JsonObject:
    """Return the sections `run`, `panel` and `windows` of metrics.json."""
    featurized = workspace.record(FeaturizeRecord)
    trained = workspace.record(TrainRecord)
    settings = config.model_dump(mode="json", by_alias=True)
    return {
        "run": {
            "name": config.name,
            "created": now_text(),
            "config_hash": content_key(settings),
            "config": settings,
            "version": hvac.__version__,
            "language": config.language,
            "command": command,
            "bundles": trained.bundles,
            "family": config.model.family,
            "encoder": _encoder_facts(config, workspace, trained),
            "split": _split_facts(config, featurized),
            "labels": {
                "source": config.labels.source,
                "events": list(config.labels.kinds),
            },
            "seed": config.seed,
            "by": config.windows.by,
        },
        "panel": workspace.record(IngestRecord).panel_facts(),
        "windows": {
            **as_json(window_facts(featurized)),
            "excluded": featurized.left_out,
        },
    }


def _encoder_facts(
    config: RunConfig, workspace: Workspace, trained: TrainRecord
) -> JsonObject:
    first_bundle = next(iter(trained.bundles.values()))
    encoder = Bundle.load(workspace.bundles / first_bundle).encoder
    return {
        "source": config.encoder.source,
        "sha256": encoder.sha256,
        "dim": encoder.dim,
        "patches": encoder.patches,
        "pooling": config.encoder.pooling,
    }


def _split_facts(config: RunConfig, featurized: FeaturizeRecord) -> JsonObject:
    borders = featurized.borders
    timed = config.splits.kind in ("time", "both")
    return {
        "kind": config.splits.kind,
        "t1": _date(borders.t1) if timed else None,
        "t2": _date(borders.t2) if timed else None,
        "purge_days": borders.purge if timed else None,
        "train_stride": config.windows.train_stride,
        "evaluation_stride": config.windows.evaluation_stride,
    }


def _date(day: int) -> str:
    return (EPOCH + dt.timedelta(days=day)).isoformat()


def window_facts(featurized: FeaturizeRecord) -> dict[str, TotalCounts]:
    """Return counts and weighted base rates per split, over all classes."""
    classes = featurized.model_dump(mode="json")["windows"]
    return total_counts(classes.values())


def calibration_facts(
    trained: TrainRecord, horizons: tuple[int, ...]
) -> dict[str, CalibrationFacts]:
    """Return how scores became probabilities, by horizon: the method of every class."""
    facts: dict[str, CalibrationFacts] = {}
    for horizon in map(str, horizons):
        by_class = {
            name: methods[horizon] for name, methods in trained.calibration.items()
        }
        method = ", ".join(sorted(set(by_class.values())))
        facts[horizon] = {"method": method, "by_class": by_class}
    return facts
