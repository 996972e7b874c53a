"""Which figures a run gets, and the files they become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from hvac.detect.detection_figures import (
    Track,
    confusion_figure,
    probability_figure,
    sample_figure,
    scores_figure,
)
from hvac.detect.detection_texts import DetectWords
from hvac.detect.part_scores import Assessment
from hvac.detect.series import DETECTOR, REPORTED, Series
from hvac.report.figures import save, training_history
from hvac.report.texts import LANGUAGES
from hvac.storage import AnyPath

SHOWN = 3
SHOWN_STEPS = (500, 3000)


def draw_detection_figures(
    found: Assessment, series: Sequence[Series], metrics: Mapping[str, Any], folder: AnyPath
) -> dict[str, dict[str, AnyPath]]:
    """Every figure of a run as PNG in both languages: {name: {language: path}}."""
    files: dict[str, dict[str, AnyPath]] = {}
    for language in LANGUAGES:
        for name, figure in _figures(found, series, metrics, language).items():
            files.setdefault(name, {})[language] = save(figure, folder / f"{name}.{language}.png")
    return files


def _figures(
    found: Assessment, series: Sequence[Series], metrics: Mapping[str, Any], language: str
) -> dict[str, Figure]:
    words = DetectWords(language)
    judged = {part: by[DETECTOR] for part, by in found.judged.items() if part in REPORTED}
    counts = {part: metrics["models"][DETECTOR][part]["windows"]["confusion"] for part in judged}
    history = [dict(row) for row in metrics["history"]]
    history[metrics["detector"]["kept_epoch"] - 1]["kept"] = 1.0
    figures = {
        "series": sample_figure(series, language=language),
        "confusion": confusion_figure(counts, language=language),
        "training": training_history(
            {words.name("model", DETECTOR): {words("axis.anomaly"): history}}, language=language
        ),
    }
    if found.outcomes:
        return figures | {"scores": scores_figure(_rows(found), language=language)}
    threshold = found.thresholds[DETECTOR][0]
    return figures | {"probability": probability_figure(judged, threshold, language=language)}


def _rows(found: Assessment) -> list[tuple[Series, list[Track]]]:
    """The first test series that are neither short nor very long and hold several anomalies;
    records: all.
    """
    by_judge = found.judged["test"]
    members = [each.series for each in next(iter(by_judge.values()))]
    low, high = SHOWN_STEPS
    fit = [
        n
        for n, s in enumerate(members)
        if s.time_T is not None or (low <= len(s) <= high and len(s.anomalies) > 1)
    ]
    chosen = (fit or sorted(range(len(members)), key=lambda n: -len(members[n].anomalies)))[:SHOWN]
    return [
        (
            members[n],
            [
                Track(name, rows[n].score_T, found.thresholds[name][0])
                for name, rows in by_judge.items()
            ],
        )
        for n in chosen
    ]
