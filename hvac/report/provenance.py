"""Where the numbers come from: the run, what was read and left out, the windows of each part."""

from __future__ import annotations

from hvac.json_values import Json, JsonObject, branch, listed
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
KINDS = ("known", "positives")
PARTS = ("train", "tune", "cal", "test")
FUSION_ROWS = (("log_loss", "rule", "ratio"), ("weights", "block", "share"))


def provenance(view: View) -> list[Block]:
    """Return the run, what was read, what was left out, and how to do it again."""
    blocks = facts(view, "run", run_facts_table(view))
    blocks += facts(view, "panel", panel_facts(view))
    blocks += counts(view, "rejected", view.group("panel", "rejected"), "rejected")
    blocks += combined(view)
    blocks += dropped(view)
    blocks += window_counts_table(view)
    blocks += counts(view, "excluded", view.group("windows", "excluded"), "excluded")
    blocks += fusion_table(view)
    blocks += image(view, "training_history")
    if command := view.at("run", "command"):
        blocks.append(Note(view.words("caption.command")))
        blocks.append(Note(kind="code", text=str(command)))
    return blocks


def fusion_table(view: View) -> list[Block]:
    """Return the rule that mixes a fusion's blocks, its log-losses, and the blocks' weights.

    There is a column per class; the rule is the one with the lowest log-loss.
    """
    words = view.words
    fusion = view.group("fusion")
    by_class = {
        name: branch(fusion, name) for name in fusion if "rule" in branch(fusion, name)
    }
    if not by_class:
        return []
    rules = []
    for mix in by_class.values():
        rules.append(Cell(words.name("rule", str(mix["rule"]))))
    rows = [Row(head=Cell(words("fusion.rule")), cells=rules, strong=True)]
    for key, group, form in FUSION_ROWS:
        names = dict.fromkeys(
            name for mix in by_class.values() for name in branch(mix, key)
        )
        for name in names:
            head = Cell(words(f"fusion.{key}", name=words.name(group, name)))
            cells = []
            for mix in by_class.values():
                cells.append(Cell(show(dig(mix, key, name), form)))
            rows.append(Row(head=head, cells=cells))
    classes = [words("table.class"), *(view.called("class", name) for name in by_class)]
    table = Table(caption=words("caption.fusion"), head=classes, rows=rows)
    return [table, Note(words("note.fusion"))]


def facts(view: View, caption: str, named: JsonObject) -> list[Block]:
    """Return a two-column table of the facts that are known; nothing where none is."""
    known = {
        name: value for name, value in named.items() if value not in (None, {}, "")
    }
    return counts(view, caption, known)


def run_facts_table(view: View) -> dict[str, Json]:
    """Return everything that identifies a run, by its name in words."""
    words = view.words
    run = view.group("run")
    named: dict[str, Json] = {}
    if run:
        for key in ("name", "created", "version", "config_hash"):
            named[words(f"fact.{key}")] = run.get(key)
    seed = dig(run, "seed")
    if seed != {}:
        named[words("fact.seed")] = str(seed)
    family = dig(run, "family")
    named[words("fact.family")] = words.name("model", str(family)) if family else None
    by = dig(run, "by")
    named[words("fact.by")] = words.name("unit", str(by)) if by else None
    named |= (
        _label_facts(view, run) | _split_facts(words, run) | _encoder_facts(words, run)
    )
    for name, bundle in branch(run, "bundles").items():
        named[words("fact.bundle", name=view.called("class", name))] = bundle
    return named


def _label_facts(view: View, run: JsonObject) -> dict[str, Json]:
    words = view.words
    kinds = listed(dig(run, "labels", "events"))
    if not kinds:
        return {}
    events = words.join([event_name(view, str(kind)) for kind in kinds])
    source = words.name("label_source", str(dig(run, "labels", "source") or DASH))
    return {words("fact.labels"): words("labels_line", events=events, source=source)}


def _split_facts(words: Words, run: JsonObject) -> dict[str, Json]:
    split = branch(run, "split")
    if not split:
        return {}
    train = split.get("train_stride", DASH)
    evaluation = split.get("evaluation_stride", DASH)
    return {
        words("fact.split"): split_line(words, split),
        words("fact.stride"): f"{train} / {evaluation}",
    }


def _encoder_facts(words: Words, run: JsonObject) -> dict[str, Json]:
    encoder = branch(run, "encoder")
    if not encoder:
        return {}
    shown = {
        key: encoder.get(key, DASH) for key in ("source", "dim", "patches", "pooling")
    }
    return {
        words("fact.encoder"): words("encoder_line", **shown),
        words("fact.encoder_sha256"): encoder.get("sha256"),
    }


def split_line(words: Words, split: JsonObject) -> str:
    """Return in words how windows were split into train, tune, cal and test."""
    kind = str(split.get("kind"))
    if kind not in texts()["split"]:
        return kind
    borders = {
        "t1": split.get("t1") or DASH,
        "t2": split.get("t2") or DASH,
        "purge": split.get("purge_days") or DASH,
    }
    return words(f"split.{kind}", **borders)


