"""The content of a detection run's metrics.json, as types.

In the file `None` stands for what is not finite.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NotRequired, TypedDict, cast

from hvac.json_values import Json, JsonObject
from hvac.report.view import View

Bounds = dict[str, float]
"""A `value` with its 95 % interval, `low` and `high`."""
Moment = str | None
"""A time, or the step of a series without a clock."""


class WindowResult(TypedDict):
    """How well one model tells windows apart; `report` is by class, then by measure."""

    windows: int
    anomalous: int
    unknown: int
    base_rate: float
    pr_auc: float
    roc_auc: float
    confusion: dict[str, int]
    accuracy: Bounds
    report: dict[str, dict[str, float]]


class EventCounts(TypedDict):
    """Anomalies, how many of them were found, and their share."""

    events: int
    found: int
    recall: Bounds


class GroupCounts(EventCounts):
    """Counts of one record, or of the series of one class of lengths."""

    series: int
    steps: int
    false_alarms: int


class EventResult(EventCounts):
    """What alarms of one model are worth, also by kind of anomaly and by group of series."""

    false_alarms: int
    alarms: int
    exposure: float
    exposure_unit: str
    false_rate: Bounds
    in_alarm: float
    chance: float
    delay: Bounds
    by_kind: dict[str, EventCounts]
    by_group: dict[str, GroupCounts]


class PartResult(TypedDict):
    """Results of one model on one part; no events where every series is one window."""

    windows: WindowResult
    events: NotRequired[EventResult]


class NotedThreshold(TypedDict):
    """A threshold, and a note where its rule could not be kept."""

    value: float
    note: str


class ListedEvent(TypedDict):
    """One anomaly, and the first alarm of every model."""

    record: str
    kind: str
    start: Moment
    end: Moment
    first: dict[str, Moment]


class DetectionFigures(TypedDict):
    """Counts by part; thresholds by model; results by model and part; differences by baseline."""

    parts: dict[str, dict[str, int]]
    thresholds: dict[str, NotedThreshold]
    models: dict[str, dict[str, PartResult]]
    differences: dict[str, dict[str, float | str]]
    events: list[ListedEvent]


class AlarmSettings(TypedDict):
    """The settings that the report names."""

    kind: str
    rule: str
    budget: float
    most_in_alarm: float | None
    exposure_unit: str
    gap: int
    slack: int
    join: str
    inject: bool


class DetectorFacts(TypedDict):
    """What the detector is."""

    parameters: int
    kept_epoch: int
    epochs: int
    window: str
    channels: list[str]
    detector: str
    sha256: str


class DetectionMetrics(DetectionFigures):
    """All of a run: figures, and how it was made."""

    run: JsonObject
    settings: AlarmSettings
    records: dict[str, dict[str, Json]]
    examples: dict[str, dict[str, int]]
    detector: DetectorFacts
    history: Sequence[Mapping[str, float | None]]


@dataclass(frozen=True, kw_only=True)
class DetectionView(View):
    """The metrics of one detection run as one language shows them."""

    @property
    def results(self) -> DetectionMetrics:
        """Return the metrics with their types."""
        return cast(DetectionMetrics, self.metrics)

    def events_of(self, model: str, part: str) -> EventResult | None:
        """Return what alarms of a model are worth; None where series are one window long."""
        of_part = self.results["models"][model].get(part)
        return of_part.get("events") if of_part else None
