"""The report's section on updates: which model the newest risks are of, and what was changed."""

from __future__ import annotations

from hvac.json_values import branch, listed
from hvac.report.view import Block, Note, View


def updates(view: View) -> list[Block]:
    """Return the newest changes of the serving model; nothing where `ray_jobs.update` never ran."""
    stored = view.group("updates")
    if not stored:
        return []
    words = view.words
    key = "as_trained" if stored["as_trained"] else "changed"
    items = [
        Note(f"{change['day']}: {branch(change, 'words')[words.language]}", kind="item")
        for change in map(branch, listed(stored["changes"]))
    ]
    return [Note(words(f"updates.{key}")), *items]
