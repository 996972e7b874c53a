"""One self-contained report.html from the metrics of a run: both languages inside.

Each section is a function `View -> blocks` (tables, notes, figures); a section without blocks is
left out. The words are in `texts.yaml`, the page in `report.html.j2`. Nothing is loaded from
elsewhere.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict

import jinja2

from hvac.errors import HvacError
from hvac.json_values import JsonObject
from hvac.panel.names import NO_NAMES, Names
from hvac.report.alarm_section import alarm_table
from hvac.report.facilities_view import facilities
from hvac.report.importance_section import importance_table
from hvac.report.leaderboard_view import leaderboard_summary
from hvac.report.monitor_section import monitors
from hvac.report.now_section import is_simulated, local_time, now_section
from hvac.report.provenance import provenance
from hvac.report.readiness_section import readiness_table
from hvac.report.section_tables import (
    ablation,
    all_models,
    curve_figures,
    forecast,
    glossary,
    leakage,
    main_table,
    slices,
)
from hvac.report.summary import summary
from hvac.report.sureness_section import sureness
from hvac.report.texts import Words, languages_from, texts
from hvac.report.update_section import updates
from hvac.report.view import DASH, Block, View
from hvac.storage import AnyPath, as_given, write_text

PICTURES = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
SECTIONS: dict[str, Callable[[View], list[Block]]] = {
    "now": now_section,
    "summary": summary,
    "readiness": readiness_table,
    "main": main_table,
    "models": all_models,
    "leaderboard": leaderboard_summary,
    "curves": curve_figures,
    "alarms": alarm_table,
    "sureness": sureness,
    "importance": importance_table,
    "forecast": forecast,
    "ablation": ablation,
    "slices": slices,
    "facilities": facilities,
    "monitors": monitors,
    "updates": updates,
    "provenance": provenance,
    "leakage": leakage,
    "glossary": glossary,
}


class PageContent(TypedDict):
    """Everything the template needs to show one language; sections are (key, head, blocks)."""

    language: str
    title: str
    byline: str
    words: Words
    sections: list[tuple[str, str, Sequence[object]]]


def write_report(
    metrics: JsonObject,
    figures: Mapping[str, Mapping[str, str | AnyPath]],
    *,
    path: str | AnyPath,
    language: str,
    names: Names = NO_NAMES,
) -> None:
    """Write one HTML file with both languages inside; `language` is shown first, a button switches.

    Sections whose key is absent from `metrics` are left out.

    Args:
        metrics: as `evaluate` gives it.
        figures: {name: {language: data URI or path of an image}}, names as in `figure` of
            texts.yaml; a figure in one language only stands in both.
        path: where to write the page.
        language: `en` or `ja`.
        names: what facilities, equipment, points, classes and kinds of events are called.

    Raises:
        HvacError: if the language or the name of a figure is unknown.
    """
    if unknown := set(figures) - set(texts()["figure"]):
        raise HvacError(
            f"figures: expected names among {sorted(texts()['figure'])}, found {sorted(unknown)}"
        )
    pages = [
        report_page(metrics, figures, Words(shown), names)
        for shown in languages_from(language)
    ]
    write_pages(pages, path=path, language=language)


def write_pages(
    pages: list[PageContent],
    *,
    path: str | AnyPath,
    language: str,
    template: str = "report.html.j2",
) -> None:
    """Write one HTML file from a `page_content` per language; the first of them is shown."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hvac", "report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template(template).render(pages=pages, language=language)
    write_text(as_given(path), html)


def page_content(
    words: Words, byline: str, blocks: Mapping[str, Sequence[object]]
) -> PageContent:
    """Return everything the template needs to show one language.

    Args:
        words: the texts, with `title` and the sections' names under `section`.
        byline: the line below the title.
        blocks: the blocks of every section; a section without blocks is left out.
    """
    sections: list[tuple[str, str, Sequence[object]]] = []
    for key, section_blocks in blocks.items():
        if section_blocks:
            sections.append((key, words(f"section.{key}"), section_blocks))
    return {
        "language": words.language,
        "title": words("title"),
        "byline": byline,
        "words": words,
        "sections": sections,
    }


def report_page(
    metrics: JsonObject,
    figures: Mapping[str, Mapping[str, str | AnyPath]],
    words: Words,
    names: Names = NO_NAMES,
) -> PageContent:
    """Return the content of the report in one language."""
    images = {}
    for name, by_language in figures.items():
        if by_language:
            first = next(iter(by_language.values()))
            images[name] = inline(by_language.get(words.language, first))
    view = View(metrics=metrics, images=images, words=words, names=names)
    run = {
        key: str(view.at("run", key) or DASH) for key in ("name", "created", "version")
    }
    run["created"] = local_time(run["created"])
    blocks = {key: build(view) for key, build in SECTIONS.items()}
    byline = words("byline", **run)
    if is_simulated(view):
        byline = words("with_note", text=byline, note=words("simulated"))
    return page_content(words, byline, blocks)


def inline(picture: str | AnyPath) -> str:
    """Return a data URI as it is; make one from the file where a path is given.

    Raises:
        HvacError: if it is neither a data URI nor an existing PNG, JPEG or WebP file.
    """
    if str(picture).startswith("data:image/"):
        return str(picture)
    path = as_given(picture)
    kind = PICTURES.get(path.suffix.lower())
    if kind is None or not path.is_file():
        raise HvacError(
            f"figure: expected a data URI or an existing {', '.join(PICTURES)} file, found"
            f" {str(picture)[:80]!r}"
        )
    return f"data:image/{kind};base64," + base64.b64encode(path.read_bytes()).decode(
        "ascii"
    )
