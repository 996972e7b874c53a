"""Build the registry: join the series that were read with the register and the event log."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hvac.panel.grid import Unit
from hvac.panel.joins import (
    join_units,
    looked_up,
    notes_on_join,
    notes_on_spellings,
    notes_on_twins,
    notes_on_zones,
    one_spelling,
    require_matches,
    respelled,
    unit_ids,
)
from hvac.panel.registry import ALL, Registry
from hvac.panel.spans import first_gaps, with_spans
from hvac.readings.event_log import distinct_events, with_open_ends
from hvac.readings.gate import SourceConfig, check_events, read_equipment, read_events
from hvac.readings.rejects import Rejects

MUCH = 0.1  # of the rows of a table rejected: worth a sentence of its own
UNITS = pa.schema(
    [
        ("facility_id", pa.string()),
        ("equipment_id", pa.string()),
        ("class", pa.string()),
        ("kind", pa.string()),
        ("install_date", pa.date32()),
        ("end_of_follow_up", pa.date32()),
        ("first_date", pa.date32()),
        ("last_date", pa.date32()),
        ("points", pa.list_(pa.string())),
        ("readings", pa.int64()),
        ("limited", pa.int64()),
    ]
)
TOGETHER = 4096  # units that are counted at once
Points = dict[str, tuple[str, ...]]


class RecordedUnits(NamedTuple):
    """What the readings say of equipment: a row each (its days, points, class and spans), and gaps in them."""

    units: pa.Table
    gaps: list[str]


def recorded_units(
    series: pa.Table, classes: pa.Table, months: pa.Table | None = None
) -> RecordedUnits:
    """Gather what the readings say of each piece of equipment, sorted by its ids.

    Args:
        series: a row per point of a unit: ids, date_min, date_max, date_count, limited_sum.
        classes: the classes that the readings themselves hold (`CLASSES`).
        months: readings of every unit by month (`facility_id`, `equipment_id`, `month`,
            `readings`): between which months there are none for a year or more.
    """
    units = _unit_spans(series)
    kind = looked_up(unit_ids(units), classes, "class")
    units = units.append_column("recorded_class", kind.cast(pa.string()))
    return (
        RecordedUnits(units, [])
        if months is None
        else RecordedUnits(*with_spans(units, months))
    )


def build_registry(
    recorded: RecordedUnits,
    source: SourceConfig,
    *,
    by_class: bool,
    min_point_share: float,
) -> Registry:
    """Join the equipment that was read with the equipment register and the event log.

    A point is one of its class's points where at least `min_point_share` of the class's units have
    it; the others are named in `dropped_points`. Events of equipment without readings are rejected
    as `unknown_equipment`; an installation after the first reading is listed as
    `installed_after_readings`. What did not fit is said in `notes`.

    Raises:
        InputError: less than `source.min_matching` of the events are of equipment that has
            readings.
    """
    known = recorded.units
    units, register_rejects, register_notes = _register(known, source, by_class)
    notes = notes_on_twins(known) + notes_on_zones(source.facility_time_zones, known)
    notes += register_notes + first_gaps(recorded.gaps)
    events, log_rejects, log_notes = _event_log(known, source)
    points, dropped = _class_points(units, min_point_share)
    late = _installed_late(units, file=_named(source.equipment, "equipment"))
    return Registry(
        units=units,
        events=events,
        points=points,
        dropped_points=dropped,
        rejects=pa.concat_tables([register_rejects, log_rejects, late]),
        notes=(*notes, *log_notes),
    )


def _register(
    known: pa.Table, source: SourceConfig, by_class: bool
) -> tuple[pa.Table, pa.Table, list[str]]:
    """Return the units with what the register knows of them, its rejects, and notes."""
    register = read_equipment(source)
    file = _named(source.equipment, "equipment")
    joined = join_units(register.table, known, once=True)
    ids = unit_ids(known)
    registered = looked_up(ids, joined.table, "class")
    registered = pc.if_else(pc.equal(registered, ""), None, registered)
    kind = pc.coalesce(registered, known["recorded_class"].combine_chunks())
    spelling = one_spelling(kind)
    kind = respelled(kind, spelling)
    notes = notes_on_join(joined, known, file=file, rows="rows")
    notes += _notes_on_rejects(register.counts, file)
    notes += notes_on_spellings(spelling, file=file, what="classes")
    if spelling and kind.null_count:
        notes.append(
            f"{file}: {kind.null_count} of {len(known)} pieces of equipment have no class: they form"
            f" the class '{ALL}'"
        )
    dates = {
        name: looked_up(ids, joined.table, name)
        for name in ("install_date", "end_of_follow_up")
    }
    kind = pc.fill_null(kind, ALL)
    everyone = pa.array([ALL]).take(pa.array(np.zeros(len(known), dtype=np.int64)))
    columns = {
        **{name: known[name] for name in known.column_names},
        "class": kind if by_class else everyone,
        "kind": kind,
        **dates,
        "limited": pc.fill_null(known["limited"], 0),
    }
    units = pa.table({name: columns[name] for name in UNITS.names}).cast(UNITS)
    if "spans" in known.column_names:
        units = units.append_column("spans", known["spans"])
    return units, register.rejects, notes


def _event_log(
    known: pa.Table, source: SourceConfig
) -> tuple[pa.Table, pa.Table, list[str]]:
    """Return the events of known equipment, what was rejected, and notes."""
    log = read_events(source)
    file = _named(source.events, "events")
    joined = join_units(log.table, known)
    require_matches(joined, known, file=file, share=source.min_matching)
    spelling = one_spelling(joined.table["kind"])
    place = joined.table.column_names.index("kind")
    kinds = respelled(joined.table["kind"].combine_chunks(), spelling)
    table, again = distinct_events(joined.table.set_column(place, "kind", kinds))
    table, still_open = with_open_ends(table)
    events, unknown = check_events(table, known, file=file)
    notes = notes_on_join(joined, known, file=file, rows="events")
    notes += notes_on_spellings(spelling, file=file, what="kinds")
    notes += _notes_on_rejects(log.counts, file)
    if again:
        notes.append(
            f"{file}: {again} rows tell of an event that another row tells too: it counts once"
        )
    if still_open:
        notes.append(
            f"{file}: {still_open} events have no end yet and are taken as still open"
        )
    return events, pa.concat_tables([log.rejects, unknown]), notes


def _notes_on_rejects(counts: Mapping[str, int], file: str) -> list[str]:
    """Return a sentence where a tenth of a table or more could not be read."""
    if counts["rejected"] < MUCH * max(counts["rows"], 1):
        return []
    return [
        f"{file}: {counts['rejected']} of {counts['rows']} rows could not be read: see rejects.csv"
    ]


def _named(files: str | Sequence[str] | None, default: str) -> str:
    """Name the files of a table in a sentence."""
    if isinstance(files, str):
        return files
    return ", ".join(files) if files else default


def _installed_late(units: pa.Table, *, file: str) -> pa.Table:
    """List units that were read before they were installed.

    The register then describes the machine that replaced the one that was read.
    """
    late = pc.greater(units["install_date"], units["first_date"])
    late_U = pc.fill_null(late, False).to_numpy()
    rejects = Rejects(file, np.arange(1, len(units) + 1))
    installed = units["install_date"].cast(pa.string())
    parts = (units["facility_id"], "/", units["equipment_id"], ": ", installed)
    texts = pc.binary_join_element_wise(*parts, "", null_handling="replace")
    rejects.note(late_U, "install_date", reason="installed_after_readings", found=texts)
    return rejects.table()


def _unit_spans(series: pa.Table) -> pa.Table:
    """Return first and last day, points and readings of every equipment, sorted by its ids."""
    ids = list(Unit._fields)
    rows = series.sort_by([(name, "ascending") for name in (*ids, "point_id")])
    facts = [("date_min", "min"), ("date_max", "max"), ("point_id", "list")]
    facts += [("date_count", "sum"), ("limited_sum", "sum")]
    table = rows.group_by(ids, use_threads=False).aggregate(facts)
    columns = [*ids, "date_min_min", "date_max_max", "point_id_list"]
    columns += ["date_count_sum", "limited_sum_sum"]
    names = [*ids, "first_date", "last_date", "points", "readings", "limited"]
    return table.select(columns).rename_columns(names)


def _class_points(units: pa.Table, share: float) -> tuple[Points, Points]:
    """Return the points of every class, and those that too few of its units have."""
    members: Counter[str] = Counter()
    having: dict[str, Counter[str]] = defaultdict(Counter)
    for some in units.select(["class", "points"]).to_batches(TOGETHER):
        for name, points in zip(
            *(some[n].to_pylist() for n in ("class", "points")), strict=True
        ):
            members[name] += 1
            having[name].update(points)
    kept: Points = {}
    dropped: Points = {}
    for name, counts in sorted(having.items()):
        least = share * members[name]
        kept[name] = tuple(sorted(point for point in counts if counts[point] >= least))
        dropped[name] = tuple(sorted(set(counts) - set(kept[name])))
    return kept, dropped
