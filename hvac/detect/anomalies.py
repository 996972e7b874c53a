"""Anomalies made on purpose: six kinds, put into series that are normal.

Every kind changes the steps [start, end) of a copy; `size` counts in spreads of the series, its
sign gives the side. Legend: T steps of a series, N steps of an anomaly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Self

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from hvac.arrays import Floats
from hvac.config import Config, unknown_error
from hvac.detect.series import Anomaly, Reference
from hvac.errors import unknown_name

Rng = np.random.Generator
Change = Callable[[Floats, float, Reference, Rng], Floats]


def _spike(value_N: Floats, size: float, reference: Reference, rng: Rng) -> Floats:
    return value_N + size * reference.spread


def _drift(value_N: Floats, size: float, reference: Reference, rng: Rng) -> Floats:
    return value_N + size * reference.spread * np.linspace(0, 1, len(value_N))


def _variance(value_N: Floats, size: float, reference: Reference, rng: Rng) -> Floats:
    return value_N + rng.normal(0, abs(size) * reference.spread, len(value_N))


def _frequency(value_N: Floats, size: float, reference: Reference, rng: Rng) -> Floats:
    """Play the stretch 1 + |size| times as fast, there and back.

    So it stays within its own values.
    """
    last = len(value_N) - 1
    place_N = np.arange(len(value_N)) * (1 + abs(size)) % max(2 * last, 1)
    return np.asarray(
        np.interp(
            np.minimum(place_N, 2 * last - place_N), np.arange(len(value_N)), value_N
        )
    )


def _dropout(value_N: Floats, size: float, reference: Reference, rng: Rng) -> Floats:
    return np.full(len(value_N), reference.centre - abs(size) * reference.spread)


KINDS: dict[str, Change] = {
    "spike": _spike,
    "level_shift": _spike,
    "drift": _drift,
    "variance": _variance,
    "frequency": _frequency,
    "dropout": _dropout,
}


def _known(kind: str) -> str:
    if kind not in KINDS:
        raise unknown_error(
            unknown_name(f"kind of anomaly '{kind}'", kind, KINDS, "kinds")
        )
    return kind


Range = tuple[float, float]
Steps = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]


class AnomalyConfig(Config):
    """Which anomalies are made."""

    kinds: tuple[Annotated[str, AfterValidator(_known)], ...] = Field(
        default=tuple(KINDS), min_length=1
    )
    """The kinds to draw from; all six by default."""
    size: Range = (2.0, 5.0)
    """Lowest and highest size, in spreads of the series."""
    length: Steps = (20, 80)
    """Shortest and longest anomaly that is no spike, in steps."""
    spike_length: Steps = (1, 10)
    """Shortest and longest spike, in steps."""

    @model_validator(mode="after")
    def _ranges_rise(self) -> Self:
        for name in ("size", "length", "spike_length"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(
                    f"{name}: expected [lowest, highest], found [{low}, {high}]"
                )
        return self


def draw_anomalies(config: AnomalyConfig, steps: int, rng: Rng) -> Anomaly:
    """Draw a random anomaly somewhere in a stretch of `steps` steps.

    An anomaly that is longer than half of the stretch is cut to that.
    """
    kind = str(rng.choice(config.kinds))
    low, high = config.spike_length if kind == "spike" else config.length
    length = min(int(rng.integers(low, high + 1)), max(steps // 2, 1))
    start = int(rng.integers(0, steps - length + 1))
    size = float(rng.uniform(*config.size) * rng.choice((-1, 1)))
    return Anomaly(kind, start, start + length, size)


def put(value_T: Floats, anomaly: Anomaly, reference: Reference, rng: Rng) -> Floats:
    """Return a copy of a series with the anomaly in it.

    >>> spike = Anomaly("spike", 1, 3, 3.0)
    >>> put(np.zeros(5), spike, Reference(0.0, 1.0), np.random.default_rng(0)).tolist()
    [0.0, 3.0, 3.0, 0.0, 0.0]
    """
    changed_T = value_T.copy()
    steps = slice(anomaly.start, anomaly.end)
    changed_T[steps] = KINDS[anomaly.kind](value_T[steps], anomaly.size, reference, rng)
    return changed_T
