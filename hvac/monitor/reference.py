"""How far each period lies from what the reference leads one to expect, in spreads.

A line on known columns (1; the median of the peers; the season) is fitted by least squares on the
reference. A period's error is divided by its standard error as a prediction, `s √(1 + x'(X'X)⁻¹x)`
(Draper and Smith, Applied Regression Analysis, §1.4). The spread s of a short reference is drawn
towards the median of its group, as if that were worth `PRIOR` more periods (moderated variance:
Smyth 2004, Stat. Appl. Genet. Mol. Biol. 3(1)).

Shapes: P periods, R of them of the reference, S series, K columns of the line.
"""

from __future__ import annotations

import warnings
from typing import Final, NamedTuple

import numpy as np

from hvac.arrays import AnyArray, Bools, Floats

PRIOR: Final = 6.0  # periods that the group's spread is worth
NORMAL: Final = 1.4826  # median absolute deviation to standard deviation
SPARE: Final = 4  # reference periods beyond the line's columns, at the least


class ReferenceLine(NamedTuple):
    """Errors of all periods against the reference's line.

    `z_PS` is in spreads and nan where there is no value, or too short a reference; `error_PS` is in
    the value's own unit; `relative_S` is a series' spread beside the median of its group, and `least`
    the least it can be.
    """

    z_PS: Floats
    error_PS: Floats
    relative_S: Floats
    known_S: Bools
    least: float


def against_reference(
    value_PS: Floats,
    design_PSK: Floats,
    reference: int,
    *,
    group_S: AnyArray | None = None,
    least_spread: float = 0.0,
) -> ReferenceLine:
    """Fit each series' line on the first `reference` periods and standardise all of them.

    Args:
        value_PS: one value per period, nan where there is none.
        design_PSK: the line's columns.
        reference: how many periods are the reference.
        group_S: series of one group have spreads of one kind; default: all.
        least_spread: no spread is less.

    >>> value = np.array([0.0, 1, 0, 1, 0, 1, 0, 1, 9])[:, None]
    >>> fit = against_reference(value, np.ones((9, 1, 1)), 8)
    >>> float(fit.error_PS[-1, 0]), bool(fit.z_PS[-1, 0] > 10)
    (8.5, True)
    """
    ok_PS = np.isfinite(value_PS) & np.isfinite(design_PSK).all(axis=2)
    design_PSK = np.where(ok_PS[..., None], design_PSK, 0.0)
    value_PS = np.where(ok_PS, value_PS, 0.0)
    inverse_SKK = _inverse(design_PSK[:reference])
    seen_RSK = design_PSK[:reference]
    line_SK = np.einsum(
        "skl,rsl,rs->sk", inverse_SKK, seen_RSK, value_PS[:reference], optimize=True
    )
    error_PS = value_PS - np.einsum("psk,sk->ps", design_PSK, line_SK)
    hat_PS = np.einsum(
        "psk,skl,psl->ps", design_PSK, inverse_SKK, design_PSK, optimize=True
    )
    free_S = ok_PS[:reference].sum(0) - design_PSK.shape[2]
    known_S = free_S >= SPARE
    own_S = robust_squares(
        np.where(ok_PS[:reference], error_PS[:reference], np.nan), free_S
    )
    common_S = _group_squares(own_S, known_S, group_S, least_spread)
    free_S = np.maximum(free_S, 0)
    spread_S = np.sqrt((free_S * own_S + PRIOR * common_S) / (free_S + PRIOR))
    spread_S = np.maximum(spread_S, least_spread)
    place_P1 = np.arange(len(value_PS))[:, None]
    width_PS = np.where(
        place_P1 < reference, np.maximum(1 - hat_PS, 1e-6), 1 + np.maximum(hat_PS, 0)
    )
    usable_PS = ok_PS & known_S & (spread_S > 0)
    scale_PS = np.where(usable_PS, spread_S * np.sqrt(width_PS), 1.0)
    usual_S = np.sqrt(np.where(common_S > 0, common_S, 1.0))
    return ReferenceLine(
        np.where(usable_PS, error_PS / scale_PS, np.nan),
        np.where(ok_PS, error_PS, np.nan),
        spread_S / usual_S,
        known_S & (spread_S > 0),
        least_spread / float(np.median(usual_S)) if len(usual_S) else 0.0,
    )


def _inverse(design_RSK: Floats) -> Floats:
    """Return (X'X)⁻¹ of every series; columns that say nothing get no weight."""
    gram_SKK = np.einsum("rsk,rsl->skl", design_RSK, design_RSK)
    return np.linalg.pinv(gram_SKK, rcond=1e-9, hermitian=True)


def robust_squares(error_RS: Floats, free_S: AnyArray) -> Floats:
    """Return the squared spread of each series' errors by their median absolute size.

    A fault in the reference, which is an outlier or a stretch of them, hardly moves it.
    """
    if np.isfinite(error_RS).all():
        median_S = np.median(np.abs(error_RS), axis=0)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a series without a value
            median_S = np.nanmedian(np.abs(error_RS), axis=0)
    count_S = np.isfinite(error_RS).sum(axis=0)
    taken_S = count_S / np.maximum(free_S, 1)  # what the fitted line took away
    return np.asarray(np.nan_to_num((NORMAL * median_S) ** 2 * taken_S))


def _group_squares(
    own_S: Floats, known_S: Bools, group_S: AnyArray | None, least_spread: float
) -> Floats:
    """Return the median variance of every series' group."""
    codes_S = np.zeros(len(own_S), np.int64)
    if group_S is not None:
        codes_S = np.unique(group_S, return_inverse=True)[1]
    common_S = np.full(len(own_S), least_spread**2)
    order = np.argsort(codes_S, kind="stable")
    starts = np.flatnonzero(np.diff(codes_S[order], prepend=-1))
    for members in np.split(order, starts[1:]):
        known = members[known_S[members]]
        if len(known):
            common = max(float(np.median(own_S[known])), least_spread**2)
            common_S[members] = common
    return common_S
