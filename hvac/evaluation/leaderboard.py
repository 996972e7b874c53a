"""All families side by side: chosen on validation, evaluated once on test, with their costs.

Legend: B windows, H horizons.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, NotRequired, TypedDict, TypeVar

import numpy as np

from hvac.errors import HvacError
from hvac.evaluation.bootstrap import Difference, Interval, interval, paired_difference
from hvac.evaluation.compared_windows import EvaluationSet
from hvac.evaluation.comparison import MeasuredHorizon, StoredDifference, evaluations
from hvac.evaluation.evaluation_means import (
    compare,
    mean_over_horizons,
    mean_over_kinds,
    mean_over_seeds,
)
from hvac.evaluation.horizon_figures import RANKING
from hvac.evaluation.metrics import known_pr_auc
from hvac.evaluation.model_metrics import Evaluation

Part = TypeVar("Part", float, str)
SHOWN = (
    "pr_auc",
    "roc_auc",
    "brier_skill",
    "ece",
    "recall_10",
    "event_recall",
    "false_alarms_per_unit_year",
)
IN_TURNS = {  # how figures of models that were fitted in turns are measured
    "within_turns": [name for name in SHOWN if name in RANKING],
    "pooled": [name for name in SHOWN if name not in RANKING],
}


Against = Literal["against_default", "against_champion"]
"""Keys of a row's paired differences: the row minus that model."""
DifferencesByHorizon = dict[str, dict[str, StoredDifference]]
"""By horizon and metric."""


class ValidationFigures(TypedDict):
    """PR-AUC on validation by horizon, and its mean, by which the champion is chosen."""

    pr_auc: dict[str, float | None]
    mean: float


class MeanFigures(TypedDict):
    """PR-AUC on test averaged over horizons, and how it differs from others' (None: itself)."""

    pr_auc: StoredDifference
    against_default: NotRequired[StoredDifference | None]
    against_champion: NotRequired[StoredDifference | None]


class LeaderboardRow(TypedDict):
    """A candidate's figures and cost; `seeds` holds the lowest and highest PR-AUC by horizon."""

    name: str
    family: str
    runs: int
    parameters: int
    fit_seconds: float
    microseconds_per_window: float
    test: dict[str, MeasuredHorizon]
    seeds: dict[str, list[float | None]]
    against_default: NotRequired[DifferencesByHorizon | None]
    against_champion: NotRequired[DifferencesByHorizon | None]
    mean: NotRequired[MeanFigures]
    validation: NotRequired[ValidationFigures]


class Leaderboard(TypedDict):
    """All candidates, best validation first."""

    champion: str
    default: str
    horizons: list[int]
    rows: list[LeaderboardRow]


class Cost(NamedTuple):
    """What fitting and using a candidate took, over all classes (the mean over seeds)."""

    parameters: int
    fit_seconds: float
    microseconds_per_window: float


def mean_cost(costs: Sequence[Cost]) -> Cost:
    """Return the mean cost, over seeds or turns.

    >>> mean_cost([Cost(10, 1.0, 3.0), Cost(21, 2.0, 4.0)])
    Cost(parameters=15, fit_seconds=1.5, microseconds_per_window=3.5)
    """
    parameters, seconds, microseconds = np.mean(costs, axis=0).tolist()
    return Cost(int(parameters), round(seconds, 2), round(microseconds, 2))


class ComparedModel(NamedTuple):
    """A model in the comparison: its runs are its seeds' keys in `EvaluationSet.risks`."""

    name: str
    family: str
    runs: tuple[str, ...]
    cost: Cost


def leaderboard(
    test: EvaluationSet,
    validation: EvaluationSet,
    candidates: Sequence[ComparedModel],
    *,
    default: str,
    replicates: int,
) -> Leaderboard:
    """Return a row per candidate, best validation PR-AUC first; the first is the champion.

    The champion is chosen without looking at test.

    Returns:
        `champion`, `default`, `rows`: per candidate `validation` (PR-AUC per horizon and their
        mean over horizons), `test` (figures with intervals), `seeds` (lowest and highest PR-AUC),
        `against_default` and `against_champion` (paired differences, the row minus the other;
        "better" speaks of the row), `mean` (test PR-AUC averaged over horizons, with the same two
        differences), and its cost. What is undefined is None.

    Raises:
        HvacError: if no champion can be chosen, because validation has one kind of label only at
            every horizon.
    """
    _check_choosable(validation)
    scores = {
        candidate.name: _validation(validation, candidate) for candidate in candidates
    }
    champion = max(scores, key=lambda name: scores[name]["mean"])
    others: dict[Against, str] = {
        "against_default": default,
        "against_champion": champion,
    }
    rows = standings([test], candidates, others, replicates)
    for row in rows:
        row["validation"] = scores[row["name"]]
    rows.sort(key=lambda row: -row["validation"]["mean"])
    return {
        "champion": champion,
        "default": default,
        "horizons": list(test.horizons),
        "rows": rows,
    }


