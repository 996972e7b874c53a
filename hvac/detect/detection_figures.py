"""Figures of a detection run: sample series, confusion matrices, scores over time.

Legend: T steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from hvac.arrays import AnyArray, Floats
from hvac.detect.detection_metrics import SeriesScores
from hvac.detect.detection_texts import DetectWords
from hvac.detect.series import DETECTOR, Anomaly, Series
from hvac.report.style import ALARM, EVENT, FAINT, INK, PAST, WIDTH, finish, style

COLOURS = {False: PAST, True: ALARM}  # of normal and of anomalous series
OVERLAID = 10
AROUND = 100  # steps shown on both sides of an anomaly
TOP = 3.0  # thresholds that a score axis shows at least
PART_SHADES = {"train": "#FFFFFF", "validation": "#EEF3F7", "test": "#DDE8F0"}


class Track(NamedTuple):
    """The joined scores of one model on one series, with its threshold."""

    model: str
    score_T: Floats
    threshold: float


def sample_figure(series: Sequence[Series], *, language: str) -> Figure:
    """Draw what the series look like.

    Series with a clock are drawn as whole records with their parts; others as one anomaly of each
    kind, or laid over another where there is one kind only.
    """
    words = DetectWords(language)
    kinds = sorted({anomaly.kind for one in series for anomaly in one.anomalies})
    with style(language):
        if any(one.time_T is not None for one in series):
            figure = _records(series, words)
        elif len(kinds) > 1:
            figure = _kinds(series, kinds, words)
        else:
            figure = _overlaid(series, words)
        return finish(figure, language)


def _overlaid(series: Sequence[Series], words: DetectWords) -> Figure:
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    axes = figure.subplots()
    for anomalous, colour in COLOURS.items():
        members = [one for one in series if bool(one.anomalies) == anomalous]
        for one in members[:OVERLAID]:
            axes.plot(one.value_T, color=colour, alpha=0.35, lw=1)
    handles = [
        Line2D([], [], color=PAST, label=words("axis.normal")),
        Line2D([], [], color=ALARM, label=words("axis.anomalous")),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    axes.set_xlabel(words("axis.step"))
    axes.set_ylabel(words("axis.value"))
    axes.set_xlim(0, len(series[0]) - 1)
    return figure


def _kinds(series: Sequence[Series], kinds: Sequence[str], words: DetectWords) -> Figure:
    rows = math.ceil(len(kinds) / 3)
    height = 1.9 * rows + 0.5
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    grid = figure.subplots(rows, 3, squeeze=False).ravel()
    for axes, kind in zip(grid, kinds, strict=False):
        example, anomaly = _clear_example(series, kind)
        start = max(anomaly.start - AROUND, 0)
        stop = min(anomaly.end + AROUND, len(example))
        steps = np.arange(start, stop)
        axes.plot(steps, example.value_T[start:stop], color=PAST, lw=1)
        axes.axvspan(anomaly.start, anomaly.end - 1, color=EVENT, alpha=0.35, lw=0)
        axes.set_title(words.name("kind", kind))
        axes.set_xlabel(words("axis.step"))
    for axes in grid[len(kinds) :]:
        axes.set_axis_off()
    figure.legend(handles=[_anomaly_patch(words)], loc="outside lower center")
    return figure


def _anomaly_patch(words: DetectWords) -> Patch:
    return Patch(color=EVENT, alpha=0.35, label=words("axis.anomaly"))


def _clear_example(series: Sequence[Series], kind: str) -> tuple[Series, Anomaly]:
    """Return an anomaly of a kind: the first with room around it, training series first."""
    ordered = [one for one in series if one.part == "train"]
    ordered += [one for one in series if one.part != "train"]
    examples = []
    for one in ordered:
        examples += [(one, anomaly) for anomaly in one.anomalies if anomaly.kind == kind]
    for one, anomaly in examples:
        if anomaly.start >= AROUND and anomaly.end + AROUND <= len(one):
            return one, anomaly
    return examples[0]


def _records(series: Sequence[Series], words: DetectWords) -> Figure:
    names = list(dict.fromkeys(one.record for one in series))
    height = 2.1 * len(names) + 0.5
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    panels = figure.subplots(len(names), 1, squeeze=False)[:, 0]
    for axes, name in zip(panels, names, strict=True):
        axes.set_title(words.name("record", name))
        for one in series:
            if one.record == name:
                _draw_stretch(axes, one, words)
        axes.margins(x=0)
    figure.legend(handles=[_anomaly_patch(words)], loc="outside lower center")
    return figure


def _draw_stretch(axes: Axes, series: Series, words: DetectWords) -> None:
    time_T = series.time_T
    assert time_T is not None, "stretches of a record have its clock"
    shade = PART_SHADES[series.part]
    axes.axvspan(time_T[0], time_T[-1], color=shade, lw=0)
    axes.plot(time_T, _observed(series), color=PAST, lw=0.6)
    axes.text(
        time_T[0],
        1.0,
        " " + words.name("part", series.part),
        transform=axes.get_xaxis_transform(),
        va="top",
        color=FAINT,
        fontsize=8,
    )
    _mark_anomalies(axes, series)


def _observed(series: Series) -> Floats:
    """Return the values, nan where none was observed."""
    return np.where(series.observed_T, series.value_T, np.nan)


def _mark_anomalies(axes: Axes, series: Series) -> None:
    place_T = _place(series)
    for anomaly in series.anomalies:
        first = place_T[anomaly.start]
        last = place_T[anomaly.end - 1]
        axes.axvspan(first, last, color=EVENT, alpha=0.35, lw=0)


def _place(series: Series) -> AnyArray:
    return np.arange(len(series)) if series.time_T is None else series.time_T


def confusion_figure(counts: Mapping[str, Mapping[str, int]], *, language: str) -> Figure:
    """Draw a confusion matrix for each part."""
    words = DetectWords(language)
    names = [words("axis.normal"), words("axis.anomalous")]
    with style(language):
        figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
        panels = figure.subplots(1, len(counts), squeeze=False)[0]
        for axes, (part, of_part) in zip(panels, counts.items(), strict=True):
            normal = [of_part["tn"], of_part["fp"]]
            anomalous = [of_part["fn"], of_part["tp"]]
            matrix = np.array([normal, anomalous])
            actual = matrix.sum(axis=1, keepdims=True)
            shares = matrix / np.maximum(actual, 1)
            axes.imshow(shares, cmap="Blues", vmin=0, vmax=2)
            for (row, column), count in np.ndenumerate(matrix):
                text = f"{count:,}"
                axes.text(column, row, text, ha="center", va="center", fontsize=13, color=INK)
            axes.set_xticks([0, 1], names)
            axes.set_yticks([0, 1], names)
            axes.set(xlabel=words("axis.said"), ylabel=words("axis.actual"))
            axes.set_title(words.name("part", part))
        return finish(figure, language)


def probability_figure(
    parts: Mapping[str, Sequence[SeriesScores]], threshold: float, *, language: str
) -> Figure:
    """Draw the probability of every series as a dot, for series that are one window long."""
    words = DetectWords(language)
    with style(language):
        figure = Figure(figsize=(WIDTH, 2.8), layout="constrained")
        panels = figure.subplots(1, len(parts), sharey=True, squeeze=False)[0]
        for axes, (part, scores) in zip(panels, parts.items(), strict=True):
            for anomalous, colour in COLOURS.items():
                places = []
                values = []
                for place, one in enumerate(scores):
                    if bool(one.series.anomalies) == anomalous:
                        places.append(place)
                        values.append(one.score_B[0])
                axes.plot(places, values, "o", color=colour, ms=5, alpha=0.8)
            axes.axhline(threshold, color=INK, ls="--", lw=0.9)
            axes.set_title(words.name("part", part))
            axes.set(xlabel=words("axis.series"), ylim=(-0.03, 1.03))
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.axes[0].set_ylabel(words("axis.probability"))
        normal = words("axis.normal")
        anomalous_text = words("axis.anomalous")
        handles = [
            Line2D([], [], color=PAST, ls="", marker="o", label=normal),
            Line2D([], [], color=ALARM, ls="", marker="o", label=anomalous_text),
            Line2D([], [], color=INK, ls="--", lw=0.9, label=words("axis.threshold")),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=3)
        return finish(figure, language)


def scores_figure(rows: Sequence[tuple[Series, Sequence[Track]]], *, language: str) -> Figure:
    """Draw per series its values, and below them every model's score over time.

    Alarms are red, anomalies are shaded.
    """
    words = DetectWords(language)
    heights: list[float] = []
    for _, tracks in rows:
        heights += [1.5, *[0.8] * len(tracks)]
    with style(language):
        height = 1.05 * sum(heights) + 0.6
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        grid = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)
        panels = grid[:, 0].tolist()
        for series, tracks in rows:
            count = 1 + len(tracks)
            _draw_series(panels[:count], series, tracks, words)
            panels = panels[count:]
        figure.legend(handles=_track_legend(words), loc="outside lower center", ncols=4)
        return finish(figure, language)


def _draw_series(
    panels: Sequence[Axes], series: Series, tracks: Sequence[Track], words: DetectWords
) -> None:
    place_T = _place(series)
    panels[0].plot(place_T, _observed(series), color=PAST, lw=0.7)
    panels[0].set_title(words.name("record", series.record))
    for axes, track in zip(panels[1:], tracks, strict=True):
        _draw_track(axes, series, track, words)
    for axes in panels:
        _mark_anomalies(axes, series)
        axes.set_xlim(place_T[0], place_T[-1])
        axes.tick_params(labelbottom=axes is panels[-1])
    if series.time_T is None:
        panels[-1].set_xlabel(words("axis.step"))


def _draw_track(axes: Axes, series: Series, track: Track, words: DetectWords) -> None:
    place_T = _place(series)
    alarm_T = track.score_T >= track.threshold
    top = 1.0
    if track.model != DETECTOR:
        highest = 1.0
        if np.isfinite(track.score_T).any():
            highest = float(np.nanmax(track.score_T))
        top = min(highest, TOP * track.threshold) * 1.05
    axes.plot(place_T, track.score_T, color=FAINT, lw=0.7)
    alarm_scores = track.score_T[alarm_T]
    axes.vlines(place_T[alarm_T], 0, alarm_scores, color=ALARM, lw=0.8)
    axes.axhline(track.threshold, color=INK, ls="--", lw=0.8)
    axes.set_ylim(0, max(top, track.threshold * 1.1))
    axes.set_ylabel(words.name("model_short", track.model), fontsize=7.5)


def _track_legend(words: DetectWords) -> list[Any]:
    return [
        Line2D([], [], color=FAINT, label=words("axis.score")),
        Patch(color=ALARM, label=words("axis.alarm")),
        Line2D([], [], color=INK, ls="--", lw=0.8, label=words("axis.threshold")),
        _anomaly_patch(words),
    ]
