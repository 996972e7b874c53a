"""One self-contained report.html from the metrics of a run: both languages inside, no outside
resource.

Each section is a function `View -> blocks` (tables, notes, figures); a section without blocks is
left out. The words are in `texts.yaml`, the page in `report.html.j2`."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import jinja2

from hvac.errors import HvacError
from hvac.report.facilities_view import facilities
from hvac.report.leaderboard_view import short_amount
from hvac.report.provenance import provenance
from hvac.report.section_tables import (
    ablation,
    alarm_table,
    all_models,
    curve_figures,
    forecast,
    glossary,
    leakage,
    main_table,
    slices,
)
from hvac.report.summary import summary
from hvac.report.texts import LANGUAGES, Words, texts
from hvac.report.view import DASH, Block, View
from hvac.storage import AnyPath, as_given, write_text

SECTIONS: dict[str, Callable[[View], list[Block]]] = {
    "summary": summary,
    "main": main_table,
    "models": all_models,
    "leaderboard": short_amount,
    "curves": curve_figures,
    "alarms": alarm_table,
    "forecast": forecast,
    "ablation": ablation,
    "slices": slices,
    "facilities": facilities,
    "provenance": provenance,
    "leakage": leakage,
    "glossary": glossary,
}


def write_report(
    metrics: Mapping[str, Any],
    figures: Mapping[str, Mapping[str, str | AnyPath]],
    *,
    path: str | AnyPath,
    language: str,
) -> None:
    """Write one HTML file with both languages inside; `language` is shown first, a button switches.

    `figures` is {name: {language: data URI or path of an image}}, names as in `figure` of
    texts.yaml; a figure in one language only stands in both. Sections whose key is absent from
    `metrics` are left out. Raises HvacError for an unknown language or figure."""
    if unknown := set(figures) - set(texts()["figure"]):
        raise HvacError(
            f"figures: expected names among {sorted(texts()['figure'])}, found {sorted(unknown)}"
        )
    Words(language)
    pages = [
        report_page(metrics, figures, Words(shown))
        for shown in sorted(LANGUAGES, key=lambda word: word != language)
    ]
    write_pages(pages, path=path, language=language)


def write_pages(pages: list[dict[str, Any]], *, path: str | AnyPath, language: str) -> None:
    """Write one HTML file from what `report_page` gives for every language, the first of them shown."""
    loader = jinja2.PackageLoader("hvac", "report")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    html = environment.get_template("report.html.j2").render(pages=pages, language=language)
    write_text(as_given(path), html)


def report_page(
    metrics: Mapping[str, Any], figures: Mapping[str, Mapping[str, str | AnyPath]], words: Words
) -> dict[str, Any]:
    """Everything the template needs to show one language."""
    images = {
        name: inline(by.get(words.language, next(iter(by.values()))))
        for name, by in figures.items()
        if by
    }
    view = View(metrics=metrics, images=images, words=words)
    run = {key: view.at("run", key) or DASH for key in ("name", "created", "version")}
    blocks = {key: build(view) for key, build in SECTIONS.items()}
    return {
        "language": words.language,
        "title": words("title"),
        "byline": words("byline", **run),
        "words": words,
        "sections": [
            (key, words(f"section.{key}"), found) for key, found in blocks.items() if found
        ],
    }


def inline(picture: str | AnyPath) -> str:
    """A data URI, made from the file where a path is given."""
    if str(picture).startswith("data:image/"):
        return str(picture)
    kinds = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
    path = as_given(picture)
    if path.suffix.lower() not in kinds or not path.is_file():
        raise HvacError(
            f"figure: expected a data URI or an existing {', '.join(kinds)} file, found"
            f" {str(picture)[:80]!r}"
        )
    return f"data:image/{kinds[path.suffix.lower()]};base64," + base64.b64encode(
        path.read_bytes()
    ).decode("ascii")