def standings(
    tests: Sequence[EvaluationSet],
    candidates: Sequence[ComparedModel],
    others: Mapping[Against, str],
    replicates: int,
) -> list[LeaderboardRow]:
    """Return every candidate's figures on test and its cost, in the order given.

    Args:
        tests: one evaluation set; or one for each kind of events, of the same units: figures are
            then means over kinds. Of sets in turns (`pooled`), ranking is measured within turns,
            the rest over all windows (`IN_TURNS`).
        candidates: the models.
        others: a key for paired differences (the row minus the other), and the name of that other.
        replicates: how many bootstrap replicates.

    Raises:
        HvacError: if the evaluation sets are of different units.
    """
    if len({tuple(np.unique(test.windows.units)) for test in tests}) > 1:
        raise HvacError(
            "kinds of events are compared on the same units, but not every unit has test windows"
            " for each"
        )
    by_kind = [evaluations(test, replicates=replicates) for test in tests]
    means = {}
    for candidate in candidates:
        over_seeds = [
            mean_over_seeds([by_run[run] for run in candidate.runs])
            for by_run in by_kind
        ]
        means[candidate.name] = mean_over_kinds(over_seeds)
    rows = []
    for candidate in candidates:
        over_kinds = [
            mean_over_kinds([by_run[run] for by_run in by_kind])
            for run in candidate.runs
        ]
        rows.append(_row(candidate, means, over_kinds, others))
    return rows


def _row(
    candidate: ComparedModel,
    means: Mapping[str, Evaluation],
    by_seed: Sequence[Evaluation],
    others: Mapping[Against, str],
) -> LeaderboardRow:
    name = candidate.name
    cost = candidate.cost
    row: LeaderboardRow = {
        "name": name,
        "family": candidate.family,
        "runs": len(candidate.runs),
        "parameters": cost.parameters,
        "fit_seconds": cost.fit_seconds,
        "microseconds_per_window": cost.microseconds_per_window,
        "test": _test(means[name]),
        "seeds": _spread(by_seed),
    }
    for key, other in others.items():
        row[key] = _differences(means[name], means[other]) if name != other else None
    row["mean"] = _mean(means, name, others)
    return row


def _check_choosable(validation: EvaluationSet) -> None:
    y_BH, known_BH = validation.windows.labels
    for h, known_B in enumerate(known_BH.T):
        if 0 < y_BH[known_B, h].sum() < known_B.sum():
            return
    raise HvacError(
        f"the validation part ({len(y_BH)} windows) has one kind of label only at every"
        " horizon, so no champion can be chosen: give it more units or a longer period"
        " (splits)"
    )


def _validation(
    validation: EvaluationSet, candidate: ComparedModel
) -> ValidationFigures:
    """Return the mean PR-AUC over seeds, by horizon and averaged over horizons."""
    by_seed = []
    for run in candidate.runs:
        by_seed.append(known_pr_auc(validation.risks[run].risk_BH, validation.windows))
    pr_auc_H = np.mean(by_seed, axis=0)
    pr_auc = {}
    for horizon, value in zip(validation.horizons, pr_auc_H, strict=True):
        pr_auc[str(horizon)] = _defined(value)
    return {"pr_auc": pr_auc, "mean": float(np.nanmean(pr_auc_H))}


def _test(evaluation: Evaluation) -> dict[str, MeasuredHorizon]:
    by_horizon: dict[str, MeasuredHorizon] = {}
    for horizon, stored in evaluation.to_json().items():
        names = (*SHOWN, "base_rate", "events", "windows", "units")
        figures = {name: stored["metrics"][name] for name in names}
        by_horizon[horizon] = {**figures, "headline": stored["headline"]}
    return by_horizon


def _spread(by_seed: Sequence[Evaluation]) -> dict[str, list[float | None]]:
    """Return the lowest and highest PR-AUC of the seeds, by horizon."""
    spread = {}
    for horizon in by_seed[0].replicates:
        values = [one.replicates[horizon]["pr_auc"].value for one in by_seed]
        spread[str(horizon)] = [_defined(min(values)), _defined(max(values))]
    return spread


def _differences(one: Evaluation, other: Evaluation) -> DifferencesByHorizon:
    by_horizon = {}
    for horizon, by_metric in compare(one, other).items():
        by_horizon[str(horizon)] = {name: _plain(by_metric[name]) for name in by_metric}
    return by_horizon


def _mean(
    means: Mapping[str, Evaluation], name: str, others: Mapping[Against, str]
) -> MeanFigures:
    """Average PR-AUC on test over horizons, as the choice was made on validation.

    A mean over horizons tells more models apart than a single horizon does.
    """
    pr_auc = mean_over_horizons(means[name])
    headline = all(means[name].headline.values())
    row: MeanFigures = {"pr_auc": _plain(interval(pr_auc))}
    for key, other in others.items():
        row[key] = None
        if name != other:
            other_pr_auc = mean_over_horizons(means[other])
            row[key] = _plain(
                paired_difference(pr_auc, other_pr_auc, headline=headline)
            )
    return row


def _plain(figure: Interval | Difference) -> StoredDifference:
    return {part: _defined(value) for part, value in figure._asdict().items()}


def _defined(value: Part) -> Part | None:
    """Return the value, None for nan: JSON has no nan."""
    return None if isinstance(value, float) and math.isnan(value) else value
