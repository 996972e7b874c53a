"""Figures of the report, in English and Japanese, through matplotlib's object interface.

Every visible word comes from `texts.yaml` through `Words`; pyplot is not used. The forecast figure
has its own module.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Sequence
from typing import TypedDict

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from hvac.arrays import Floats
from hvac.json_values import Json, JsonObject, branch, listed
from hvac.report.forecast_figure import (
    DrawnForecast,
    ForecastPanel,
    forecast_comparison,
)
from hvac.report.history_figure import training_history
from hvac.report.style import (
    DASHES,
    DPI,
    FAINT,
    INK,
    PALETTE,
    PAST,
    WIDTH,
    finish,
    horizon_title,
    nothing,
    style,
)
from hvac.report.texts import Words, in_order
from hvac.report.view import dig, number
from hvac.storage import AnyPath, as_given, replacing

__all__ = [
    "DrawnForecast",
    "ForecastPanel",
    "as_data_uri",
    "forecast_comparison",
    "metric_bars",
    "pr_curves",
    "reliability",
    "save",
    "training_history",
]

OTHER = "#5B6268"
GRID = "#E6E8EA"


class LineStyle(TypedDict):
    """How matplotlib draws a model's line."""

    color: str
    ls: str | tuple[int, tuple[int, ...]]
    lw: float
    zorder: int


DrawCurve = Callable[[Axes, JsonObject, LineStyle, bool], None]


def _model_styles(models: Sequence[str], default: str) -> dict[str, LineStyle]:
    """Return line styles by model: the default bold and blue, the others thin.

    Colours and dashes together tell 21 models apart.
    """
    styles: dict[str, LineStyle] = {}
    others = [model for model in models if model != default]
    for place, model in enumerate(others):
        styles[model] = {
            "color": PALETTE[place % len(PALETTE)],
            "ls": DASHES[place // len(PALETTE) % len(DASHES)],
            "lw": 1.1,
            "zorder": 2,
        }
    if default in models:
        styles[default] = {"color": PAST, "ls": "-", "lw": 2.6, "zorder": 3}
    return styles


def _small_multiples(
    curves: JsonObject, draw: DrawCurve, *, words: Words, default: str
) -> Figure:
    """Draw one square per horizon, with every model in it, and one legend below."""
    horizons = _horizons(curves)
    if not horizons:
        return nothing(words)
    styles = _model_styles(list(curves), default)
    legend_rows = math.ceil((len(styles) + 1) / 4)
    figure = Figure(figsize=(WIDTH, 3.5 + 0.22 * legend_rows), layout="constrained")
    squares = figure.subplots(1, len(horizons), squeeze=False)[0]
    for axes, horizon in zip(squares, horizons, strict=True):
        axes.set_title(horizon_title(words, horizon))
        for model, look in styles.items():
            if horizon in branch(curves, model):
                draw(axes, branch(curves, model, horizon), look, model == default)
    handles = []
    for model in sorted(styles, key=lambda model: model != default):
        label = words.name("model", model)
        handles.append(Line2D([], [], label=label, **styles[model]))
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def _horizons(by_name: JsonObject) -> list[str]:
    """Return the horizons that appear under any name, rising."""
    return in_order([horizon for name in by_name for horizon in branch(by_name, name)])


def reliability(
    curves: JsonObject, *, language: str, default: str = "hybrid"
) -> Figure:
    """Draw the observed rate against the predicted risk, one square per horizon.

    The default model is bold, with intervals, and with dots as large as their bins.
    """
    words = Words(language)
    with style(language):
        figure = _small_multiples(
            curves, _draw_reliability, words=words, default=default
        )
        for axes in figure.axes:
            top = max(axes.get_xlim()[1], axes.get_ylim()[1])
            axes.plot([0, top], [0, top], color=FAINT, lw=0.9, zorder=1)
            axes.set(xlim=(0, top), ylim=(0, top), aspect="equal")
            axes.set_xlabel(words("axis.risk"))
            _percent(axes)
        if figure.axes:
            figure.axes[0].set_ylabel(words("axis.rate"))
        return finish(figure, language)


def _draw_reliability(
    axes: Axes, curve: JsonObject, look: LineStyle, bold: bool
) -> None:
    points = branch(curve, "reliability")
    risk = _array(points.get("risk"))
    rate = _array(points.get("rate"))
    axes.plot(risk, rate, **look)
    low = _array(points.get("low"))
    high = _array(points.get("high"))
    count = _array(points.get("count"))
    whole = len(low) == len(high) == len(count) == len(rate)
    if bold and whole and len(rate):
        colour = look["color"]
        size = 12 + 60 * count / max(np.nanmax(count), 1)
        axes.vlines(risk, low, high, color=colour, lw=1.0, zorder=3)
        axes.scatter(risk, rate, s=size, color=colour, zorder=4)


def pr_curves(curves: JsonObject, *, language: str, default: str = "hybrid") -> Figure:
    """Draw precision against recall, one square per horizon.

    The default model is bold; the base rate is a dotted line.
    """
    words = Words(language)
    with style(language):
        figure = _small_multiples(curves, _draw_pr, words=words, default=default)
        for axes in figure.axes:
            axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel=words("axis.recall"))
            _percent(axes)
        if figure.axes:
            figure.axes[0].set_ylabel(words("axis.precision"))
        return finish(figure, language)


