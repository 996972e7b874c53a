"""leaderboard.html: every model of a comparison, one self-contained page in both languages.

Each section is a function `View -> blocks`; a section without blocks is left out. The words are in
`leaderboard_texts.yaml`, the template is the report's.
"""

from __future__ import annotations

from collections.abc import Callable

from hvac.evaluation.leaderboard import Leaderboard
from hvac.json_values import JsonObject, as_json, listed
from hvac.report.figures import as_data_uri
from hvac.report.leaderboard_figures import cost, quality
from hvac.report.leaderboard_view import (
    TEXTS,
    champion_summary,
    overall,
    ranked,
    tables,
)
from hvac.report.page import PageContent, page_content, write_pages
from hvac.report.provenance import facts
from hvac.report.texts import Words, languages_from, texts
from hvac.report.view import Block, Note, View, image
from hvac.storage import AnyPath


def pictures(view: View) -> list[Block]:
    """Return two figures: quality with intervals, and quality against cost."""
    return [*image(view, "quality"), *image(view, "cost")]


def choice(view: View) -> list[Block]:
    """Return notes on how the champion was chosen: by validation, never by test."""
    values = {"replicates": view.at("about", "replicates"), "count": len(ranked(view))}
    lines = [view.words(f"choice.{key}", **values) for key in texts(TEXTS)["choice"]]
    return [Note(line, kind="item") for line in lines]


def leaderboard_provenance(view: View) -> list[Block]:
    """Return what the comparison was, and the command that trains its champion."""
    words = view.words
    about = dict(view.group("about"))
    command = about.pop("command", None)
    seeds = [str(seed) for seed in listed(about.get("seeds"))]
    about["seeds"] = words.join(seeds)
    named = {words(f"fact.{key}"): str(value) for key, value in about.items()}
    blocks = facts(view, "facts", named)
    if command:
        blocks.append(Note(words("fact.command")))
        blocks.append(Note(kind="code", text=str(command)))
    return blocks


SECTIONS: dict[str, Callable[[View], list[Block]]] = {
    "short": champion_summary,
    "overall": overall,
    "tables": tables,
    "figures": pictures,
    "choice": choice,
    "facts": leaderboard_provenance,
}


def write_leaderboard_page(
    leaderboard: Leaderboard,
    *,
    path: str | AnyPath,
    language: str,
    about: JsonObject,
) -> None:
    """Write one HTML file with both languages inside; `language` is shown first, a button switches.

    Args:
        leaderboard: as `hvac.evaluation.leaderboard.leaderboard` gives it.
        path: where to write the page.
        language: `en` or `ja`; another one raises HvacError.
        about: `run`, `name` (of the comparison), `created`, `seeds`, `replicates`, `table` (the
            windows' hash), and, where there is one, the `command` that trains the champion.
    """
    pages = [_page(leaderboard, about, shown) for shown in languages_from(language)]
    write_pages(pages, path=path, language=language)


def _page(leaderboard: Leaderboard, about: JsonObject, language: str) -> PageContent:
    images = {
        "quality": as_data_uri(quality(leaderboard, language=language)),
        "cost": as_data_uri(cost(leaderboard, language=language)),
    }
    words = Words(language, TEXTS)
    view = View(
        metrics={"leaderboard": as_json(leaderboard), "about": about},
        images=images,
        words=words,
    )
    byline = words(
        "byline", run=about["run"], name=about["name"], created=about["created"]
    )
    blocks = {key: build(view) for key, build in SECTIONS.items()}
    return page_content(words, byline, blocks)
