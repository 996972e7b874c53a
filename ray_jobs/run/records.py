"""What every step leaves in `steps/<step>.json`, as types.

A record is written when the step ends. Fields a reader does not know are kept. Files and folders
are named from the workspace on, which may be moved.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from hvac.features.window_counts import WindowCounts
from hvac.json_values import JsonObject

CountByHorizon = dict[str, int]
SumsByHorizon = dict[str, list[float]]


class StepRecord(BaseModel):
    """What all records hold: the key of what the step was made from, and the seconds it took."""

    model_config = ConfigDict(frozen=True, extra="allow")
    step: ClassVar[str] = ""
    key: str = ""
    seconds: float = 0.0
    skipped: bool = Field(default=False, exclude=True)


class SimulateRecord(StepRecord):
    """Where the tables of a simulated fleet lie."""

    step = "simulate"
    folder: str


class IngestRecord(StepRecord):
    """Counts of what was read and what was left out, and the panel's buckets by name."""

    step = "ingest"
    facilities: int
    equipment: int
    points: int
    first_date: str
    last_date: str
    events: dict[str, int] = {}
    classes: dict[str, int] = {}
    dropped_points: dict[str, list[str]] = {}
    rows_read: int
    readings: int
    missing: int
    absent_days: int = 0
    rejected: dict[str, int] = {}
    warnings: list[str] = []
    buckets: dict[str, str]
    buckets_each: int
    files_read: int = 0

    def panel_facts(self) -> JsonObject:
        """Return what the report tells of the panel."""
        inner = {"key", "seconds", "buckets", "buckets_each", "files_read"}
        facts: JsonObject = self.model_dump(mode="json", exclude=inner)
        return facts


class SplitCounts(BaseModel):
    """Windows of one class and split; label counts by kind of label and horizon.

    `weights` holds sums of weights and of their squares; tables of earlier versions have none.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    windows: int
    units: int
    known: CountByHorizon
    positives: CountByHorizon
    weights: dict[str, SumsByHorizon] = {}


class Borders(BaseModel):
    """Days (since 1970-01-01) between the splits, and how many days before them are left out."""

    model_config = ConfigDict(frozen=True)
    t1: int
    t2: int
    purge: int


class FeaturizeRecord(StepRecord):
    """Counts of the table of windows by class and split, and the settings it was made with."""

    step = "featurize"
    left_out: dict[str, int]
    borders: Borders
    windows: dict[str, dict[str, SplitCounts]]
    encoder: dict[str, Any]
    asked: dict[str, dict[str, Any]] | None = None
    buckets_made: int = 0

    def counts(self) -> dict[str, dict[str, WindowCounts]]:
        """Return the counts of windows and labels by class and split."""
        stored: dict[str, dict[str, WindowCounts]] = self.model_dump(
            include={"windows"}
        )["windows"]
        return stored


class TrainRecord(StepRecord):
    """The bundle of every class, and how it was fitted."""

    step = "train"
    bundles: dict[str, str]
    history: dict[str, dict[str, list[dict[str, Any]]]] = {}
    calibration: dict[str, dict[str, str]] = {}
    encoder_sha256: str = ""
    fusion: dict[str, Any] = {}


class EvaluateRecord(StepRecord):
    """Main figures by model and horizon, and the files that hold all of them."""

    step = "evaluate"
    headline: dict[str, dict[str, dict[str, Any]]]
    files: list[str]


class ScoreRecord(StepRecord):
    """Units by the status of their newest window."""

    step = "score"
    units: dict[str, int]
    learning_days_left: tuple[int, int] | None = None
    buckets_scored: int = 0


class MonitorRecord(StepRecord):
    """Alerts of each monitor, what waits for a reference or a label, and the last week seen."""

    step = "monitor"
    last_week: str = ""
    alerts: dict[str, int] = {}
    waiting: dict[str, str] = {}


class CompareRecord(StepRecord):
    """The champion, where the leaderboard lies, and how many candidates were fitted for it."""

    champion: str
    folder: str
    fits: int
    fits_made: int


class RotateRecord(StepRecord):
    """Where the leaderboard of all turns lies, and how many candidates were fitted for it."""

    folder: str
    fits: int
    fits_made: int


class FacilitiesRecord(StepRecord):
    """How many facilities were left out in turn, and the file of the figures."""

    step = "facilities"
    facilities: int
    files: list[str]


class TuneRecord(StepRecord):
    """What a sweep found: its best trial and the files that hold all trials."""

    sweep: str
    trials: int
    finished: int
    stopped: int
    failed: int
    metric: str
    best_trial: str
    best_value: float
    best_settings: dict[str, Any]
    best_config: str


class SeriesRecord(StepRecord):
    """Counts of the records that a detection run read, by name."""

    step = "series"
    records: dict[str, Any] = {}


class DetectorRecord(StepRecord):
    """How the detector was fitted, and the hash of its folder."""

    step = "train"
    run: str
    note: str
    kept_epoch: int
    epochs: int
    parameters: int
    examples: dict[str, Any]
    sha256: str
    history: list[dict[str, Any]]


class DetectionRecord(StepRecord):
    """The closing summary of a detection run."""

    step = "judge"
    summary: str
