"""check.html: the picture of a record before training, with what was found; no script in it.

The words are in `check_texts.yaml`, the page is the report's. Sentences on faults come from the
code that reads tables, in Japanese from `hvac/sentences.yaml`.
"""

from __future__ import annotations

from collections.abc import Sequence

from hvac.checks.check_facts import check_facts
from hvac.checks.record_check import RecordCheck
from hvac.json_values import Json, JsonObject, as_json, branch
from hvac.panel.splits import SPLITS
from hvac.report.page import page_content, write_pages
from hvac.report.record_drawing import RecordDrawing, record_svg
from hvac.report.texts import Words
from hvac.report.view import DASH, Block, Cell, Note, Row, Table, plain, show
from hvac.sentences import translated
from hvac.storage import AnyPath

TEXTS = "check_texts.yaml"
MOST_DRAWN = 200  # machines
LISTED = ("facilities", "equipment", "points", "first_date", "last_date")
TONES = {"stops": "worse", "fault": "worse", "note": "better"}


def write_check_page(
    check: RecordCheck, *, name: str, path: str | AnyPath, language: str
) -> None:
    """Write one HTML file in one language.

    Args:
        check: what was found.
        name: the run's name.
        path: where to write the page.
        language: `en` or `ja`.
    """
    words = Words(language, TEXTS)
    facts = check_facts(check)
    blocks: dict[str, Sequence[object]] = {
        "faults": _faults(check, words),
        "record": _picture(check, words),
        "read": _read(facts, words),
        "windows": _windows(facts, words),
    }
    content = page_content(words, words("byline", name=name), blocks)
    write_pages([content], path=path, language=language, template="check.html.j2")


def _faults(check: RecordCheck, words: Words) -> list[Block]:
    """Return every fault, those that stop a step first."""
    notes: list[Block] = [Note(words("found" if check.found else "nothing_found"))]
    for level, tone in TONES.items():
        for fault in check.faults:
            if fault.level == level:
                text = _in_words(fault.text, words)
                if fault.remedy:
                    text += f" → {_in_words(fault.remedy, words)}"
                notes.append(
                    Note(text, kind="item", tone=tone, label=words(f"level.{level}"))
                )
    return notes


def _in_words(sentence: str, words: Words) -> str:
    rejects = {"reject": lambda reason: words.name("rejected", reason)}
    return translated(sentence, words.language, rejects)


def _picture(check: RecordCheck, words: Words) -> list[object]:
    """Return the drawing of the worst machines, and how many were left out."""
    drawn = check.machines[:MOST_DRAWN]
    if not drawn:
        return []
    svg = record_svg(drawn, check.events, title=words("picture.alt", n=len(drawn)))
    caption = words("picture.caption")
    left = len(check.machines) - len(drawn)
    more: list[object] = (
        [Note(words("picture.more", n=show(left, "count")))] if left else []
    )
    return [RecordDrawing(svg=svg, caption=caption), *more]


def _read(facts: JsonObject, words: Words) -> list[Block]:
    rows = [
        _fact(words, "files", f"{facts['files_read']} / {facts['files']}"),
        *(
            _fact(words, key, show(facts[key], "count"))
            for key in ("rows", "readings", "missing")
        ),
        _fact(words, "rejected", _listed(facts["rejected"], words, group="rejected")),
    ]
    if "equipment" in facts:
        rows += [_fact(words, key, plain(facts[key]).text) for key in LISTED]
        rows += [
            _fact(words, "classes", _listed(facts["classes"], words)),
            _fact(
                words, "rhythm", _listed(facts["rhythm"], words, group="rhythm_name")
            ),
            _fact(words, "observed", show(facts["observed"], "share")),
            _fact(words, "events", _listed(facts["events"], words, group="event_kind")),
            _fact(words, "learning", _listed_texts(facts["learning"], words)),
        ]
    if "minutes" in facts:
        cost = words(
            "cost", minutes=show(facts["minutes"], "days"), memory=facts["memory_gb"]
        )
        rows.append(_fact(words, "cost", cost))
    return [Table(caption=words("caption.read"), rows=rows)]


def _fact(words: Words, key: str, text: str) -> Row:
    return Row(head=Cell(words(f"fact.{key}")), cells=[Cell(text)])


def _listed(counts: Json, words: Words, *, group: str = "") -> str:
    names = {
        name: words.name(group, name) if group else name for name in branch(counts)
    }
    parts = [f"{names[name]} {show(n, 'count')}" for name, n in branch(counts).items()]
    return words.join(parts) or DASH


def _listed_texts(texts: Json, words: Words) -> str:
    parts = [f"{name} {text}" for name, text in list(branch(texts).items())[:10]]
    more = len(branch(texts)) - len(parts)
    return words.join([*parts, *([f"+{more}"] if more > 0 else [])]) or DASH


def _windows(facts: JsonObject, words: Words) -> list[Block]:
    """Return the windows and positives of each split, by horizon."""
    by_split = branch(facts, "windows")
    if not by_split:
        return []
    horizons = list(branch(by_split, SPLITS[0], "positives"))
    rows = []
    for split in SPLITS:
        counts = as_json(dict(branch(by_split, split)))
        cells = [plain(counts["windows"]), plain(counts["units"])]
        for days in horizons:
            known = show(branch(counts, "known")[days], "count")
            positive = show(branch(counts, "positives")[days], "count")
            cells.append(Cell(f"{positive} / {known}"))
        rows.append(Row(head=Cell(words(f"split.{split}")), cells=cells))
    heads = [words("head.split"), words("head.windows"), words("head.units")]
    heads += [words("horizon", days=days) for days in horizons]
    return [Table(caption=words("caption.windows"), head=heads, rows=rows)]
