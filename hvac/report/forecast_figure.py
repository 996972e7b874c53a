"""The forecast figure: windows (rows) by horizons (columns), what was said of each and what came
true.

Legend of shapes: L lookback days, D days of one horizon. Days are int days since 1970-01-01.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from hvac.report.style import ALARM, CALM, EVENT, FAINT, PAST, WIDTH, finish, nothing, style
from hvac.report.texts import Words


@dataclass(frozen=True, kw_only=True)
class DrawnForecast:
    """What was said of one window at one horizon, and how it turned out.

    The forecast depends on the horizon: day d of `forecast_D` and its band lies d + 1 days after
    the window's end; a band that could not be calibrated is nan."""

    forecast_D: NDArray[np.float64]
    band_low_D: NDArray[np.float64]
    band_high_D: NDArray[np.float64]
    risk: float
    threshold: float
    alarm: bool
    outcome: Literal["tn", "tp", "fp", "fn"]


@dataclass(frozen=True, kw_only=True)
class ForecastPanel:
    """One window to draw: `past_L` ends at `end_day`; outlooks by horizon; events as (start, end);
    no limit is nan.
    """

    unit: str
    point: str
    uom: str
    end_day: int
    past_L: NDArray[np.float64]
    outlooks: Mapping[int, DrawnForecast]
    lower_limit: float = math.nan
    upper_limit: float = math.nan
    events: tuple[tuple[int, int], ...] = ()


def forecast_comparison(
    panels: Sequence[ForecastPanel], *, horizons: Sequence[int], language: str
) -> Figure:
    """Up to five windows (rows) by horizons (columns): past, forecast with band, limits, and the
    true events.

    Every column draws the forecast made for its own horizon, red where an alarm was raised, green
    where not; events are shaded where they lie within the column's days; a limit too far away to
    draw is written at the edge instead."""
    words, shown = Words(language), panels[:5]
    with style(language):
        if not shown:
            return nothing(words)
        figure = Figure(figsize=(WIDTH, 2.1 * len(shown) + 0.55))
        figure.set_layout_engine("constrained", w_pad=0.1, h_pad=0.06)
        heights = [2.1] * len(shown) + [0.5]
        *rows, foot = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
        for row, panel in zip(rows, shown, strict=True):
            _forecast_row(row, panel, horizons, words)
        for axes in rows[-1].axes:
            axes.set_xlabel(words("axis.day"))
        foot.legend(
            handles=_forecast_legend(words),
            loc="center",
            ncols=7,
            handlelength=1.8,
            columnspacing=1.4,
        )
        return finish(figure, language)


def _forecast_row(
    row: SubFigure, panel: ForecastPanel, horizons: Sequence[int], words: Words
) -> None:
    date = np.datetime64(panel.end_day, "D")
    outcome = _outcomes(panel, horizons, words)
    title = words("axis.row", unit=panel.unit, point=panel.point, date=date, outcome=outcome)
    row.suptitle(title, x=0.008, ha="left", fontsize=10.5)
    columns = row.subplots(1, len(horizons), sharey=True, squeeze=False)[0]
    columns[0].set_ylabel(panel.uom)
    for axes, horizon in zip(columns, horizons, strict=True):
        _draw_window(axes, panel, horizon)
        if horizon in panel.outlooks:
            _draw_outlook(axes, panel, horizon, words)
    columns[0].set_ylim(*_value_range(panel, horizons))
    _name_far_limits(columns[0], panel, words)


def _outcomes(panel: ForecastPanel, horizons: Sequence[int], words: Words) -> str:
    """One word if all horizons agree, else each word with its horizons."""
    by_word: dict[str, list[str]] = {}
    for horizon in horizons:
        if horizon in panel.outlooks:
            by_word.setdefault(panel.outlooks[horizon].outcome, []).append(
                words("horizon_short", days=horizon)
            )
    named = [(words.name("outcome", word), words.join(days)) for word, days in by_word.items()]
    if len(named) == 1:
        return named[0][0]
    return words.join([words("with_detail", text=text, detail=detail) for text, detail in named])


