"""Explanations of the newest windows: reasons per horizon, and nearest past cases.

Legend: B windows, H horizons.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hvac.arrays import Bools
from hvac.explain.reason import PastCase, Reason
from hvac.explain.reasons import PointScale, reasons_of
from hvac.features.table import Windows
from hvac.models.family import prepared
from hvac.scoring.details import PointDetail, details_of

if TYPE_CHECKING:
    from hvac.features.scene import Scene
    from hvac.scoring.bundle import Bundle
    from hvac.scoring.newest_windows import Frame, Newest


class Explanation(NamedTuple):
    """Why a window has its risks: reasons of every horizon, and past cases that looked alike.

    `details_H`: what is behind the reasons about points, by horizon; empty where not asked for.
    """

    reasons_H: tuple[tuple[Reason, ...], ...]
    cases: tuple[PastCase, ...]
    details_H: tuple[dict[str, PointDetail], ...] = ()


def explain_newest(
    bundle: Bundle,
    newest_windows: Newest,
    rows_B: Bools | None = None,
    *,
    detailed: bool = False,
) -> list[Explanation | None]:
    """Explain newest windows; None for those that cannot be scored, or are not asked for.

    Args:
        bundle: of the windows' class.
        newest_windows: as cut for scoring.
        rows_B: which windows to explain; default: all that can be scored.
        detailed: whether to tell what is behind each reason about a point (slower).

    Raises:
        BundleError: the bundle was made before reasons, or its family has none.
    """
    asked_B = newest_windows.ok_B if rows_B is None else newest_windows.ok_B & rows_B
    explanations: list[Explanation | None] = [None] * len(asked_B)
    rows = np.flatnonzero(asked_B)
    if len(rows):
        windows = newest_windows.windows.take(rows)
        frames = [newest_windows.frames[b] for b in rows.tolist()]
        scenes = [newest_windows.scenes[b] for b in rows] if detailed else None
        for b, explanation in zip(
            rows, explain(bundle, windows, frames, scenes), strict=True
        ):
            explanations[b] = explanation
    return explanations


def explain(
    bundle: Bundle,
    windows: Windows,
    frames: Sequence[Frame],
    scenes: Sequence[Scene] | None = None,
) -> list[Explanation]:
    """Explain windows that can be scored; `frames` turn their values into physical units.

    Where their units are given (`scenes`), reasons have details.
    """
    based = bundle.recipe.windows.normalise == "baseline"
    scales = [PointScale(*frame, based=based) for frame in frames]
    ready = bundle.prepared(windows)
    contributions = bundle.contributions(ready)
    reasons = reasons_of(contributions, ready, scales, bundle.recipe.context.names)
    explanations = []
    seen = (
        prepared(ready, bundle.cases.blocks, lambda: bundle.encoder)
        if bundle.cases
        else ready
    )
    for b, reasons_H in enumerate(reasons):
        cases = bundle.cases.nearest(seen, b) if bundle.cases else []
        of_horizons = tuple(
            tuple(reasons_of_horizon) for reasons_of_horizon in reasons_H
        )
        details: list[dict[str, PointDetail]] = []
        if scenes:
            row = np.array([b])
            of_window = contributions.take(row)
            details = details_of(
                bundle, ready.take(row), of_window, reasons_H, scenes[b]
            )
        explanations.append(Explanation(of_horizons, tuple(cases), tuple(details)))
    return explanations