def _draw_pr(axes: Axes, curve: JsonObject, look: LineStyle, bold: bool) -> None:
    points = branch(curve, "pr")
    recall = _array(points.get("recall"))
    precision = _array(points.get("precision"))
    axes.plot(recall, precision, **look)
    base_rate = number(curve.get("base_rate"))
    if bold and base_rate is not None:
        axes.axhline(base_rate, color=INK, ls=":", lw=1.1)


def metric_bars(
    models: JsonObject,
    *,
    language: str,
    metric: str = "pr_auc",
    default: str = "hybrid",
) -> Figure:
    """Draw a forest plot: per horizon a dot and its 95 % interval for every model.

    The best model at the first horizon is on top; the base rate is a dotted line.
    """
    words = Words(language)
    horizons = _horizons(models)
    with style(language):
        if not horizons:
            return nothing(words)
        first = horizons[0]
        order = sorted(
            models, key=lambda model: _sort_key(dig(models[model], first, metric))
        )
        figure = Figure(figsize=(WIDTH, 0.27 * len(order) + 1.1), layout="constrained")
        columns = figure.subplots(
            1, len(horizons), sharex=True, sharey=True, squeeze=False
        )[0]
        for axes, horizon in zip(columns, horizons, strict=True):
            axes.set_title(horizon_title(words, horizon))
            for place, model in enumerate(order):
                measured = dig(models[model], horizon, metric)
                _draw_interval(axes, place, measured, model == default)
            _draw_base_rate(axes, branch(models, default, horizon), metric)
            axes.set_xlabel(words(f"metric.{metric}"))
            axes.grid(axis="x", color=GRID, lw=0.7)
        names = [words.name("model", model) for model in order]
        columns[0].set_yticks(range(len(order)), names)
        for label, model in zip(columns[0].get_yticklabels(), order, strict=True):
            label.set_color(PAST if model == default else INK)
        return finish(figure, language)


def _draw_interval(axes: Axes, place: int, measured: Json, bold: bool) -> None:
    colour = PAST if bold else OTHER
    low = _bound(measured, "low")
    high = _bound(measured, "high")
    axes.hlines(place, low, high, color=colour, lw=2.6 if bold else 1.3)
    size = 7 if bold else 4.5
    axes.plot(_bound(measured, "value"), place, "o", color=colour, ms=size)


def _draw_base_rate(axes: Axes, measured: JsonObject, metric: str) -> None:
    base_rate = (
        _bound(measured.get("base_rate"), "value") if metric == "pr_auc" else 0.5
    )
    if metric in ("pr_auc", "roc_auc") and math.isfinite(base_rate):
        axes.axvline(base_rate, color=INK, ls=":", lw=1.1, zorder=1)


def _bound(measured: Json, key: str) -> float:
    value = number(measured, key)
    return math.nan if value is None else value


def _sort_key(measured: Json) -> float:
    value = _bound(measured, "value")
    return value if math.isfinite(value) else -math.inf


def _array(values: Json) -> Floats:
    """Return the values as an array [N], with nan for None."""
    return np.array(listed(values), dtype=np.float64)


def _percent(axes: Axes) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def save(figure: Figure, path: str | AnyPath) -> AnyPath:
    """Write the figure as a PNG, 1,400 px wide; the same figure gives the same bytes."""
    path = as_given(path)
    with replacing(path) as building:
        figure.savefig(building, format="png", dpi=DPI, metadata={"Software": None})
    return path


def as_data_uri(figure: Figure) -> str:
    """Return the figure as `data:image/png;base64,…`, to stand inside an HTML page."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode(
        "ascii"
    )
