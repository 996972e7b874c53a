"""One self-contained report.html of a detection run: both languages inside.

Each section is a function `View -> blocks`; a section without blocks is left out. Words are in
`texts.yaml`, the template is the main report's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hvac.detect.detection_results import DetectionMetrics, DetectionView
from hvac.detect.detection_sections import (
    detection_provenance,
    detection_summary,
    honesty,
    scores,
    series,
    training,
    window_scores,
)
from hvac.detect.detection_texts import DetectWords
from hvac.detect.event_section import events
from hvac.json_values import as_json
from hvac.report.page import PageContent, inline, page_content, write_pages
from hvac.report.texts import languages_from
from hvac.report.view import Block
from hvac.storage import AnyPath

SECTIONS: dict[str, Callable[[DetectionView], list[Block]]] = {
    "summary": detection_summary,
    "series": series,
    "windows": window_scores,
    "events": events,
    "scores": scores,
    "training": training,
    "honesty": honesty,
    "provenance": detection_provenance,
}


def write_detection_report(
    metrics: DetectionMetrics,
    figures: Mapping[str, Mapping[str, AnyPath]],
    *,
    path: AnyPath,
    language: str,
) -> None:
    """Write one HTML file with both languages inside; `language` is shown first, a button switches.

    Args:
        metrics: the content of metrics.json.
        figures: {name: {language: path}}, names as in `figure` of texts.yaml.
        path: where to write the page.
        language: `en` or `ja`.
    """
    pages = []
    for page_language in languages_from(language):
        pages.append(detection_page(metrics, figures, DetectWords(page_language)))
    write_pages(pages, path=path, language=language)


def detection_page(
    metrics: DetectionMetrics,
    figures: Mapping[str, Mapping[str, AnyPath]],
    words: DetectWords,
) -> PageContent:
    """Return the content of the report in one language."""
    images = {name: inline(files[words.language]) for name, files in figures.items()}
    view = DetectionView(metrics=as_json(metrics), images=images, words=words)
    run = {key: view.at("run", key) for key in ("name", "created", "version")}
    blocks = {key: build(view) for key, build in SECTIONS.items()}
    return page_content(words, words("byline", **run), blocks)
