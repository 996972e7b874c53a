"""The log-loss of a line on scores: what every Platt-type fit here goes down.

Legend: B windows; a line is (slope, intercept).
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from hvac.arrays import AnyArray, Floats


def line_loss(
    line_2: Floats,
    score_B: Floats,
    target_B: AnyArray,
    weight_B: Floats,
    offset_B: Floats | float = 0.0,
) -> tuple[float, Floats]:
    """Return the weighted log-loss of the log-odds slope · score + intercept, and its gradient.

    Source: Platt 1999. Targets are labels, or lie between 0 and 1; the loss is a sum, so weights
    that sum to 1 make it a mean. An offset is added to the log-odds as it is.

    >>> loss, gradient = line_loss(np.zeros(2), np.array([1.0]), np.array([1.0]), np.ones(1))
    >>> round(loss, 4), gradient.tolist()
    (0.6931, [-0.5, -0.5])
    """
    logit_B = line_2[0] * score_B + line_2[1] + offset_B
    error_B = (expit(logit_B) - target_B) * weight_B
    loss = float((np.logaddexp(0, logit_B) - target_B * logit_B) @ weight_B)
    return loss, np.array([error_B @ score_B, error_B.sum()])
