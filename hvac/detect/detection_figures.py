"""Figures of a detection run: sample series, confusion matrices, scores over time; in English and
Japanese.

Legend: T steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from hvac.detect.detection_metrics import SeriesScores
from hvac.detect.detection_texts import DetectWords
from hvac.detect.series import DETECTOR, Series
from hvac.report.style import ALARM, EVENT, FAINT, INK, PAST, WIDTH, finish, style

Floats = npt.NDArray[np.float64]
OVERLAID = 10
AROUND = 100  # steps shown on both sides of an anomaly
TOP = 3.0  # thresholds that a score axis shows at least
PART_SHADES = {"train": "#FFFFFF", "validation": "#EEF3F7", "test": "#DDE8F0"}


class Track(NamedTuple):
    """The joined scores of one judge on one series, with its threshold."""

    judge: str
    score_T: Floats
    threshold: float


def sample_figure(series: Sequence[Series], *, language: str) -> Figure:
    """What the series look like: whole records with their parts, one anomaly of each kind, or all
    laid over another.
    """
    words = DetectWords(language)
    with style(language):
        if any(each.time_T is not None for each in series):
            return finish(_records(series, words), language)
        kinds = sorted({anomaly.kind for each in series for anomaly in each.anomalies})
        return finish(
            _kinds(series, kinds, words) if len(kinds) > 1 else _overlaid(series, words), language
        )


def _overlaid(series: Sequence[Series], words: DetectWords) -> Figure:
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    axes = figure.subplots()
    for anomalous, colour in ((False, PAST), (True, ALARM)):
        for each in [each for each in series if bool(each.anomalies) == anomalous][:OVERLAID]:
            axes.plot(each.value_T, color=colour, alpha=0.35, lw=1)
    handles = [
        Line2D([], [], color=PAST, label=words("axis.normal")),
        Line2D([], [], color=ALARM, label=words("axis.anomalous")),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    axes.set(xlabel=words("axis.step"), ylabel=words("axis.value"), xlim=(0, len(series[0]) - 1))
    return figure


def _kinds(series: Sequence[Series], kinds: Sequence[str], words: DetectWords) -> Figure:
    rows = -(-len(kinds) // 3)
    figure = Figure(figsize=(WIDTH, 1.9 * rows + 0.5), layout="constrained")
    grid = figure.subplots(rows, 3, squeeze=False).ravel()
    for axes, kind in zip(grid, kinds, strict=False):
        each, anomaly = _clear_example(series, kind)
        start, stop = max(anomaly.start - AROUND, 0), min(anomaly.end + AROUND, len(each))
        axes.plot(np.arange(start, stop), each.value_T[start:stop], color=PAST, lw=1)
        axes.axvspan(anomaly.start, anomaly.end - 1, color=EVENT, alpha=0.35, lw=0)
        axes.set_title(words.name("kind", kind))
        axes.set_xlabel(words("axis.step"))
    for axes in grid[len(kinds) :]:
        axes.set_axis_off()
    figure.legend(
        handles=[Patch(color=EVENT, alpha=0.35, label=words("axis.anomaly"))],
        loc="outside lower center",
    )
    return figure


def _clear_example(series: Sequence[Series], kind: str) -> tuple[Series, Any]:
    """Of the training series the first anomaly of a kind with room around it (any, where none has)."""
    found = [
        (each, a)
        for each in series
        if each.part == "train"
        for a in each.anomalies
        if a.kind == kind
    ]
    found += [(each, a) for each in series for a in each.anomalies if a.kind == kind]
    roomy = [(each, a) for each, a in found if a.start >= AROUND and a.end + AROUND <= len(each)]
    return (roomy or found)[0]


def _records(series: Sequence[Series], words: DetectWords) -> Figure:
    names = list(dict.fromkeys(each.record for each in series))
    figure = Figure(figsize=(WIDTH, 2.1 * len(names) + 0.5), layout="constrained")
    for axes, name in zip(figure.subplots(len(names), 1, squeeze=False)[:, 0], names, strict=True):
        axes.set_title(words.name("record", name))
        for each in [each for each in series if each.record == name]:
            assert each.time_T is not None, "stretches of a record have its clock"
            axes.axvspan(each.time_T[0], each.time_T[-1], color=PART_SHADES[each.part], lw=0)
            axes.plot(
                each.time_T, np.where(each.observed_T, each.value_T, np.nan), color=PAST, lw=0.6
            )
            axes.text(
                each.time_T[0],
                1.0,
                " " + words.name("part", each.part),
                transform=axes.get_xaxis_transform(),
                va="top",
                color=FAINT,
                fontsize=8,
            )
            _mark_anomalies(axes, each)
        axes.margins(x=0)
    figure.legend(
        handles=[Patch(color=EVENT, alpha=0.35, label=words("axis.anomaly"))],
        loc="outside lower center",
    )
    return figure


def _mark_anomalies(axes: Axes, series: Series) -> None:
    place_T = _place(series)
    for anomaly in series.anomalies:
        axes.axvspan(
            place_T[anomaly.start], place_T[anomaly.end - 1], color=EVENT, alpha=0.35, lw=0
        )


def _place(series: Series) -> npt.NDArray[Any]:
    return np.arange(len(series)) if series.time_T is None else series.time_T


def confusion_figure(counts: Mapping[str, Mapping[str, int]], *, language: str) -> Figure:
    """A confusion matrix for each part."""
    words = DetectWords(language)
    with style(language):
        figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
        for axes, (part, found) in zip(
            figure.subplots(1, len(counts), squeeze=False)[0], counts.items(), strict=True
        ):
            matrix = np.array([[found["tn"], found["fp"]], [found["fn"], found["tp"]]])
            axes.imshow(
                matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1),
                cmap="Blues",
                vmin=0,
                vmax=2,
            )
            for (row, column), count in np.ndenumerate(matrix):
                axes.text(
                    column, row, f"{count:,}", ha="center", va="center", fontsize=13, color=INK
                )
            names = [words("axis.normal"), words("axis.anomalous")]
            axes.set_xticks([0, 1], names)
            axes.set_yticks([0, 1], names)
            axes.set(xlabel=words("axis.said"), ylabel=words("axis.actual"))
            axes.set_title(words.name("part", part))
        return finish(figure, language)


def probability_figure(
    parts: Mapping[str, Sequence[SeriesScores]], threshold: float, *, language: str
) -> Figure:
    """The probability of every series, one dot each: for series that are one window long."""
    words = DetectWords(language)
    with style(language):
        figure = Figure(figsize=(WIDTH, 2.8), layout="constrained")
        for axes, (part, judged) in zip(
            figure.subplots(1, len(parts), sharey=True, squeeze=False)[0],
            parts.items(),
            strict=True,
        ):
            for anomalous, colour in ((False, PAST), (True, ALARM)):
                rows = [
                    n for n, each in enumerate(judged) if bool(each.series.anomalies) == anomalous
                ]
                axes.plot(
                    rows, [judged[n].score_B[0] for n in rows], "o", color=colour, ms=5, alpha=0.8
                )
            axes.axhline(threshold, color=INK, ls="--", lw=0.9)
            axes.set_title(words.name("part", part))
            axes.set(xlabel=words("axis.series"), ylim=(-0.03, 1.03))
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.axes[0].set_ylabel(words("axis.probability"))
        handles = [
            Line2D([], [], color=colour, ls="", marker="o", label=words(f"axis.{name}"))
            for name, colour in (("normal", PAST), ("anomalous", ALARM))
        ]
        handles.append(Line2D([], [], color=INK, ls="--", lw=0.9, label=words("axis.threshold")))
        figure.legend(handles=handles, loc="outside lower center", ncols=3)
        return finish(figure, language)


def scores_figure(rows: Sequence[tuple[Series, Sequence[Track]]], *, language: str) -> Figure:
    """Per series its values and the score of every judge over time, alarms in red, anomalies
    shaded.
    """
    words = DetectWords(language)
    with style(language):
        heights = [height for _, tracks in rows for height in (1.5, *[0.8] * len(tracks))]
        figure = Figure(figsize=(WIDTH, 1.05 * sum(heights) + 0.6), layout="constrained")
        panels = iter(figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0])
        for series, tracks in rows:
            own = [next(panels) for _ in range(1 + len(tracks))]
            own[0].plot(
                _place(series),
                np.where(series.observed_T, series.value_T, np.nan),
                color=PAST,
                lw=0.7,
            )
            own[0].set_title(words.name("record", series.record))
            for axes, track in zip(own[1:], tracks, strict=True):
                _draw_track(axes, series, track, words)
            for axes in own:
                _mark_anomalies(axes, series)
                axes.set_xlim(_place(series)[[0, -1]])
                axes.tick_params(labelbottom=axes is own[-1])
            own[-1].set_xlabel("" if series.time_T is not None else words("axis.step"))
        figure.legend(handles=_track_legend(words), loc="outside lower center", ncols=4)
        return finish(figure, language)


def _draw_track(axes: Axes, series: Series, track: Track, words: DetectWords) -> None:
    place_T, alarm_T = _place(series), track.score_T >= track.threshold
    highest = float(np.nanmax(track.score_T)) if np.isfinite(track.score_T).any() else 1.0
    top = 1.0 if track.judge == DETECTOR else min(highest, TOP * track.threshold) * 1.05
    axes.plot(place_T, track.score_T, color=FAINT, lw=0.7)
    axes.vlines(place_T[alarm_T], 0, track.score_T[alarm_T], color=ALARM, lw=0.8)
    axes.axhline(track.threshold, color=INK, ls="--", lw=0.8)
    axes.set_ylim(0, max(top, track.threshold * 1.1))
    axes.set_ylabel(words.name("model_short", track.judge), fontsize=7.5)


def _track_legend(words: DetectWords) -> list[Any]:
    return [
        Line2D([], [], color=FAINT, label=words("axis.score")),
        Patch(color=ALARM, label=words("axis.alarm")),
        Line2D([], [], color=INK, ls="--", lw=0.8, label=words("axis.threshold")),
        Patch(color=EVENT, alpha=0.35, label=words("axis.anomaly")),
    ]
