"""Figures of the leaderboard: quality with intervals, and quality against the time to score a
window.

Every visible word comes from `leaderboard_texts.yaml` through `Words`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hvac.report.leaderboard_view import TEXTS
from hvac.report.style import EVENT, FAINT, INK, PAST, WIDTH, finish, horizon_title, nothing, style
from hvac.report.texts import Words
from hvac.report.view import number

OTHER = "#5B6268"
FASTEST = 0.01  # times are rounded to it; a logarithmic axis has no 0
Board = Mapping[str, Any]
Ranked = Mapping[str, Any]


def quality(board: Board, *, language: str) -> Figure:
    """Per horizon a line per model, first rank on top: test PR-AUC with its interval, validation as
    a hollow mark.
    """
    words, rows = Words(language, TEXTS), board["rows"]
    with style(language):
        if not rows:
            return nothing(words)
        figure = Figure(figsize=(WIDTH, 0.29 * len(rows) + 1.5), layout="constrained")
        for axes, horizon in _columns(figure, board, words, sharex=True):
            for place, row in enumerate(rows):
                _draw_row(axes, place, row, horizon, colour=_colour(board, row))
            axes.axvline(
                _value(rows[0]["test"][horizon]["base_rate"]), color=INK, ls=":", lw=1.1, zorder=1
            )
            axes.set_xlabel(words("metric.pr_auc"))
            axes.grid(axis="x", color="#E6E8EA", lw=0.7)
        first = figure.axes[0]
        first.set_yticks(range(len(rows)), _names(board, words))
        first.invert_yaxis()
        for label, row in zip(first.get_yticklabels(), rows, strict=True):
            label.set_color(_colour(board, row) if _colour(board, row) != OTHER else INK)
        figure.legend(handles=_legend(board, words), loc="outside lower center", ncols=5)
        return finish(figure, language)


def cost(board: Board, *, language: str) -> Figure:
    """Per horizon test PR-AUC over microseconds per window (logarithmic); the number beside a dot
    is its rank.
    """
    words, rows = Words(language, TEXTS), board["rows"]
    with style(language):
        if not rows:
            return nothing(words)
        figure = Figure(
            figsize=(WIDTH, 3.3 + 0.22 * math.ceil(len(rows) / 4)), layout="constrained"
        )
        for axes, horizon in _columns(figure, board, words, sharex=True):
            axes.set_xscale("log")
            for rank, row in enumerate(rows, 1):
                _draw_dot(axes, rank, row, horizon, colour=_colour(board, row))
            axes.axhline(
                _value(rows[0]["test"][horizon]["base_rate"]), color=INK, ls=":", lw=1.1, zorder=1
            )
            axes.set_xlabel(words("axis.microseconds"))
            axes.grid(color="#EEF0F1", lw=0.7)
            axes.margins(x=0.12)
        figure.axes[0].set_ylabel(words("axis.test"))
        named = [
            Line2D([], [], ls="", marker="o", color=_colour(board, row), label=name)
            for row, name in zip(rows, _names(board, words), strict=True)
        ]
        figure.legend(handles=named, loc="outside lower center", ncols=4)
        return finish(figure, language)


def _columns(figure: Figure, board: Board, words: Words, *, sharex: bool) -> list[tuple[Axes, str]]:
    horizons = [str(h) for h in board["horizons"]]
    columns = figure.subplots(1, len(horizons), sharex=sharex, sharey=True, squeeze=False)[0]
    for axes, horizon in zip(columns, horizons, strict=True):
        axes.set_title(horizon_title(words, horizon))
    return list(zip(columns, horizons, strict=True))


def _draw_row(axes: Axes, place: int, row: Ranked, horizon: str, *, colour: str) -> None:
    test, bold = row["test"][horizon]["pr_auc"], colour != OTHER
    axes.hlines(
        place, _value(test, "low"), _value(test, "high"), color=colour, lw=2.6 if bold else 1.3
    )
    axes.plot(_value(test), place, "o", color=colour, ms=7 if bold else 4.5)
    axes.plot(
        _value(row["validation"]["pr_auc"][horizon]),
        place,
        "D",
        mfc="none",
        mec=colour,
        ms=4.5,
        mew=0.9,
    )


def _draw_dot(axes: Axes, rank: int, row: Ranked, horizon: str, *, colour: str) -> None:
    at = (
        max(_value(row["microseconds_per_window"]), FASTEST),
        _value(row["test"][horizon]["pr_auc"]),
    )
    axes.plot(*at, "o", color=colour, ms=7.5 if colour != OTHER else 5)
    if math.isfinite(at[1]):
        axes.annotate(
            str(rank), at, xytext=(5, 3), textcoords="offset points", fontsize=8, color=colour
        )


def _value(found: Any, part: str = "value") -> float:
    known = number(found, part)
    return math.nan if known is None else known


def _colour(board: Board, row: Ranked) -> str:
    marked = {board["default"]: EVENT} | {board["champion"]: PAST}
    return marked.get(row["name"], OTHER)


def _names(board: Board, words: Words) -> list[str]:
    named = (words.name("model", row["name"]) for row in board["rows"])
    return [words("rank", rank=rank, name=name) for rank, name in enumerate(named, 1)]


def _legend(board: Board, words: Words) -> Sequence[Line2D]:
    kinds = {"champion": PAST, "default": EVENT, "other": OTHER}
    if board["champion"] == board["default"]:
        del kinds["default"]
    made = [
        Line2D([], [], color=colour, marker="o", lw=2, label=words(f"axis.{name}"))
        for name, colour in kinds.items()
    ]
    hollow = Line2D(
        [], [], color=FAINT, ls="", marker="D", mfc="none", label=words("axis.validation")
    )
    return [*made, hollow, Line2D([], [], color=INK, ls=":", lw=1.1, label=words("axis.base_rate"))]
