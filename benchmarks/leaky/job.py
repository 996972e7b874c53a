"""NOT FOR USE: what leaky protocols would have claimed on this run's windows, beside the honest figure.

    python -m benchmarks.leaky.job --config FILE [key.sub=value …]

Writes figures only, to `leaky_protocols/` in the workspace; it loads and saves no bundle, and no other job reads it.
"""

from __future__ import annotations

import logging
from typing import Any

import ray
import torch

from benchmarks.leaky.protocols import PROTOCOLS, Judged, claims, enact
from hvac.features.encoder import EncoderConfig, load_encoder
from hvac.features.recipe import Recipe
from hvac.models.families import config_of
from hvac.models.family import loaded_once
from hvac.storage import AnyPath, content_key, write_json, write_text
from ray_jobs.run.command import main
from ray_jobs.run.records import FeaturizeRecord, StepRecord
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import Workspace, run_step, workspace_of
from ray_jobs.tables.trainable import check_trainable
from ray_jobs.tables.windows_table import load_recipes, prepared_windows

log = logging.getLogger(__name__)
BESIDE = "gbdt_92"
WARNING = "NOT USABLE: every protocol but 'honest' leaks; these figures show by how much it flatters, and nothing else."


class LeakyRecord(StepRecord):
    """The folder of the figures, and that they are not usable."""

    step = "leaky_protocols"
    folder: str
    usable: bool = False


def run(config: RunConfig) -> LeakyRecord:
    """Enact every protocol with the run's model and with gbdt_92, unless it was done with the same configuration."""
    workspace = workspace_of(config)
    table = workspace.record(FeaturizeRecord).key
    key = content_key(table, config.model.model_dump(mode="json"), config.seed)
    return run_step(workspace, LeakyRecord, key, lambda: _enact(config, workspace))


def _enact(config: RunConfig, workspace: Workspace) -> LeakyRecord:
    models = {
        BESIDE: config_of(BESIDE, seed=config.seed),
        config.model.family: config.model,
    }
    check_trainable(config, workspace, models.values())
    recipes = load_recipes(workspace.windows)
    task = ray.remote(num_cpus=1, max_retries=2)(_protocols_of_class)
    found: dict[str, Any] = {}
    for name, model in models.items():
        refs = [
            task.remote(workspace.windows, recipe, model, config.encoder)
            for recipe in recipes.values()
        ]
        classes: list[dict[str, Judged]] = ray.get(refs)
        found[name] = {
            p: claims([each[p] for each in classes], config.windows.horizons)
            for p in PROTOCOLS
        }
        log.info(
            "leaky_protocols: %s re-enacted under %d protocols", name, len(PROTOCOLS)
        )
    folder = workspace.root / "leaky_protocols"
    about = {p: (deal.__doc__ or "").strip() for p, deal in PROTOCOLS.items()}
    write_json(
        folder / "leaky_protocols.json",
        {"warning": WARNING, "usable": False, "protocols": about, **found},
    )
    write_text(folder / "leaky_protocols.md", _page(config, about, found))
    return LeakyRecord(folder=str(folder))


def _protocols_of_class(
    folder: AnyPath, recipe: Recipe, model: Any, encoder_config: EncoderConfig
) -> dict[str, Judged]:
    torch.set_num_threads(1)
    encoder = loaded_once(lambda: load_encoder(encoder_config))
    splits = ("train", "tune", "cal", "test")
    parts = {
        split: prepared_windows(folder, recipe, split, model.reads, encoder)
        for split in splits
    }
    return {protocol: enact(protocol, parts, model, encoder) for protocol in PROTOCOLS}


def _page(config: RunConfig, about: dict[str, str], found: dict[str, Any]) -> str:
    horizons = [str(h) for h in config.windows.horizons]
    lines = [f"# Leaky protocols on {config.name}", "", f"**{WARNING}**", ""]
    lines += [f"- `{name}`: {text}" for name, text in about.items()]
    for model, protocols in found.items():
        head = " | ".join(
            f"{metric} {h} d"
            for metric in ("PR-AUC", "ROC-AUC", "F1")
            for h in horizons
        )
        lines += [
            "",
            f"## {model}",
            "",
            f"| protocol | {head} |",
            "|---|" + "---|" * (3 * len(horizons)),
        ]
        for name, row in protocols.items():
            cells = [
                f"{row[h][metric]:.3f}"
                for metric in ("pr_auc", "roc_auc", "f1")
                for h in horizons
            ]
            lines.append(
                f"| {name if name == 'honest' else f'{name} (not usable)'} | {' | '.join(cells)} |"
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main(run, __doc__)
