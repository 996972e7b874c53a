"""Details of reasons: which aspect of a point counts, and which of its days.

Legend: A aspects, H horizons.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from hvac.days import EPOCH
from hvac.explain.aspects import ASPECTS
from hvac.explain.reason import POINT, Reason
from hvac.scoring.occlusion import SPAN_DAYS, occlusion

if TYPE_CHECKING:
    from hvac.explain.explainer import Contributions
    from hvac.features.scene import Scene
    from hvac.features.table import Windows
    from hvac.scoring.bundle import Bundle

LEAST_SHARE: Final = 0.15  # of the point's part: smaller aspects are not worth a word


class DaySpan(NamedTuple):
    """Days of a point, first to last, and what they add to the log-odds."""

    first: dt.date
    last: dt.date
    log_odds: float


class PointDetail(NamedTuple):
    """What is behind one reason about a point: (aspect, log-odds), and its days.

    Aspects are complete: their log-odds sum to the reason's. Days are not: weeks depend on each
    other. There are days for the strongest reason only.
    """

    aspects: tuple[tuple[str, float], ...]
    days: tuple[DaySpan, ...] = ()


def main_aspects(detail: PointDetail, log_odds: float) -> list[str]:
    """Return the aspects that make up a reason, the largest first, at most two.

    >>> main_aspects(PointDetail((("level", 0.5), ("peers", 0.3), ("trend", -0.1))), 0.7)
    ['level', 'peers']
    """
    share = {aspect: added / log_odds for aspect, added in detail.aspects}
    order = sorted(share, key=lambda aspect: -share[aspect])
    return [aspect for aspect in order if share[aspect] >= LEAST_SHARE][:2]


def details_of(
    bundle: Bundle,
    window: Windows,
    contributions: Contributions,
    reasons_H: Sequence[Sequence[Reason]],
    scene: Scene,
) -> list[dict[str, PointDetail]]:
    """Return the details of a window's reasons about points, by horizon and point.

    Args:
        bundle: of the window's class.
        window: one, with all that the model looks at.
        contributions: of this window.
        reasons_H: its reasons by horizon.
        scene: the unit.
    """
    named = [
        [reason for reason in reasons if reason.about == POINT] for reasons in reasons_H
    ]
    points = dict.fromkeys(reason.player for reasons in named for reason in reasons)
    aspect_AH = {}
    for point in points:
        place = scene.panel.points.index(point)
        added_BH = contributions.added_BPH[:, place]
        player = contributions.players[place]
        aspect_AH[point] = bundle.explainer.aspects(window, player, added_BH)[0]
    strongest = [
        next((r.player for r in reasons if r.log_odds > 0), None) for reasons in named
    ]
    day_spans = {
        point: _spans(bundle, window, scene, point)
        for point in set(strongest)
        if point is not None
    }
    details = []
    for h, reasons in enumerate(named):
        of_point = {}
        for reason in reasons:
            added_A = aspect_AH[reason.player][:, h].tolist()
            days = day_spans[reason.player] if reason.player == strongest[h] else None
            of_point[reason.player] = PointDetail(
                tuple(zip(ASPECTS, added_A, strict=True)),
                tuple(days[h]) if days else (),
            )
        details.append(of_point)
    return details


def _spans(
    bundle: Bundle, window: Windows, scene: Scene, point: str
) -> list[list[DaySpan]]:
    """Return what each week of a point adds, by horizon."""
    end_day = int(window.end_day_B[0])

    def score(windows: Windows) -> np.ndarray:
        return np.asarray(bundle.model.score(bundle.prepared(windows)))

    first_S, added_SH = occlusion(scene, point, end_day, bundle.recipe, score)
    spans: list[list[DaySpan]] = []
    for added_S in added_SH.T:
        of_horizon = []
        for first, added in zip(first_S, added_S.tolist(), strict=True):
            start = EPOCH + dt.timedelta(days=first)
            of_horizon.append(
                DaySpan(start, start + dt.timedelta(days=SPAN_DAYS - 1), added)
            )
        spans.append(of_horizon)
    return spans
