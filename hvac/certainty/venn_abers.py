"""How uncertain a calibration is by itself: the width of Venn–Abers predictions.

A score is calibrated twice by isotonic regression, once as if its label were 0 and once as if it
were 1 (Vovk and Petej 2014). Where calibration rests on many units the two agree. As windows of a
unit overlap, one window is drawn of each, several times.

Legend: B windows, U units, N calibration scores, G scores asked about.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from hvac.arrays import Bools, Floats
from hvac.decision.decision import Scored

DRAWS: Final = 7
ASKED: Final = 9  # scores, at even quantiles
SEED: Final = 18


def venn_abers(score_N: Floats, y_N: Bools, asked_G: Floats) -> tuple[Floats, Floats]:
    """Return the lower and the upper probability of every score: [G] each.

    >>> low_G, high_G = venn_abers(np.zeros(8), np.arange(8) < 2, np.zeros(1))
    >>> low_G.round(3).tolist(), high_G.round(3).tolist()
    ([0.222], [0.333])
    """
    from sklearn.isotonic import IsotonicRegression

    bounds = np.empty((2, len(asked_G)))
    for label in (0, 1):
        for place, score in enumerate(asked_G):
            joined = np.append(score_N, score)
            labels = np.append(y_N, label)
            fitted = IsotonicRegression().fit(joined, labels)
            bounds[label, place] = fitted.predict([score])[0]
    return bounds[0], bounds[1]


def calibration_widths(scored: Scored) -> Floats:
    """Return the mean width of Venn–Abers predictions at each horizon, median over draws: [H].

    It is nan where fewer than two units have a known label.

    Args:
        scored: labelled windows that are not tested, with cross-fitted scores.
    """
    horizons = scored.windows.labels[0].shape[1]
    return np.array([_width(scored, h) for h in range(horizons)])


def _width(scored: Scored, h: int) -> float:
    part = scored.part(h)
    _, unit_B = np.unique(part.groups_B, return_inverse=True)
    if unit_B.max(initial=-1) < 1:
        return float("nan")
    rng = np.random.default_rng(SEED)
    score_B = np.asarray(part.score_B, dtype=np.float64)
    asked_G = np.quantile(score_B, np.linspace(0.1, 0.9, ASKED))
    widths = []
    for _ in range(DRAWS):
        order = rng.permutation(len(unit_B))
        _, first = np.unique(unit_B[order], return_index=True)
        drawn = order[first]
        low_G, high_G = venn_abers(score_B[drawn], part.y_B[drawn] > 0, asked_G)
        widths.append(float((high_G - low_G).mean()))
    return float(np.median(widths))
