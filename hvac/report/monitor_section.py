"""The report's section on the monitors: declared and measured rates, and the newest alerts."""

from __future__ import annotations

from hvac.monitor.monitor_findings import Findings
from hvac.report.view import DASH, Block, Cell, Note, Row, Table, View

MOST_ALERTS = 10


def monitors(view: View) -> list[Block]:
    """Return what the monitors found; nothing where they have not run."""
    stored = view.group("monitors")
    if not stored:
        return []
    words = view.words
    findings = Findings.model_validate(stored)
    rows = []
    for facts in findings.monitors:
        measured = facts.measured_per_year
        cells = [
            Cell(f"{facts.declared_per_year:.1f}"),
            Cell(DASH if measured is None else f"{measured:.1f}"),
            Cell(str(facts.explained)),
            Cell(f"{facts.watched_years:.1f}"),
            Cell(facts.waits[words.language] if facts.waits else "", tone="sentence"),
        ]
        rows.append(Row(head=Cell(words.name("monitor", facts.name)), cells=cells))
    head = [
        words("monitors.monitor"),
        words("monitors.declared"),
        words("monitors.measured"),
        words("monitors.explained"),
        words("monitors.years"),
        words("monitors.waits"),
    ]
    caption = words("monitors.caption", since=findings.since, until=findings.last_week)
    table = Table(caption=caption, head=head, rows=rows)
    items = [
        Note(f"{alert.day}: {alert.words[words.language]}", kind="item")
        for alert in findings.alerts[:MOST_ALERTS]
    ]
    return [table, *items, Note(words("monitors.note"))]
