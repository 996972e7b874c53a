"""One raw batch on its way through the gate: what can be read, what cannot, and counts of both."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hvac.arrays import Bools, Floats, Ints
from hvac.readings.accepted import (
    ID_REASONS,
    LARGEST_VALUE,
    days_ahead,
    id_states,
    id_text,
)
from hvac.readings.date_notations import DAY_SECONDS, DateStyle
from hvac.readings.date_texts import Days
from hvac.readings.gate_result import CANONICAL, CLASSES, GateResult
from hvac.readings.notation import PLAIN, Notation, read_days, read_numbers
from hvac.readings.number_texts import Numbers
from hvac.readings.overlap import NO_TIME
from hvac.readings.raw_columns import RawBatch
from hvac.readings.rejects import REASONS, Rejects, count_reasons
from hvac.readings.sources import SourceConfig
from hvac.readings.text_values import MISSING, MIXED_UNIT, READ, TEXT, as_text, flags

_IDS = ("facility_id", "equipment_id", "point_id")


def gate(
    raw: RawBatch, source: SourceConfig, *, file: str, notation: Notation = PLAIN
) -> GateResult:
    """Check one raw batch of any format, of a file whose columns are written as `notation` says."""
    return _Batch(raw, source, file, notation).check()


class _Batch:
    """One raw batch on its way through the gate."""

    def __init__(
        self, raw: RawBatch, source: SourceConfig, file: str, notation: Notation
    ) -> None:
        self.raw = raw
        self.source = source
        self.notation = notation
        self.rejects = Rejects(file, raw.row)
        self.ids = {name: id_text(raw.columns[name]) for name in _IDS}

    def check(self) -> GateResult:
        """Return the readings that can be read, the offenders and the counts."""
        self.rejects.ragged(self.raw.ragged)
        number = self._numbers("value")
        date = self._days("date")
        blank = (number.state == MISSING) & (date.state == MISSING)
        for text in self.ids.values():
            blank = blank & flags(pc.equal(text, ""))
        self._reject_ids(blank)
        self._reject_days(date, "date", blank)
        known = self._known_at()
        self._reject_numbers(number)
        keep = (number.state == READ) & ~self.rejects.rejected
        lower, upper = self._limits(keep)
        columns = [
            *self.ids.values(),
            date.date32,
            pa.array(number.value),
            lower,
            upper,
        ]
        full = pa.table([*columns, known.date32, _second(date)], schema=CANONICAL)
        readings = full.filter(pa.array(keep))
        counts = self._counts(readings) | _read_otherwise(number, date)
        return GateResult(readings, self.rejects.table(), counts, self._classes(keep))

    def _numbers(self, column: str) -> Numbers:
        return read_numbers(self.raw, column, self.source, self.notation)

    def _days(self, column: str) -> Days:
        name = self.raw.names.get(column, column)
        where = f"{self.rejects.file}, column {name}"
        style = self.notation.dates.get(name, DateStyle(self.source.date_format))
        dates = self.raw.columns[column]
        facility = self.ids["facility_id"]
        return read_days(dates, facility, self.source, where=where, style=style)

    def _reject(self, mask: Bools, column: str, reason: str) -> None:
        name = self.raw.file_name(column)
        self.rejects.reject(mask, name, reason=reason, found=self.raw.columns[column])

    def _reject_ids(self, blank: Bools) -> None:
        for name, text in self.ids.items():
            states = id_states(text)
            for state, reason in ID_REASONS.items():
                self._reject((states == state) & ~blank, name, reason)

    def _reject_days(self, days: Days, column: str, blank: Bools) -> None:
        self._reject((days.state == MISSING) & ~blank, column, f"missing_{column}")
        self._reject(days_ahead(days), column, f"{column}_in_the_future")
        for state, reason in REASONS.items():
            self._reject(days.state == state, column, reason.replace("date", column))

    def _reject_numbers(self, number: Numbers) -> None:
        for state, reason in REASONS.items():
            self._reject(number.state == state, "value", reason)
        large = np.abs(np.nan_to_num(number.value)) > LARGEST_VALUE
        self._reject(large, "value", "value_too_large")

    def _known_at(self) -> Days:
        """Return the days on which readings became known.

        What is unreadable rejects the row: a guess could leak the future.
        """
        count = len(self.raw.row)
        if "known_at" not in self.raw.columns:
            day = np.zeros(count, dtype=np.int32)
            state = np.full(count, MISSING, dtype=np.int8)
            return Days(day, state)
        known = self._days("known_at")
        self._reject_days(known, "known_at", np.ones(count, dtype=bool))
        return known

    def _limits(self, keep: Bools) -> tuple[pa.Array, pa.Array]:
        """Return lower and upper limits, null where there is none; note those that are odd."""
        lower = self._limit("lower_limit", keep)
        upper = self._limit("upper_limit", keep)
        swapped = keep & (lower > upper)
        if swapped.any():
            pairs = zip(lower, upper, strict=True)
            texts = pa.array([f"lower {low} > upper {high}" for low, high in pairs])
            lower_name, upper_name = map(
                self.raw.file_name, ("lower_limit", "upper_limit")
            )
            names = f"{lower_name}, {upper_name}"
            self.rejects.note(swapped, names, reason="limits_swapped", found=texts)
        return (
            pa.array(lower, mask=swapped | np.isnan(lower)),
            pa.array(upper, mask=swapped | np.isnan(upper)),
        )

    def _limit(self, column: str, keep: Bools) -> Floats:
        if column not in self.raw.columns:
            return np.full(len(self.raw.row), np.nan)
        limit = self._numbers(column)
        text = keep & ((limit.state == TEXT) | (limit.state == MIXED_UNIT))
        name = self.raw.file_name(column)
        values = self.raw.columns[column]
        self.rejects.note(text, name, reason="unreadable_limit", found=values)
        return limit.value

    def _counts(self, readings: pa.Table) -> dict[str, int]:
        ragged = len(self.raw.ragged)
        rows = len(self.raw.row) + ragged
        read = len(readings)
        rejected = int(self.rejects.rejected.sum()) + ragged
        counts = {"rows": rows, "read": read, "missing": rows - read - rejected}
        counts["rejected"] = rejected
        return counts | _repeated(readings) | count_reasons(self.rejects.table())

    def _classes(self, keep: Bools) -> pa.Table:
        """Return the distinct classes of the kept readings (CLASSES)."""
        if "class" not in self.raw.columns:
            return CLASSES.empty_table()
        name = as_text(self.raw.columns["class"])
        columns = [self.ids["facility_id"], self.ids["equipment_id"], name]
        named = keep & ~flags(pc.equal(name, ""))
        table = pa.table(columns, schema=CLASSES).filter(pa.array(named))
        distinct = table.group_by(CLASSES.names).aggregate([]).select(CLASSES.names)
        return distinct.sort_by([(name, "ascending") for name in CLASSES.names])


def _second(days: Days) -> pa.Int32Array:
    assert days.second is not None, "parse_days gives seconds"
    return pa.array(days.second, pa.int32(), mask=days.second == NO_TIME)


def _read_otherwise(number: Numbers, date: Days) -> dict[str, int]:
    """Count the values and days that were read in another way than they are plainly written."""
    counts = {
        "read_with_unit": number.with_unit,
        "read_as_word": number.as_word,
        "days_as_written": date.as_written,
    }
    return {name: count for name, count in counts.items() if count}


def _repeated(readings: pa.Table) -> dict[str, int]:
    """Count the readings beyond the first of a unit's day, and those that repeat another.

    A reading repeats another of the same second and value: they count once.
    """
    key = _unit_days(readings)
    counts = {"repeated_unit_days": int(pd.Series(key).duplicated().sum())}
    second = readings["second"].fill_null(NO_TIME).to_numpy()
    moment = pd.Series(key * (DAY_SECONDS + 1) + second)
    shared = moment.duplicated(keep=False).to_numpy() & (second != NO_TIME)
    if shared.any():
        rows = readings.filter(pa.array(shared))
        distinct = rows.group_by([*_IDS, "date", "second", "value"]).aggregate([])
        if repeated := len(rows) - len(distinct):
            counts["repeated_readings"] = repeated
    return counts


def _unit_days(readings: pa.Table) -> Ints:
    """Return one number for the point and day of each reading."""
    days = readings["date"].cast(pa.int32())
    key = days.to_numpy().astype(np.int64)
    for name in _IDS:
        coded = readings[name].combine_chunks().dictionary_encode()
        key = key * max(1, len(coded.dictionary)) + coded.indices.to_numpy()
    return np.asarray(key, dtype=np.int64)
