"""Parts of a serving fusion, fitted again on labels that have matured: weights, trees and lines.

Networks stay as they are, and so do the slopes that calibrate each block. New trees and lines are
fitted on what the model learned from and on later windows together; rows they were fitted on get
scores of folds that left their unit out. Legend: N rows of `Matured`, B windows of one class, K
blocks, H horizons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NamedTuple, Self

import numpy as np

from hvac.arrays import AnyFloats, Bools, Floats, Ints
from hvac.decision.thresholds import alarms
from hvac.features.table import Windows, concat
from hvac.models.families import other_blocks
from hvac.models.family import Fitting, Model
from hvac.models.folds import unit_folds
from hvac.models.fusion import Fusion, fit_blocks
from hvac.models.mixing import Labels, Mix, calibrated, fit_mix
from hvac.scoring.bundle import Bundle
from hvac.update.matured import Matured, machines, sure_log_odds

ALWAYS: Final = np.inf  # an origin after all labels


class SeenLater(NamedTuple):
    """Windows that the serving model was not fitted on, and the rows of `Matured` that are theirs.

    `window_N` and `horizon_N` are the places of each row's window and horizon.
    """

    windows: Windows
    rows: Matured
    window_N: Ints
    horizon_N: Ints

    @classmethod
    def of(
        cls, windows: Windows, rows: Matured, horizons: tuple[int, ...]
    ) -> tuple[Self, Ints]:
        """Find the windows of rows; return also the places of the rows that have one."""
        at = {key: place for place, key in enumerate(_window_keys(windows))}
        keys = zip(rows.unit_N.tolist(), rows.end_day_N.tolist(), strict=True)
        place_N = np.array([at.get(key, -1) for key in keys], np.int64)
        kept_N = np.flatnonzero(place_N >= 0)
        kept = rows.where(kept_N)
        horizon_N = np.searchsorted(np.array(horizons), kept.horizon_N)
        return cls(windows, kept, place_N[kept_N], horizon_N), kept_N

    def labels(self, known_N: Bools, weight_N: Floats) -> Labels:
        """Return the labels of the windows, known only where a row's is."""
        shape = self.windows.labels[0].shape
        y_BH, w_BH = np.zeros(shape, bool), np.zeros(shape)
        at = self.window_N[known_N], self.horizon_N[known_N]
        y_BH[at], w_BH[at] = self.rows.onset_N[known_N], weight_N[known_N]
        return Labels(y_BH, w_BH)


def _window_keys(windows: Windows) -> list[tuple[str, int]]:
    """Return the unit of every window, named as `Matured` does, and its last day."""
    points = [point or "" for point in windows.keys["point_id"].to_pylist()]
    units = map("\x1f".join, zip(windows.units.tolist(), points, strict=True))
    return list(zip(units, windows.end_day_B.tolist(), strict=True))


class Refit(NamedTuple):
    """A fusion of which parts were fitted again, and its log-odds and alarms of rows N."""

    model: Fusion
    log_odds_N: Floats
    alarm_N: Bools


def refit(
    bundle: Bundle, later: SeenLater, origin: float, *, learned: Windows | None = None
) -> Refit:
    """Fit the weights of a bundle's fusion again on the labels known by a day.

    Args:
        bundle: what serves, of a fusion.
        later: what became of windows that it was not fitted on.
        origin: a day since 1970-01-01; labels known later are not used.
        learned: labelled windows that it was fitted on; where given, the blocks that are no
            networks are fitted again too, on these and the later ones.
    """
    fusion = _fusion(bundle)
    known_N = later.rows.known_from_N <= origin
    blocks: dict[str, Model] = dict(fusion.blocks)
    score = {name: block.score(later.windows) for name, block in blocks.items()}
    if learned is not None:
        blocks, score = _blocks_anew(
            bundle, later, known_N, _known_by(learned, bundle.horizons, origin), score
        )
    odds_KBH = calibrated(np.stack([*score.values()]), fusion.platt_KHX)
    labels = later.labels(known_N, later.rows.weight_N)
    penalty = fusion.config.shrinkage / max(failed_machines(later.rows, known_N), 1)
    mix = _weighed_again(fusion, odds_KBH, labels, penalty)
    model = Fusion(fusion.config, blocks, fusion.platt_KHX, mix)
    facility_B = later.windows.column("facility_id")
    risk_BH = bundle.decision.risk(mix(odds_KBH), facility_B)
    alarm_BH = alarms(risk_BH, bundle.decision.threshold_BH(facility_B))
    at = later.window_N, later.horizon_N
    return Refit(model, sure_log_odds(risk_BH[at]), alarm_BH[at])


def failed_machines(rows: Matured, known_N: Bools) -> int:
    """Count machines with an onset that is known, once however many of their points are scored."""
    return len(np.unique(machines(rows.unit_N[known_N & rows.onset_N])))


def _fusion(bundle: Bundle) -> Fusion:
    assert isinstance(bundle.model, Fusion), "the caller looked"
    return bundle.model


def _weighed_again(
    fusion: Fusion, odds_KBH: Floats, labels: Labels, penalty: float
) -> Mix:
    """Return the mix with new weights, drawn to those it has; its slopes and intercepts stay.

    A fusion that gives every block the same weight goes on with that.
    """
    if fusion.config.method == "mean":
        return fusion.mix
    telling_K = fusion.platt_KHX[:, :, 0].max(axis=1) > 0
    allowed_K = telling_K | (fusion.mix.weight_K > 0)
    fitted = fit_mix(
        odds_KBH,
        labels,
        allowed_K=allowed_K,
        penalty=penalty,
        towards_K=fusion.mix.weight_K,
    )
    return fusion.mix._replace(weight_K=fitted.weight_K)


def _blocks_anew(
    bundle: Bundle,
    later: SeenLater,
    known_N: Bools,
    learned: Windows,
    score: Mapping[str, AnyFloats],
) -> tuple[dict[str, Model], dict[str, AnyFloats]]:
    """Fit trees and lines on learned and later windows; return all blocks, and fair scores."""
    fusion = _fusion(bundle)
    y_BH, w_BH = later.labels(known_N, np.ones(len(known_N)))
    known_BH = w_BH > 0
    used_B = np.asarray(known_BH.any(axis=1))
    labelled = replace(
        later.windows, y_BH=y_BH, known_BH=known_BH, w_BH=w_BH.astype(np.float32)
    )
    windows = concat([learned, labelled.take(used_B)])
    if not len(windows):
        return dict(fusion.blocks), dict(score)
    config = fusion.config
    folds = unit_folds(windows, folds=config.folds, seed=config.seed)
    fits = fit_blocks(
        windows, other_blocks(config), Fitting(lambda: bundle.encoder), folds
    )
    blocks, scores = dict(fusion.blocks), dict(score)
    for name, fit in fits.items():
        blocks[name] = fit.model
        scores[name] = fit.model.score(later.windows)
        scores[name][used_B] = fit.score_BH[len(learned) :]
    return blocks, scores


def _known_by(windows: Windows, horizons: tuple[int, ...], origin: float) -> Windows:
    """Return the windows with a label known by a day, and only the labels known by then."""
    _, known_BH = windows.labels
    reach_BH = windows.end_day_B[:, None] + np.array(horizons)
    known_BH = known_BH & (reach_BH <= origin)
    w_BH = np.where(known_BH, windows.weights, np.float32(0))
    return replace(windows, known_BH=known_BH, w_BH=w_BH).take(
        np.asarray(known_BH.any(axis=1))
    )
