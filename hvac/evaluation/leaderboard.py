"""All families side by side: chosen on validation, judged once on test, with what each costs.

Legend: B windows, H horizons.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import average_precision_score

from hvac.cells import SafeWriter
from hvac.errors import HvacError
from hvac.evaluation.bootstrap import interval, paired_difference
from hvac.evaluation.comparison import EvaluationSet, ModelRisks, evaluations
from hvac.evaluation.model_metrics import (
    RANKING,
    Evaluation,
    compare,
    mean_over_horizons,
    mean_over_kinds,
    mean_over_seeds,
)
from hvac.storage import AnyPath, writing

SHOWN = (
    "pr_auc",
    "roc_auc",
    "brier_skill",
    "ece",
    "recall_10",
    "event_recall",
    "false_alarms_per_unit_year",
)


IN_TURNS = {  # how figures of models that were fitted in turns are judged
    "within_turns": [name for name in SHOWN if name in RANKING],
    "pooled": [name for name in SHOWN if name not in RANKING],
}


class Cost(NamedTuple):
    """What a contender took, over all classes (the mean over seeds)."""

    parameters: int
    fit_seconds: float
    microseconds_per_window: float


def mean_cost(costs: Sequence[Cost]) -> Cost:
    """What it took on average, over seeds or turns.

    >>> mean_cost([Cost(10, 1.0, 3.0), Cost(21, 2.0, 4.0)])
    Cost(parameters=15, fit_seconds=1.5, microseconds_per_window=3.5)
    """
    parameters, seconds, microseconds = np.mean(costs, axis=0).tolist()
    return Cost(int(parameters), round(seconds, 2), round(microseconds, 2))


class ComparedModel(NamedTuple):
    """A model in the comparison: its seeds' keys in `EvaluationSet.judged`, its family, what it took."""

    name: str
    family: str
    runs: tuple[str, ...]
    cost: Cost


def leaderboard(
    test: EvaluationSet,
    validation: EvaluationSet,
    contenders: Sequence[ComparedModel],
    *,
    default: str,
    replicates: int,
) -> dict[str, Any]:
    """Rows by validation PR-AUC, best first; the champion is the first of them, chosen without
    looking at test.

    Returns:
        `champion`, `default`, `rows`: per contender `validation` (PR-AUC per horizon and their mean
        over horizons), `test` (figures with intervals), `seeds` (lowest and highest PR-AUC),
        `against_default` and `against_champion` (paired differences, the row minus the other;
        "better" speaks of the row), `mean` (test PR-AUC averaged over horizons, with the same two
        differences), and its cost. What is undefined is None.

    Raises:
        HvacError: no champion can be chosen, because validation has one kind of label only at every
            horizon.
    """
    _check_choosable(validation)
    chosen = {each.name: _validation(validation, each) for each in contenders}
    champion = max(chosen, key=lambda name: chosen[name]["mean"])
    beside = {"against_default": default, "against_champion": champion}
    rows = [
        {**row, "validation": chosen[row["name"]]}
        for row in standings([test], contenders, beside, replicates)
    ]
    rows.sort(key=lambda row: -row["validation"]["mean"])
    return {"champion": champion, "default": default, "horizons": list(test.horizons), "rows": rows}


def standings(
    tests: Sequence[EvaluationSet],
    contenders: Sequence[ComparedModel],
    beside: Mapping[str, str],
    replicates: int,
) -> list[dict[str, Any]]:
    """Figures on test of every contender, in the order given, and what it cost.

    Args:
        tests: one trial; or one for each kind of events, of the same units: figures are then means
            over kinds. Of trials in turns (`pooled`) ranking is judged within turns, the rest over
            all windows (`IN_TURNS`).
        beside: a key for paired differences (the row minus the other), and the name of that other.

    Raises:
        HvacError: the trials are of different units.
    """
    if len({tuple(np.unique(test.windows.units)) for test in tests}) > 1:
        raise HvacError(
            "kinds of events are compared on the same units, but not every unit has test windows"
            " for each"
        )
    found = [evaluations(test, replicates=replicates) for test in tests]
    means = {
        each.name: mean_over_kinds(
            [mean_over_seeds([of_kind[run] for run in each.runs]) for of_kind in found]
        )
        for each in contenders
    }
    return [
        {
            "name": each.name,
            "family": each.family,
            "runs": len(each.runs),
            **each.cost._asdict(),
            "test": _test(means[each.name]),
            "seeds": _spread(
                [mean_over_kinds([of_kind[run] for of_kind in found]) for run in each.runs]
            ),
            **{
                key: _differences(means[each.name], means[other]) if each.name != other else None
                for key, other in beside.items()
            },
            "mean": _mean(means, each.name, beside),
        }
        for each in contenders
    ]


