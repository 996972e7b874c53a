"""Small series, windows and detectors: made in memory, the same each time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from hvac.detect.baseline import WindowZScore
from hvac.detect.detection_metrics import HALF
from hvac.detect.detections import AlarmConfig
from hvac.detect.detector import Detector
from hvac.detect.part_scores import Assessment, score_parts
from hvac.detect.series import Anomaly, Series, plain_series
from hvac.detect.simulated_series import SineConfig, sines
from hvac.detect.sliding import SlidingConfig
from hvac.detect.training import training_examples
from hvac.models.cnn1d import Cnn1d, Cnn1dConfig
from hvac.models.family import Fitting, no_encoder

SMALL = SlidingConfig(length=20, stride=5)


def noise(
    steps: int,
    *,
    spikes: Sequence[tuple[int, int]] = (),
    part: str = "test",
    seed: int = 0,
) -> Series:
    """Noise with plateaus of height 5 at the given steps, labelled."""
    value_T = np.random.default_rng(seed).normal(0, 0.3, steps)
    for start, end in spikes:
        value_T[start:end] += 5
    anomalies = tuple(Anomaly("spike", start, end, 5.0) for start, end in spikes)
    return plain_series(
        value_T, record=f"{part}-{seed}", part=part, anomalies=anomalies
    )


def clocked(series: Series, *, seconds: int = 3600) -> Series:
    """The same series with a clock."""
    time_T = np.datetime64("2024-01-01", "s") + np.arange(len(series)) * np.timedelta64(
        seconds, "s"
    )
    return Series(**{**vars(series), "time_T": time_T})


@cache
def small_fleet() -> tuple[Series, ...]:
    """A few stretches of every part, each with spikes."""
    counts = {"train": 4, "validation": 2, "test": 3}
    return tuple(
        noise(200, spikes=((60, 66), (140, 146)), part=part, seed=100 * place + number)
        for place, (part, count) in enumerate(counts.items())
        for number in range(count)
    )


@cache
def fitted(windows: SlidingConfig = SMALL, **settings: Any) -> Detector:
    """A detector of the small fleet."""
    train, validation = training_examples(small_fleet(), windows, None, 0)
    config = Cnn1dConfig(**{"epochs": 4, "batch_size": 16, **settings})
    model = Cnn1d.fit(train.windows, validation.windows, config, Fitting(no_encoder))
    return Detector(
        model=model, windows=windows, threshold=HALF, training={"run": "small"}
    )


@cache
def assessed() -> Assessment:
    """The small fleet, judged."""
    return score_parts(
        small_fleet(),
        fitted(),
        [WindowZScore(windows=SMALL)],
        AlarmConfig(rule="half", gap=5, slack=5),
    )


@cache
def assessed_sines() -> tuple[tuple[Series, ...], Assessment]:
    """The seed's series, few of them, judged by the baseline and by a network after one epoch."""
    series, windows = (
        tuple(sines(SineConfig(each=20, unseen_each=3), 0)),
        SlidingConfig(length=100),
    )
    train, validation = training_examples(series, windows, None, 0)
    model = Cnn1d.fit(
        train.windows, validation.windows, Cnn1dConfig(epochs=1), Fitting(no_encoder)
    )
    detector = Detector(model=model, windows=windows, threshold=HALF)
    return series, score_parts(
        series, detector, [WindowZScore(windows=windows)], AlarmConfig(rule="half")
    )
