"""How a chart looks at its series: its settings."""

from __future__ import annotations

from typing import Final, NamedTuple

from hvac.monitor.chart_statistics import Kind

MOST: Final = 4.0  # spreads that one period adds to a CUSUM at the most


class Chart(NamedTuple):
    """How a chart looks at its series.

    `every` is how many weeks a period has; `alerts_per_year` is declared for all series together. With
    a `least_spread` the threshold is at least that of plain noise of this spread. `tails` are the
    degrees of freedom of the scale by which residuals are smoothed: the fewer, the further a
    threshold may lie beyond all that the reference holds.
    """

    name: str
    kind: Kind
    every: int
    alerts_per_year: float
    two_sided: bool = True
    most: float = MOST
    least_spread: float = 0.0
    tails: float = 15.0
    seed: int = 0
