"""Figures of a detection run: sample series, confusion matrices, scores over time.

Legend: T steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from hvac.arrays import AnyArray, Floats
from hvac.detect.detection_texts import DetectWords
from hvac.detect.detections import SeriesScores
from hvac.detect.series import DETECTOR, Anomaly, Series
from hvac.report.style import ALARM, EVENT, FAINT, INK, PAST, WIDTH, finish, style

COLOURS = {False: PAST, True: ALARM}  # of normal and of anomalous series
OVERLAID = 10
AROUND = 100  # steps shown on both sides of an anomaly
TOP = 3.0  # thresholds that a score axis shows at least
PART_SHADES = {"train": "#FFFFFF", "validation": "#EEF3F7", "test": "#DDE8F0"}
BELOW: Final = "outside lower center"


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


def _panels(
    rows: int, columns: int, height: float, **grid: Any
) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, **grid)
    return figure, panels.ravel().tolist()


def _overlaid(series: Sequence[Series], words: DetectWords) -> Figure:
    figure, [axes] = _panels(1, 1, 3.2)
    for anomalous, colour in COLOURS.items():
        members = [one for one in series if bool(one.anomalies) == anomalous]
        for one in members[:OVERLAID]:
            axes.plot(one.value_T, color=colour, alpha=0.35, lw=1)
    figure.legend(handles=_class_legend(words), loc=BELOW, ncols=2)
    axes.set(xlabel=words("axis.step"), ylabel=words("axis.value"))
    axes.set_xlim(0, len(series[0]) - 1)
    return figure


def _class_legend(words: DetectWords, **look: Any) -> list[Any]:
    names = (words("axis.normal"), words("axis.anomalous"))
    colours = COLOURS.values()
    return [
        Line2D([], [], color=colour, label=name, **look)
        for colour, name in zip(colours, names, strict=True)
    ]


def _kinds(
    series: Sequence[Series], kinds: Sequence[str], words: DetectWords
) -> Figure:
    rows = math.ceil(len(kinds) / 3)
    figure, panels = _panels(rows, 3, 1.9 * rows + 0.5)
    for axes, kind in zip(panels, kinds, strict=False):
        example, anomaly = _clear_example(series, kind)
        start = max(anomaly.start - AROUND, 0)
        stop = min(anomaly.end + AROUND, len(example))
        axes.plot(np.arange(start, stop), example.value_T[start:stop], color=PAST, lw=1)
        _shade(axes, anomaly.start, anomaly.end - 1)
        axes.set_title(words.name("kind", kind))
        axes.set_xlabel(words("axis.step"))
    for axes in panels[len(kinds) :]:
        axes.set_axis_off()
    figure.legend(handles=[_anomaly_patch(words)], loc=BELOW)
    return figure


def _shade(axes: Axes, first: Any, last: Any) -> None:
    axes.axvspan(first, last, color=EVENT, alpha=0.35, lw=0)


def _anomaly_patch(words: DetectWords) -> Patch:
    return Patch(color=EVENT, alpha=0.35, label=words("axis.anomaly"))


def _clear_example(series: Sequence[Series], kind: str) -> tuple[Series, Anomaly]:
    """Return an anomaly of a kind: the first with room around it, training series first."""
    examples = []
    for one in sorted(series, key=lambda one: one.part != "train"):
        examples += [
            (one, anomaly) for anomaly in one.anomalies if anomaly.kind == kind
        ]
    for one, anomaly in examples:
        if anomaly.start >= AROUND and anomaly.end + AROUND <= len(one):
            return one, anomaly
    return examples[0]


def _records(series: Sequence[Series], words: DetectWords) -> Figure:
    names = list(dict.fromkeys(one.record for one in series))
    figure, panels = _panels(len(names), 1, 2.1 * len(names) + 0.5)
    for axes, name in zip(panels, names, strict=True):
        axes.set_title(words.name("record", name))
        for one in series:
            if one.record == name:
                _draw_stretch(axes, one, words)
        axes.margins(x=0)
    figure.legend(handles=[_anomaly_patch(words)], loc=BELOW)
    return figure


def _draw_stretch(axes: Axes, series: Series, words: DetectWords) -> None:
    time_T = _place(series)
    axes.axvspan(time_T[0], time_T[-1], color=PART_SHADES[series.part], lw=0)
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
        _shade(axes, place_T[anomaly.start], place_T[anomaly.end - 1])


def _place(series: Series) -> AnyArray:
    return np.arange(len(series)) if series.time_T is None else series.time_T


def confusion_figure(
    counts: Mapping[str, Mapping[str, int]], *, language: str
) -> Figure:
    """Draw a confusion matrix for each part."""
    words = DetectWords(language)
    names = [words("axis.normal"), words("axis.anomalous")]
    with style(language):
        figure, panels = _panels(1, len(counts), 3.0)
        for axes, (part, of_part) in zip(panels, counts.items(), strict=True):
            matrix = np.array(
                [of_part[cell] for cell in ("tn", "fp", "fn", "tp")]
            ).reshape(2, 2)
            actual = matrix.sum(axis=1, keepdims=True)
            axes.imshow(matrix / np.maximum(actual, 1), cmap="Blues", vmin=0, vmax=2)
            for (row, column), count in np.ndenumerate(matrix):
                text = f"{count:,}"
                axes.text(
                    column, row, text, ha="center", va="center", fontsize=13, color=INK
                )
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
        figure, panels = _panels(1, len(parts), 2.8, sharey=True)
        for axes, (part, scores) in zip(panels, parts.items(), strict=True):
            probability_N = np.array([one.score_B[0] for one in scores])
            anomalous_N = np.array([bool(one.series.anomalies) for one in scores])
            for anomalous, colour in COLOURS.items():
                place_N = np.flatnonzero(anomalous_N == anomalous)
                axes.plot(
                    place_N, probability_N[place_N], "o", color=colour, ms=5, alpha=0.8
                )
            axes.axhline(threshold, color=INK, ls="--", lw=0.9)
            axes.set_title(words.name("part", part))
            axes.set(xlabel=words("axis.series"), ylim=(-0.03, 1.03))
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        panels[0].set_ylabel(words("axis.probability"))
        handles = _class_legend(words, ls="", marker="o")
        handles.append(
            Line2D([], [], color=INK, ls="--", lw=0.9, label=words("axis.threshold"))
        )
        figure.legend(handles=handles, loc=BELOW, ncols=3)
        return finish(figure, language)


def scores_figure(
    rows: Sequence[Mapping[str, SeriesScores]],
    thresholds: Mapping[str, float],
    *,
    language: str,
) -> Figure:
    """Draw per series its values, and below them every model's score over time.

    Alarms are red, anomalies are shaded.

    Args:
        rows: the scores of every model on one series each.
        thresholds: of every model.
        language: `en` or `ja`.
    """
    words = DetectWords(language)
    heights = [1.5, *[0.8] * len(thresholds)] * len(rows)
    with style(language):
        height = 1.05 * sum(heights) + 0.6
        figure, panels = _panels(len(heights), 1, height, height_ratios=heights)
        for by_model in rows:
            count = 1 + len(by_model)
            _draw_series(panels[:count], by_model, thresholds, words)
            panels = panels[count:]
        handles = [
            Line2D([], [], color=FAINT, label=words("axis.score")),
            Patch(color=ALARM, label=words("axis.alarm")),
            Line2D([], [], color=INK, ls="--", lw=0.8, label=words("axis.threshold")),
            _anomaly_patch(words),
        ]
        figure.legend(handles=handles, loc=BELOW, ncols=4)
        return finish(figure, language)


def _draw_series(
    panels: Sequence[Axes],
    by_model: Mapping[str, SeriesScores],
    thresholds: Mapping[str, float],
    words: DetectWords,
) -> None:
    series = next(iter(by_model.values())).series
    place_T = _place(series)
    panels[0].plot(place_T, _observed(series), color=PAST, lw=0.7)
    panels[0].set_title(words.name("record", series.record))
    for axes, (model, scores) in zip(panels[1:], by_model.items(), strict=True):
        _draw_scores(
            axes,
            place_T,
            scores.score_T,
            thresholds[model],
            probability=model == DETECTOR,
        )
        axes.set_ylabel(words.name("model_short", model), fontsize=7.5)
    for axes in panels:
        _mark_anomalies(axes, series)
        axes.set_xlim(place_T[0], place_T[-1])
        axes.tick_params(labelbottom=axes is panels[-1])
    if series.time_T is None:
        panels[-1].set_xlabel(words("axis.step"))


def _draw_scores(
    axes: Axes,
    place_T: AnyArray,
    score_T: Floats,
    threshold: float,
    *,
    probability: bool,
) -> None:
    """Draw scores with their threshold; a `probability` ends at 1."""
    alarm_T = score_T >= threshold
    top = 1.0
    if not probability:
        highest = float(np.nanmax(score_T)) if np.isfinite(score_T).any() else 1.0
        top = min(highest, TOP * threshold) * 1.05
    axes.plot(place_T, score_T, color=FAINT, lw=0.7)
    axes.vlines(place_T[alarm_T], 0, score_T[alarm_T], color=ALARM, lw=0.8)
    axes.axhline(threshold, color=INK, ls="--", lw=0.8)
    axes.set_ylim(0, max(top, threshold * 1.1))
