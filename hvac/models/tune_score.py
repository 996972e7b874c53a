"""What epochs and settings are chosen by on *tune*: the PR-AUC over known labels.

It is scikit-learn's; `hvac.evaluation.ranks`, which stands above, counts the same for thousands of
bootstrap replicates at once.
"""

from __future__ import annotations

import math

import numpy as np

from hvac.arrays import AnyFloats, Bools


def tune_pr_auc(score_B: AnyFloats, y_B: Bools, w_B: AnyFloats) -> float:
    """Return the PR-AUC over windows whose label weighs something.

    It is nan where only one kind of label is known, or a score is not finite.

    >>> tune_pr_auc(np.array([0.9, 0.1, 0.5]), np.array([True, False, True]), np.ones(3))
    1.0
    """
    from sklearn.metrics import average_precision_score

    known_B = w_B > 0
    y_B = y_B[known_B]
    score_B = score_B[known_B]
    if not 0 < y_B.sum() < len(y_B) or not np.isfinite(score_B).all():
        return math.nan
    return float(average_precision_score(y_B, score_B, sample_weight=w_B[known_B]))
