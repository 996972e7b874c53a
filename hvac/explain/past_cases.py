"""Past cases: windows of other units that looked alike, and what became of them.

A bundle keeps a few hundred windows that were not tested, half of them followed by an anomaly, as
points in a space of few dimensions: principal components of the last days' summaries (normalised
and as read), deviations from peers, residuals and context. (On the demo's development units the
three nearest such cases rank windows with ROC-AUC 0.61; by statistics and embedding 0.58; without
the values as read, machines of another class are hardly told from one's own: docs/findings.md.) A
case counts for a window only where its outcome was known on that window's last day.

Legend: B windows, M cases, V their units, N inputs, D dimensions.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from hvac.arrays import AnyArray, AnyFloats, DayNumbers, Float32s, Ints
from hvac.days import EPOCH
from hvac.errors import BundleError
from hvac.explain.background import dealt
from hvac.explain.reason import PastCase
from hvac.features.table import Windows
from hvac.models.blocks import inputs
from hvac.models.family import NEEDS
from hvac.models.scaling import Scaler, fit_scaler

LOOKED_AT: Final = (
    "recent",
    "raw",
    "peers",
    "residuals",
    "context",
)  # what makes windows alike
MOST: Final = 256
DIMENSIONS: Final = 16
SHOWN: Final = 3
NEAR_SHARE: Final = 0.95
TOGETHER: Final = 256  # windows whose distances are in memory at once
NONE_BEGAN: Final = 0
PREFIX: Final = "case."


@dataclass(frozen=True, eq=False)
class PastCases:
    """Cases with the projection that places a window among them, made of `blocks`.

    `within_M` is the shortest horizon within which an anomaly began, 0 for none in the longest;
    `known_day_M` the day on which that was known.
    """

    unit_M: tuple[tuple[str, str], ...]
    end_day_M: DayNumbers
    within_M: DayNumbers
    known_day_M: DayNumbers
    place_MD: Float32s
    basis_ND: Float32s
    scaler: Scaler
    blocks: tuple[str, ...]
    radius: float

    def similar(self, windows: Windows) -> Ints:
        """Count the other units that looked alike, for every window: [B].

        Alike: nearer than 95 % of the cases are to the nearest case of another unit.
        """
        place_BD = _scaled(windows, self.blocks, self.scaler) @ self.basis_ND
        column, of_unit_MV = self._columns, self._of_unit_MV
        similar_BV = np.zeros((len(place_BD), len(column)), dtype=np.bool_)
        for start in range(0, len(place_BD), TOGETHER):
            rows = slice(start, start + TOGETHER)
            near_BM = _apart(self.place_MD, place_BD[rows, None]) <= self.radius
            similar_BV[rows] = near_BM.astype(np.float32) @ of_unit_MV > 0
        own_B = zip(
            windows.column("facility_id"), windows.column("equipment_id"), strict=True
        )
        for b, (facility, equipment) in enumerate(own_B):
            place = column.get((str(facility), str(equipment)))
            if place is not None:
                similar_BV[b, place] = False
        return np.asarray(similar_BV.sum(axis=1), dtype=np.int64)

    @cached_property
    def _columns(self) -> dict[tuple[str, str], int]:
        """Number the units."""
        return {unit: number for number, unit in enumerate(dict.fromkeys(self.unit_M))}

    @cached_property
    def _of_unit_MV(self) -> Float32s:
        """Tell with 1 whose each case is."""
        of_unit_MV = np.zeros((len(self.unit_M), len(self._columns)), dtype=np.float32)
        rows = np.arange(len(self.unit_M))
        of_unit_MV[rows, [self._columns[unit] for unit in self.unit_M]] = 1
        return of_unit_MV

    def nearest(self, windows: Windows, b: int) -> list[PastCase]:
        """Return the nearest cases of other units known by the end of a window, one of each unit."""
        alone = windows.take(np.array([b]))
        place_D = _scaled(alone, self.blocks, self.scaler)[0] @ self.basis_ND
        unit = (
            str(windows.column("facility_id")[b]),
            str(windows.column("equipment_id")[b]),
        )
        apart_M = _apart(self.place_MD, place_D)
        cases: dict[tuple[str, str], PastCase] = {}
        for m in np.argsort(apart_M, kind="stable").tolist():
            other = self.unit_M[m]
            known = self.known_day_M[m] <= windows.end_day_B[b]
            if not known or other == unit or other in cases:
                continue
            cases[other] = self._case(m, float(apart_M[m]))
            if len(cases) == SHOWN:
                break
        return list(cases.values())

    def _case(self, m: int, distance: float) -> PastCase:
        return PastCase(
            *self.unit_M[m],
            end_date=EPOCH + dt.timedelta(days=int(self.end_day_M[m])),
            within_days=int(self.within_M[m]) or None,
            distance=distance,
        )

    def arrays(self) -> dict[str, AnyArray]:
        """Return all of it as arrays by name (for safetensors); units as UTF-8 text."""
        lines = "\n".join("\x1f".join(unit) for unit in self.unit_M)
        arrays: dict[str, AnyArray] = {
            "units": _from_text(lines),
            "blocks": _from_text("\n".join(self.blocks)),
            "radius": np.array([self.radius]),
            "end_day_M": self.end_day_M,
            "within_M": self.within_M,
            "known_day_M": self.known_day_M,
            "place_MD": self.place_MD,
            "basis_ND": self.basis_ND,
            **{
                f"scaler.{name}": array for name, array in self.scaler._asdict().items()
            },
        }
        return {
            PREFIX + name: np.ascontiguousarray(array) for name, array in arrays.items()
        }

    @classmethod
    def restore(cls, arrays: Mapping[str, AnyArray]) -> PastCases:
        """Return the cases that `arrays` gave.

        Raises:
            BundleError: if the arrays do not fit each other.
        """
        try:
            stored = {
                name.removeprefix(PREFIX): array for name, array in arrays.items()
            }
            pairs = [tuple(line.split("\x1f")) for line in _lines(stored["units"])]
            scaler = Scaler(*(stored[f"scaler.{name}"] for name in Scaler._fields))
            cases = cls(
                tuple((facility, equipment) for facility, equipment in pairs),
                stored["end_day_M"],
                stored["within_M"],
                stored["known_day_M"],
                stored["place_MD"],
                stored["basis_ND"],
                scaler,
                tuple(_lines(stored["blocks"])),
                float(stored["radius"][0]),
            )
            of_cases = (
                cases.unit_M,
                cases.end_day_M,
                cases.within_M,
                cases.known_day_M,
                cases.place_MD,
            )
            lengths = set(map(len, of_cases))
            widths = (len(scaler.mean_N), cases.place_MD.shape[1])
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise BundleError(f"its past cases are damaged ({error})") from error
        known = set(cases.blocks) <= set(LOOKED_AT)
        if len(lengths) != 1 or cases.basis_ND.shape != widths or not known:
            raise BundleError(
                "its past cases are damaged: their arrays do not fit each other"
            )
        return cases


def choose_cases(windows: Windows, horizons: tuple[int, ...]) -> PastCases | None:
    """Keep windows whose outcome is known, half of them followed by an anomaly.

    Args:
        windows: labelled windows that are not tested, with the blocks of `LOOKED_AT`.
        horizons: of their labels, in days, rising.

    Returns:
        None where no outcome is known, or the windows have nothing to compare.
    """
    y_BH, known_BH = windows.labels
    positive_BH = np.asarray(y_BH & known_BH)
    positive_B = np.asarray(positive_BH.any(axis=1), dtype=np.bool_)
    clear_B = known_BH[:, -1] & ~positive_B
    rows = [
        dealt(windows, np.flatnonzero(part_B), MOST // 2)
        for part_B in (positive_B, clear_B)
    ]
    chosen = np.concatenate(rows)
    blocks = tuple(
        name for name in LOOKED_AT if getattr(windows, NEEDS[name]) is not None
    )
    if not len(chosen) or not blocks:
        return None
    cases = windows.take(chosen)
    first_M = positive_BH[chosen].argmax(axis=1)
    days_H = np.array(horizons, dtype=np.int32)
    within_M = np.where(positive_B[chosen], days_H[first_M], NONE_BEGAN).astype(
        np.int32
    )
    waited_M = np.where(within_M > 0, within_M, days_H[-1])
    scaler = fit_scaler(inputs(cases, blocks))
    scaled_MN = _scaled(cases, blocks, scaler)
    basis_ND = _basis(scaled_MN)
    pairs = zip(cases.column("facility_id"), cases.column("equipment_id"), strict=True)
    units = tuple((str(facility), str(equipment)) for facility, equipment in pairs)
    place_MD = (scaled_MN @ basis_ND).astype(np.float32)
    return PastCases(
        units,
        cases.end_day_B,
        within_M,
        (cases.end_day_B + waited_M).astype(np.int32),
        place_MD,
        basis_ND,
        scaler,
        blocks,
        _radius(place_MD, units),
    )


def _apart(place_MD: AnyFloats, place_D: AnyFloats) -> AnyFloats:
    """Return how far one place lies from others (root mean square over components).

    Of several places [B, 1, D] it gives as many rows.
    """
    return np.asarray(np.sqrt(((place_MD - place_D) ** 2).mean(axis=-1)))


def _radius(place_MD: AnyFloats, units: tuple[tuple[str, str], ...]) -> float:
    """Return the distance within which 95 % of the cases have one of another unit."""
    _, unit_M = np.unique(["\x1f".join(unit) for unit in units], return_inverse=True)
    nearest = []
    for place_D, unit in zip(place_MD, unit_M, strict=True):
        others_MD = place_MD[unit_M != unit]
        if len(others_MD):
            nearest.append(float(_apart(others_MD, place_D).min()))
    return float(np.quantile(nearest, NEAR_SHARE)) if nearest else 0.0


def _from_text(text: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(text.encode(), dtype=np.uint8).copy()


def _lines(text: npt.NDArray[np.uint8]) -> list[str]:
    return text.tobytes().decode().split("\n")


def _scaled(windows: Windows, blocks: tuple[str, ...], scaler: Scaler) -> Float32s:
    input_BN = inputs(windows, blocks)
    if input_BN.shape[1] != len(scaler.mean_N):
        raise BundleError(
            f"windows have {input_BN.shape[1]} numbers of {' and '.join(blocks)}, its past cases"
            f" {len(scaler.mean_N)}"
        )
    return scaler.transform(input_BN)


def _basis(scaled_MN: Float32s) -> Float32s:
    """Return the principal directions of the cases: [N, D]."""
    _, strength_D, direction_DN = np.linalg.svd(
        scaled_MN.astype(np.float64), full_matrices=False
    )
    kept = min(
        DIMENSIONS, int((strength_D > 1e-6 * strength_D.max(initial=0)).sum()) or 1
    )
    return np.asarray(direction_DN[:kept].T, dtype=np.float32)
