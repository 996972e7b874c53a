"""Facilities left out in turn: each judged alone, and all together with every window judged by its own model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from hvac.evaluation.alarms import Onsets
from hvac.evaluation.compared_windows import EvaluationSet, part_of
from hvac.evaluation.comparison import evaluations
from hvac.evaluation.unseen import join, unseen_facilities
from tests.evaluation.leaderboard_example import trial

NOISE = {"hybrid": 0.3, "base_rate": 5.0}


def at(name: str, made: EvaluationSet) -> EvaluationSet:
    """The trial at a facility of that name."""
    keys = made.windows.keys
    column = pa.array([name] * len(keys), pa.string())
    keys = keys.set_column(
        keys.column_names.index("facility_id"), "facility_id", column
    )
    units = np.array(
        [unit.replace("F\x1f", f"{name}\x1f") for unit in made.events.unit_E]
    )
    return replace(
        made,
        windows=replace(made.windows, keys=keys),
        events=Onsets(units, made.events.onset_day_E),
    )


@pytest.fixture(name="trials", scope="module")
def _trials() -> dict[str, EvaluationSet]:
    many, few = (
        at("many", trial(NOISE, seed=1)),
        at("few", trial(NOISE, seed=2, onsets=12)),
    )
    both = [
        np.concatenate(parts) for parts in zip(many.events, few.events, strict=True)
    ]
    return {
        name: replace(each, events=Onsets(*both))
        for name, each in (("many", many), ("few", few))
    }


def test_figures_of_a_facility_are_those_of_its_windows_alone(
    trials: dict[str, EvaluationSet],
) -> None:
    made = unseen_facilities(trials, replicates=100)
    for name, each in trials.items():
        for model, found in evaluations(each, replicates=100).items():
            for h, shown in made["facilities"][name][model].items():
                expected = found.metrics[int(h)]
                assert shown["pr_auc"]["value"] == expected["pr_auc"]["value"]
                assert shown["brier_skill"]["low"] == expected["brier_skill"]["low"]
    assert (made["models"], made["horizons"]) == (["hybrid", "base_rate"], [30, 60, 90])


def test_facility_with_few_events_has_no_headline_while_all_together_have(
    trials: dict[str, EvaluationSet],
) -> None:
    made = unseen_facilities(trials, replicates=100)
    headline = {
        name: found["hybrid"]["90"]["headline"]
        for name, found in made["facilities"].items()
    }
    assert headline == {"many": True, "few": False}
    assert made["all"]["hybrid"]["90"]["headline"]
    assert (
        made["facilities"]["few"]["hybrid"]["90"]["events"]["value"]
        < made["least_events"]
    )


def test_parts_of_a_joined_trial_are_the_trials_that_were_joined(
    trials: dict[str, EvaluationSet],
) -> None:
    joined = join(list(trials.values()))
    assert len(joined.windows) == sum(len(each.windows) for each in trials.values())
    for name, each in trials.items():
        part = part_of(joined, joined.windows.column("facility_id") == name)
        assert part.windows.keys.equals(each.windows.keys)
        np.testing.assert_array_equal(
            part.risks["hybrid"].risk_BH, each.risks["hybrid"].risk_BH
        )
        np.testing.assert_array_equal(
            part.risks["hybrid"].threshold_BH, each.risks["hybrid"].threshold_BH
        )
        np.testing.assert_array_equal(part.reference_BH, each.reference_BH)