def panel_facts(view: View) -> dict[str, Json]:
    """Return how much was read, by its name in words."""
    words = view.words
    panel = view.group("panel")
    named: dict[str, Json] = {}
    for key in (
        "rows_read",
        "readings",
        "missing",
        "absent_days",
        "facilities",
        "equipment",
        "points",
    ):
        named[words(f"fact.{key}")] = panel.get(key)
    if panel.get("first_date"):
        named[words("fact.period")] = (
            f"{panel['first_date']} – {panel.get('last_date') or ''}"
        )
    for kind, count in branch(panel, "events").items():
        named[words("fact.event_kind", name=event_name(view, kind))] = count
    for name, count in branch(panel, "classes").items():
        named[words("fact.class_count", name=view.called("class", name))] = count
    return named


def event_name(view: View, kind: str) -> str:
    """Return what a kind of event is called, with its id; in our words where it has no name."""
    called = view.called("event", kind)
    return kind_name(view.words, kind) if called == kind else called


def kind_name(words: Words, kind: str) -> str:
    """Return a kind of event in words; `kind:part` with its part, an unknown kind as it is.

    >>> [kind_name(Words("en"), kind) for kind in ("failure", "failure:comp3", "odd:one")]
    ['failure', 'failure (comp3)', 'odd:one']
    """
    known = texts()["event_kind"]
    first, _, part = kind.partition(":")
    if kind in known or first not in known or not part:
        return words.name("event_kind", kind)
    return words("with_detail", text=words.name("event_kind", first), detail=part)


def combined(view: View) -> list[Block]:
    """Return the note that some days had several readings; nothing where none had."""
    days = number(view.at("panel", "repeated_unit_days"))
    if not days:
        return []
    return [Note(view.words("note.repeated", n=show(days, "count")))]


def dropped(view: View) -> list[Block]:
    """Return the points left out, a line per class; a long line ends with how many more."""
    words = view.words
    lines = []
    for name, dropped_points in view.group("panel", "dropped_points").items():
        points = listed(dropped_points)
        if not points:
            continue
        line = words.join(
            [view.called("point", str(point)) for point in points[:MOST_POINTS]]
        )
        if len(points) > MOST_POINTS:
            line += words("dropped_more", n=len(points) - MOST_POINTS)
        lines.append(
            Note(
                kind="item",
                text=words(
                    "dropped_line", name=view.called("class", name), points=line
                ),
            )
        )
    return [Note(words("note.dropped")), *lines] if lines else []


def window_counts_table(view: View) -> list[Block]:
    """Return a table of each part's windows and units, and per horizon positives and base rate."""
    words = view.words
    parts = [part for part in PARTS if view.at("windows", part)]
    if not parts:
        return []
    horizons = in_order(
        [h for part in parts for h in view.group("windows", part, "base_rate")]
    )
    rows = []
    for part in parts:
        of_part = view.at("windows", part)
        cells = [plain(dig(of_part, "windows")), plain(dig(of_part, "units"))]
        for horizon in horizons:
            cells.append(plain(dig(of_part, "positives", horizon)))
            cells.append(cell(dig(of_part, "base_rate", horizon), "share"))
        part_name = words.name("part", part)
        rows.append(Row(head=Cell(part_name), cells=cells))
    pair = [words("table.positives"), words("metric.base_rate")]
    head = [words("table.part"), words("metric.windows"), words("metric.units")]
    head += pair * len(horizons)
    groups = [("", 2)]
    for horizon in horizons:
        groups.append((words("horizon", days=horizon), 2))
    table = Table(caption=words("caption.windows"), head=head, groups=groups, rows=rows)
    return [table, *_effective(view, parts)]


def _effective(view: View, parts: list[str]) -> list[Block]:
    """Return per part how many equally weighted labels would tell as much as the weighted ones.

    Parts and horizons where that is the number of labels are left out.
    """
    words = view.words
    lines = []
    for part in parts:
        of_part = view.group("windows", part)
        numbers = []
        for horizon in branch(of_part, "effective", "known"):
            known, positives = (
                dig(of_part, "effective", kind, horizon) for kind in KINDS
            )
            counts_alike = [_counts_alike(of_part, kind, horizon) for kind in KINDS]
            if all(counts_alike):
                continue
            text = words(
                "effective_horizon",
                days=horizon,
                n=show(known, "count"),
                positives=show(positives, "count"),
            )
            numbers.append(text)
        if numbers:
            name = words.name("part", part)
            line = words("effective_line", part=name, numbers=words.join(numbers))
            lines.append(Note(line, kind="item"))
    return [Note(words("note.effective")), *lines] if lines else []


def _counts_alike(of_part: JsonObject, kind: str, horizon: str) -> bool:
    """Tell whether weighted labels of a kind tell as much as their number."""
    effective = number(dig(of_part, "effective", kind, horizon)) or 0.0
    return round(effective) == dig(of_part, kind, horizon)