def _draw_window(axes: Axes, panel: ForecastPanel, horizon: int) -> None:
    first = 1 - len(panel.past_L)
    axes.plot(np.arange(first, 1), panel.past_L, color=PAST, lw=1.3)
    axes.axvline(0.5, color="black", ls=":", lw=1.2)
    for limit in (panel.lower_limit, panel.upper_limit):
        if math.isfinite(limit):
            axes.axhline(limit, color=FAINT, lw=0.9)
    for event in panel.events:
        start, end = (
            max(first, min(day - panel.end_day, horizon + 1)) for day in (event[0], event[1] + 1)
        )
        if start < end:
            axes.axvspan(start - 0.5, end - 0.5, color=EVENT, alpha=0.28, lw=0)
    axes.set_xlim(first - 1, horizon + 1)
    axes.set_xticks([day for day in range(-90, horizon + 1, 30) if day >= first - 1])


def _draw_outlook(axes: Axes, panel: ForecastPanel, horizon: int, words: Words) -> None:
    outlook = panel.outlooks[horizon]
    middle, low, high = (
        each[:horizon] for each in (outlook.forecast_D, outlook.band_low_D, outlook.band_high_D)
    )
    days = np.arange(1, len(middle) + 1)
    colour = ALARM if outlook.alarm else CALM
    axes.fill_between(days, low, high, color=colour, alpha=0.15, lw=0)
    axes.plot(days, middle, color=colour, ls=(0, (4, 1.5)), lw=1.9)
    reached = outlook.risk >= outlook.threshold
    key = ("outlook_alarm" if reached else "outlook_nested") if outlook.alarm else "outlook_calm"
    text = words(
        f"axis.{key}",
        days=horizon,
        risk=f"{outlook.risk:.0%}",
        threshold=f"{outlook.threshold:.0%}",
    )
    axes.set_title(text, color=colour, fontsize=8.5)


def _value_range(panel: ForecastPanel, horizons: Sequence[int]) -> tuple[float, float]:
    """Of everything drawn, with a margin; a limit counts only when it lies within one range of the
    values.
    """
    drawn = [panel.outlooks[horizon] for horizon in horizons if horizon in panel.outlooks]
    ahead = [
        each
        for outlook in drawn
        for each in (outlook.forecast_D, outlook.band_low_D, outlook.band_high_D)
    ]
    values = np.concatenate([panel.past_L, *ahead])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    span = high - low or abs(high) or 1.0
    near = [
        limit
        for limit in (panel.lower_limit, panel.upper_limit)
        if low - span <= limit <= high + span
    ]
    return min([low, *near]) - 0.08 * span, max([high, *near]) + 0.08 * span


def _name_far_limits(axes: Axes, panel: ForecastPanel, words: Words) -> None:
    bottom, top = axes.get_ylim()
    for limit, key, edge in (
        (panel.upper_limit, "upper", 0.97),
        (panel.lower_limit, "lower", 0.03),
    ):
        if math.isfinite(limit) and not bottom <= limit <= top:
            text = words(f"axis.{key}_off", value=f"{limit:g}")
            va: Literal["top", "bottom"] = "top" if key == "upper" else "bottom"
            axes.text(0.02, edge, text, transform=axes.transAxes, va=va, fontsize=7.5, color=FAINT)


def _forecast_legend(words: Words) -> list[Line2D | Patch]:
    dashed = (0, (4, 1.5))
    return [
        Line2D([], [], color=PAST, label=words("axis.past")),
        Line2D([], [], color=ALARM, ls=dashed, lw=1.9, label=words("axis.forecast_alarm")),
        Line2D([], [], color=CALM, ls=dashed, lw=1.9, label=words("axis.forecast_calm")),
        Patch(color=CALM, alpha=0.2, label=words("axis.band")),
        Line2D([], [], color=FAINT, lw=0.9, label=words("axis.limit")),
        Patch(color=EVENT, alpha=0.28, label=words("axis.event")),
        Line2D([], [], color="black", ls=":", label=words("axis.start")),
    ]
