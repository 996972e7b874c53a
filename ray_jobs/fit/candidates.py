"""Fit candidates: one model for one class per Ray task, each result kept in the workspace.

Compare, rotate, facilities and evaluate share the results: a file's place is a hash of the windows,
the code, the model's settings and the facility it may not learn from. What is there is not fitted
again.
"""

from __future__ import annotations

import ast
import json
import logging
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import ray
import torch

import hvac
from hvac.arrays import AnyFloats, Floats
from hvac.evaluation.compared_windows import equipment_rates
from hvac.features.encoder import EncoderConfig, load_encoder
from hvac.features.recipe import Recipe
from hvac.features.table import Windows
from hvac.models.families import FAMILIES, score_all
from hvac.models.family import (
    Encoding,
    FamilyConfig,
    Fitting,
    Model,
    columns_for,
    loaded_once,
    prepared,
)
from hvac.panel.splits import SPLITS
from hvac.storage import AnyPath, content_key, folder_name, place, writing
from ray_jobs.run.progress import finished
from ray_jobs.run.records import FeaturizeRecord
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import workspace_of
from ray_jobs.tables.windows_table import read_windows

log = logging.getLogger(__name__)
TIMED_WINDOWS, TIMED_ROUNDS = 1000, 3


class Candidate(NamedTuple):
    """A model to be fitted for one class, and the file that keeps its scores.

    `without` names a facility it may not learn from.
    """

    config: FamilyConfig
    recipe: Recipe
    file: AnyPath
    without: str | None = None


class CandidateScores(NamedTuple):
    """Scores of all windows, in the order `read_windows` gives, and what the model cost.

    Windows that are not tested are scored by models that saw nothing of their unit. `reference_H`
    is the base rate of each horizon in training.
    """

    score_BH: AnyFloats
    reference_H: Floats
    parameters: int = 0
    fit_seconds: float = 0.0
    microseconds_per_window: float = 0.0


class FitSettings(NamedTuple):
    """What all tasks share."""

    windows_folder: str
    encoder: EncoderConfig
    folds: int


class Candidates:
    """The candidates of one run: where their scores lie, and how they are fitted."""

    def __init__(self, config: RunConfig) -> None:
        workspace = workspace_of(config)
        self._folder = workspace.root / "candidates" / basis_of(config)[:12]
        self.shared = FitSettings(
            str(workspace.windows), config.encoder, config.decision.folds
        )

    def of(
        self, config: FamilyConfig, recipe: Recipe, without: str | None = None
    ) -> Candidate:
        """Return a model's candidate for one class."""
        folder = self._folder / folder_name(recipe.class_name)
        if without is not None:
            folder = folder / "without" / content_key(without)[:12]
        settings = content_key(config.model_dump(mode="json"))[:12]
        file = folder / f"{config.family}-{config.seed}-{settings}.npz"
        return Candidate(config, recipe, file, without)

    def fit(self, candidates: Iterable[Candidate], *, job: str) -> dict[str, int]:
        """Fit those that have no scores yet, one Ray task each, the slowest families first.

        Returns the numbers of `fits` there are and of `fits_made` now.
        """
        by_file = {str(candidate.file): candidate for candidate in candidates}
        missing = [
            candidate for candidate in by_file.values() if not candidate.file.exists()
        ]
        missing.sort(key=lambda candidate: -FAMILIES[candidate.config.family].slowness)
        there = len(by_file) - len(missing)
        log.info("%s: %d fits, %d of them are there already", job, len(by_file), there)
        task = ray.remote(num_cpus=1, max_retries=2)(fit_candidate)
        finished(
            job, "fits", [task.remote(self.shared, candidate) for candidate in missing]
        )
        return {"fits": len(by_file), "fits_made": len(missing)}


def basis_of(config: RunConfig) -> str:
    """Return a hash of what fits depend on beside their settings: windows, encoder and code."""
    table = workspace_of(config).record(FeaturizeRecord).key
    return content_key(table, config.encoder.model_dump(mode="json"), _code_hash())


@cache
def _code_hash() -> str:
    """Return a hash of the sources of features and models, without comments and layout."""
    files = []
    for part in ("features", "models"):
        files += sorted(Path(hvac.__path__[0], part).glob("*.py"))
    trees = [
        (file.stem, ast.dump(ast.parse(file.read_text(encoding="utf-8"))))
        for file in files
    ]
    return content_key(trees)


def fit_candidate(shared: FitSettings, candidate: Candidate) -> str:
    """Fit on everything that is not tested, score all windows, and write the scores.

    Returns the file they lie in.
    """
    torch.set_num_threads(1)
    config = candidate.config
    encoder = loaded_once(lambda: load_encoder(shared.encoder))
    windows = needed_windows(shared.windows_folder, candidate.recipe, config, encoder)
    allowed_B = windows.column("split") != "test"
    allowed_B &= windows.column("facility_id") != candidate.without
    started = time.perf_counter()
    fit = score_all(windows, allowed_B, config, Fitting(encoder), folds=shared.folds)
    scores = CandidateScores(
        score_BH=fit.score_BH,
        reference_H=_training_rates(windows.take(allowed_B)),
        parameters=fit.model.parameters,
        fit_seconds=time.perf_counter() - started,
        microseconds_per_window=_microseconds(fit.model, windows),
    )
    _write_scores(candidate.file, scores)
    return str(candidate.file)


def needed_windows(
    folder: str, recipe: Recipe, config: FamilyConfig, encoder: Encoding
) -> Windows:
    """Read all windows of one class with everything that a family needs."""
    needs = tuple(dict.fromkeys((*config.reads, *config.needs)))
    windows = read_windows(place(folder), recipe, SPLITS, columns_for(needs))
    return prepared(windows, needs, encoder)


def _training_rates(windows: Windows) -> Floats:
    return equipment_rates(windows.take(windows.column("split") == "train"))


def _microseconds(model: Model, windows: Windows) -> float:
    """Measure the shortest time to score a window of a batch, features and embedding given."""
    batch = windows.take(np.arange(min(TIMED_WINDOWS, len(windows))))
    best = float("inf")
    for _ in range(TIMED_ROUNDS):
        started = time.perf_counter()
        model.score(batch)
        best = min(best, time.perf_counter() - started)
    return best / max(len(batch), 1) * 1e6


def _write_scores(path: AnyPath, scores: CandidateScores) -> None:
    facts = scores._asdict()
    arrays = {name: facts.pop(name) for name in ("score_BH", "reference_H")}
    with writing(path) as file:
        np.savez_compressed(file, facts=np.array(json.dumps(facts)), **arrays)


def read_scores(path: AnyPath) -> CandidateScores:
    """Read the scores that a task wrote."""
    with path.open("rb") as file, np.load(file) as arrays:
        facts = json.loads(str(arrays["facts"]))
        return CandidateScores(arrays["score_BH"], arrays["reference_H"], **facts)
