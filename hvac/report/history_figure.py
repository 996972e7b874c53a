"""The figure of the training history: losses and quality by epoch, class and horizon."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from hvac.arrays import Floats
from hvac.report.style import (
    HORIZON_COLOURS,
    INK,
    WIDTH,
    finish,
    horizon_title,
    nothing,
    style,
)
from hvac.report.texts import Words, in_order

DASHED = (0, (3, 1.5))


EpochRow = Mapping[str, float | None]
"""Figures of one epoch by name."""
History = Mapping[str, Mapping[str, Sequence[EpochRow]]]
"""Rows of epochs by class and horizon."""


def training_history(history: History, *, language: str) -> Figure:
    """Draw a row per class: losses left, tune PR-AUC right, one colour per horizon.

    The epoch that was kept is ringed: the row with `"kept": 1.0`, else the one with the best tune
    PR-AUC.

    Args:
        history: rows of epochs by class and horizon, with `epoch`, `train_loss`, `tune_loss` and
            `tune_pr_auc`.
    """
    words = Words(language)
    horizons = in_order([horizon for runs in history.values() for horizon in runs])
    with style(language):
        if not horizons:
            return nothing(words)
        figure = Figure(
            figsize=(WIDTH, 1.75 * len(history) + 0.7), layout="constrained"
        )
        grid = figure.subplots(len(history), 2, squeeze=False)
        for (left, right), (name, runs) in zip(grid, history.items(), strict=True):
            left.set_title(words("axis.loss", name=name))
            right.set_title(words("axis.tune_pr_auc", name=name))
            for horizon, colour in zip(
                horizons, HORIZON_COLOURS * len(horizons), strict=False
            ):
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


def _draw_run(left: Axes, right: Axes, run: Sequence[EpochRow], colour: str) -> None:
    epochs = _column(run, "epoch")
    tune_loss = _column(run, "tune_loss")
    quality = _column(run, "tune_pr_auc")
    train_loss = _column(run, "train_loss")
    left.plot(epochs, train_loss, color=colour, ls=DASHED, lw=1.1)
    left.plot(epochs, tune_loss, color=colour, lw=1.5)
    right.plot(epochs, quality, color=colour, lw=1.5)
    kept = _kept(run, quality)
    if kept is None:
        return
    axes = right
    value = quality[kept]
    if not math.isfinite(value):
        axes = left
        value = tune_loss[kept]
    axes.plot(
        epochs[kept], value, "o", ms=8, mfc="none", mec=colour, mew=1.6, clip_on=False
    )


def _kept(run: Sequence[EpochRow], quality: Floats) -> int | None:
    """Return the place of the kept epoch: the marked row, else the best tune PR-AUC, else None."""
    for place, row in enumerate(run):
        if row.get("kept"):
            return place
    return int(np.nanargmax(quality)) if np.isfinite(quality).any() else None


def _column(rows: Sequence[EpochRow], key: str) -> Floats:
    return np.array([row.get(key) for row in rows], dtype=np.float64)


def _history_legend(horizons: Sequence[str], words: Words) -> list[Line2D]:
    lines = []
    for horizon, colour in zip(horizons, HORIZON_COLOURS * len(horizons), strict=False):
        title = horizon_title(words, horizon)
        lines.append(Line2D([], [], color=colour, lw=2, label=title))
    train = words("axis.train")
    tune = words("axis.tune")
    best = words("axis.best")
    lines.append(Line2D([], [], color=INK, ls=DASHED, lw=1.1, label=train))
    lines.append(Line2D([], [], color=INK, lw=1.5, label=tune))
    ring = Line2D(
        [], [], color=INK, ls="", marker="o", ms=8, mfc="none", mew=1.6, label=best
    )
    return [*lines, ring]
