"""Simulated series: the seed's sine with a spike, and richer ones with many normal patterns and
kinds of anomaly.

Legend: T steps, N series.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator
from scipy.signal import lfilter
from sklearn.model_selection import train_test_split

from hvac.config import Config
from hvac.detect.anomalies import AnomalyConfig, Steps, draw_anomalies, put
from hvac.detect.series import Anomaly, Reference, Series, plain_series

Floats = npt.NDArray[np.float64]
SHARE_HELD_OUT = 0.2
SEED_SPIKE = Anomaly("spike", 41, 50, 3.0)
SEED_NOISE = 0.1


class SineConfig(Config):
    """The seed's series: two periods of a sine with noise, half of them with a spike in steps 41 to
    49.
    """

    pattern: Literal["sine"] = "sine"
    each: int = Field(default=100, ge=10)
    unseen_each: int = Field(default=10, ge=1)
    steps: int = Field(default=100, ge=SEED_SPIKE.end)


class RichConfig(Config):
    """Many normal patterns, of many lengths, with an anomaly about every `every` steps."""

    pattern: Literal["rich"] = "rich"
    count: int = Field(default=300, ge=20)
    length: Steps = (100, 10_000)
    every: int = Field(default=600, ge=50)
    anomalies: AnomalyConfig = AnomalyConfig()

    @model_validator(mode="after")
    def _length_rises(self) -> Self:
        if self.length[0] > self.length[1]:
            raise ValueError(f"length: expected [shortest, longest], found {list(self.length)}")
        return self


def simulate_series(config: SineConfig | RichConfig, seed: int) -> list[Series]:
    """All series of a run; the same seed gives the same series."""
    return sines(config, seed) if isinstance(config, SineConfig) else rich(config, seed)


def sines(config: SineConfig, seed: int) -> list[Series]:
    """The seed's series: its 80/20 split is train / test here, and a fifth of train is kept for
    validation.

    Both cuts keep the share of anomalous series. Unseen series are drawn from a stream of their
    own."""
    kind_N = np.repeat([False, True], config.each)
    seen, held = _cut(kind_N, np.arange(len(kind_N)), seed)
    _, validation = _cut(kind_N, seen, seed)
    part_N = np.full(len(kind_N), "train", dtype=object)
    part_N[held], part_N[validation] = "test", "validation"
    rng, unseen = (np.random.default_rng((seed, stream)) for stream in range(2))
    known = [
        _sine(config.steps, spike, str(part), rng)
        for spike, part in zip(kind_N, part_N, strict=True)
    ]
    return known + [
        _sine(config.steps, s, "unseen", unseen)
        for s in np.repeat([False, True], config.unseen_each)
    ]


def _cut(
    kind_N: npt.NDArray[np.bool_], rows: npt.NDArray[np.int64], seed: int
) -> list[npt.NDArray[np.int64]]:
    found: list[npt.NDArray[np.int64]] = train_test_split(
        rows, test_size=SHARE_HELD_OUT, random_state=seed, stratify=kind_N[rows]
    )
    return found


def _sine(steps: int, spike: bool, part: str, rng: np.random.Generator) -> Series:
    value_T = np.sin(np.linspace(0, 4 * np.pi, steps)) + rng.normal(0, SEED_NOISE, steps)
    if spike:
        value_T = put(value_T, SEED_SPIKE, Reference(0.0, 1.0), rng)
    return plain_series(value_T, record="sine", part=part, anomalies=(SEED_SPIKE,) if spike else ())


def rich(config: RichConfig, seed: int) -> list[Series]:
    """Series of random length and pattern: 60 % train, 20 % validation, 20 % test."""
    made = []
    for number in range(config.count):
        rng = np.random.default_rng((seed, number))
        part = ("train", "train", "train", "validation", "test")[number % 5]
        made.append(_rich(config, f"{part}-{number}", part, rng))
    return made


def _rich(config: RichConfig, record: str, part: str, rng: np.random.Generator) -> Series:
    low, high = np.log(config.length)
    steps = round(np.exp(rng.uniform(low, high)))
    pattern_T = _daily_weekly(steps, rng) if rng.random() < 0.4 else _waves(steps, rng)
    trend_T = rng.normal(0, 1.0) * np.linspace(0, 1, steps) * (rng.random() < 0.5)
    value_T = pattern_T + trend_T + _coloured_noise(steps, rng)
    value_T = rng.uniform(-50, 50) + value_T / np.std(value_T) * np.exp(rng.normal(0, 1))
    reference = Reference(float(np.median(value_T)), float(np.std(value_T)))
    anomalies = []
    for start, stop in _slots(config, steps, rng):
        drawn = draw_anomalies(config.anomalies, stop - start, rng)
        anomalies.append(drawn._replace(start=drawn.start + start, end=drawn.end + start))
        value_T = put(value_T, anomalies[-1], reference, rng)
    return plain_series(value_T, record=record, part=part, anomalies=tuple(anomalies))


def _slots(config: RichConfig, steps: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Stretches of equal length, one for each anomaly, at least twice as long as the longest one
    wherever it fits.
    """
    room = max(steps // (2 * config.anomalies.length[1]), 1)
    borders = (
        np.linspace(0, steps, min(int(rng.poisson(steps / config.every)), room) + 1)
        .astype(int)
        .tolist()
    )
    return list(pairwise(borders))


def _waves(steps: int, rng: np.random.Generator) -> Floats:
    """One to three sines of random period, phase and amplitude."""
    place_T, found_T = np.arange(steps), np.zeros(steps)
    for _ in range(rng.integers(1, 4)):
        period = np.exp(rng.uniform(np.log(8), np.log(200)))
        found_T += rng.uniform(0.3, 1) * np.sin(2 * np.pi * (place_T / period + rng.random()))
    return found_T


def _daily_weekly(steps: int, rng: np.random.Generator) -> Floats:
    """A building's hours: a rounded daily load, weaker on two days of seven."""
    hour_T = np.arange(steps) + rng.integers(0, 168)
    day_T = np.maximum(
        np.sin(2 * np.pi * (hour_T % 24 - rng.uniform(5, 8)) / 24), rng.uniform(-0.5, 0)
    )
    resting_T = hour_T // 24 % 7 >= 5
    return np.asarray(np.where(resting_T, rng.uniform(0.1, 0.9), 1.0) * day_T)


def _coloured_noise(steps: int, rng: np.random.Generator) -> Floats:
    """First-order autoregressive noise."""
    keep, std = rng.uniform(0, 0.9), rng.uniform(0.05, 0.3)
    return np.asarray(lfilter([np.sqrt(1 - keep**2)], [1, -keep], rng.normal(0, std, steps)))
