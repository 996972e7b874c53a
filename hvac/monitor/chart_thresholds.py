"""Choose a chart's threshold so that it alerts as often as declared where nothing changes.

Pseudo-records are drawn from the reference, in which nothing changes by definition: a unit's spread,
and residuals of any unit and period. Each pseudo-record gets a reference of its own, against which
its later periods are standardised, so that the error of every fitted line and spread is in the
threshold. Periods depend on each other: a pseudo-record is part noise, part what persists (an
autoregression with a half-life of 8 weeks). The part is the one under which pseudo-records have the
correlation that the real residuals have (indirect inference: Gouriéroux, Monfort and Renault 1993,
J. Appl. Econometrics 8), because a fitted line takes some of it away. The bootstrap is smoothed: a
residual is multiplied by a random scale of mean square 1, so that a threshold may lie beyond the
largest of them.

Shapes: R reference periods, W watched ones, S series, K columns of the line, N pseudo-records.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from hvac.arrays import Floats
from hvac.monitor.chart_kinds import Chart
from hvac.monitor.chart_statistics import highest
from hvac.monitor.periods import WEEKS_PER_YEAR
from hvac.monitor.reference import PRIOR, ReferenceLine, robust_squares

SERIES: Final = 300  # of a reference, at most, whose lines are fitted anew
RECORDS: Final = 8_000  # pseudo-records at the least
MOST_RECORDS: Final = 200_000
TOGETHER: Final = 6_000  # pseudo-records at once: memory
BURN_IN: Final = 30
EXCEEDING: Final = 50  # pseudo-records beyond a threshold; fewer: it is extended
HALF_LIFE: Final = 8.0  # weeks
SCALES: Final = 10_000  # smoothing scales to draw from
NOISE: Final = 10_000  # draws of plain noise
STILL: Final = 1e-6  # spreads: less is the rounding of a computer
PARTS: Final = np.linspace(0.0, 1.0, 21)


class Drawn(NamedTuple):
    """What pseudo-records are drawn from."""

    residual_N: Floats
    relative_S: Floats
    lasting: float
    memory: float
    least: float


def residual_correlation(z_RS: Floats) -> float:
    """Return the correlation of neighbouring periods, over all series; 0 where there are none.

    >>> z_RS = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    >>> residual_correlation(z_RS)
    -1.0
    """
    both_RS = np.isfinite(z_RS[1:]) & np.isfinite(z_RS[:-1])
    later, before = z_RS[1:][both_RS], z_RS[:-1][both_RS]
    square = np.sqrt((later**2).sum() * (before**2).sum())
    return float((later * before).sum() / square) if square > 0 else 0.0


def learn(
    reference: ReferenceLine, design_RSK: Floats, every: int, rng: np.random.Generator
) -> Drawn | None:
    """Find what pseudo-records are drawn from; None where no series has a reference.

    Args:
        reference: the fitted reference.
        design_RSK: columns of its lines.
        every: weeks of a period.
        rng: of the draws by which the lasting part is found.
    """
    known_S = reference.known_S
    if not known_S.any():
        return None
    z_RS = reference.z_PS[: len(design_RSK), known_S]
    residual_N = z_RS[np.isfinite(z_RS)]
    residual_N = residual_N - residual_N.mean()
    memory = 0.5 ** (every / HALF_LIFE)
    correlation = 0.0
    if np.abs(residual_N).max() > STILL:
        correlation = residual_correlation(z_RS)
    return Drawn(
        residual_N,
        reference.relative_S[known_S],
        _lasting_part(correlation, design_RSK[:, known_S], memory, rng),
        memory,
        reference.least,
    )


def _lasting_part(
    correlation: float, design_RSK: Floats, memory: float, rng: np.random.Generator
) -> float:
    """Return the lasting part of the variance under which residuals have a correlation."""
    design_RSK = _some(design_RSK, rng, 100)
    reference, series = len(design_RSK), design_RSK.shape[1]
    shape = (reference, max(3000 // series, 1), series)
    quick, slow = (
        rng.standard_normal(shape),
        _lasting(rng.standard_normal, shape, memory),
    )
    left = []
    for part in PARTS:
        value = np.sqrt(1 - part) * quick + np.sqrt(part) * slow
        error = _errors(value, design_RSK, reference)[0]
        left.append(residual_correlation(error.reshape(reference, -1)))
    return float(np.interp(correlation, np.maximum.accumulate(left), PARTS))


def _some(design_RSK: Floats, rng: np.random.Generator, most: int) -> Floats:
    """Return the columns of some series; a missing period gets the mean of the others."""
    series = design_RSK.shape[1]
    if series > most:
        design_RSK = design_RSK[:, rng.choice(series, most, replace=False)]
    return np.where(np.isnan(design_RSK), np.nanmean(design_RSK, axis=0), design_RSK)


def _any_of(
    value_N: Floats, shape: tuple[int, ...], rng: np.random.Generator
) -> Floats:
    """Draw values with replacement."""
    place = rng.integers(0, len(value_N), shape, dtype=np.int32)
    return np.asarray(value_N[place])


def _lasting(
    draw: Callable[[tuple[int, ...]], Floats], shape: tuple[int, ...], memory: float
) -> Floats:
    """Draw an autoregression of variance 1 along the first axis, long after its start."""
    value = draw((shape[0] + BURN_IN, *shape[1:])) * np.sqrt(1 - memory**2)
    value[0] /= np.sqrt(1 - memory**2)
    for p in range(1, len(value)):
        value[p] += memory * value[p - 1]
    return np.asarray(value[BURN_IN:])


def _errors(
    value_PNS: Floats, design_RSK: Floats, reference: int
) -> tuple[Floats, Floats]:
    """Return errors of pseudo-records, and the hat of the design, which repeats itself."""
    repeats = -(-len(value_PNS) // len(design_RSK))
    design_PSK = np.tile(design_RSK, (repeats, 1, 1))[: len(value_PNS)]
    inverse_SKK = np.linalg.pinv(
        np.einsum("rsk,rsl->skl", design_RSK, design_RSK), rcond=1e-9, hermitian=True
    )
    weight_RSK = np.einsum("rsl,skl->rsk", design_RSK, inverse_SKK)
    line_NSK = np.einsum("rns,rsk->nsk", value_PNS[:reference], weight_RSK)
    error_PNS = value_PNS - np.einsum("psk,nsk->pns", design_PSK, line_NSK)
    hat_PS = np.einsum("psk,skl,psl->ps", design_PSK, inverse_SKK, design_PSK)
    return error_PNS, hat_PS


def pseudo_periods(
    drawn: Drawn,
    design_RSK: Floats,
    watched: int,
    rounds: int,
    tails: float,
    rng: np.random.Generator,
) -> Floats:
    """Draw pseudo-records and standardise their watched periods as the real ones are [W, N].

    Args:
        drawn: what they are drawn from.
        design_RSK: columns of whole lines on the reference.
        watched: periods after the reference.
        rounds: pseudo-records per line.
        tails: degrees of freedom of the smoothing scale.
        rng: of the draws.
    """
    reference, series, columns = design_RSK.shape
    shape = (reference + watched, rounds, series)
    scale_N = np.sqrt((tails - 2) / rng.chisquare(tails, SCALES))

    def draw(shape: tuple[int, ...]) -> Floats:
        residual = _any_of(drawn.residual_N, shape, rng)
        residual *= _any_of(scale_N, shape, rng)
        return residual

    value = np.sqrt(1 - drawn.lasting) * draw(shape)
    if drawn.lasting:
        value += np.sqrt(drawn.lasting) * _lasting(draw, shape, drawn.memory)
    value *= rng.choice(drawn.relative_S, shape[1:])
    error, hat_PS = _errors(value, design_RSK, reference)
    free = reference - columns
    square = robust_squares(error[:reference], np.array(free))
    spread = np.sqrt((free * square + PRIOR * np.median(square)) / (free + PRIOR))
    spread = np.maximum(spread, drawn.least)
    width_WS = np.sqrt(1 + np.maximum(hat_PS[reference:], 0))
    z = error[reference:] / (spread * width_WS[:, None])
    return np.asarray(z.reshape(watched, -1))


def chart_threshold(
    drawn: Drawn, design_RSK: Floats, chart: Chart, *, years: int, series: int
) -> float:
    """Return the threshold that the declared number of series cross in some years.

    Args:
        drawn: what pseudo-records are drawn from.
        design_RSK: columns of the reference's lines.
        chart: statistic, declared rate and seed.
        years: how long is watched.
        series: how many series there are.
    """
    rng = np.random.default_rng(chart.seed)
    some_RSK = _some(design_RSK, rng, SERIES)
    share = min(years * chart.alerts_per_year / max(series, 1), 0.5)
    records = int(np.clip(4 * EXCEEDING / share, RECORDS, MOST_RECORDS))
    rounds = max(TOGETHER // some_RSK.shape[1], 1)
    watched = round(years * WEEKS_PER_YEAR / chart.every)
    highest_N: list[Floats] = []
    while sum(map(len, highest_N)) < records:
        z_WN = pseudo_periods(drawn, some_RSK, watched, rounds, chart.tails, rng)
        highest_N.append(
            highest(z_WN, chart.kind, two_sided=chart.two_sided, most=chart.most)
        )
    return upper_quantile(np.concatenate(highest_N), share)


@lru_cache(maxsize=256)
def plain_threshold(
    chart: Chart, *, reference: int, years: int, series: int, least: float
) -> float:
    """Return the threshold of noise without memory, where no spread is less than `least`."""
    noise_N = np.random.default_rng(chart.seed).standard_normal(NOISE)
    drawn = Drawn(noise_N, np.ones(1), 0.0, 0.0, least)
    design_RSK = np.ones((reference, 1, 1))
    return chart_threshold(drawn, design_RSK, chart, years=years, series=series)


def upper_quantile(value_N: Floats, share: float) -> float:
    """Return what a share of the values exceed; beyond the values an exponential tail.

    The tail goes through what 50 and 500 values exceed (Cramér and Lundberg: the highest of a CUSUM
    has such a tail; that of a normal variable is lighter, so the threshold is rather too high).

    >>> round(upper_quantile(np.arange(1000.0), 0.1), 1)
    899.1
    >>> values = np.random.default_rng(0).exponential(size=100_000)
    >>> round(upper_quantile(values, 1e-5))
    12
    """
    if share * len(value_N) >= EXCEEDING or len(value_N) <= 10 * EXCEEDING:
        return float(np.quantile(value_N, 1 - share))
    near = np.quantile(value_N, 1 - EXCEEDING / len(value_N))
    nearer = np.quantile(value_N, 1 - 10 * EXCEEDING / len(value_N))
    slope = (near - nearer) / np.log(10)
    return float(near + slope * np.log(EXCEEDING / len(value_N) / share))
