"""The fits of one trial: every class of the table, epoch by epoch side by side, and their metrics.

*train* is fitted, *tune* scores, *cal* gives the thresholds at the end; the test part is not read.

Legend: B windows, H horizons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from hvac.arrays import AnyFloats
from hvac.decision.decision import Scored
from hvac.decision.fit_decisions import DecisionConfig, fit_decisions
from hvac.decision.thresholds import ThresholdConfig, choose_threshold
from hvac.errors import HvacError
from hvac.evaluation.metrics import known_pr_auc
from hvac.features.table import Windows
from hvac.models.families import FAMILIES, fit
from hvac.models.family import Encoding, FamilyConfig, Fitting, Model, augmented
from hvac.models.fit_rows import Rows, count
from hvac.models.fitting import FitState, Workers, fit_epochs
from hvac.models.network import NetworkModel, TrainingConfig
from hvac.storage import AnyPath
from ray_jobs.run.tune_config import METRIC
from ray_jobs.tables.windows_table import load_recipes, prepared_windows

Row = dict[str, float]
Models = dict[str, Model]


class Parts(NamedTuple):
    """The windows of one class that a sweep may look at."""

    train: Windows
    tune: Windows
    cal: Windows


def read_classes(
    folder: AnyPath, needs: Iterable[str], encoder: Encoding
) -> dict[str, Parts]:
    """Read the windows of every class in the featurized table, with all that is needed."""
    return {
        name: Parts(
            *(
                prepared_windows(folder, recipe, split, needs, encoder)
                for split in Parts._fields
            )
        )
        for name, recipe in load_recipes(folder).items()
    }


def check_scorable(
    classes: Mapping[str, Parts], metric: str, horizons: Sequence[int]
) -> None:
    """Raise HvacError where *tune* cannot score trials: at any horizon, or at the one that `metric`
    names.
    """
    of_constants = []
    for part in classes.values():
        of_constants.append(
            known_pr_auc(np.zeros(part.tune.labels[0].shape), part.tune)
        )
    defined_H = np.isfinite(_mean(of_constants))
    named = [h for h in horizons if metric == f"{METRIC}_{h}"]
    if not (defined_H[list(horizons).index(named[0])] if named else defined_H.any()):
        within = f" at {named[0]} days, which tune.metric asks for" if named else ""
        raise HvacError(
            f"the tune part has labels of one kind only{within}, so trials cannot be told apart:"
            " choose another split, or a longer record"
        )


def fit_side_by_side(
    classes: Mapping[str, Parts],
    config: TrainingConfig,
    states: dict[str, FitState],
    *,
    encoder: Encoding,
    workers: Workers = Workers(),  # noqa: B008
    share: Callable[[Rows], Rows] = lambda rows: rows,
) -> Iterator[dict[str, NetworkModel[TrainingConfig]]]:
    """Fit one network per class, an epoch of each in turn; yield after every round, and once where
    nothing is left to do.

    Args:
        states: where earlier fits stood, none to begin with; changed in place by every round.
        share: what this worker trains on.
    """
    models, fits = {}, []
    for name, part in classes.items():
        train = augmented(part.train, config, encoder)
        model = FAMILIES[config.family].model.start(train, config, encoder)
        states.setdefault(name, FitState.fresh(model.network))
        models[name] = model
        fits.append(
            fit_epochs(
                model.network,
                share(model.rows(train)),
                model.rows(part.tune),
                config,
                counts=count(train),
                workers=workers,
                state=states[name],
            )
        )
    rounds = zip_longest(*fits)
    next(rounds, None)
    yield models
    for _ in rounds:
        yield models


def fit_others(
    classes: Mapping[str, Parts], config: FamilyConfig, encoder: Encoding
) -> Models:
    """Fit a family without epochs for every class."""
    return {
        name: fit(part.train, part.tune, config, Fitting(encoder))
        for name, part in classes.items()
    }


def epoch_row(
    models: Mapping[str, NetworkModel[TrainingConfig]],
    states: Mapping[str, FitState],
    classes: Mapping[str, Parts],
    days: Iterable[int],
) -> Row:
    """Return means over classes after a round: losses, PR-AUC of this epoch, the best so far, the
    cut with the best F1.
    """
    train_CH, tune_CH, pr_auc_CH = (
        [[rows[-1][name] for rows in state.history_H] for state in states.values()]
        for name in ("train_loss", "tune_loss", "tune_pr_auc")
    )
    best_CH = [
        _at_best(models[name].network.part_H, state) for name, state in states.items()
    ]
    cut_CH = [
        _cut_H(models[name].score(part.tune), part.tune)
        for name, part in classes.items()
    ]
    return {
        "epoch": max(state.epoch for state in states.values()),
        "train_loss": float(np.nanmean(train_CH)),
        "tune_loss": float(np.nanmean(tune_CH)),
        **_named("pr_auc", _mean(pr_auc_CH), days),
        **_named("f1_cut", _mean(cut_CH), days),
        **_metric_values(_mean(best_CH), days),
    }


def _at_best(part_H: tuple[int, ...], state: FitState) -> list[float]:
    """Return the PR-AUC of every horizon at the best epoch of the part it belongs to."""
    best_H = [state.best_epoch[part] for part in part_H]
    return [
        rows[epoch - 1]["tune_pr_auc"]
        for rows, epoch in zip(state.history_H, best_H, strict=True)
    ]


def fitted_row(
    models: Models, classes: Mapping[str, Parts], days: Iterable[int]
) -> Row:
    """Return means over classes of families that are fitted at once."""
    score = {name: models[name].score(part.tune) for name, part in classes.items()}
    pr_auc_H = _mean(
        [known_pr_auc(score[name], part.tune) for name, part in classes.items()]
    )
    cut_H = _mean([_cut_H(score[name], part.tune) for name, part in classes.items()])
    return {
        "epoch": 1,
        **_named("pr_auc", pr_auc_H, days),
        **_named("f1_cut", cut_H, days),
        **_metric_values(pr_auc_H, days),
    }


def threshold_row(
    models: Models,
    classes: Mapping[str, Parts],
    days: tuple[int, ...],
    config: DecisionConfig,
) -> Row:
    """Return cut-offs of the risk by the run's own policy, fitted on *cal*: means over classes."""
    scored = {
        name: Scored(models[name].score(part.cal), part.cal)
        for name, part in classes.items()
    }
    decisions = fit_decisions(scored, horizons=days, config=config)
    return _named(
        "threshold",
        _mean([decision.threshold_H for decision in decisions.values()]),
        days,
    )


