"""Risks as they were given, with what became of them: only labels that have matured.

Shapes: N rows, one per window and horizon.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, Self

import numpy as np
from scipy.special import logit

from hvac.arrays import AnyArray, AnyFloats, Bools, Floats, Ints, Strings

LEAST_RISK: Final = 1e-6


class Matured(NamedTuple):
    """A row per window and horizon; `end_day` counts from 1970-01-01.

    `weight_N` lets the labels of a unit that overlap count once. Log-odds are those of the risk
    as it was given. `found_N` are onsets that only a visit found: the log does not hold them.
    """

    class_N: Strings
    unit_N: Strings
    end_day_N: Ints
    horizon_N: Ints
    log_odds_N: Floats
    onset_N: Bools
    alarm_N: Bools
    weight_N: Floats
    found_N: Bools

    @classmethod
    def of(
        cls,
        *,
        class_N: Strings,
        unit_N: Strings,
        end_day_N: Ints,
        horizon_N: Ints,
        log_odds_N: Floats,
        onset_N: Bools,
        alarm_N: Bools,
        found_N: Bools | None = None,
    ) -> Self:
        """Make rows, sorted by unit, horizon and day, and weigh them."""
        order = np.lexsort((end_day_N, horizon_N, unit_N))
        columns = (class_N, unit_N, end_day_N, horizon_N, log_odds_N, onset_N, alarm_N)
        ordered: list[Any] = [np.asarray(column)[order] for column in columns]
        weight_N = overlap_weights(ordered[1], ordered[2], ordered[3])
        if found_N is None:
            found_N = np.zeros(len(order), bool)
        rows = [*ordered, weight_N, found_N[order]]
        return cls(*rows)

    @property
    def known_from_N(self) -> Ints:
        """Return the days from which the labels are known."""
        return self.end_day_N + self.horizon_N

    def weighed_again(self) -> Matured:
        """Return the rows with weights as if there were no others."""
        weight_N = overlap_weights(self.unit_N, self.end_day_N, self.horizon_N)
        return self._replace(weight_N=weight_N)

    def where(self, keep_N: AnyArray) -> Matured:
        """Return some of the rows."""
        columns: list[Any] = [column[keep_N] for column in self]
        return Matured(*columns)


def sure_log_odds(risk: AnyFloats) -> Floats:
    """Return the log-odds of risks, none nearer to 0 or 1 than a millionth."""
    kept = np.clip(np.asarray(risk, np.float64), LEAST_RISK, 1 - LEAST_RISK)
    return np.asarray(logit(kept))


def machines(unit_N: AnyArray) -> Strings:
    """Return the machine of each unit: without its point, where points are scored alone.

    >>> machines(np.array(["F\\x1fE\\x1fp", "F\\x1fE\\x1fq", "E"])).tolist()
    ['F\\x1fE', 'F\\x1fE', 'E']
    """
    names, place_N = np.unique(unit_N, return_inverse=True)
    return np.array(["\x1f".join(name.split("\x1f")[:2]) for name in names])[place_N]


def common_places(one: Matured, other: Matured) -> tuple[Ints, Ints]:
    """Return the places, in each, of the rows that both have: same unit, horizon and day."""
    places = {key: n for n, key in enumerate(_keys(other))}
    pairs = [(n, places[key]) for n, key in enumerate(_keys(one)) if key in places]
    here = np.array([n for n, _ in pairs], np.int64)
    there = np.array([n for _, n in pairs], np.int64)
    return here, there


def _keys(rows: Matured) -> zip[tuple[str, int, int]]:
    columns = (rows.unit_N, rows.horizon_N, rows.end_day_N)
    return zip(*(column.tolist() for column in columns), strict=True)


def overlap_weights(unit_N: AnyArray, end_day_N: Ints, horizon_N: Ints) -> Floats:
    """Weigh windows by the share of their horizon until the unit's next window, at most 1.

    Rows are sorted by unit, horizon and day. Daily windows of 30 days weigh 1/30 each, so that a
    unit's month counts once however often it was scored.

    >>> day_N = np.array([0, 10, 40])
    >>> overlap_weights(np.array(["a"] * 3), day_N, np.array([30] * 3)).round(2).tolist()
    [0.33, 1.0, 1.0]
    """
    same_N = (unit_N[1:] == unit_N[:-1]) & (horizon_N[1:] == horizon_N[:-1])
    gap_N = np.append(
        np.where(same_N, np.diff(end_day_N), np.iinfo(np.int32).max), 2**31
    )
    weight_N: Floats = np.minimum(gap_N, horizon_N)[: len(horizon_N)] / horizon_N
    return weight_N
