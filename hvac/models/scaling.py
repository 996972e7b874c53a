"""Standardisation of inputs with training statistics: clipped, z-scored, always finite.

Legend: B windows, N inputs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hvac.arrays import AnyFloats, Float32s

TAIL = 0.001


class Scaler(NamedTuple):
    """Training statistics of every input.

    Standardising clips to [low, high], subtracts the mean and divides by the std.
    """

    low_N: Float32s
    high_N: Float32s
    mean_N: Float32s
    std_N: Float32s

    def transform(self, input_BN: AnyFloats) -> Float32s:
        """Standardise inputs; a value that is not finite becomes the training mean (0)."""
        clipped_BN = np.minimum(np.maximum(input_BN, self.low_N), self.high_N)
        scaled_BN = ((clipped_BN - self.mean_N) / self.std_N).astype(np.float32)
        scaled_BN[np.isnan(scaled_BN)] = 0.0
        return np.asarray(scaled_BN)


def fit_scaler(input_BN: AnyFloats) -> Scaler:
    """Take the statistics of training rows.

    Inputs that do not vary get std 1; inputs that are never finite count as 0.

    >>> scaler = fit_scaler(np.array([[0.0, 5.0], [2.0, 5.0]]))
    >>> scaler.transform(np.array([[1.0, 7.0]])).tolist()
    [[0.0, 0.0]]
    """
    finite_BN = np.where(np.isfinite(input_BN), input_BN, np.nan)
    finite_BN[:, np.isnan(finite_BN).all(axis=0)] = 0.0
    low_N, high_N = np.nanquantile(finite_BN, (TAIL, 1 - TAIL), axis=0)
    clipped_BN = np.clip(finite_BN, low_N, high_N)
    mean_N = np.nanmean(clipped_BN, axis=0)
    std_N = np.nanstd(clipped_BN, axis=0)
    least_N = 1e-9 * np.maximum(np.abs(mean_N), 1e-3)
    std_N = np.where(std_N > least_N, std_N, 1.0)
    return Scaler(
        *(
            np.asarray(column, dtype=np.float32)
            for column in (low_N, high_N, mean_N, std_N)
        )
    )
