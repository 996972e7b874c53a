"""Simulated series: the predecessor's sine with a spike, and richer ones.

The rich ones have many normal patterns and kinds of anomaly. Legend: T steps, N series.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator
from scipy.signal import lfilter
from sklearn.model_selection import train_test_split

from hvac.arrays import Bools, Floats, Ints
from hvac.config import Config
from hvac.detect.anomalies import AnomalyConfig, Steps, draw_anomalies, put
from hvac.detect.series import Anomaly, Reference, Series, plain_series

SHARE_HELD_OUT = 0.2
PREDECESSOR_SPIKE = Anomaly("spike", 41, 50, 3.0)
PREDECESSOR_NOISE = 0.1


class SineConfig(Config):
    """The predecessor's series: two periods of a sine with noise.

    Half of them have a spike in steps 41 to 49.
    """

    pattern: Literal["sine"] = "sine"
    """Which kind of series: this one."""
    each: int = Field(default=100, ge=10)
    """Normal series, and as many with a spike, for train, validation and test together."""
    unseen_each: int = Field(default=10, ge=1)
    """Normal series, and as many with a spike, that take no part in training or choosing."""
    steps: int = Field(default=100, ge=PREDECESSOR_SPIKE.end)
    """Length of a series in steps."""


class RichConfig(Config):
    """Many normal patterns, of many lengths, with anomalies now and then."""

    pattern: Literal["rich"] = "rich"
    """Which kind of series: this one."""
    count: int = Field(default=300, ge=20)
    """How many series, in all parts together."""
    length: Steps = (100, 10_000)
    """Shortest and longest series, in steps."""
    every: int = Field(default=600, ge=50)
    """Mean number of steps from one anomaly to the next."""
    anomalies: AnomalyConfig = AnomalyConfig()
    """Which anomalies are put in."""

    @model_validator(mode="after")
    def _length_rises(self) -> Self:
        if self.length[0] > self.length[1]:
            raise ValueError(
                f"length: expected [shortest, longest], found {list(self.length)}"
            )
        return self


def simulate_series(config: SineConfig | RichConfig, seed: int) -> list[Series]:
    """Make all series of a run; the same seed gives the same series."""
    return sines(config, seed) if isinstance(config, SineConfig) else rich(config, seed)


def sines(config: SineConfig, seed: int) -> list[Series]:
    """Make the predecessor's series, and unseen ones from a random stream of their own.

    The predecessor's 80/20 split is train / test here, and a fifth of train is kept for validation.
    Both cuts keep the share of anomalous series.
    """
    spike_N = np.repeat([False, True], config.each)
    seen, test = _cut(spike_N, np.arange(len(spike_N)), seed)
    _, validation = _cut(spike_N, seen, seed)
    part_N = np.full(len(spike_N), "train", dtype=object)
    part_N[test] = "test"
    part_N[validation] = "validation"
    known_rng = np.random.default_rng((seed, 0))
    unseen_rng = np.random.default_rng((seed, 1))
    series = []
    for spike, part in zip(spike_N, part_N, strict=True):
        series.append(_sine(config.steps, spike, str(part), known_rng))
    for spike in np.repeat([False, True], config.unseen_each):
        series.append(_sine(config.steps, spike, "unseen", unseen_rng))
    return series


def _cut(spike_N: Bools, rows: Ints, seed: int) -> list[Ints]:
    parts: list[Ints] = train_test_split(
        rows, test_size=SHARE_HELD_OUT, random_state=seed, stratify=spike_N[rows]
    )
    return parts


def _sine(steps: int, spike: bool, part: str, rng: np.random.Generator) -> Series:
    noise_T = rng.normal(0, PREDECESSOR_NOISE, steps)
    value_T = np.sin(np.linspace(0, 4 * np.pi, steps)) + noise_T
    if not spike:
        return plain_series(value_T, record="sine", part=part)
    value_T = put(value_T, PREDECESSOR_SPIKE, Reference(0.0, 1.0), rng)
    return plain_series(
        value_T, record="sine", part=part, anomalies=(PREDECESSOR_SPIKE,)
    )


def rich(config: RichConfig, seed: int) -> list[Series]:
    """Make series of random length and pattern: 60 % train, 20 % validation, 20 % test."""
    series = []
    for number in range(config.count):
        rng = np.random.default_rng((seed, number))
        part = ("train", "train", "train", "validation", "test")[number % 5]
        series.append(_rich(config, f"{part}-{number}", part, rng))
    return series


def _rich(
    config: RichConfig, record: str, part: str, rng: np.random.Generator
) -> Series:
    low, high = np.log(config.length)
    steps = round(np.exp(rng.uniform(low, high)))
    pattern_T = _daily_weekly(steps, rng) if rng.random() < 0.4 else _waves(steps, rng)
    rise_T = rng.normal(0, 1.0) * np.linspace(0, 1, steps)
    trend_T = rise_T * (rng.random() < 0.5)
    value_T = pattern_T + trend_T + _coloured_noise(steps, rng)
    level = rng.uniform(-50, 50)
    scale = np.exp(rng.normal(0, 1))
    value_T = level + value_T / np.std(value_T) * scale
    reference = Reference(float(np.median(value_T)), float(np.std(value_T)))
    anomalies = []
    for start, stop in _slots(config, steps, rng):
        drawn = draw_anomalies(config.anomalies, stop - start, rng)
        first = drawn.start + start
        anomalies.append(drawn._replace(start=first, end=drawn.end + start))
        value_T = put(value_T, anomalies[-1], reference, rng)
    return plain_series(value_T, record=record, part=part, anomalies=tuple(anomalies))


def _slots(
    config: RichConfig, steps: int, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Return stretches of equal length, one for each anomaly.

    They are at least twice as long as the longest anomaly wherever that fits.
    """
    room = max(steps // (2 * config.anomalies.length[1]), 1)
    count = min(int(rng.poisson(steps / config.every)), room)
    borders = np.linspace(0, steps, count + 1).astype(int)
    return list(pairwise(borders.tolist()))


def _waves(steps: int, rng: np.random.Generator) -> Floats:
    """Return one to three sines of random period, phase and amplitude."""
    place_T = np.arange(steps)
    wave_T = np.zeros(steps)
    for _ in range(rng.integers(1, 4)):
        log_period = rng.uniform(np.log(8), np.log(200))
        period = np.exp(log_period)
        height = rng.uniform(0.3, 1)
        turns_T = place_T / period + rng.random()
        wave_T += height * np.sin(2 * np.pi * turns_T)
    return wave_T


def _daily_weekly(steps: int, rng: np.random.Generator) -> Floats:
    """Return a building's hours: a rounded daily load, weaker on two days of seven."""
    hour_T = np.arange(steps) + rng.integers(0, 168)
    day_T = np.maximum(
        np.sin(2 * np.pi * (hour_T % 24 - rng.uniform(5, 8)) / 24), rng.uniform(-0.5, 0)
    )
    resting_T = hour_T // 24 % 7 >= 5
    share_T = np.where(resting_T, rng.uniform(0.1, 0.9), 1.0)
    return np.asarray(share_T * day_T)


def _coloured_noise(steps: int, rng: np.random.Generator) -> Floats:
    """Return first-order autoregressive noise."""
    keep = rng.uniform(0, 0.9)
    std = rng.uniform(0.05, 0.3)
    noise_T = rng.normal(0, std, steps)
    gain = np.sqrt(1 - keep**2)
    return np.asarray(lfilter([gain], [1, -keep], noise_T))
