"""Three ideas for `fusion`, each against `fusion` as it is, on units that are not tested.

    python benchmarks/fusion_ideas.py runs/chillers runs/demo_small runs/azure_comp1 runs/cmapss_fd004

Takes workspaces that `ray_jobs.featurize` has finished; reads only train, tune and cal windows. Their units are dealt
into three folds, and a fusion that saw none of a fold's units scores them. Of a class at most 120 units take part.

- repeated: three fusions whose folds are dealt by other seeds, their log-odds averaged.
- ranks: the share of peers below on the same day (last, mean of 7 and 30 days) joins the peer columns.
- raw_inputs: the 28 statistics of the values as they are, robustly scaled, join the neural member's inputs.

`logistic_recent` is the fusion's block, alone. Gain: PR-AUC, mean of horizons, minus the fusion's, with a paired 95 %
interval over units. Writes results/fusion_ideas.json; scores are kept in build/fusion_ideas.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from support import ROOT, Row, machine, parser, record  # isort: skip

import numpy as np
import torch

from hvac.arrays import Floats
from hvac.evaluation.bootstrap import (
    Replicated,
    interval,
    paired_difference,
    unit_weights,
)
from hvac.evaluation.ranks import rank_metrics, sort_scores
from hvac.features.peer_groups import LEAST_PEERS, peer_groups
from hvac.features.peers import PeerSeries, peer_series
from hvac.features.recent import RECENT_NAMES, recent
from hvac.features.recipe import Recipe
from hvac.features.statistics import statistics
from hvac.features.table import Windows, concat, labels_only
from hvac.models.family import NEEDS, CrossFit, FamilyConfig, Fitting, Folds, no_encoder
from hvac.models.folds import unit_folds
from hvac.models.fusion import Fusion, FusionConfig
from hvac.models.members import MEMBERS, Family
from hvac.panel.cutting import cut
from hvac.panel.grid import Panel, Unit
from hvac.panel.registry import Registry
from hvac.panel.windows import Scale, fit_scale
from ray_jobs.run.workspace import Workspace
from ray_jobs.tables.buckets import bucket_panels
from ray_jobs.tables.windows_table import fit_windows, load_recipes

RULE = (
    "written before any result was looked at: adopt what gains with an interval above 0 on at least two kinds of data"
    " and has no interval below 0 on any, at a fit time of the demo of at most 1.3 times today's"
)
COMPARED = ("repeated", "ranks", "raw_inputs", "logistic_recent")
ARMS = (
    "fusion",
    "fusion_1",
    "fusion_2",
    *COMPARED,
)  # fusions of the three deals, then the rest
OUTER, REPETITIONS, MOST_UNITS, DRAWS = 3, 3, 120, 2000
RANKS = [RECENT_NAMES.index(name) for name in ("last", "mean_7d", "mean_30d")]
KEPT: dict[Any, CrossFit] = {}


class KeptFits(Family):
    """A family that fits a block once, and again only where its settings, inputs or folds differ."""

    def cross_fit(
        self, windows: Windows, config: FamilyConfig, fitting: Fitting, folds: Folds
    ) -> CrossFit:
        arrays = tuple(id(getattr(windows, NEEDS[need])) for need in config.needs)
        key = (config.model_dump_json(), arrays, folds.fold_B.tobytes())
        if key not in KEPT:
            KEPT[key] = super().cross_fit(windows, config, fitting, folds)
        return KEPT[key]


def main() -> None:
    """Score every workspace by every arm, and write the file."""
    command = parser(__doc__)
    command.add_argument("workspaces", nargs="+", type=Path)
    asked = command.parse_args()
    torch.set_num_threads(1)
    MEMBERS.update({name: KeptFits(*family) for name, family in MEMBERS.items()})
    found: dict[str, Any] = {}
    rows = []
    for folder in asked.workspaces:
        found[folder.name] = gains(*scored(Workspace(folder)))
        for arm in COMPARED:
            gain = "{gain:+.3f} [{low:+.3f}, {high:+.3f}]".format(
                **found[folder.name][arm]
            )
            peer = "fusion {:.3f}".format(found[folder.name]["fusion"]["pr_auc"])
            rows.append(
                Row(f"{folder.name}: {arm} in place of fusion", "", gain, peer, None)
            )
    content = {"rule": RULE, "found": found}
    record(
        "fusion_ideas",
        machine(("numpy", "scikit-learn"), 1),
        rows,
        content,
        asked.quick,
    )


def scored(workspace: Workspace) -> tuple[Windows, dict[str, Floats]]:
    """Return the windows of all classes, and their held-out log-odds by every arm."""
    labelled, scores = [], []
    for name, recipe in load_recipes(workspace.windows).items():
        windows = fit_windows(workspace.windows, recipe, FusionConfig(), no_encoder)
        order = sorted(
            set(windows.units), key=lambda unit: hashlib.sha256(unit.encode()).digest()
        )
        windows = windows.take(np.isin(windows.units, order[:MOST_UNITS]))
        file = ROOT / "build" / "fusion_ideas" / workspace.root.name / f"{name}.npz"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            np.savez(
                file, **score_class(windows, *new_columns(workspace, recipe, windows))
            )
        labelled.append(labels_only(windows))
        scores.append(np.load(file))
    return concat(labelled), {
        arm: np.concatenate([score[arm] for score in scores]) for arm in ARMS
    }


def score_class(
    windows: Windows, rank_BCS: Floats, raw_BCF: Floats
) -> dict[str, Floats]:
    """Score every outer fold by fusions of the others."""
    score = {arm: np.empty(windows.labels[0].shape) for arm in ARMS}
    both_BCS = np.concatenate([windows.d_BCS, rank_BCS], axis=2).astype(np.float32)
    more = windows, replace(windows, d_BCS=both_BCS), replace(windows, u_BCE=raw_BCF)
    usual = FusionConfig()
    neural = usual.blocks["neural"].replace(
        inputs=("embedding", "features", "untrained")
    )
    with_raw = usual.replace(blocks={**usual.blocks, "neural": neural})
    for rest_B, own_B in unit_folds(windows, folds=OUTER, seed=100).parts:
        KEPT.clear()
        (rest, ranked, raw), (own, own_ranked, own_raw) = (
            shared([part.take(rows_B) for part in more]) for rows_B in (rest_B, own_B)
        )
        fusions = [fitted(rest, usual, seed) for seed in range(REPETITIONS)]
        each = [fusion.score(own) for fusion in fusions]
        for arm, score_BH in zip(ARMS, each, strict=False):
            score[arm][own_B] = score_BH
        score["repeated"][own_B] = np.mean(each, axis=0)
        score["ranks"][own_B] = fitted(ranked, usual, 0).score(own_ranked)
        score["raw_inputs"][own_B] = fitted(raw, with_raw, 0).score(own_raw)
        score["logistic_recent"][own_B] = fusions[0].blocks["line_recent"].score(own)
    return score


def shared(parts: list[Windows]) -> list[Windows]:
    """Give all parts the arrays of the first, but those that are their own, so that fits are kept."""
    first, ranked, raw = parts
    return [first, replace(first, d_BCS=ranked.d_BCS), replace(first, u_BCE=raw.u_BCE)]


def fitted(windows: Windows, config: FusionConfig, seed: int) -> Fusion:
    """Fit a fusion whose inner folds are dealt by a seed."""
    folds = unit_folds(windows, folds=config.folds, seed=seed)
    model: Fusion = Fusion.cross_fit(windows, config, Fitting(no_encoder), folds).model
    return model


def new_columns(
    workspace: Workspace, recipe: Recipe, windows: Windows
) -> tuple[Floats, Floats]:
    """Return ranks among peers [B, C, 3], and scaled statistics of the values as they are [B, C, 28]."""
    registry = Registry.load(workspace.panel)
    points, aggregate = {recipe.class_name: recipe.points}, recipe.windows.aggregate
    panels: dict[Unit, tuple[Panel, Scale]] = {}
    for bucket in workspace.buckets:
        for panel in bucket_panels(str(workspace.panel), bucket, points, aggregate)[0]:
            panels[panel.unit] = panel, fit_scale(panel, recipe.windows.normalise)
    groups = peer_groups(registry)
    rank_BCS = np.full((len(windows), recipe.width, len(RANKS)), np.nan)
    raw_BCF = np.zeros((len(windows), recipe.width, 28))
    for unit in np.unique(windows.units):
        rows_B = windows.units == unit
        end_B = windows.end_day_B[rows_B]
        panel, scale = panels[Unit(*unit.split("\x1f"))]
        level = scale._replace(
            centre_TC=np.zeros_like(panel.value_TC),
            spread_TC=np.ones_like(panel.value_TC),
        )
        raw_BCF[rows_B] = statistics(cut(panel, end_B, recipe.windows, level).x_BCL)
        group = groups.get((registry.kinds[panel.unit], panel.unit.facility_id))
        peers = [panels[one] for one in group.units if one in panels] if group else []
        if len(peers) >= LEAST_PEERS:
            others = [
                peer_series(*pair) for pair in peers if pair[0].unit != panel.unit
            ]
            share_TC, ready_C = ranks(panel, scale, others)
            found = recent(
                share_TC,
                panel.known_TC,
                end_B,
                first_day=panel.first_day,
                from_day_C=ready_C,
            )
            rank_BCS[rows_B] = found[:, :, RANKS]
    low, middle, high = np.quantile(raw_BCF, (0.25, 0.5, 0.75), axis=0)
    scaled_BCF = np.clip((raw_BCF - middle) / np.maximum(high - low, 1e-9), -10, 10)
    return rank_BCS, scaled_BCF.astype(np.float32)


def ranks(panel: Panel, scale: Scale, others: list[PeerSeries]) -> tuple[Floats, Any]:
    """Return the share of peers below each value of the day, ties half; nan below 4 peers.

    A peer counts from the day on which its own scale is known; the first 4 count before, as no
    window looks at the ranks until they are ready.
    """
    value_TC = (panel.value_TC - scale.centre_TC) / scale.spread_TC
    day_T = panel.first_day + np.arange(len(value_TC))
    first_C = np.sort([peer.ready_C for peer in others], axis=0)[LEAST_PEERS - 2]
    below_TC, count_TC = np.zeros(value_TC.shape), np.zeros(value_TC.shape)
    for peer in others:
        row_T = day_T - peer.first_day
        inside_T = (row_T >= 0) & (row_T < len(peer.value_TC))
        peer_TC = np.full(value_TC.shape, np.nan)
        peer_TC[inside_T] = peer.value_TC[row_T[inside_T]]
        peer_TC[peer.ready_C > np.maximum(day_T[:, None], first_C)] = np.nan
        below_TC += (peer_TC < value_TC) + 0.5 * (peer_TC == value_TC)
        count_TC += np.isfinite(peer_TC)
    enough_TC = (count_TC >= LEAST_PEERS - 1) & np.isfinite(value_TC)
    share_TC = np.where(enough_TC, below_TC / np.maximum(count_TC, 1), np.nan)
    return share_TC, np.maximum(first_C, scale.ready_C).astype(np.int32)


def gains(windows: Windows, scores: dict[str, Floats]) -> dict[str, Any]:
    """Return PR-AUC of the fusion and the paired gain of every other arm, over units."""
    drawn = unit_weights(windows.units, replicates=DRAWS)
    mean = {arm: pr_auc(windows, scores[arm], *drawn) for arm in ARMS}
    value, low, high, *_ = interval(mean["fusion"])
    positive_B = (windows.labels[0] & windows.labels[1]).any(axis=1)
    found: dict[str, Any] = {
        "units": len(set(windows.units)), "failing_units": len(set(windows.units[positive_B])),
        "fusion": {"pr_auc": value, "low": low, "high": high},
    }  # fmt: skip
    for arm in COMPARED:
        gain = paired_difference(mean[arm], mean["fusion"])
        found[arm] = {"gain": gain.value, "low": gain.low, "high": gain.high}
    return found


def pr_auc(windows: Windows, score_BH: Floats, unit_B: Any, w_RU: Floats) -> Replicated:
    """Return PR-AUC, mean of horizons, on the sample and on every draw of units."""
    all_RU = np.concatenate([np.ones((1, w_RU.shape[1])), w_RU])
    means = []
    for h, score_B in enumerate(score_BH.T):
        rows = sort_scores(
            score_B,
            windows.labels[0][:, h],
            unit_B=unit_B,
            weight_B=windows.weights[:, h],
        )
        means.append(rank_metrics(rows, all_RU).pr_auc_R)
    mean_R = np.mean(means, axis=0)
    return Replicated(float(mean_R[0]), mean_R[1:])


if __name__ == "__main__":
    main()
