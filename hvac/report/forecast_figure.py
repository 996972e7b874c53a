"""The forecast figure: windows (rows) by horizons (columns), forecasts beside what came true.

Legend of shapes: L lookback days, D days of one horizon. Days are int days since 1970-01-01.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from hvac.arrays import Floats
from hvac.panel.grid import Unit
from hvac.panel.names import Names
from hvac.report.style import (
    ALARM,
    CALM,
    EVENT,
    FAINT,
    PAST,
    WIDTH,
    finish,
    nothing,
    style,
)
from hvac.report.texts import Words

MOST_WINDOWS = 5
DASHED = (0, (4, 1.5))


@dataclass(frozen=True, kw_only=True)
class DrawnForecast:
    """The forecast and risk of one window at one horizon, and how it turned out.

    The forecast depends on the horizon: day d of `forecast_D` and of its band lies d + 1 days
    after the window's end. A band that could not be calibrated is nan.
    """

    forecast_D: Floats
    band_low_D: Floats
    band_high_D: Floats
    risk: float
    threshold: float
    alarm: bool
    outcome: Literal["tn", "tp", "fp", "fn"]


@dataclass(frozen=True, kw_only=True)
class ForecastPanel:
    """One window to draw: `past_L` ends at `end_day`.

    `forecasts` are by horizon, `events` are (first day, last day); a limit that is nan is absent.
    """

    unit: Unit
    point: str
    uom: str
    end_day: int
    past_L: Floats
    forecasts: Mapping[int, DrawnForecast]
    lower_limit: float = math.nan
    upper_limit: float = math.nan
    events: tuple[tuple[int, int], ...] = ()


def named_panel(panel: ForecastPanel, names: Names, language: str) -> ForecastPanel:
    """Return a panel whose facility, equipment and point have their names, the point its unit."""
    facility, equipment = panel.unit
    called = Unit(
        names.shown("facility", facility, language),
        names.shown("equipment", equipment, language, facility),
    )
    point = names.shown("point", panel.point, language)
    uom = names.unit(panel.point).strip() or panel.uom
    return replace(panel, unit=called, point=point, uom=uom)


def forecast_comparison(
    panels: Sequence[ForecastPanel], *, horizons: Sequence[int], language: str
) -> Figure:
    """Draw up to five windows (rows) by horizons (columns): past, forecast, limits and events.

    A column draws the forecast made for its own horizon with its band, red where an alarm was
    raised, green where not. Events are shaded where they lie within the column's days. A limit too
    far away to draw is written at the edge instead.
    """
    words = Words(language)
    shown = panels[:MOST_WINDOWS]
    with style(language):
        if not shown:
            return nothing(words)
        figure = Figure(figsize=(WIDTH, 2.1 * len(shown) + 0.55))
        figure.set_layout_engine("constrained", w_pad=0.1, h_pad=0.06)
        heights = [2.1] * len(shown) + [0.5]
        parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)
        *rows, foot = parts[:, 0]
        for row, panel in zip(rows, shown, strict=True):
            _draw_row(row, panel, horizons, words)
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


def _draw_row(
    row: SubFigure, panel: ForecastPanel, horizons: Sequence[int], words: Words
) -> None:
    title = words(
        "axis.row",
        unit=" / ".join(panel.unit),
        point=panel.point,
        date=np.datetime64(panel.end_day, "D"),
        outcome=_outcomes(panel, horizons, words),
    )
    row.suptitle(title, x=0.008, ha="left", fontsize=10.5)
    columns = row.subplots(1, len(horizons), sharey=True, squeeze=False)[0]
    columns[0].set_ylabel(panel.uom)
    for axes, horizon in zip(columns, horizons, strict=True):
        _draw_window(axes, panel, horizon)
        if horizon in panel.forecasts:
            _draw_forecast(axes, panel.forecasts[horizon], horizon, words)
    columns[0].set_ylim(*_value_range(panel, horizons))
    _name_far_limits(columns[0], panel, words)


def _outcomes(panel: ForecastPanel, horizons: Sequence[int], words: Words) -> str:
    """Return one word where all horizons agree, else each word with its horizons."""
    days_by_outcome: dict[str, list[str]] = {}
    for horizon in horizons:
        if horizon in panel.forecasts:
            days = days_by_outcome.setdefault(panel.forecasts[horizon].outcome, [])
            days.append(words("horizon_short", days=horizon))
    if len(days_by_outcome) == 1:
        return words.name("outcome", next(iter(days_by_outcome)))
    texts = []
    for outcome, days in days_by_outcome.items():
        name = words.name("outcome", outcome)
        texts.append(words("with_detail", text=name, detail=words.join(days)))
    return words.join(texts)


def _draw_window(axes: Axes, panel: ForecastPanel, horizon: int) -> None:
    first = 1 - len(panel.past_L)
    axes.plot(np.arange(first, 1), panel.past_L, color=PAST, lw=1.3)
    axes.axvline(0.5, color="black", ls=":", lw=1.2)
    for limit in (panel.lower_limit, panel.upper_limit):
        if math.isfinite(limit):
            axes.axhline(limit, color=FAINT, lw=0.9)
    for first_day, last_day in panel.events:
        start = max(first, min(first_day - panel.end_day, horizon + 1))
        end = max(first, min(last_day + 1 - panel.end_day, horizon + 1))
        if start < end:
            axes.axvspan(start - 0.5, end - 0.5, color=EVENT, alpha=0.28, lw=0)
    axes.set_xlim(first - 1, horizon + 1)
    ticks = [day for day in range(-90, horizon + 1, 30) if day >= first - 1]
    axes.set_xticks(ticks)


def _draw_forecast(
    axes: Axes, forecast: DrawnForecast, horizon: int, words: Words
) -> None:
    middle_D = forecast.forecast_D[:horizon]
    low_D = forecast.band_low_D[:horizon]
    high_D = forecast.band_high_D[:horizon]
    days = np.arange(1, len(middle_D) + 1)
    colour = ALARM if forecast.alarm else CALM
    axes.fill_between(days, low_D, high_D, color=colour, alpha=0.15, lw=0)
    axes.plot(days, middle_D, color=colour, ls=DASHED, lw=1.9)
    key = "outlook_calm"
    if forecast.alarm:
        reached = forecast.risk >= forecast.threshold
        key = "outlook_alarm" if reached else "outlook_nested"
    text = words(
        f"axis.{key}",
        days=horizon,
        risk=_share(forecast.risk, forecast.threshold),
        threshold=_share(forecast.threshold, forecast.risk),
    )
    axes.set_title(text, color=colour, fontsize=8.5)


def _share(value: float, beside: float) -> str:
    """Write a share in whole per cent, with a decimal where it would look equal to the other."""
    same = value != beside and f"{value:.0%}" == f"{beside:.0%}"
    return f"{value:.1%}" if same else f"{value:.0%}"


def _value_range(panel: ForecastPanel, horizons: Sequence[int]) -> tuple[float, float]:
    """Return the range of everything drawn, with a margin.

    A limit counts only when it lies within one range of the values.
    """
    parts = [panel.past_L]
    for horizon in horizons:
        if horizon in panel.forecasts:
            forecast = panel.forecasts[horizon]
            parts += [forecast.forecast_D, forecast.band_low_D, forecast.band_high_D]
    values = np.concatenate(parts)
    values = values[np.isfinite(values)]
    low = 0.0
    high = 1.0
    if len(values):
        low = float(values.min())
        high = float(values.max())
    span = high - low or abs(high) or 1.0
    limits = (panel.lower_limit, panel.upper_limit)
    near = [limit for limit in limits if low - span <= limit <= high + span]
    margin = 0.08 * span
    return min([low, *near]) - margin, max([high, *near]) + margin


def _name_far_limits(axes: Axes, panel: ForecastPanel, words: Words) -> None:
    bottom, top = axes.get_ylim()
    edges: tuple[tuple[float, str, float, Literal["top", "bottom"]], ...] = (
        (panel.upper_limit, "upper", 0.97, "top"),
        (panel.lower_limit, "lower", 0.03, "bottom"),
    )
    for limit, key, edge, va in edges:
        if math.isfinite(limit) and not bottom <= limit <= top:
            text = words(f"axis.{key}_off", value=f"{limit:g}")
            axes.text(
                0.02,
                edge,
                text,
                transform=axes.transAxes,
                va=va,
                fontsize=7.5,
                color=FAINT,
            )


def _forecast_legend(words: Words) -> list[Line2D | Patch]:
    return [
        Line2D([], [], color=PAST, label=words("axis.past")),
        Line2D(
            [], [], color=ALARM, ls=DASHED, lw=1.9, label=words("axis.forecast_alarm")
        ),
        Line2D(
            [], [], color=CALM, ls=DASHED, lw=1.9, label=words("axis.forecast_calm")
        ),
        Patch(color=CALM, alpha=0.2, label=words("axis.band")),
        Line2D([], [], color=FAINT, lw=0.9, label=words("axis.limit")),
        Patch(color=EVENT, alpha=0.28, label=words("axis.event")),
        Line2D([], [], color="black", ls=":", label=words("axis.start")),
    ]
