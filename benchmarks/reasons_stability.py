"""Whether reasons stay the same where only the random seed changes, and fall apart without a signal.

    python benchmarks/reasons_stability.py [runs/demo] [--class-name pump]

Fits the default fusion of one class with five seeds on the labels as they are, and with five on
labels that each seed deals anew among the units, and explains the same test windows (those of highest
mean risk). Two models agree as far as their three strongest reasons for the risk are the same
(overlap: shared ones, of three). Writes results/reasons_stability.json.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

from support import Row, machine, parser, record  # isort: skip

import numpy as np
import torch

from hvac.explain.background import choose_background
from hvac.explain.explainer import Explainer
from hvac.explain.players import Players
from hvac.features.encoder import EncoderConfig, load_encoder
from hvac.features.table import Windows
from hvac.models.families import config_of, cross_fit
from hvac.models.family import Fitting, columns_for, loaded_once, prepared
from hvac.storage import place
from ray_jobs.tables.windows_table import fit_windows, load_recipes, read_windows

SEEDS = (0, 1, 2, 3, 4)
SHOWN, WINDOWS = 3, 60


def main() -> None:
    """Fit, explain, compare, and write the file."""
    command = parser(__doc__)
    command.add_argument("workspace", type=Path, nargs="?", default=Path("runs/demo"))
    command.add_argument("--class-name", default="pump")
    asked = command.parse_args()
    torch.set_num_threads(1)
    folder = place(asked.workspace / "windows")
    recipe = load_recipes(folder)[asked.class_name]
    encoder = loaded_once(lambda: load_encoder(EncoderConfig()))
    config = config_of("fusion")
    learned = fit_windows(folder, recipe, config, encoder)
    tested = _tested(folder, recipe, config, encoder)
    players = Players(recipe.points, recipe.context.names)
    results: dict[str, Any] = {}
    for name in ("labels", "shuffled"):
        added, score = [], []
        for seed in SEEDS[:2] if asked.quick else SEEDS:
            windows = learned if name == "labels" else _shuffled(learned, seed)
            fit = cross_fit(
                windows, config.replace(seed=seed), Fitting(encoder), folds=3
            )
            background = choose_background(windows.split("train"), config.needs)
            explainer = Explainer(fit.model, players, background)
            score.append(fit.model.score(tested)[:, 0])
            rows = np.argsort(-score[0], kind="stable")[:WINDOWS]
            added.append(explainer.contributions(tested.take(rows)).added_BPH[:, :, 0])
        results[name] = _overlap(added)
    met = results["labels"] >= 0.7
    chance = f"shuffled labels: {results['shuffled']:.2f}"
    shown = [
        Row(
            "three first reasons shared by five seeds",
            "≥ 0.7",
            f"{results['labels']:.2f}",
            chance,
            met,
        )
    ]
    record(
        "reasons_stability", machine(("numpy",), cores=1), shown, results, asked.quick
    )


def _tested(folder: Any, recipe: Any, config: Any, encoder: Any) -> Windows:
    windows = read_windows(folder, recipe, ("test",), columns_for(config.needs))
    return prepared(windows, config.needs, encoder)


def _shuffled(windows: Windows, seed: int) -> Windows:
    """Return the windows with the labels of each unit given to another one, day by day as it comes."""
    rng = np.random.default_rng(seed)
    units, unit_B = np.unique(windows.units, return_inverse=True)
    order = rng.permutation(len(units))
    source_B = np.empty(len(windows), dtype=np.int64)
    for u in range(len(units)):
        own, other = np.flatnonzero(unit_B == u), np.flatnonzero(unit_B == order[u])
        source_B[own] = np.resize(other, len(own))
    labels = {name: getattr(windows, name)[source_B] for name in ("y_BH", "known_BH")}
    return replace(windows, w_BH=None, **labels)


def _overlap(added: list[Any]) -> float:
    """Return the mean share of the three strongest reasons that two models have in common."""
    shares = []
    for one, other in itertools.combinations(added, 2):
        for first_P, second_P in zip(one, other, strict=True):
            strongest = set(np.argsort(-first_P)[:SHOWN]) & set(
                np.argsort(-second_P)[:SHOWN]
            )
            shares.append(len(strongest) / SHOWN)
    return float(np.mean(shares))


if __name__ == "__main__":
    main()