def _check_choosable(validation: EvaluationSet) -> None:
    y_BH, known_BH = validation.windows.labels
    if not any(0 < y_BH[known_B, h].sum() < known_B.sum() for h, known_B in enumerate(known_BH.T)):
        raise HvacError(
            f"the validation part ({len(y_BH)} windows) has one kind of label only at every"
            " horizon, so no champion can be chosen: give it more units or a longer period"
            " (splits)"
        )


def _validation(trial: EvaluationSet, contender: ComparedModel) -> dict[str, Any]:
    scores = [pr_auc_by_horizon(trial, trial.judged[run]) for run in contender.runs]
    by_horizon = np.mean([list(score.values()) for score in scores], axis=0)
    return {
        "pr_auc": {
            str(h): _defined(each) for h, each in zip(trial.horizons, by_horizon, strict=True)
        },
        "mean": float(np.nanmean(by_horizon)),
    }


def pr_auc_by_horizon(trial: EvaluationSet, judged: ModelRisks) -> dict[int, float]:
    """Return weighted PR-AUC over known labels; nan where only one kind of label occurs."""
    (y_BH, known_BH), weight_BH = trial.windows.labels, trial.windows.weights
    scores = {}
    for h, horizon in enumerate(trial.horizons):
        y_B, risk_B, weight_B = (
            array[known_BH[:, h], h] for array in (y_BH, judged.risk_BH, weight_BH)
        )
        both = 0 < y_B.sum() < len(y_B)
        scores[horizon] = (
            float(average_precision_score(y_B, risk_B, sample_weight=weight_B)) if both else np.nan
        )
    return scores


def _test(found: Evaluation) -> dict[str, Any]:
    plain = found.to_json()
    return {
        h: {
            **{
                name: each["metrics"][name]
                for name in (*SHOWN, "base_rate", "events", "windows", "units")
            },
            "headline": each["headline"],
        }
        for h, each in plain.items()
    }


def _spread(found: Sequence[Evaluation]) -> dict[str, list[float]]:
    values = {
        h: [each.replicates[h]["pr_auc"].value for each in found] for h in found[0].replicates
    }
    return {str(h): [_defined(min(each)), _defined(max(each))] for h, each in values.items()}


def _differences(one: Evaluation, other: Evaluation) -> dict[str, Any]:
    found = compare(one, other)
    return {str(h): {name: _plain(d) for name, d in each.items()} for h, each in found.items()}


def _mean(means: Mapping[str, Evaluation], name: str, beside: Mapping[str, str]) -> dict[str, Any]:
    """PR-AUC on test as the choice was made on validation: averaged over horizons, which tells more
    apart than each.
    """
    own, headline = mean_over_horizons(means[name]), all(means[name].headline.values())
    gaps = {
        key: (
            _plain(paired_difference(own, mean_over_horizons(means[other]), headline=headline))
            if name != other
            else None
        )
        for key, other in beside.items()
    }
    return {"pr_auc": _plain(interval(own)), **gaps}


def _plain(found: Any) -> dict[str, Any]:
    return {part: _defined(value) for part, value in found._asdict().items()}


def _defined(value: Any) -> Any:
    """The value, None for nan: JSON knows no nan."""
    return None if isinstance(value, float) and math.isnan(value) else value


def write_leaderboard_csv(board: Mapping[str, Any], path: AnyPath) -> None:
    """One row per contender and horizon, with a byte-order mark so that Excel reads it."""
    with writing(path, "w", newline="", encoding="utf-8-sig") as file:
        writer = SafeWriter(file)
        writer.writerow(
            [
                "rank",
                "model",
                "family",
                "champion",
                "horizon",
                "validation_pr_auc",
                "test_pr_auc",
                "low",
                "high",
                "base_rate",
                "against_default",
                "difference",
                "difference_low",
                "difference_high",
                "parameters",
                "fit_seconds",
                "microseconds_per_window",
            ]
        )
        for rank, row in enumerate(board["rows"], 1):
            for horizon in map(str, board["horizons"]):
                writer.writerow(_csv_row(board, rank, row, horizon))


def _csv_row(
    board: Mapping[str, Any], rank: int, row: Mapping[str, Any], horizon: str
) -> list[Any]:
    test, against = row["test"][horizon], row["against_default"]
    versus = (
        against[horizon]["pr_auc"]
        if against
        else {"verdict": "", "value": "", "low": "", "high": ""}
    )
    figures = [test["pr_auc"][name] for name in ("value", "low", "high")]
    cost = [row[name] for name in Cost._fields]
    return [
        rank,
        row["name"],
        row["family"],
        row["name"] == board["champion"],
        horizon,
        row["validation"]["pr_auc"][horizon],
        *figures,
        test["base_rate"]["value"],
        versus["verdict"],
        versus["value"],
        versus["low"],
        versus["high"],
        *cost,
    ]
