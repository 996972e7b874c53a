"""Series and what is known of them.

A series is one stretch of one part, so that no window ever lies in two parts. Legend: T steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

import numpy as np
import pyarrow as pa

from hvac.arrays import Bools, Floats, Times
from hvac.errors import InputError
from hvac.filling import fill_forward

PARTS = ("train", "validation", "test", "unseen")
REPORTED = ("test", "unseen")
DETECTOR = "cnn1d"
SPREAD_OF_IQR = 1.349  # interquartile range of a normal distribution of std 1
LABELLED = "labelled"


class Anomaly(NamedTuple):
    """Steps [start, end) of a series that are anomalous.

    `size` is in spreads of the series, nan where unknown.
    """

    kind: str
    start: int
    end: int
    size: float = np.nan


class Reference(NamedTuple):
    """Where a series lies and how far it spreads, from history that may be used."""

    centre: float
    spread: float


@dataclass(frozen=True, kw_only=True)
class Series:
    """A stretch of regular steps: values without gaps, and what is known of them.

    A missing value is filled by the last one before it. `record` names what the stretch was cut
    from; `reference` is that record's, from its training part.
    """

    record: str
    part: str
    value_T: Floats
    observed_T: Bools
    anomalies: tuple[Anomaly, ...] = ()
    time_T: Times | None = None
    reference: Reference | None = None

    def __len__(self) -> int:
        return len(self.value_T)

    @property
    def anomalous_T(self) -> Bools:
        """Tell which steps are anomalous."""
        anomalous_T = np.zeros(len(self), dtype=np.bool_)
        for anomaly in self.anomalies:
            anomalous_T[anomaly.start : anomaly.end] = True
        return anomalous_T

    @property
    def step_seconds(self) -> float | None:
        """Return the seconds from step to step, None where the series has no clock."""
        if self.time_T is None or len(self) < 2:
            return None
        step = self.time_T[1] - self.time_T[0]
        return float(step / np.timedelta64(1, "s"))


def plain_series(
    value_T: Floats,
    *,
    record: str = "new",
    part: str = "unseen",
    anomalies: tuple[Anomaly, ...] = (),
) -> Series:
    """Make a series without a clock; values that are missing or not finite are filled.

    >>> series = plain_series(np.array([1.0, np.nan, 3.0]))
    >>> series.value_T.tolist(), series.observed_T.tolist()
    ([1.0, 1.0, 3.0], [True, False, True])
    """
    filled_T, observed_T = fill(np.asarray(value_T, dtype=np.float64))
    return Series(
        record=record,
        part=part,
        value_T=filled_T,
        observed_T=observed_T,
        anomalies=anomalies,
    )


def moment(series: Series, step: int | None) -> str | None:
    """Return a step's time as people read it, or its number without a clock; None for no step."""
    if step is None:
        return None
    if series.time_T is None:
        return str(step)
    moment_s = series.time_T[step].astype("datetime64[s]")
    return str(moment_s).replace("T", " ")


def of_part(series: Iterable[Series], part: str) -> list[Series]:
    """Return the stretches of one part."""
    return [one for one in series if one.part == part]


def fill(value_T: Floats) -> tuple[Floats, Bools]:
    """Replace every missing value by the last before it; return values and what was observed.

    At the start it is the first value after it.

    Raises:
        InputError: if there is no value at all.

    >>> filled_T, observed_T = fill(np.array([np.nan, 1.0, np.nan, 3.0]))
    >>> filled_T.tolist(), observed_T.tolist()
    ([1.0, 1.0, 1.0, 3.0], [False, True, False, True])
    """
    observed_T = np.isfinite(value_T)
    if not observed_T.any():
        raise InputError(
            f"a series of {len(value_T)} steps has no value at all: leave it out"
        )
    return fill_forward(value_T, observed_T), observed_T


def references(x_BL: Floats) -> tuple[Floats, Floats]:
    """Return the median, and the interquartile range as a standard deviation, of every row.

    Both are [B, 1]. Where the range is 0 it is the std; where that is 0 too, 1.
    """
    low_B1, centre_B1, high_B1 = np.quantile(
        x_BL, (0.25, 0.5, 0.75), axis=1, keepdims=True
    )
    return centre_B1, positive_spread((high_B1 - low_B1) / SPREAD_OF_IQR, x_BL)


