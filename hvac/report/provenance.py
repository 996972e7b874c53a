"""Where the numbers come from: the run, what was read, what was left out, the windows of each part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hvac.report.texts import Words, in_order, texts
from hvac.report.view import (
    DASH,
    Block,
    Cell,
    Note,
    Row,
    Table,
    View,
    cell,
    counts,
    dig,
    image,
    number,
    plain,
    show,
)

MOST_POINTS = 20
FUSION_ROWS = (("log_loss", "rule", "ratio"), ("weights", "block", "share"))


def provenance(view: View) -> list[Block]:
    """The run, what was read, what was left out, and how to do it again."""
    blocks = facts(view, "run", run_facts_table(view)) + facts(view, "panel", panel_facts(view))
    blocks += (
        counts(view, "rejected", view.at("panel", "rejected"), "rejected")
        + combined(view)
        + dropped(view)
    )
    blocks += window_counts_table(view)
    blocks += counts(view, "excluded", view.at("windows", "excluded"), "excluded")
    blocks += fusion_table(view) + image(view, "training_history")
    if command := view.at("run", "command"):
        blocks += [Note(text=view.words("caption.command")), Note(kind="code", text=str(command))]
    return blocks


def fusion_table(view: View) -> list[Block]:
    """Show the rule that mixes the blocks of a fusion, the log-losses it was chosen by, and the
    blocks' weights.
    """
    words, found = (
        view.words,
        {name: each for name, each in view.at("fusion").items() if "rule" in each},
    )
    if not found:
        return []
    chosen = [Cell(text=words.name("rule", str(each["rule"]))) for each in found.values()]
    rows = [Row(head=Cell(text=words("fusion.rule")), cells=chosen, strong=True)]
    for key, group, form in FUSION_ROWS:
        for name in dict.fromkeys(name for each in found.values() for name in each[key]):
            head = Cell(text=words(f"fusion.{key}", name=words.name(group, name)))
            rows.append(
                Row(
                    head=head,
                    cells=[Cell(text=show(each[key].get(name), form)) for each in found.values()],
                )
            )
    classes = [words("table.class"), *map(str, found)]
    return [
        Table(caption=words("caption.fusion"), head=classes, rows=rows),
        Note(text=words("note.fusion")),
    ]


def facts(view: View, caption: str, found: Mapping[str, Any]) -> list[Block]:
    """A two-column table of what is known; nothing where nothing is."""
    known = {name: value for name, value in found.items() if value not in (None, {}, "")}
    return counts(view, caption, known)


def run_facts_table(view: View) -> dict[str, Any]:
    """Everything that identifies a run, in words."""
    words, run = view.words, view.at("run")
    found = (
        {
            words(f"fact.{key}"): run.get(key)
            for key in ("name", "created", "version", "config_hash")
        }
        if run
        else {}
    )
    if (seed := dig(run, "seed")) != {}:
        found[words("fact.seed")] = str(seed)
    family, by = dig(run, "family"), dig(run, "by")
    found[words("fact.family")] = words.name("model", family) if family else None
    found[words("fact.by")] = words.name("unit", by) if by else None
    if events := dig(run, "labels", "events"):
        named = words.join([kind_name(words, str(kind)) for kind in events])
        source = words.name("label_source", str(dig(run, "labels", "source") or DASH))
        found[words("fact.labels")] = words("labels_line", events=named, source=source)
    if split := dig(run, "split"):
        found[words("fact.split")] = split_line(words, split)
        found[words("fact.stride")] = (
            f"{split.get('train_stride', DASH)} / {split.get('evaluation_stride', DASH)}"
        )
    if encoder := dig(run, "encoder"):
        shown = {key: encoder.get(key, DASH) for key in ("source", "dim", "patches", "pooling")}
        found[words("fact.encoder")] = words("encoder_line", **shown)
        found[words("fact.encoder_sha256")] = encoder.get("sha256")
    return found | {
        words("fact.bundle", name=name): bundle for name, bundle in dig(run, "bundles").items()
    }


def split_line(words: Words, split: Mapping[str, Any]) -> str:
    """How the parts were cut."""
    kind = str(split.get("kind"))
    if kind not in texts()["split"]:
        return kind
    borders = {
        "t1": split.get("t1") or DASH,
        "t2": split.get("t2") or DASH,
        "purge": split.get("purge_days") or DASH,
    }
    return words(f"split.{kind}", **borders)


def panel_facts(view: View) -> dict[str, Any]:
    """What was read."""
    words, panel = view.words, view.at("panel")
    keys = ("rows_read", "readings", "missing", "facilities", "equipment", "points")
    found = {words(f"fact.{key}"): panel.get(key) for key in keys}
    if panel.get("first_date"):
        found[words("fact.period")] = f"{panel['first_date']} – {panel.get('last_date') or ''}"
    found |= {
        words("fact.event_kind", name=kind_name(words, name)): n
        for name, n in dig(panel, "events").items()
    }
    return found | {
        words("fact.class_count", name=name): n for name, n in dig(panel, "classes").items()
    }


def kind_name(words: Words, kind: str) -> str:
    """A kind of event in words, `kind:part` with its part; one that is not known as it is.

    >>> [kind_name(Words("en"), kind) for kind in ("failure", "failure:comp3", "odd:one")]
    ['failure', 'failure (comp3)', 'odd:one']
    """
    known, (first, _, part) = texts()["event_kind"], kind.partition(":")
    if kind in known or first not in known or not part:
        return words.name("event_kind", kind)
    return words("with_detail", text=words.name("event_kind", first), detail=part)


def combined(view: View) -> list[Block]:
    """The sentence that some days had several readings; nothing where none had."""
    n = number(view.at("panel", "repeated_unit_days"))
    return [Note(text=view.words("note.repeated", n=show(n, "count")))] if n else []


def dropped(view: View) -> list[Block]:
    """The points left out, a line per class; a long line ends with how many more there are."""
    words, lines = view.words, []
    for name, points in view.at("panel", "dropped_points").items():
        if points:
            more = (
                words("dropped_more", n=len(points) - MOST_POINTS)
                if len(points) > MOST_POINTS
                else ""
            )
            listed = words.join([str(point) for point in points[:MOST_POINTS]]) + more
            lines.append(Note(kind="verdict", text=words("dropped_line", name=name, points=listed)))
    return [Note(text=words("note.dropped")), *lines] if lines else []


def window_counts_table(view: View) -> list[Block]:
    """Windows, units, positives and base rates of each part."""
    parts = [part for part in ("train", "tune", "cal", "test") if view.at("windows", part)]
    if not parts:
        return []
    words, horizons = (
        view.words,
        in_order([h for part in parts for h in view.at("windows", part, "base_rate")]),
    )
    rows = []
    for part in parts:
        cells = [plain(view.at("windows", part, key)) for key in ("windows", "units")]
        for h in horizons:
            cells += [
                plain(view.at("windows", part, "positives", h)),
                cell(view.at("windows", part, "base_rate", h), "share"),
            ]
        rows.append(Row(head=Cell(text=words.name("part", part)), cells=cells))
    pair = [words("table.positives"), words("metric.base_rate")]
    head = [
        words("table.part"),
        words("metric.windows"),
        words("metric.units"),
        *pair * len(horizons),
    ]
    groups = [("", 2), *[(words("horizon", days=h), 2) for h in horizons]]
    return [
        Table(caption=words("caption.windows"), head=head, groups=groups, rows=rows),
        *_effective(view, parts),
    ]


def _effective(view: View, parts: list[str]) -> list[Block]:
    """Say, part by part, how many equally weighted labels tell as much, where that is not their
    number.
    """
    words, lines = view.words, []
    for part in parts:
        row = view.at("windows", part)
        numbers = row.get("effective") or {}
        told = [
            words(
                "effective_horizon",
                days=h,
                n=show(known, "count"),
                positives=show(numbers["positives"][h], "count"),
            )
            for h, known in numbers.get("known", {}).items()
            if any(round(numbers[name][h]) != row[name][h] for name in ("known", "positives"))
        ]
        if told:
            line = words("effective_line", part=words.name("part", part), numbers=words.join(told))
            lines.append(Note(kind="verdict", text=line))
    return [Note(text=words("note.effective")), *lines] if lines else []
