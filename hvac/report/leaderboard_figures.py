"""Figures of the leaderboard: quality with intervals, and quality against scoring time.

Every visible word comes from `leaderboard_texts.yaml` through `Words`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hvac.evaluation.leaderboard import Leaderboard, LeaderboardRow
from hvac.json_values import Json
from hvac.report.leaderboard_view import TEXTS
from hvac.report.style import (
    EVENT,
    FAINT,
    INK,
    PAST,
    WIDTH,
    finish,
    horizon_title,
    nothing,
    style,
)
from hvac.report.texts import Words
from hvac.report.view import number

OTHER = "#5B6268"
FASTEST = 0.01  # times are rounded to it; a logarithmic axis has no 0


def quality(leaderboard: Leaderboard, *, language: str) -> Figure:
    """Draw a line per model and horizon: test PR-AUC with its interval, first rank on top.

    The PR-AUC on validation is a hollow mark, the base rate a dotted line.
    """
    words = Words(language, TEXTS)
    rows = leaderboard["rows"]
    with style(language):
        if not rows:
            return nothing(words)
        colours = [_colour(leaderboard, row) for row in rows]
        figure = Figure(figsize=(WIDTH, 0.29 * len(rows) + 1.5), layout="constrained")
        for axes, horizon in _columns(figure, leaderboard, words):
            for place, row in enumerate(rows):
                _draw_row(axes, place, row, horizon, colour=colours[place])
            base_rate = _part(rows[0]["test"][horizon]["base_rate"], "value")
            axes.axvline(base_rate, color=INK, ls=":", lw=1.1, zorder=1)
            axes.set_xlabel(words("metric.pr_auc"))
            axes.grid(axis="x", color="#E6E8EA", lw=0.7)
        first = figure.axes[0]
        first.set_yticks(range(len(rows)), _names(leaderboard, words))
        first.invert_yaxis()
        for label, colour in zip(first.get_yticklabels(), colours, strict=True):
            label.set_color(colour if colour != OTHER else INK)
        figure.legend(
            handles=_legend(leaderboard, words), loc="outside lower center", ncols=5
        )
        return finish(figure, language)


def cost(leaderboard: Leaderboard, *, language: str) -> Figure:
    """Draw test PR-AUC over microseconds per window (logarithmic), one plot per horizon.

    The number beside a dot is the model's rank; the base rate is a dotted line.
    """
    words = Words(language, TEXTS)
    rows = leaderboard["rows"]
    with style(language):
        if not rows:
            return nothing(words)
        height = 3.3 + 0.22 * math.ceil(len(rows) / 4)
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        for axes, horizon in _columns(figure, leaderboard, words):
            axes.set_xscale("log")
            for rank, row in enumerate(rows, 1):
                _draw_dot(axes, rank, row, horizon, colour=_colour(leaderboard, row))
            base_rate = _part(rows[0]["test"][horizon]["base_rate"], "value")
            axes.axhline(base_rate, color=INK, ls=":", lw=1.1, zorder=1)
            axes.set_xlabel(words("axis.microseconds"))
            axes.grid(color="#EEF0F1", lw=0.7)
            axes.margins(x=0.12)
        figure.axes[0].set_ylabel(words("axis.test"))
        handles = []
        for row, name in zip(rows, _names(leaderboard, words), strict=True):
            colour = _colour(leaderboard, row)
            handles.append(Line2D([], [], ls="", marker="o", color=colour, label=name))
        figure.legend(handles=handles, loc="outside lower center", ncols=4)
        return finish(figure, language)


def _columns(
    figure: Figure, leaderboard: Leaderboard, words: Words
) -> list[tuple[Axes, str]]:
    """Make a plot per horizon and return each with its horizon."""
    horizons = [str(horizon) for horizon in leaderboard["horizons"]]
    columns = figure.subplots(
        1, len(horizons), sharex=True, sharey=True, squeeze=False
    )[0]
    for axes, horizon in zip(columns, horizons, strict=True):
        axes.set_title(horizon_title(words, horizon))
    return list(zip(columns, horizons, strict=True))


def _draw_row(
    axes: Axes, place: int, row: LeaderboardRow, horizon: str, *, colour: str
) -> None:
    bold = colour != OTHER
    test = row["test"][horizon]["pr_auc"]
    low = _part(test, "low")
    high = _part(test, "high")
    axes.hlines(place, low, high, color=colour, lw=2.6 if bold else 1.3)
    size = 7 if bold else 4.5
    axes.plot(_part(test, "value"), place, "o", color=colour, ms=size)
    validation = _part(row["validation"]["pr_auc"][horizon], "value")
    axes.plot(validation, place, "D", mfc="none", mec=colour, ms=4.5, mew=0.9)


def _draw_dot(
    axes: Axes, rank: int, row: LeaderboardRow, horizon: str, *, colour: str
) -> None:
    microseconds = max(_part(row["microseconds_per_window"], "value"), FASTEST)
    pr_auc = _part(row["test"][horizon]["pr_auc"], "value")
    size = 7.5 if colour != OTHER else 5
    axes.plot(microseconds, pr_auc, "o", color=colour, ms=size)
    if math.isfinite(pr_auc):
        axes.annotate(
            str(rank),
            (microseconds, pr_auc),
            xytext=(5, 3),
            textcoords="offset points",
            fontsize=8,
            color=colour,
        )


def _part(measured: Json, part: str) -> float:
    known = number(measured, part)
    return math.nan if known is None else known


def _colour(leaderboard: Leaderboard, row: LeaderboardRow) -> str:
    if row["name"] == leaderboard["champion"]:
        return PAST
    return EVENT if row["name"] == leaderboard["default"] else OTHER


def _names(leaderboard: Leaderboard, words: Words) -> list[str]:
    names = []
    for rank, row in enumerate(leaderboard["rows"], 1):
        name = words.name("model", row["name"])
        names.append(words("rank", rank=rank, name=name))
    return names


def _legend(leaderboard: Leaderboard, words: Words) -> Sequence[Line2D]:
    kinds = {"champion": PAST, "default": EVENT, "other": OTHER}
    if leaderboard["champion"] == leaderboard["default"]:
        del kinds["default"]
    handles = []
    for name, colour in kinds.items():
        label = words(f"axis.{name}")
        handles.append(Line2D([], [], color=colour, marker="o", lw=2, label=label))
    label = words("axis.validation")
    handles.append(
        Line2D([], [], color=FAINT, ls="", marker="D", mfc="none", label=label)
    )
    label = words("axis.base_rate")
    handles.append(Line2D([], [], color=INK, ls=":", lw=1.1, label=label))
    return handles