def _metric_values(pr_auc_H: AnyFloats, days: Iterable[int]) -> Row:
    return {METRIC: float(np.nanmean(pr_auc_H)), **_named(METRIC, pr_auc_H, days)}


def _named(name: str, value_H: AnyFloats, days: Iterable[int]) -> Row:
    return {
        f"{name}_{horizon}": float(value)
        for horizon, value in zip(days, value_H, strict=True)
    }


def _mean(values_C: Sequence[ArrayLike]) -> AnyFloats:
    """Return the mean over classes where defined; nan where it is for none."""
    value_CH = np.array(values_C, dtype=np.float64)
    known_H = np.isfinite(value_CH).sum(axis=0)
    return np.where(
        known_H > 0, np.nansum(value_CH, axis=0) / np.maximum(known_H, 1), np.nan
    )


def _cut_H(score_BH: AnyFloats, windows: Windows) -> list[float]:
    """Return the cut of the uncalibrated sigmoid with the best F1 on these windows; nan without a
    positive.
    """
    (y_BH, known_BH), units_B, end_day_B = (
        windows.labels,
        windows.units,
        windows.end_day_B,
    )
    return [
        (
            choose_threshold(
                expit(score_BH[k, h]),
                y_BH[k, h],
                config=ThresholdConfig(policy="f1"),
                units_B=units_B[k],
                end_day_B=end_day_B[k],
                horizon=1,
            ).value
            if y_BH[k, h].any()
            else np.nan
        )
        for h, k in enumerate(known_BH.T)
    ]
