"""The report's section on reasons: what the model looks at, class by class."""

from __future__ import annotations

from hvac.report.texts import in_order
from hvac.report.view import Block, Cell, Note, Row, Table, View, cell, dig

SHOWN = 4


def importance_table(view: View) -> list[Block]:
    """Return a table of the most important points, history and so on of every class.

    It is about the shortest horizon: what each adds to the log-odds on average, and how much worse
    the model gets where its values are shuffled.
    """
    rows = []
    days = ""
    for class_name in view.group("importance"):
        days = in_order(list(view.group("importance", class_name)))[0]
        players = view.group("importance", class_name, days)
        for player, figures in list(players.items())[:SHOWN]:
            name = view.words.name("player", player)
            cells = [
                view.named("point", player) if name == player else Cell(name),
                cell(dig(figures, "added"), "rate"),
                cell(dig(figures, "shuffled"), "signed"),
            ]
            rows.append(Row(head=view.named("class", class_name), cells=cells))
    if not rows:
        return []
    words = view.words
    head = [
        words("table.class"),
        words("table.player"),
        words("table.added"),
        words("table.shuffled"),
    ]
    caption = words("caption.importance", days=days)
    return [
        Table(caption=caption, head=head, rows=rows),
        Note(words("note.importance")),
    ]