def positive_spread(spread_B1: Floats, x_BL: Floats) -> Floats:
    """Return spreads, the std of the row where one is 0, and 1 where that is 0 too."""
    spread_B1 = np.where(spread_B1 > 0, spread_B1, x_BL.std(axis=1, keepdims=True))
    return np.where(spread_B1 > 0, spread_B1, 1.0)


def reference_of(value_T: Floats) -> Reference:
    """Return the centre and the spread of a series, as `references` does.

    >>> reference_of(np.array([1.0, 1.0, 1.0]))
    Reference(centre=1.0, spread=1.0)
    """
    centre_11, spread_11 = references(value_T[None])
    return Reference(centre_11.item(), spread_11.item())


SCHEMA = pa.schema(
    [
        ("series", pa.int32()),
        ("record", pa.string()),
        ("part", pa.string()),
        ("step", pa.int32()),
        ("time", pa.timestamp("s")),
        ("value", pa.float64()),
        ("observed", pa.bool_()),
        ("anomaly", pa.string()),
    ]
)


StoredAnomaly = tuple[str, int, int, float | None]
"""Kind, first step, step after the last, and size; JSON has no tuples and gives a list."""


class SeriesFacts(TypedDict):
    """What the table of a series does not hold."""

    anomalies: list[StoredAnomaly]
    reference: Reference | None


def to_table(series: Sequence[Series]) -> pa.Table:
    """Return one row per step, for people and for the later steps of a run."""
    tables = [SCHEMA.empty_table()]
    for number, one in enumerate(series):
        count = len(one)
        kind_T = np.full(count, None)
        for anomaly in one.anomalies:
            kind_T[anomaly.start : anomaly.end] = anomaly.kind
        columns = {
            "series": np.full(count, number, dtype=np.int32),
            "record": [one.record] * count,
            "part": [one.part] * count,
            "step": np.arange(count, dtype=np.int32),
            "time": pa.nulls(count) if one.time_T is None else one.time_T,
            "value": one.value_T,
            "observed": one.observed_T,
            "anomaly": kind_T,
        }
        tables.append(pa.table(columns, schema=SCHEMA))
    return pa.concat_tables(tables)


def facts_of(series: Sequence[Series]) -> list[SeriesFacts]:
    """Return what the table does not hold: anomalies with their borders and sizes, references."""
    facts: list[SeriesFacts] = []
    for one in series:
        anomalies: list[StoredAnomaly] = []
        for kind, start, end, size in one.anomalies:
            anomalies.append((kind, start, end, size if np.isfinite(size) else None))
        facts.append({"anomalies": anomalies, "reference": one.reference})
    return facts


def from_table(table: pa.Table, facts: Sequence[SeriesFacts]) -> list[Series]:
    """Return the series that `to_table` and `facts_of` were made from."""
    number_N = table["series"].to_numpy()
    starts = np.searchsorted(number_N, np.arange(len(facts) + 1))
    series = []
    for number, of_series in enumerate(facts):
        start = starts[number]
        stop = starts[number + 1]
        series.append(_series(table.slice(start, stop - start), of_series))
    return series


def _series(rows: pa.Table, facts: SeriesFacts) -> Series:
    anomalies = []
    for kind, start, end, size in facts["anomalies"]:
        anomalies.append(Anomaly(kind, start, end, np.nan if size is None else size))
    clocked = rows["time"].null_count == 0
    observed_T = rows["observed"].to_numpy(zero_copy_only=False)
    return Series(
        record=rows["record"][0].as_py(),
        part=rows["part"][0].as_py(),
        value_T=np.asarray(rows["value"].to_numpy(), dtype=np.float64),
        observed_T=np.asarray(observed_T, dtype=np.bool_),
        anomalies=tuple(anomalies),
        time_T=rows["time"].to_numpy() if clocked else None,
        reference=Reference(*facts["reference"]) if facts["reference"] else None,
    )
