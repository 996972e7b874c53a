"""The report's section on sureness: bands, what is withheld, and what that is worth."""

from __future__ import annotations

from hvac.report.texts import in_order
from hvac.report.view import Block, Cell, Note, Row, Table, View, cell, dig, show


def sureness(view: View) -> list[Block]:
    """Return a table of every class at its shortest horizon: bands, needs a look, false alarms."""
    words = view.words
    rows = []
    days = ""
    for class_name in view.group("sureness"):
        days = in_order(list(view.group("sureness", class_name)))[0]
        figures = view.group("sureness", class_name, days)
        before = figures.get("false_alarms")
        after = figures.get("false_alarms_kept")
        promise = "card.promised" if figures.get("promised") else "card.not_promised"
        cells = [
            cell(figures.get("width"), "share"),
            cell(figures.get("calibration"), "share"),
            cell(figures.get("needs_look"), "share"),
            cell(dig(figures, "brier_gain"), "signed"),
            Cell(
                f"{show(before, 'rate')} → {show(after, 'rate')}", detail=words(promise)
            ),
        ]
        rows.append(Row(head=view.named("class", class_name), cells=cells))
    if not rows:
        return []
    columns = (
        "width",
        "calibration_width",
        "needs_look",
        "brier_gain",
        "false_alarms_kept",
    )
    head = [words("table.class"), *(words(f"table.{name}") for name in columns)]
    caption = words("caption.sureness", days=days)
    return [Table(caption=caption, head=head, rows=rows), Note(words("note.sureness"))]
