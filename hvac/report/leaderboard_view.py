"""Sentences and tables of a leaderboard: functions `View -> blocks` on `metrics["leaderboard"]`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from hvac.evaluation.leaderboard import Cost, LeaderboardRow
from hvac.json_values import Json, listed
from hvac.report.section_tables import difference_cell
from hvac.report.summary import conclusion_lines, few_warning
from hvac.report.texts import Words, in_order
from hvac.report.view import Block, Cell, Note, Row, Table, View, cell, number, show

TEXTS = "leaderboard_texts.yaml"
UNBROKEN = "\N{WORD JOINER}\N{EN DASH}\N{WORD JOINER}"  # "0.35–0.36" stays on one line
TEST = {"brier_skill": "ratio", "ece": "ratio", "recall_10": "share"}


def ranked(view: View) -> Sequence[LeaderboardRow]:
    """Return the rows of the leaderboard, best validation first."""
    return cast(Sequence[LeaderboardRow], listed(view.at("leaderboard", "rows")))


def horizons(view: View) -> list[str]:
    """Return the horizons, rising."""
    days = listed(view.at("leaderboard", "horizons"))
    return in_order([str(horizon) for horizon in days])


def champion(view: View) -> LeaderboardRow:
    """Return the row of the champion."""
    return next(row for row in ranked(view) if _is_champion(view, row))


def _is_champion(view: View, row: LeaderboardRow) -> bool:
    return bool(row["name"] == view.at("leaderboard", "champion"))


def few(view: View, horizon: str) -> bool:
    """Tell whether a horizon has too few events for a headline."""
    return champion(view)["test"][horizon]["headline"] is False


def champion_summary(view: View) -> list[Block]:
    """Return who the champion is and why, whom it beats and who beats it; warnings come first."""
    return [*_few_warning(view), leaderboard_headline(view), *_against(view)]


def leaderboard_headline(view: View) -> Note:
    """Return a note on the champion, why it was chosen, and its PR-AUC on test.

    Horizons with too few events are left out; where all have too few, nothing is claimed.
    """
    words = view.words
    first = champion(view)
    mean = show(first["validation"]["mean"])
    chosen = words(
        "short.champion", model=_name(words, first), count=len(ranked(view)), mean=mean
    )
    measured = [_tested(words, first, h) for h in horizons(view) if not few(view, h)]
    tested = words("short.no_claim")
    if measured:
        tested = words("short.tested", list=words("summary.list").join(measured))
    return Note(words("sentence_gap").join([chosen, tested]))


def _tested(words: Words, row: LeaderboardRow, horizon: str) -> str:
    test = row["test"][horizon]
    return words(
        "short.tested_item",
        days=horizon,
        value=show(test["pr_auc"]),
        low=show(test["pr_auc"], key="low"),
        high=show(test["pr_auc"], key="high"),
        base=show(test["base_rate"], "share"),
    )


def _few_warning(view: View) -> list[Note]:
    words = view.words
    counts = []
    for horizon in horizons(view):
        if few(view, horizon):
            events = show(champion(view)["test"][horizon]["events"], "count")
            counts.append(words("warning.few_item", days=horizon, n=events))
    return few_warning(words, counts)


def _against(view: View) -> list[Note]:
    """Compare the champion with all others on test; its choice stands even where others win."""
    differences = {}
    for row in ranked(view):
        if row["against_champion"]:
            differences[_name(view.words, row)] = row["against_champion"]
    lines = conclusion_lines(view, differences, few=lambda h: few(view, h), turned=True)
    if not lines:
        return []
    model = _name(view.words, champion(view))
    notes = [Note(view.words("short.against", model=model)), *lines]
    if any(line.tone == "worse" for line in lines):
        notes.append(Note(view.words("short.stands")))
    return notes


def overall(view: View) -> list[Block]:
    """Return a table of every model's mean over horizons, by which the champion was chosen.

    There is none where a horizon has too few events.
    """
    if any(few(view, horizon) for horizon in horizons(view)):
        return []
    if not all(row.get("mean") for row in ranked(view)):
        return []
    words = view.words
    rows = []
    for row in ranked(view):
        mean = row["mean"]
        cells = [
            Cell(show(row["validation"]["mean"])),
            cell(mean["pr_auc"]),
            difference_cell(words, mean["against_default"]),
            difference_cell(words, mean["against_champion"]),
        ]
        rows.append(_model_row(view, row, cells))
    groups = [(words("group.validation"), 1), (words("group.test"), 3)]
    head = [
        words("head.model"),
        words("head.mean"),
        words("head.mean"),
        _against_head(view, "default"),
        _against_head(view, "champion"),
    ]
    return [
        Table(caption=words("caption.overall"), groups=groups, head=head, rows=rows)
    ]


def _model_row(view: View, row: LeaderboardRow, cells: list[Cell]) -> Row:
    return Row(head=_head(view, row), cells=cells, strong=_is_champion(view, row))


def _against_head(view: View, other: str) -> str:
    name = view.words.name("model", str(view.at("leaderboard", other)))
    return view.words("head.against", model=name)


def tables(view: View) -> list[Block]:
    """Return a table per horizon with every model."""
    words = view.words
    test = [words("head.test_seeds"), _against_head(view, "default")]
    test += [words(f"head.{name}") for name in TEST]
    cost = [words(f"head.{name}") for name in Cost._fields]
    head = [words("head.model"), words("head.validation"), *test, *cost]
    groups = [
        (words("group.validation"), 1),
        (words("group.test"), len(test)),
        (words("group.cost"), len(cost)),
    ]
    blocks: list[Block] = []
    for horizon in horizons(view):
        rows = [_horizon_row(view, row, horizon) for row in ranked(view)]
        caption = _caption(view, horizon)
        blocks.append(Table(caption=caption, groups=groups, head=head, rows=rows))
    return [*blocks, Note(words("note.tables"))]


def _caption(view: View, horizon: str) -> str:
    test = champion(view)["test"][horizon]
    return view.words(
        "caption.horizon_few" if few(view, horizon) else "caption.horizon",
        days=horizon,
        base=show(test["base_rate"], "share"),
        events=show(test["events"], "count"),
        windows=show(test["windows"], "count"),
        units=show(test["units"], "count"),
    )


def _horizon_row(view: View, row: LeaderboardRow, horizon: str) -> Row:
    test = row["test"][horizon]
    cells = [
        Cell(show(row["validation"]["pr_auc"][horizon])),
        _over_seeds(row, horizon),
        _against_default(view, row, horizon),
    ]
    cells += [cell(test[name], form) for name, form in TEST.items()]
    cost = Cost(row["parameters"], row["fit_seconds"], row["microseconds_per_window"])
    cells += [Cell(amount(part)) for part in cost]
    return _model_row(view, row, cells)


def _over_seeds(row: LeaderboardRow, horizon: str) -> Cell:
    """Return test PR-AUC with its interval and the range over seeds, where there are several."""
    pr_auc = cell(row["test"][horizon]["pr_auc"])
    if row["runs"] <= 1:
        return pr_auc
    seeds = UNBROKEN.join(show(value) for value in row["seeds"][horizon])
    return replace(pr_auc, detail=f"{pr_auc.detail} {seeds}".strip())


def _against_default(view: View, row: LeaderboardRow, horizon: str) -> Cell:
    against = row["against_default"]
    return difference_cell(view.words, against[horizon]["pr_auc"] if against else None)


def _head(view: View, row: LeaderboardRow) -> Cell:
    """Return rank and name over the identifier, marked where it is the champion or the default."""
    words = view.words
    names = [other["name"] for other in ranked(view)]
    detail = row["name"]
    if row["name"] != row["family"]:
        family = words.name("model", row["family"])
        detail = words("variant", family=family, id=row["family"])
    for mark in ("champion", "default"):
        if row["name"] == view.at("leaderboard", mark):
            detail = words("marked", text=detail, mark=words(f"mark.{mark}"))
    rank = 1 + names.index(row["name"])
    return Cell(words("rank", rank=rank, name=_name(words, row)), detail=detail)


def _name(words: Words, row: LeaderboardRow) -> str:
    return words.name("model", row["name"])


def leaderboard_summary(view: View) -> list[Block]:
    """Return the main report's section: the champion, and every model's PR-AUC by horizon."""
    if not ranked(view):
        return []
    view = replace(view, words=Words(view.words.language, TEXTS))
    words = view.words
    groups = [(words("group.validation"), 1)]
    head = [words("head.model"), words("head.mean")]
    for horizon in horizons(view):
        key = "horizon_few" if few(view, horizon) else "horizon"
        groups.append((words(key, days=horizon), 2))
        head += [words("head.test"), _against_head(view, "default")]
    rows = []
    for row in ranked(view):
        cells = [Cell(show(row["validation"]["mean"]))]
        for horizon in horizons(view):
            cells.append(cell(row["test"][horizon]["pr_auc"]))
            cells.append(_against_default(view, row, horizon))
        rows.append(_model_row(view, row, cells))
    return [
        leaderboard_headline(view),
        Table(caption=words("caption.compact"), groups=groups, head=head, rows=rows),
        Note(words("short.where", name=view.at("leaderboard", "name"))),
    ]


def amount(measured: Json) -> str:
    """Write a count, or seconds with as many decimals as they deserve.

    >>> amount(485763), amount(202.25), amount(11.27), amount(0.02)
    ('485,763', '202', '11.3', '0.02')
    """
    value = number(measured)
    if value is None or isinstance(measured, int):
        return show(measured, "count")
    decimals = 2
    if value >= 10:
        decimals = 1
    if value >= 100:
        decimals = 0
    return f"{value:,.{decimals}f}"
