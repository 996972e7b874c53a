"""What a task of compare and facilities does: fit one model for one class, and keep what it says
and costs.
"""

from __future__ import annotations

import ast
import json
import logging
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import ray
import torch

import hvac
from hvac.evaluation.comparison import equipment_rates
from hvac.features.describe import Recipe
from hvac.features.encoder import EncoderConfig, load_encoder
from hvac.features.table import Windows
from hvac.models.families import score_all
from hvac.models.family import Fitting, Model, columns_for, loaded_once, prepared
from hvac.panel.splits import SPLITS
from hvac.storage import AnyPath, place, writing
from ray_jobs.run.run_config import RunConfig
from ray_jobs.run.workspace import content_key, workspace_of
from ray_jobs.tables.windows_table import read_windows

log = logging.getLogger(__name__)
TIMED_WINDOWS, TIMED_ROUNDS = 1000, 3
SLOW_FIRST = ("fusion", "ttm_lora", "lstm", "hybrid_multitask", "cnn1d", "hybrid", "gbdt_92")


class CandidateFit(NamedTuple):
    """A model with a seed, the file that keeps its result for one class, and the facility it may
    not learn from.
    """

    name: str
    config: Any
    path: str
    without: str | None = None


class CandidateScores(NamedTuple):
    """Scores of all windows, in the order `read_windows` gives, and what the model took.

    Windows that are not tested are scored by models that saw nothing of their unit.
    """

    score_BH: npt.NDArray[np.floating[Any]]
    reference_H: npt.NDArray[np.float64]
    parameters: int
    fit_seconds: float
    microseconds_per_window: float


class FitSettings(NamedTuple):
    """What every task shares."""

    windows_folder: str
    encoder: EncoderConfig
    folds: int


def basis_of(config: RunConfig) -> str:
    """What fits depend on beside their own settings: the windows, the encoder, and the code that
    fits.
    """
    table = workspace_of(config).finished("featurize")["key"]
    return content_key(table, config.encoder.model_dump(mode="json"), _code())


@cache
def _code() -> str:
    """A hash of the sources of features and models, without comments and layout: other code, other
    figures.
    """
    files = [
        file
        for part in ("features", "models")
        for file in Path(hvac.__path__[0], part).glob("*.py")
    ]
    return content_key(
        [
            (file.stem, ast.dump(ast.parse(file.read_text(encoding="utf-8"))))
            for file in sorted(files)
        ]
    )


def fit_candidates(
    bench: FitSettings, entries: Iterable[tuple[Recipe, CandidateFit]], *, job: str
) -> dict[str, int]:
    """Fit what has no result yet, one Ray task each, the slow families first; how many fits, and
    how many made now.
    """
    wanted = {entry.path: (recipe, entry) for recipe, entry in entries}
    todo = [each for path, each in wanted.items() if not place(path).exists()]
    log.info("%s: %d fits, %d of them are there already", job, len(wanted), len(wanted) - len(todo))
    task = ray.remote(num_cpus=1, max_retries=2)(fit_candidate)
    waiting = [
        task.remote(bench, *each)
        for each in sorted(todo, key=lambda each: _slowness(each[1].config.family))
    ]
    while waiting:
        done, waiting = ray.wait(waiting)
        log.info("%s: %s fitted, %d to go", job, place(ray.get(done[0])).stem, len(waiting))
    return {"fits": len(wanted), "fits_made": len(todo)}


def _slowness(family: str) -> int:
    return SLOW_FIRST.index(family) if family in SLOW_FIRST else len(SLOW_FIRST)


def fit_candidate(bench: FitSettings, recipe: Recipe, entry: CandidateFit) -> str:
    """Fit on everything that is not tested, score all windows, and write the outcome whole or not
    at all.
    """
    torch.set_num_threads(1)
    folder, encoder = place(bench.windows_folder), loaded_once(lambda: load_encoder(bench.encoder))
    needs = tuple(dict.fromkeys((*entry.config.reads, *entry.config.needs)))
    windows = prepared(read_windows(folder, recipe, SPLITS, columns_for(needs)), needs, encoder)
    learn_B = (windows.column("split") != "test") & (windows.column("facility_id") != entry.without)
    started = time.perf_counter()
    fit = score_all(windows, learn_B, entry.config, Fitting(encoder), folds=bench.folds)
    seconds = time.perf_counter() - started
    rates = equipment_rates(windows.take(learn_B & (windows.column("split") == "train")))
    outcome = CandidateScores(
        fit.score_BH, rates, fit.model.parameters, seconds, _microseconds(fit.model, windows)
    )
    _write(place(entry.path), outcome)
    return entry.path


def elsewhere(windows: Windows, facility: str | None) -> Windows:
    """The windows of all other facilities (of all, where none is left out)."""
    return windows if facility is None else windows.take(windows.column("facility_id") != facility)


def _microseconds(model: Model, windows: Windows) -> float:
    """Shortest time to score a window of a batch, of a few rounds: features and embedding are made
    before.
    """
    some = windows.take(np.arange(min(TIMED_WINDOWS, len(windows))))
    best = float("inf")
    for _ in range(TIMED_ROUNDS):
        started = time.perf_counter()
        model.score(some)
        best = min(best, time.perf_counter() - started)
    return best / max(len(some), 1) * 1e6


def _write(path: AnyPath, outcome: CandidateScores) -> None:
    facts = outcome._asdict()
    arrays = {name: facts.pop(name) for name in ("score_BH", "reference_H")}
    with writing(path) as file:
        np.savez_compressed(file, facts=np.array(json.dumps(facts)), **arrays)


def read_scores(path: str) -> CandidateScores:
    """The outcome that a task wrote."""
    with place(path).open("rb") as file, np.load(file) as found:
        return CandidateScores(
            score_BH=found["score_BH"],
            reference_H=found["reference_H"],
            **json.loads(str(found["facts"])),
        )
