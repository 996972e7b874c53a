"""leaderboard.html: every model of a comparison, one self-contained page in both languages, in the
report's dress.

Each section is a function `View -> blocks`; a section without blocks is left out. The words are in
`leaderboard_texts.yaml`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hvac.report.figures import as_data_uri
from hvac.report.leaderboard_figures import cost, quality
from hvac.report.leaderboard_view import TEXTS, overall, ranked, short_name, tables
from hvac.report.page import write_pages
from hvac.report.provenance import facts
from hvac.report.texts import LANGUAGES, Words, texts
from hvac.report.view import Block, Note, View, image
from hvac.storage import AnyPath


def pictures(view: View) -> list[Block]:
    """Quality with intervals; quality against cost."""
    return [*image(view, "quality"), *image(view, "cost")]


def choice(view: View) -> list[Block]:
    """How the champion was chosen, and that test had no say."""
    values = {"replicates": view.at("about", "replicates"), "count": len(ranked(view))}
    return [
        Note(kind="verdict", text=view.words(f"choice.{key}", **values))
        for key in texts(TEXTS)["choice"]
    ]


def leaderboard_provenance(view: View) -> list[Block]:
    """What the comparison was, and how to train its champion."""
    words, about = view.words, dict(view.at("about"))
    command = about.pop("command", None)
    about["seeds"] = words.join([str(seed) for seed in about.get("seeds", ())])
    known = {words(f"fact.{key}"): str(value) for key, value in about.items()}
    return [
        *facts(view, "facts", known),
        *([Note(text=words("fact.command")), Note(kind="code", text=command)] if command else []),
    ]


SECTIONS: dict[str, Callable[[View], list[Block]]] = {
    "short": short_name,
    "overall": overall,
    "tables": tables,
    "figures": pictures,
    "choice": choice,
    "facts": leaderboard_provenance,
}


def write_leaderboard_page(
    board: Mapping[str, Any], *, path: str | AnyPath, language: str, about: Mapping[str, Any]
) -> None:
    """Write one HTML file with both languages inside; `language` is shown first, a button switches.

    Args:
        board: as `leaderboard` gives it.
        about: `run`, `name` (of the comparison), `created`, `seeds`, `replicates`, `table` (the
            windows' hash), and, where there is one, the `command` that trains the champion.
    """
    Words(language)
    order = sorted(LANGUAGES, key=lambda word: word != language)
    write_pages([_page(board, about, shown) for shown in order], path=path, language=language)


def _page(board: Mapping[str, Any], about: Mapping[str, Any], language: str) -> dict[str, Any]:
    words = Words(language, TEXTS)
    drawn = {"quality": quality(board, language=language), "cost": cost(board, language=language)}
    images = {name: as_data_uri(figure) for name, figure in drawn.items()}
    view = View(metrics={"leaderboard": board, "about": about}, images=images, words=words)
    blocks = {key: build(view) for key, build in SECTIONS.items()}
    return {
        "language": language,
        "title": words("title"),
        "byline": words("byline", **{key: about[key] for key in ("run", "name", "created")}),
        "words": words,
        "sections": [
            (key, words(f"section.{key}"), found) for key, found in blocks.items() if found
        ],
    }
