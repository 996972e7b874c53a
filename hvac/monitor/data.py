"""Data: how many points of a facility are odd in a week, against the facility's own reference.

Five kinds, each with a fifth of the rate: `missing` (under half of the usual
readings), `stuck` (all readings of the week are the last one before), `sentinel` (marks for "no
value"), `jump` (the week's median lies over 6 robust spreads from the 4 weeks before), `late` (a reading
that became known more than 2 days after its day). Counts are charted as 2√(n + 3/8), which has spread
1 where points are odd by themselves (Anscombe 1948, Biometrika 35). Half of a kind's rate goes to single
weeks (an outage), half to a CUSUM (slow decay); both look upwards only.

Shapes: P weeks, D days of a week, C points of a unit, F facilities, K kinds.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from hvac.arrays import AnyArray, Bools, DayNumbers, Floats, Ints
from hvac.monitor.chart_kinds import Chart
from hvac.monitor.chart_statistics import Kind
from hvac.monitor.charts import Charted, run_chart
from hvac.monitor.monitor_settings import MonitorConfig
from hvac.monitor.periods import WEEK, first_day_of
from hvac.panel.daily_readings import ALWAYS_KNOWN
from hvac.panel.quality import FAR, JUMP_SPREADS, SENTINELS, SURE

KINDS: Final = ("missing", "stuck", "sentinel", "jump", "late")
STATISTICS: Final[dict[Kind, str]] = {"each": "", "cusum": "_slowly"}
TAILS: Final = 5.0  # counts come in clusters: what was never seen is not far
BEFORE: Final = 4  # weeks that a jump is measured against
LEAST_READINGS: Final = 3  # of a week that can be stuck or have jumped
LATE_DAYS: Final = 2
GONE_WEEKS: Final = 8  # after its last reading a point counts as gone, not as missing


class Week(NamedTuple):
    """Readings of a unit laid out by week: value_PDC, and when they became known."""

    value_PDC: Floats
    known_PDC: DayNumbers
    first_day: int


def by_week(
    value_TC: Floats, known_TC: DayNumbers, *, first_day: int, weeks: range
) -> Week:
    """Lay daily readings out by week; days outside the record are missing.

    >>> by_week(np.ones((9, 1)), np.zeros((9, 1), np.int32), first_day=9,
    ...         weeks=range(2)).value_PDC[..., 0].tolist()
    [[nan, nan, nan, nan, nan, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]]
    """
    start, points = first_day_of(weeks.start), value_TC.shape[1]
    days = len(weeks) * WEEK
    value_DC = np.full((days, points), np.nan)
    known_DC = np.full((days, points), ALWAYS_KNOWN)
    low, high = max(start, first_day), min(start + days, first_day + len(value_TC))
    if high > low:
        value_DC[low - start : high - start] = value_TC[
            low - first_day : high - first_day
        ]
        known_DC[low - start : high - start] = known_TC[
            low - first_day : high - first_day
        ]
    shape = (len(weeks), WEEK, points)
    return Week(value_DC.reshape(shape), known_DC.reshape(shape), start)


def odd_weeks(readings: Week, reference: int) -> Bools:
    """Tell in which weeks each point of a unit is odd, by kind of oddity [P, C, K].

    Points without a reading in the reference are never odd.
    """
    value_PDC = readings.value_PDC
    if not reference:
        weeks, _, points = value_PDC.shape
        return np.zeros((weeks, points, len(KINDS)), bool)
    seen_PDC = np.isfinite(value_PDC)
    days_PC = seen_PDC.sum(axis=1)
    usual_C = np.median(days_PC[:reference], axis=0)
    odd = (
        _missing(days_PC, usual_C),
        _stuck(value_PDC, days_PC),
        _sentinel(value_PDC, reference),
        _jumped(value_PDC, days_PC),
        _late(readings),
    )
    usual_C1 = (days_PC[:reference].sum(axis=0) > 0)[:, None]
    return np.asarray(np.stack(odd, axis=2) & usual_C1)


def _missing(days_PC: Ints, usual_C: Floats) -> Bools:
    weeks = np.arange(len(days_PC))[:, None]
    last_C = np.where(days_PC > 0, weeks, -1).max(axis=0)
    return np.asarray((days_PC < usual_C / 2) & (weeks <= last_C + GONE_WEEKS))


def _stuck(value_PDC: Floats, days_PC: Ints) -> Bools:
    """Tell where all readings of a week are one value, which was the last one before it, too."""
    held_PC = np.full(days_PC.shape, np.nan)
    last_C = np.full(value_PDC.shape[2], np.nan)
    for p, value_DC in enumerate(value_PDC):
        held_PC[p] = last_C
        for value_C in value_DC:
            last_C = np.where(np.isfinite(value_C), value_C, last_C)
    same_PDC = np.isnan(value_PDC) | (value_PDC == held_PC[:, None])
    return np.asarray(same_PDC.all(axis=1) & (days_PC >= LEAST_READINGS))


def _sentinel(value_PDC: Floats, reference: int) -> Bools:
    """Tell where marks far from the usual level stand: a large one, or two small ones."""
    mark_PDC = _far_marks(value_PDC, value_PDC[:reference])
    large_PC = (mark_PDC & (np.abs(value_PDC) >= SURE)).any(axis=1)
    return np.asarray(large_PC | (mark_PDC.sum(axis=1) > 1))


def _far_marks(value_TDC: Floats, usual_TDC: Floats) -> Bools:
    """Tell which readings are marks for "no value", far from the usual level of their point."""
    points = value_TDC.shape[2]
    centre_1C, spread_1C = _level(usual_TDC.reshape(1, -1, points))
    far_TDC = np.abs(value_TDC - centre_1C) > FAR * np.maximum(spread_1C, 1e-9)
    return np.asarray(np.isin(value_TDC, SENTINELS) & far_TDC)


def without_marks(readings: Week, reference: int) -> Week:
    """Return readings without large marks for "no value", as the means of weeks need them.

    One -9999 among the days of a week is no drift of a machine, and in the reference it would hide
    all others. Marks stay where a watched week holds nothing else: that sensor broke down.

    >>> value = np.array([[20.0, 21, 20, 21, 20, 21, -9999]] * 2 + [[-9999.0] * 7])
    >>> readings = Week(value[..., None], np.zeros((3, 7, 1), np.int32), 4)
    >>> without_marks(readings, 1).value_PDC[:, -1, 0].tolist()
    [nan, nan, -9999.0]
    """
    value_PDC = readings.value_PDC
    if not reference:
        return readings
    mark_PDC = _far_marks(value_PDC, value_PDC[:reference])
    mark_PDC &= np.abs(value_PDC) >= SURE
    others_PC = np.asarray((np.isfinite(value_PDC) & ~mark_PDC).any(axis=1))
    others_PC[:reference] = True
    mark_PDC &= others_PC[:, None]
    return readings._replace(value_PDC=np.where(mark_PDC, np.nan, value_PDC))


def _jumped(value_PDC: Floats, days_PC: Ints) -> Bools:
    weeks, _, points = value_PDC.shape
    jumped_PC = np.zeros(days_PC.shape, bool)
    if weeks <= BEFORE:
        return jumped_PC
    stretch_PCBD = sliding_window_view(value_PDC, BEFORE, axis=0)[:-1]
    flat_PNC = stretch_PCBD.swapaxes(2, 3).reshape(weeks - BEFORE, -1, points)
    centre_PC, spread_PC = _level(flat_PNC)
    moved_PC = np.abs(_level(value_PDC[BEFORE:])[0] - centre_PC)
    enough_PC = (days_PC[BEFORE:] >= LEAST_READINGS) & (spread_PC > 0)
    jumped_PC[BEFORE:] = (moved_PC > JUMP_SPREADS * spread_PC) & enough_PC
    return jumped_PC


def _late(readings: Week) -> Bools:
    weeks, days, _ = readings.value_PDC.shape
    day_PD1 = readings.first_day + np.arange(weeks * days).reshape(weeks, days, 1)
    late_PDC = readings.known_PDC > day_PD1 + LATE_DAYS
    return np.asarray((late_PDC & np.isfinite(readings.value_PDC)).any(axis=1))


def _level(value_PNC: Floats) -> tuple[Floats, Floats]:
    """Return median and robust spread over readings [P, C]; nan where there are none."""
    centre_PC = _median(value_PNC)
    return centre_PC, 1.4826 * _median(np.abs(value_PNC - centre_PC[:, None]))


def _median(value_PNC: Floats) -> Floats:
    """Return the median over N, nan left out; the fast way of `np.nanmedian`."""
    ordered_PNC = np.sort(value_PNC, axis=1)  # nan goes last
    count_PC = np.isfinite(value_PNC).sum(axis=1)
    last_PC = np.maximum(count_PC - 1, 0)
    low_PC, high_PC = (
        np.take_along_axis(ordered_PNC, place_PC[:, None], axis=1)[:, 0]
        for place_PC in (last_PC // 2, (last_PC + 1) // 2)
    )
    return np.asarray(0.5 * (low_PC + high_PC))


def count_odd(facility_U: AnyArray, odd_UPK: Ints) -> tuple[list[str], Ints]:
    """Add up the units' odd points by facility [P, F, K].

    >>> names, odd_PFK = count_odd(np.array(["b", "a", "b"]), np.ones((3, 2, 1), int))
    >>> names, odd_PFK[..., 0].tolist()
    (['a', 'b'], [[1, 2], [1, 2]])
    """
    names, code_U = np.unique(facility_U, return_inverse=True)
    odd_FPK = np.zeros((len(names), *odd_UPK.shape[1:]), np.int64)
    np.add.at(odd_FPK, code_U, odd_UPK)
    return names.tolist(), odd_FPK.swapaxes(0, 1)


def watch_data(odd_PFK: Ints, reference: int, config: MonitorConfig) -> list[Charted]:
    """Chart the counts of each kind twice, facilities side by side: week by week, and as a CUSUM.

    >>> odd_PFK = np.zeros((104, 2, 5), int)
    >>> odd_PFK[::9, 0] = 1
    >>> odd_PFK[70:, 1, 2] = 30
    >>> charts = watch_data(odd_PFK, 52, MonitorConfig())
    >>> [chart.chart.name for chart in charts if chart.alerts]
    ['sentinel', 'sentinel_slowly']
    """
    root_PFK = 2 * np.sqrt(odd_PFK + 0.375)
    design_PFK1 = np.ones((*odd_PFK.shape[:2], 1))
    charts = []
    for k, kind in enumerate(KINDS):
        for statistic, suffix in STATISTICS.items():
            chart = Chart(
                kind + suffix,
                statistic,
                1,
                config.alerts_per_year / len(KINDS) / len(STATISTICS),
                two_sided=False,
                most=np.inf,
                least_spread=1.0,
                tails=TAILS,
                seed=config.seed,
            )
            charts.append(run_chart(chart, root_PFK[..., k], design_PFK1, reference))
    return charts
