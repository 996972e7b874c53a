"""Which figures a detection run gets, and the files they become."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from hvac.detect.detection_figures import (
    confusion_figure,
    probability_figure,
    sample_figure,
    scores_figure,
)
from hvac.detect.detection_results import DetectionMetrics
from hvac.detect.detection_texts import DetectWords
from hvac.detect.detections import SeriesScores
from hvac.detect.part_scores import Assessment
from hvac.detect.series import DETECTOR, REPORTED, Series
from hvac.report.figures import save, training_history
from hvac.storage import AnyPath
from hvac.words import LANGUAGES

SHOWN = 3
SHOWN_STEPS = (500, 3000)


def draw_detection_figures(
    assessment: Assessment,
    series: Sequence[Series],
    metrics: DetectionMetrics,
    folder: AnyPath,
) -> dict[str, dict[str, AnyPath]]:
    """Draw every figure of a run as PNG in both languages: {name: {language: path}}."""
    files: dict[str, dict[str, AnyPath]] = {}
    for language in LANGUAGES:
        for name, figure in _figures(assessment, series, metrics, language).items():
            files.setdefault(name, {})[language] = save(
                figure, folder / f"{name}.{language}.png"
            )
    return files


def _figures(
    assessment: Assessment,
    series: Sequence[Series],
    metrics: DetectionMetrics,
    language: str,
) -> dict[str, Figure]:
    words = DetectWords(language)
    results = metrics["models"][DETECTOR]
    parts = [part for part in assessment.scores if part in REPORTED]
    counts = {part: results[part]["windows"]["confusion"] for part in parts}
    history = [dict(epoch) for epoch in metrics["history"]]
    history[metrics["detector"]["kept_epoch"] - 1]["kept"] = 1.0
    runs = {words.name("model", DETECTOR): {words("axis.anomaly"): history}}
    thresholds = {model: value for model, (value, _) in assessment.thresholds.items()}
    figures = {
        "series": sample_figure(series, language=language),
        "confusion": confusion_figure(counts, language=language),
        "training": training_history(runs, language=language),
    }
    if assessment.outcomes:
        figures["scores"] = scores_figure(
            _rows(assessment), thresholds, language=language
        )
    else:
        scores = {part: assessment.scores[part][DETECTOR] for part in parts}
        figures["probability"] = probability_figure(
            scores, thresholds[DETECTOR], language=language
        )
    return figures


def _rows(assessment: Assessment) -> list[dict[str, SeriesScores]]:
    """Choose up to three test series to show: the scores of every model on each.

    They are the first records, or the first series that are neither short nor very long and hold
    several anomalies; where there are none, those with the most anomalies.
    """
    rows = assessment.by_series("test")
    shown = [row for row in rows if _fit_to_show(row[DETECTOR].series)]
    if not shown:
        shown = sorted(rows, key=lambda row: -len(row[DETECTOR].series.anomalies))
    return shown[:SHOWN]


def _fit_to_show(series: Series) -> bool:
    shortest, longest = SHOWN_STEPS
    several = shortest <= len(series) <= longest and len(series.anomalies) > 1
    return several or series.time_T is not None
