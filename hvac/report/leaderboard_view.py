"""Sentences and tables of a leaderboard: every function is `View -> blocks`, on
`metrics["leaderboard"]`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hvac.evaluation.leaderboard import Cost
from hvac.report.section_tables import difference_cell
from hvac.report.summary import verdict_lines
from hvac.report.texts import Words, in_order
from hvac.report.view import Block, Cell, Note, Row, Table, View, cell, number, show

TEXTS = "leaderboard_texts.yaml"
UNBROKEN = "\N{WORD JOINER}\N{EN DASH}\N{WORD JOINER}"  # "0.35–0.36" stays on one line
TEST = {"brier_skill": "ratio", "ece": "ratio", "recall_10": "share"}
Ranked = Mapping[str, Any]


def ranked(view: View) -> Sequence[Ranked]:
    """The rows, best validation first."""
    return view.at("leaderboard", "rows") or []


def horizons(view: View) -> list[str]:
    """Horizons, rising."""
    return in_order([str(h) for h in view.at("leaderboard", "horizons") or []])


def champion(view: View) -> Ranked:
    """The row of the champion."""
    return next(row for row in ranked(view) if row["name"] == view.at("leaderboard", "champion"))


def few(view: View, horizon: str) -> bool:
    """Whether a horizon has too few events for a headline."""
    return champion(view)["test"][horizon]["headline"] is False


def short_name(view: View) -> list[Block]:
    """Who is the champion and why, how good it is, whom it beats and who beats it; warnings first."""
    return [*_few_warning(view), leaderboard_headline(view), *_against(view)]


def leaderboard_headline(view: View) -> Note:
    """The champion, why it is, and its test PR-AUC at horizons with enough events; no claim where
    there is none.
    """
    words, first, sure = view.words, champion(view), [h for h in horizons(view) if not few(view, h)]
    mean = show(first["validation"]["mean"])
    chosen = words("short.champion", model=_name(words, first), count=len(ranked(view)), mean=mean)
    tested = words("summary.list").join(_tested(words, first, h) for h in sure)
    told = words("short.tested", list=tested) if sure else words("short.no_claim")
    return Note(text=words("sentence_gap").join([chosen, told]))


def _tested(words: Words, row: Ranked, horizon: str) -> str:
    test = row["test"][horizon]
    value, low, high = (show(test["pr_auc"], key=part) for part in ("value", "low", "high"))
    base = show(test["base_rate"], "share")
    return words("short.tested_item", days=horizon, value=value, low=low, high=high, base=base)


def _few_warning(view: View) -> list[Note]:
    counted = [
        view.words("warning.few_item", days=h, n=show(champion(view)["test"][h]["events"], "count"))
        for h in horizons(view)
        if few(view, h)
    ]
    text = view.words("warning.few_events", list=view.words.join(counted))
    return [Note(kind="warning", text=text)] if counted else []


def _against(view: View) -> list[Note]:
    """The champion against all others on test, from the champion's side; that its choice stands
    where others win.
    """
    others = {
        _name(view.words, row): row["against_champion"]
        for row in ranked(view)
        if row["against_champion"]
    }
    lines = verdict_lines(view, others, few=lambda h: few(view, h), turned=True)
    if not lines:
        return []
    intro = Note(text=view.words("short.against", model=_name(view.words, champion(view))))
    beaten = any(line.tone == "worse" for line in lines)
    return [intro, *lines, *([Note(text=view.words("short.stands"))] if beaten else [])]


def overall(view: View) -> list[Block]:
    """Every model's mean over horizons, by which the champion was chosen; none where a horizon has
    too few events.
    """
    if any(few(view, h) for h in horizons(view)) or not all(
        row.get("mean") for row in ranked(view)
    ):
        return []
    words = view.words
    against = [
        words("head.against", model=words.name("model", view.at("leaderboard", m)))
        for m in ("default", "champion")
    ]
    rows = [
        Row(
            head=_head(view, row),
            cells=[
                Cell(text=show(row["validation"]["mean"])),
                cell(row["mean"]["pr_auc"]),
                *(
                    difference_cell(words, row["mean"][f"against_{mark}"])
                    for mark in ("default", "champion")
                ),
            ],
            strong=row["name"] == view.at("leaderboard", "champion"),
        )
        for row in ranked(view)
    ]
    groups = [(words("group.validation"), 1), (words("group.test"), 3)]
    head = [words("head.model"), words("head.mean"), words("head.mean"), *against]
    return [Table(caption=words("caption.overall"), groups=groups, head=head, rows=rows)]


def tables(view: View) -> list[Block]:
    """A table per horizon with every model."""
    words = view.words
    against = words("head.against", model=words.name("model", view.at("leaderboard", "default")))
    test = [words("head.test_seeds"), against, *(words(f"head.{name}") for name in TEST)]
    cost = [words(f"head.{name}") for name in Cost._fields]
    head = [words("head.model"), words("head.validation"), *test, *cost]
    groups = [
        (words("group.validation"), 1),
        (words("group.test"), len(test)),
        (words("group.cost"), len(cost)),
    ]
    made: list[Block] = [
        Table(
            caption=_caption(view, h),
            groups=groups,
            head=head,
            rows=[_row(view, row, h) for row in ranked(view)],
        )
        for h in horizons(view)
    ]
    return [*made, Note(text=words("note.tables"))]


def _caption(view: View, horizon: str) -> str:
    test = champion(view)["test"][horizon]
    counted = {name: show(test[name], "count") for name in ("events", "windows", "units")}
    key = "caption.horizon_few" if few(view, horizon) else "caption.horizon"
    return view.words(key, days=horizon, base=show(test["base_rate"], "share"), **counted)


def _row(view: View, row: Ranked, horizon: str) -> Row:
    test = row["test"][horizon]
    cells = [
        Cell(text=show(row["validation"]["pr_auc"][horizon])),
        _over_seeds(row, horizon),
        _against_default(view, row, horizon),
        *(cell(test[name], form) for name, form in TEST.items()),
        *(Cell(text=amount(row[name])) for name in Cost._fields),
    ]
    return Row(
        head=_head(view, row), cells=cells, strong=row["name"] == view.at("leaderboard", "champion")
    )


def _over_seeds(row: Ranked, horizon: str) -> Cell:
    """Test PR-AUC over its interval and, where there are several seeds, the lowest and highest of
    them.
    """
    found = cell(row["test"][horizon]["pr_auc"])
    seeds = UNBROKEN.join(show(each) for each in row["seeds"][horizon]) if row["runs"] > 1 else ""
    return replace(found, detail=" ".join(part for part in (found.detail, seeds) if part))


def _against_default(view: View, row: Ranked, horizon: str) -> Cell:
    against = row["against_default"]
    return difference_cell(view.words, against[horizon]["pr_auc"] if against else None)


def _head(view: View, row: Ranked) -> Cell:
    """Rank and name over the identifier, with a mark where the row is the champion or the default."""
    words, name, rank = (
        view.words,
        _name(view.words, row),
        1 + [each["name"] for each in ranked(view)].index(row["name"]),
    )
    known = row["name"] == row["family"]
    family = words("variant", family=words.name("model", row["family"]), id=row["family"])
    detail = row["name"] if known else family
    for mark in ("champion", "default"):
        if row["name"] == view.at("leaderboard", mark):
            detail = words("marked", text=detail, mark=words(f"mark.{mark}"))
    return Cell(text=words("rank", rank=rank, name=name), detail=detail)


def _name(words: Words, row: Ranked) -> str:
    return words.name("model", row["name"])


def short_amount(view: View) -> list[Block]:
    """The section of the main report: the champion, and test PR-AUC of every family at every
    horizon.
    """
    if not ranked(view):
        return []
    view = replace(view, words=Words(view.words.language, TEXTS))
    words, days = view.words, horizons(view)
    against = words("head.against", model=words.name("model", view.at("leaderboard", "default")))
    groups = [(words("group.validation"), 1)]
    groups += [(words("horizon_few" if few(view, h) else "horizon", days=h), 2) for h in days]
    head = [words("head.model"), words("head.mean"), *[words("head.test"), against] * len(days)]
    rows = [
        Row(
            head=_head(view, row),
            cells=[
                Cell(text=show(row["validation"]["mean"])),
                *(
                    c
                    for h in days
                    for c in (cell(row["test"][h]["pr_auc"]), _against_default(view, row, h))
                ),
            ],
            strong=row["name"] == view.at("leaderboard", "champion"),
        )
        for row in ranked(view)
    ]
    table = Table(caption=words("caption.compact"), groups=groups, head=head, rows=rows)
    return [
        leaderboard_headline(view),
        table,
        Note(text=words("short.where", name=view.at("leaderboard", "name"))),
    ]


def amount(found: Any) -> str:
    """A count, or seconds with as many decimals as they deserve.

    >>> amount(485763), amount(202.25), amount(11.27), amount(0.02)
    ('485,763', '202', '11.3', '0.02')
    """
    value = number(found)
    if value is None or isinstance(found, int):
        return show(found, "count")
    return f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2}f}"
