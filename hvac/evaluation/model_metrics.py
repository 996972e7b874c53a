"""All figures of one model on the test part, per horizon, with intervals.

Every model has the same bootstrap weights. Shapes: B windows, H horizons.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from hvac.arrays import AnyArray, Bools
from hvac.evaluation.alarms import match
from hvac.evaluation.bootstrap import Replicated
from hvac.evaluation.held_out_windows import HeldOut, horizon_rows
from hvac.evaluation.horizon_figures import (
    Figure,
    exact_figures,
    figure_curves,
    replicated_figures,
    sample_sizes,
    with_interval,
)

HEADLINE_EVENTS = 30


StoredCurve = dict[str, list[float | None]]
"""Points of a curve by coordinate."""


StoredFigure = dict[str, float | str | None]
"""The parts of a `Figure`: null where it is undefined."""


class StoredHorizon(TypedDict):
    """One model's figures and curves at one horizon, by name."""

    headline: bool
    metrics: dict[str, StoredFigure]
    curves: dict[str, StoredCurve]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Figures by horizon and metric, curves by horizon, and the replicates that comparisons need.

    `metrics[h][name]` is `{"value", "low", "high"}`, plus `"note"` where an interval is undefined,
    plus `"k", "n"` where it is exact. `headline[h]` is False under 30 detectable events: show
    counts, claim nothing.
    """

    metrics: dict[int, dict[str, Figure]]
    headline: dict[int, bool]
    curves: dict[int, dict[str, dict[str, list[float]]]]
    replicates: dict[int, dict[str, Replicated]]

    def to_json(self) -> dict[str, StoredHorizon]:
        """Return plain values for `metrics.json`, by horizon as text; nan becomes null."""
        by_horizon: dict[str, StoredHorizon] = {}
        for horizon, figures in self.metrics.items():
            curves = self.curves[horizon]
            by_horizon[str(horizon)] = {
                "headline": self.headline[horizon],
                "metrics": {name: _stored_figure(figures[name]) for name in figures},
                "curves": {name: _stored_curve(curves[name]) for name in curves},
            }
        return by_horizon


def evaluate_model(
    risk_BH: AnyArray, *, test: HeldOut, alarm_BH: Bools, reference_H: AnyArray
) -> Evaluation:
    """Return every figure of design §12 for one model.

    Masked (censored) windows are left out per horizon. A label counts as often as its weight says,
    while events and alarms count once each. Undefined figures are nan (one kind of label only, no
    alarms, no events), never an error.

    Args:
        risk_BH: the model's risks.
        test: the windows.
        alarm_BH: as `hvac.decision.thresholds.alarms` gives them.
        reference_H: the training base rate (for Brier skill), also per window ([B, H]: several
            bundles together).

    >>> from hvac.evaluation.alarms import Onsets
    >>> from hvac.evaluation.held_out_windows import held_out
    >>> days = np.arange(0, 140, 7)
    >>> y_BH = ((days < 50) & (days >= 20)).astype(float)[:, None]
    >>> test = held_out(y_BH, known_BH=y_BH >= 0, units_B=np.zeros(20, int), end_day_B=days,
    ...                 events=Onsets(np.array([0]), np.array([50])), horizons=(30,))
    >>> evaluation = evaluate_model(
    ...     y_BH, test=test, alarm_BH=y_BH > 0, reference_H=np.array([0.2]))
    >>> figures = evaluation.metrics[30]
    >>> figures["pr_auc"]["value"], figures["lead_median"]["value"], evaluation.headline[30]
    (1.0, 29.0, False)
    """
    assert alarm_BH.shape == risk_BH.shape, "an alarm or none for every risk"
    reference_BH = np.broadcast_to(reference_H, risk_BH.shape)
    evaluation = Evaluation(metrics={}, headline={}, curves={}, replicates={})
    for i, horizon in enumerate(test.horizons):
        rows = horizon_rows(risk_BH, test, i, alarm_BH[:, i], reference_BH[:, i])
        matched = match(
            rows.alarm_B, grid=rows.grid, events=rows.events, horizon=horizon
        )
        replicates = replicated_figures(rows, matched)
        figures = {name: with_interval(values) for name, values in replicates.items()}
        figures |= sample_sizes(rows, matched)
        headline = len(matched.unit_E) >= HEADLINE_EVENTS
        if not headline:
            figures |= exact_figures(matched)
        evaluation.metrics[horizon] = figures
        evaluation.headline[horizon] = headline
        evaluation.curves[horizon] = figure_curves(rows)
        evaluation.replicates[horizon] = replicates
    return evaluation


def _stored_figure(figure: Figure) -> StoredFigure:
    stored: StoredFigure = {
        "value": _finite(figure["value"]),
        "low": _finite(figure["low"]),
        "high": _finite(figure["high"]),
    }
    if "note" in figure:
        stored["note"] = figure["note"]
    if "k" in figure:
        stored["k"] = figure["k"]
        stored["n"] = figure["n"]
    return stored


def _stored_curve(curve: dict[str, list[float]]) -> StoredCurve:
    return {
        name: [_finite(value) for value in values] for name, values in curve.items()
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
