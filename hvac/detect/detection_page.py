"""One self-contained report.html of a detection run: both languages inside, in the dress of the
main report.

Each section is a function `View -> blocks`; a section without blocks is left out. Words are in
`texts.yaml`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hvac.detect.detection_sections import (
    detection_provenance,
    detection_summary,
    events,
    honesty,
    scores,
    series,
    training,
    window_scores,
)
from hvac.detect.detection_texts import DetectWords
from hvac.report.page import inline, write_pages
from hvac.report.texts import LANGUAGES
from hvac.report.view import Block, View
from hvac.storage import AnyPath

SECTIONS: dict[str, Callable[[View], list[Block]]] = {
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
    metrics: Mapping[str, Any],
    figures: Mapping[str, Mapping[str, AnyPath]],
    *,
    path: AnyPath,
    language: str,
) -> None:
    """Write one HTML file with both languages inside; `language` is shown first, a button switches.

    `figures` is {name: {language: path}}, names as in `figure` of texts.yaml.
    """
    order = sorted(LANGUAGES, key=lambda word: word != language)
    write_pages(
        [detection_page(metrics, figures, DetectWords(shown)) for shown in order],
        path=path,
        language=language,
    )


def detection_page(
    metrics: Mapping[str, Any], figures: Mapping[str, Mapping[str, AnyPath]], words: DetectWords
) -> dict[str, Any]:
    """Everything the template needs to show one language."""
    images = {name: inline(by[words.language]) for name, by in figures.items()}
    view = View(metrics=metrics, images=images, words=words)
    blocks = {key: build(view) for key, build in SECTIONS.items()}
    run = {key: view.at("run", key) for key in ("name", "created", "version")}
    return {
        "language": words.language,
        "title": words("title"),
        "byline": words("byline", **run),
        "words": words,
        "sections": [
            (key, words(f"section.{key}"), found) for key, found in blocks.items() if found
        ],
    }
