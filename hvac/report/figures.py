"""Figures of the report, in English and Japanese, through matplotlib's object interface (no
pyplot).

Every visible word comes from `texts.yaml` through `Words`. The forecast figure has its own module.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from hvac.report.forecast_figure import DrawnForecast, ForecastPanel, forecast_comparison
from hvac.report.style import (
    DASHES,
    DPI,
    FAINT,
    HORIZON_COLOURS,
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

Curves = Mapping[str, Mapping[str, Mapping[str, Any]]]


def training_history(
    history: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]], *, language: str
) -> Figure:
    """Per class a row: losses left, tune PR-AUC right, a colour per horizon; the epoch kept is
    ringed.

    A row says `"kept": 1.0` where its epoch was kept; where no row does, it is the epoch with the
    best tune PR-AUC."""
    words = Words(language)
    horizons = in_order([horizon for runs in history.values() for horizon in runs])
    with style(language):
        if not horizons:
            return nothing(words)
        figure = Figure(figsize=(WIDTH, 1.75 * len(history) + 0.7), layout="constrained")
        grid = figure.subplots(len(history), 2, squeeze=False)
        for (left, right), (name, runs) in zip(grid, history.items(), strict=True):
            left.set_title(words("axis.loss", name=name))
            right.set_title(words("axis.tune_pr_auc", name=name))
            for horizon, colour in zip(horizons, HORIZON_COLOURS * len(horizons), strict=False):
                _draw_run(left, right, runs.get(horizon, ()), colour)
        for axes in figure.axes:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        for axes in grid[-1]:
            axes.set_xlabel(words("axis.epoch"))
        figure.legend(
            handles=_history_legend(horizons, words),
            loc="outside lower center",
            ncols=len(horizons) + 3,
        )
        return finish(figure, language)


def _draw_run(left: Axes, right: Axes, run: Sequence[Mapping[str, Any]], colour: str) -> None:
    epochs, train, tune, quality = (
        _column(run, key) for key in ("epoch", "train_loss", "tune_loss", "tune_pr_auc")
    )
    left.plot(epochs, train, color=colour, ls=(0, (3, 1.5)), lw=1.1)
    left.plot(epochs, tune, color=colour, lw=1.5)
    right.plot(epochs, quality, color=colour, lw=1.5)
    kept = _kept(run, quality)
    if kept is not None:
        axes, value = (right, quality[kept]) if math.isfinite(quality[kept]) else (left, tune[kept])
        axes.plot(epochs[kept], value, "o", ms=8, mfc="none", mec=colour, mew=1.6, clip_on=False)


def _kept(run: Sequence[Mapping[str, Any]], quality: NDArray[np.float64]) -> int | None:
    """Place of the epoch kept: the row that says so, else the best tune PR-AUC, else unknown."""
    marked = [place for place, row in enumerate(run) if row.get("kept")]
    if marked:
        return marked[0]
    return int(np.nanargmax(quality)) if np.isfinite(quality).any() else None


def _column(rows: Sequence[Mapping[str, Any]], key: str) -> NDArray[np.float64]:
    return np.array(
        [math.nan if row.get(key) is None else row[key] for row in rows], dtype=np.float64
    )


def _history_legend(horizons: Sequence[str], words: Words) -> list[Line2D]:
    lines = [
        Line2D([], [], color=colour, lw=2, label=horizon_title(words, horizon))
        for horizon, colour in zip(horizons, HORIZON_COLOURS * len(horizons), strict=False)
    ]
    lines.append(Line2D([], [], color=INK, ls=(0, (3, 1.5)), lw=1.1, label=words("axis.train")))
    lines.append(Line2D([], [], color=INK, lw=1.5, label=words("axis.tune")))
    lines.append(
        Line2D(
            [],
            [],
            color=INK,
            ls="",
            marker="o",
            ms=8,
            mfc="none",
            mew=1.6,
            label=words("axis.best"),
        )
    )
    return lines


def _model_styles(models: Sequence[str], default: str) -> dict[str, dict[str, Any]]:
    """The default bold and blue, the others thin; colours and dashes together tell 21 models apart."""
    styles = {}
    others = [model for model in models if model != default]
    for place, model in enumerate(others):
        dash = DASHES[place // len(PALETTE) % len(DASHES)]
        styles[model] = {"color": PALETTE[place % len(PALETTE)], "ls": dash, "lw": 1.1, "zorder": 2}
    if default in models:
        styles[default] = {"color": PAST, "ls": "-", "lw": 2.6, "zorder": 3}
    return styles


def _small_multiples(
    curves: Curves, draw: Callable[..., None], *, words: Words, default: str
) -> Figure:
    """One square per horizon, every model drawn by `draw(axes, curve, look, bold)`, and one legend
    below.
    """
    horizons = in_order([horizon for by_horizon in curves.values() for horizon in by_horizon])
    if not horizons:
        return nothing(words)
    styles = _model_styles(list(curves), default)
    legend_rows = math.ceil((len(styles) + 1) / 4)
    figure = Figure(figsize=(WIDTH, 3.5 + 0.22 * legend_rows), layout="constrained")
    for axes, horizon in zip(
        figure.subplots(1, len(horizons), squeeze=False)[0], horizons, strict=True
    ):
        axes.set_title(horizon_title(words, horizon))
        for model, look in styles.items():
            if horizon in curves[model]:
                draw(axes, curves[model][horizon], look, model == default)
    ordered = sorted(styles.items(), key=lambda item: item[0] != default)
    handles = [Line2D([], [], label=words.name("model", model), **look) for model, look in ordered]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def reliability(curves: Curves, *, language: str, default: str = "hybrid") -> Figure:
    """Observed rate against stated risk per horizon; the default bold with intervals, dots as large
    as their bins.
    """
    words = Words(language)
    with style(language):
        figure = _small_multiples(curves, _draw_reliability, words=words, default=default)
        for axes in figure.axes:
            top = max(axes.get_xlim()[1], axes.get_ylim()[1])
            axes.plot([0, top], [0, top], color=FAINT, lw=0.9, zorder=1)
            axes.set(xlim=(0, top), ylim=(0, top), xlabel=words("axis.risk"), aspect="equal")
            axes.set_ylabel(words("axis.rate") if axes is figure.axes[0] else "")
            _percent(axes)
        return finish(figure, language)


def _draw_reliability(
    axes: Axes, curve: Mapping[str, Any], look: Mapping[str, Any], bold: bool
) -> None:
    points = curve.get("reliability") or {}
    risk, rate, low, high, count = (
        _array(points.get(key)) for key in ("risk", "rate", "low", "high", "count")
    )
    axes.plot(risk, rate, **look)
    if bold and len(rate) and len(low) == len(high) == len(count) == len(rate):
        axes.vlines(risk, low, high, color=look["color"], lw=1.0, zorder=3)
        axes.scatter(
            risk, rate, s=12 + 60 * count / max(np.nanmax(count), 1), color=look["color"], zorder=4
        )


def pr_curves(curves: Curves, *, language: str, default: str = "hybrid") -> Figure:
    """Precision against recall per horizon; the default bold, the base rate as a dotted line."""
    words = Words(language)
    with style(language):
        figure = _small_multiples(curves, _draw_pr, words=words, default=default)
        for axes in figure.axes:
            axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel=words("axis.recall"))
            axes.set_ylabel(words("axis.precision") if axes is figure.axes[0] else "")
            _percent(axes)
        return finish(figure, language)


def _draw_pr(axes: Axes, curve: Mapping[str, Any], look: Mapping[str, Any], bold: bool) -> None:
    points = curve.get("pr") or {}
    axes.plot(_array(points.get("recall")), _array(points.get("precision")), **look)
    if bold and curve.get("base_rate") is not None:
        axes.axhline(curve["base_rate"], color=INK, ls=":", lw=1.1)


def metric_bars(
    models: Mapping[str, Mapping[str, Mapping[str, Any]]],
    *,
    language: str,
    metric: str = "pr_auc",
    default: str = "hybrid",
) -> Figure:
    """Forest plot: per horizon a dot and its 95 % interval for every model, best on top; the base
    rate dotted.
    """
    words = Words(language)
    horizons = in_order([horizon for by_horizon in models.values() for horizon in by_horizon])
    with style(language):
        if not horizons:
            return nothing(words)
        order = sorted(
            models, key=lambda model: _sort_key(models[model].get(horizons[0], {}).get(metric))
        )
        figure = Figure(figsize=(WIDTH, 0.27 * len(order) + 1.1), layout="constrained")
        columns = figure.subplots(1, len(horizons), sharex=True, sharey=True, squeeze=False)[0]
        for axes, horizon in zip(columns, horizons, strict=True):
            axes.set_title(horizon_title(words, horizon))
            for place, model in enumerate(order):
                _draw_interval(
                    axes, place, models[model].get(horizon, {}).get(metric), model == default
                )
            _draw_base_rate(axes, models.get(default, {}).get(horizon, {}), metric)
            axes.set_xlabel(words(f"metric.{metric}"))
            axes.grid(axis="x", color="#E6E8EA", lw=0.7)
        columns[0].set_yticks(range(len(order)), [words.name("model", model) for model in order])
        for label, model in zip(columns[0].get_yticklabels(), order, strict=True):
            label.set_color(PAST if model == default else INK)
        return finish(figure, language)


def _draw_interval(axes: Axes, place: int, measured: Any, bold: bool) -> None:
    value, low, high = (_bound(measured, key) for key in ("value", "low", "high"))
    colour = PAST if bold else "#5B6268"
    axes.hlines(place, low, high, color=colour, lw=2.6 if bold else 1.3)
    axes.plot(value, place, "o", color=colour, ms=7 if bold else 4.5)


def _draw_base_rate(axes: Axes, measured: Mapping[str, Any], metric: str) -> None:
    base_rate = _bound(measured.get("base_rate"), "value") if metric == "pr_auc" else 0.5
    if metric in ("pr_auc", "roc_auc") and math.isfinite(base_rate):
        axes.axvline(base_rate, color=INK, ls=":", lw=1.1, zorder=1)


def _bound(measured: Any, key: str) -> float:
    found = (
        measured.get(key)
        if isinstance(measured, Mapping)
        else (measured if key == "value" else None)
    )
    return math.nan if found is None else float(found)


def _sort_key(measured: Any) -> float:
    value = _bound(measured, "value")
    return value if math.isfinite(value) else -math.inf


def _array(values: Any) -> NDArray[np.float64]:
    return np.array(
        [math.nan if value is None else value for value in values or []], dtype=np.float64
    )


def _percent(axes: Axes) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def save(figure: Figure, path: str | AnyPath) -> AnyPath:
    """Write a PNG, 1,400 px wide; the same figure gives the same bytes."""
    path = as_given(path)
    with replacing(path) as building:
        figure.savefig(building, format="png", dpi=DPI, metadata={"Software": None})
    return path


def as_data_uri(figure: Figure) -> str:
    """The figure as `data:image/png;base64,…`, to stand inside an HTML page."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
