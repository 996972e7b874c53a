"""Which figures a detection run gets, and the files they become."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from hvac.detect.detection_figures import (
    Track,
    confusion_figure,
    probability_figure,
    sample_figure,
    scores_figure,
)
from hvac.detect.detection_results import DetectionMetrics
from hvac.detect.detection_texts import DetectWords
from hvac.detect.part_scores import Assessment
from hvac.detect.series import DETECTOR, REPORTED, Series
from hvac.report.figures import save, training_history
from hvac.storage import AnyPath
from hvac.words import LANGUAGES

SHOWN = 3
SHOWN_STEPS = (500, 3000)


def draw_detection_figures(
    assessment: Assessment, series: Sequence[Series], metrics: DetectionMetrics, folder: AnyPath
) -> dict[str, dict[str, AnyPath]]:
    """Draw every figure of a run as PNG in both languages: {name: {language: path}}."""
    files: dict[str, dict[str, AnyPath]] = {}
    for language in LANGUAGES:
        for name, figure in _figures(assessment, series, metrics, language).items():
            files.setdefault(name, {})[language] = save(figure, folder / f"{name}.{language}.png")
    return files


def _figures(
    assessment: Assessment, series: Sequence[Series], metrics: DetectionMetrics, language: str
) -> dict[str, Figure]:
    words = DetectWords(language)
    scores = {}
    counts = {}
    for part, by_model in assessment.scores.items():
        if part in REPORTED:
            scores[part] = by_model[DETECTOR]
            counts[part] = metrics["models"][DETECTOR][part]["windows"]["confusion"]
    history = [dict(row) for row in metrics["history"]]
    history[metrics["detector"]["kept_epoch"] - 1]["kept"] = 1.0
    runs = {words.name("model", DETECTOR): {words("axis.anomaly"): history}}
    figures = {
        "series": sample_figure(series, language=language),
        "confusion": confusion_figure(counts, language=language),
        "training": training_history(runs, language=language),
    }
    if assessment.outcomes:
        figures["scores"] = scores_figure(_rows(assessment), language=language)
    else:
        threshold = assessment.thresholds[DETECTOR][0]
        figures["probability"] = probability_figure(scores, threshold, language=language)
    return figures


def _rows(assessment: Assessment) -> list[tuple[Series, list[Track]]]:
    """Choose up to three test series to show, with the scores of every model.

    They are the first records, or the first series that are neither short nor very long and hold
    several anomalies; where there are none, those with the most anomalies.
    """
    by_model = assessment.scores["test"]
    members = [scores.series for scores in next(iter(by_model.values()))]
    low, high = SHOWN_STEPS
    places = []
    for place, member in enumerate(members):
        several = low <= len(member) <= high and len(member.anomalies) > 1
        if several or member.time_T is not None:
            places.append(place)
    if not places:
        places = sorted(range(len(members)), key=lambda place: -len(members[place].anomalies))
    rows = []
    for place in places[:SHOWN]:
        tracks = []
        for name, scores in by_model.items():
            threshold = assessment.thresholds[name][0]
            tracks.append(Track(name, scores[place].score_T, threshold))
        rows.append((members[place], tracks))
    return rows
