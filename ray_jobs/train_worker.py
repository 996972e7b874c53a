"""What a Ray Train worker does: fit its share of every class's network, checkpoint, resume."""

from __future__ import annotations

from typing import Any

import torch
from ray import train as ray_train
from ray.train.torch import get_device

from hvac.features.encoder import EncoderConfig, load_encoder
from hvac.models.families import FAMILIES, read_config
from hvac.models.family import loaded_once
from hvac.models.fitting import Workers, count, fit_network
from hvac.storage import place
from ray_jobs.torch_run import reporter, resumed, shard, wrap
from ray_jobs.windows_table import load_recipes, prepared_windows, training_windows


def fit_worker(settings: dict[str, Any]) -> None:
    """One worker of the data-parallel fit (also the whole of it, with one worker).

    Every worker reads all training windows, so that scaling and class weights are those of the whole; it then keeps its
    share of the rows.
    """
    torch.set_num_threads(1)
    context = ray_train.get_context()
    config = read_config(settings["model"])
    encoder = loaded_once(lambda: load_encoder(EncoderConfig(**settings["encoder"])))
    workers = Workers(context.get_world_size(), wrap, str(get_device()))
    states = resumed(settings["local"])
    folder = place(settings["folder"])
    recipes = load_recipes(folder)
    for name in recipes:
        state = states.get(name)
        if state is not None and state.ended(config):
            continue
        train = training_windows(folder, recipes[name], config, encoder)
        tune = prepared_windows(folder, recipes[name], "tune", config.needs, encoder)
        model = FAMILIES[config.family].model.start(train, config, encoder)
        own = shard(train, context.get_world_rank(), context.get_world_size())
        checkpoint = reporter(name, states, config, every=settings["every"], last=name == list(recipes)[-1],
                           local=settings["local"])  # fmt: skip
        states[name] = fit_network(
            model.network, model.rows(own), model.rows(tune), config, counts=count(train), workers=workers,
            state=state, report=checkpoint,
        )  # fmt: skip
