"""The work of a Ray Train worker: fit its share of every network of every class, checkpoint,
resume.
"""

from __future__ import annotations

from typing import Any

import torch

from hvac.features.encoder import EncoderConfig, load_encoder
from hvac.models.families import FAMILIES, folds_of, network_fits, read_family
from hvac.models.family import augmented, loaded_once
from hvac.models.fitting import FitState
from hvac.models.network import TrainingConfig
from hvac.models.network_inputs import network_parts
from hvac.storage import place
from ray_jobs.fit.torch_run import fit_as_worker, resumed
from ray_jobs.tables.windows_table import fit_windows, load_recipes


def fit_worker(settings: dict[str, Any]) -> None:
    """Fit as one worker of the data-parallel fit (with one worker, all of it).

    A class has a network per fold, which scores the units that it did not see, and one of all
    units. Every worker reads all windows, so that scaling and class weights are those of the whole;
    it then keeps its share of the rows.
    """
    torch.set_num_threads(1)
    config = read_family(settings["model"])
    encoder = loaded_once(lambda: load_encoder(EncoderConfig(**settings["encoder"])))
    states = resumed(settings["local"])
    folder = place(settings["folder"])
    fits = network_fits(config, folds=settings["folds"])
    recipes = load_recipes(folder)
    names = [f"{class_name}/{fit.name}" for class_name in recipes for fit in fits]
    for class_name, recipe in recipes.items():
        todo = [
            fit
            for fit in fits
            if not _ended(states.get(f"{class_name}/{fit.name}"), fit.config)
        ]
        windows = fit_windows(folder, recipe, config, encoder) if todo else None
        for fit in todo:
            assert windows is not None
            train, tune = network_parts(
                windows, folds_of(windows, config, settings["folds"]), fit.fold
            )
            train = augmented(train, fit.config, encoder)
            model = FAMILIES[fit.config.family].model.start(train, fit.config, encoder)
            name = f"{class_name}/{fit.name}"
            fit_as_worker(
                model, train, tune, name, states, settings, last=name == names[-1]
            )


def _ended(state: FitState | None, config: TrainingConfig) -> bool:
    return state is not None and state.ended(config)
