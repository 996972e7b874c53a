"""What a check found as plain values, and as lines for the command line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from hvac.checks.findings import Finding, settings_named
from hvac.checks.record_check import RecordCheck, rhythm_counts
from hvac.checks.record_faults import day_text
from hvac.features.window_counts import total_counts
from hvac.json_values import Json, JsonObject, as_json, branch
from hvac.panel.splits import SPLITS
from hvac.sentences import translated

LEVELS = {"stops": "STOPS", "fault": "FAULT", "note": "note"}


def check_facts(check: RecordCheck) -> JsonObject:
    """Return all that a check found as JSON."""
    read = check.read
    facts: dict[str, Json] = {
        "files": len(read.files),
        "files_read": read.files_read,
        "rows": read.counts.get("rows", 0),
        "readings": read.counts.get("read", read.readings.num_rows),
        "missing": read.counts.get("missing", 0),
        "rejected": read.rejected,
        "faults": [_fault(fault) for fault in check.faults],
        "found": check.found,
    }
    if check.registry is not None:
        facts |= _record_facts(check)
    return facts


def _fault(fault: Finding) -> JsonObject:
    settings = settings_named(f"{fault.text} {fault.remedy}")
    return {
        "level": fault.level,
        "text": fault.text,
        "remedy": fault.remedy,
        "settings": settings,
    }


def _record_facts(check: RecordCheck) -> dict[str, Json]:
    registry = check.registry
    assert registry is not None, "only records that could be read come here"
    summary = registry.summary()
    learning = {}
    for machine in check.machines:
        if machine.learning_until is not None:
            learning["/".join(machine.unit)] = day_text(machine.learning_until)
    suspects: list[Json] = []
    for machine in check.machines:
        for doubt in machine.doubts:
            where = {"machine": "/".join(machine.unit), "point": doubt.point_id}
            suspects.append({**where, "kind": doubt.kind})
    observed = [machine.observed for machine in check.machines]
    unmatched = Counter(check.read.rejects["reason"].to_pylist())["unknown_equipment"]
    facts: dict[str, Json] = {
        **{
            name: summary[name]
            for name in ("facilities", "equipment", "classes", "points")
        },
        **{name: summary[name] for name in ("first_date", "last_date", "events")},
        "events_without_equipment": unmatched,
        "rhythm": rhythm_counts(check.machines),
        "observed": sum(observed) / len(observed) if observed else None,
        "learning": learning,
        "suspects": suspects,
        "windows": _windows(check),
        "left_out": check.expected.left_out,
        "borders": [day_text(day) for day in check.expected.borders or ()],
    }
    if check.cost is not None:
        facts["minutes"] = round(check.cost.minutes, 1)
        facts["memory_gb"] = round(check.cost.memory_gb, 1)
    return facts


def _windows(check: RecordCheck) -> JsonObject:
    """Return windows, units, known labels and positives of all classes, by split."""
    totals = total_counts(check.expected.counts.values())
    kept = ("windows", "units", "known", "positives")
    return {name: {key: as_json(totals[name])[key] for key in kept} for name in totals}


def check_lines(check: RecordCheck, language: str = "en") -> Iterator[str]:
    """Yield what a check found as lines, the faults last and in a language (`en` or `ja`)."""
    facts = check_facts(check)
    yield (
        f"read        {facts['files_read']} of {facts['files']} files, {facts['rows']:,} rows:"
        f" {facts['readings']:,} readings, {facts['missing']:,} missing,"
        f" rejected: {_listed(facts['rejected'])}"
    )
    if check.registry is not None:
        yield from _record_lines(facts)
    yield from _fault_lines(check, language)


def _record_lines(facts: JsonObject) -> Iterator[str]:
    yield (
        f"machines    {facts['equipment']:,} in {facts['facilities']} facilities:"
        f" {_listed(facts['classes'])}"
    )
    yield f"points      {facts['points']:,}, read {_listed(facts['rhythm'])}"
    yield f"days        {facts['first_date']} to {facts['last_date']}"
    yield f"observed    {facts['observed']:.0%} of what the rhythm promises"
    unmatched = facts["events_without_equipment"]
    also = f"; {unmatched} more of equipment without readings" if unmatched else ""
    yield f"events      {_listed(facts['events'])}{also}"
    suspects = facts["suspects"]
    kinds = Counter(str(branch(one)["kind"]) for one in suspects)  # type: ignore[union-attr]
    yield f"suspects    {_listed(dict(kinds))}"
    learning = branch(facts, "learning")
    until = (
        f", until {max(map(str, learning.values()))} at the latest" if learning else ""
    )
    yield f"learning    {len(learning)} machines{until}"
    for split in SPLITS:
        counts = branch(facts, "windows", split)
        if counts:
            positives = ", ".join(
                f"{n} of {branch(counts, 'known')[days]} positive within {days} days"
                for days, n in branch(counts, "positives").items()
            )
            yield (
                f"{split:<11} {counts['windows']:,} windows of {counts['units']} units: {positives}"
            )
    yield f"left out    {_listed(facts['left_out'])}"
    if "minutes" in facts:
        yield (
            f"to expect   about {facts['minutes']:.0f} min and {facts['memory_gb']:.1f} GB of"
            " memory (rough: within a factor of three)"
        )


def _fault_lines(check: RecordCheck, language: str) -> Iterator[str]:
    counts = Counter(fault.level for fault in check.faults)
    yield ""
    for level, label in LEVELS.items():
        for fault in check.faults:
            if fault.level == level:
                yield f"{label:<6}{translated(fault.text, language)}"
                if fault.remedy:
                    yield f"      → {translated(fault.remedy, language)}"
    yield (
        f"{counts['stops']} that stop a step, {counts['fault']} other faults,"
        f" {counts['note']} notes"
    )


def _listed(counts: Json) -> str:
    """Return counts as a phrase, `none` where there are none."""
    return ", ".join(f"{name} {n:,}" for name, n in branch(counts).items()) or "none"
