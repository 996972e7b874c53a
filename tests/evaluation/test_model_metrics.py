import json
import math
from dataclasses import replace

import numpy as np
import pytest

from hvac.evaluation import metrics
from hvac.evaluation.alarms import Onsets
from hvac.evaluation.bootstrap import unit_weights
from hvac.evaluation.evaluation_means import compare
from hvac.evaluation.held_out_windows import held_out
from hvac.evaluation.model_metrics import evaluate_model
from tests.reference.ranking_oracle import lift_at, recall_at

HORIZONS = (30, 60, 90)
RANKING = {
    "pr_auc",
    "base_rate",
    "lift_1",
    "lift_5",
    "lift_10",
    "recall_1",
    "recall_5",
    "recall_10",
    "roc_auc",
}
PROBABILITY = {"brier", "brier_skill", "ece"}
AT_THRESHOLD = {"f1", "precision", "recall", "accuracy", "tn", "fp", "fn", "tp"}
ON_EVENTS = {
    "event_recall",
    "alarm_precision",
    "false_alarms_per_unit_year",
    "lead_q25",
    "lead_median",
    "lead_q75",
}
COUNTS = {"events", "windows", "units"}


def fleet(units=60, weeks=26, onsets=50, seed=0):
    rng = np.random.default_rng(seed)
    units_B, day_B = (
        np.repeat([f"u{i:03}" for i in range(units)], weeks),
        np.tile(np.arange(weeks) * 7, units),
    )
    events = Onsets(
        np.array([f"u{i:03}" for i in rng.integers(0, units, onsets)]),
        rng.integers(1, 260, onsets),
    )
    ahead_BE = np.where(
        units_B[:, None] == events.unit_E, events.onset_day_E - day_B[:, None], -1
    )
    y_BH = np.stack(
        [((ahead_BE > 0) & (ahead_BE <= h)).any(axis=1) for h in HORIZONS], axis=1
    ).astype(float)
    return held_out(
        y_BH,
        known_BH=rng.random(y_BH.shape) > 0.1,
        units_B=units_B,
        end_day_B=day_B,
        events=events,
        horizons=HORIZONS,
        weights=unit_weights(units_B, replicates=200),
    )


def evaluate(risk_BH, test):
    return evaluate_model(
        risk_BH,
        test=test,
        alarm_BH=risk_BH >= 0.5,
        reference_H=np.array([0.1, 0.2, 0.3]),
    )


def noisy(test, noise, seed=1):
    return np.clip(
        0.3
        + 0.4 * test.y_BH
        + noise * np.random.default_rng(seed).normal(size=test.y_BH.shape),
        0.01,
        0.99,
    )


def test_every_metric_has_a_value_between_its_ends():
    found = evaluate(noisy(test := fleet(), 0.2), test)
    for horizon in HORIZONS:
        assert (
            set(found.metrics[horizon])
            == RANKING | PROBABILITY | AT_THRESHOLD | ON_EVENTS | COUNTS
        )
        for name, figure in found.metrics[horizon].items():
            if name not in COUNTS | {"ece"}:
                assert figure["low"] <= figure["value"] <= figure["high"], name


def test_values_equal_the_plain_metrics_on_known_rows():
    test = fleet()
    risk_BH = noisy(test, 0.2)
    found = evaluate(risk_BH, test).metrics[60]
    known_B = test.known_BH[:, 1]
    risk_B, y_B = risk_BH[known_B, 1], test.y_BH[known_B, 1]
    counts = metrics.confusion(risk_B >= 0.5, y_B)
    expected = {
        "pr_auc": metrics.pr_auc(risk_B, y_B),
        "roc_auc": metrics.roc_auc(risk_B, y_B),
        "lift_5": lift_at(risk_B, y_B, share=0.05),
        "recall_10": recall_at(risk_B, y_B, share=0.10),
        "brier": metrics.brier(risk_B, y_B),
        "brier_skill": metrics.brier_skill(risk_B, y_B, reference=0.2),
        "ece": metrics.ece(risk_B, y_B),
        "f1": float(metrics.f1(counts)),
        "tp": counts.tp,
        "base_rate": y_B.mean(),
        "windows": known_B.sum(),
    }
    assert {name: found[name]["value"] for name in expected} == pytest.approx(expected)


def weighted(test, seed=3):
    rng = np.random.default_rng(seed)
    return replace(test, label_weight_BH=1 + 4 * rng.random(test.y_BH.shape))


def test_label_weights_enter_every_figure_of_labels():
    test = weighted(fleet())
    risk_BH = noisy(test, 0.2)
    found = evaluate(risk_BH, test).metrics[60]
    known_B = test.known_BH[:, 1]
    risk_B, y_B, w_B = (
        array[known_B, 1] for array in (risk_BH, test.y_BH, test.label_weight_BH)
    )
    counts = metrics.confusion(risk_B >= 0.5, y_B, w_B)
    expected = {
        "pr_auc": metrics.pr_auc(risk_B, y_B, w_B),
        "roc_auc": metrics.roc_auc(risk_B, y_B, w_B),
        "lift_5": lift_at(risk_B, y_B, w_B, share=0.05),
        "recall_10": recall_at(risk_B, y_B, w_B, share=0.10),
        "brier": metrics.brier(risk_B, y_B, w_B),
        "brier_skill": metrics.brier_skill(risk_B, y_B, w_B, reference=0.2),
        "ece": metrics.ece(risk_B, y_B, w_B),
        "base_rate": np.average(y_B, weights=w_B),
        "windows": known_B.sum(),
        **{
            name: float(getattr(metrics, name)(counts))
            for name in ("f1", "precision", "recall", "accuracy")
        },
        **counts._asdict(),
    }
    assert {name: found[name]["value"] for name in expected} == pytest.approx(expected)


def test_label_weights_of_one_change_nothing_and_events_are_never_weighted():
    test = fleet()
    risk_BH = noisy(test, 0.2)
    plain = evaluate(risk_BH, test)
    ones = replace(test, label_weight_BH=np.ones(test.y_BH.shape, np.float32))
    assert evaluate(risk_BH, ones).to_json() == plain.to_json()
    found = evaluate(risk_BH, weighted(test))
    for name in ON_EVENTS | COUNTS:
        assert found.metrics[30][name] == plain.metrics[30][name]
    assert found.curves[30]["reliability"] != plain.curves[30]["reliability"]
    assert found.curves[30]["pr"] != plain.curves[30]["pr"]


def test_masked_rows_have_no_say():
    test = fleet()
    risk_BH = noisy(test, 0.2)
    changed_BH = np.where(test.known_BH, risk_BH, 0.99)
    assert evaluate(risk_BH, test).to_json() == evaluate(changed_BH, test).to_json()


def test_labels_as_risks_find_every_event_they_can():
    test = fleet()
    found = evaluate(test.y_BH, test).metrics[30]
    assert (
        found["pr_auc"]["value"]
        == found["alarm_precision"]["value"]
        == found["brier_skill"]["value"]
        == 1
    )
    assert found["false_alarms_per_unit_year"]["value"] == 0


def test_compare_names_the_better_model_and_keeps_quiet_on_equal_ones():
    test = fleet()
    good, bad = evaluate(noisy(test, 0.1), test), evaluate(noisy(test, 1.0), test)
    found = compare(good, bad)[30]
    assert {name: each.verdict for name, each in found.items()} == dict.fromkeys(
        ("pr_auc", "roc_auc", "brier"), "better"
    )
    assert {each.verdict for each in compare(bad, good)[30].values()} == {"worse"}
    assert {each.verdict for each in compare(good, good)[30].values()} == {
        "no clear difference"
    }


def test_few_events_give_no_headline_but_counts_and_exact_intervals():
    test = fleet(onsets=12)
    found = evaluate(noisy(test, 0.2), test)
    assert not any(found.headline.values())
    figure = found.metrics[30]["event_recall"]
    assert figure["n"] == found.metrics[30]["events"]["value"] < 30
    assert figure["value"] == figure["k"] / figure["n"]
    assert figure["low"] < figure["value"]
    against = compare(found, evaluate(noisy(test, 5.0), test))[30]["pr_auc"]
    assert against.low > 0
    assert against.verdict == "too few events"
    assert all(evaluate(noisy(many := fleet(onsets=200), 0.2), many).headline.values())


@pytest.mark.parametrize("known", [True, False])
def test_no_events_or_no_known_rows_give_nan_and_never_crash(known):
    units_B, y_BH = np.repeat([1, 2], 5), np.zeros((10, 3))
    test = held_out(
        y_BH,
        known_BH=np.full((10, 3), known),
        units_B=units_B,
        end_day_B=np.tile(np.arange(5) * 7, 2),
        events=Onsets(np.array([], int), np.array([], int)),
        horizons=HORIZONS,
        weights=unit_weights(units_B, replicates=20),
    )
    found = evaluate(np.full((10, 3), 0.2), test)
    assert math.isnan(found.metrics[30]["pr_auc"]["value"])
    assert math.isnan(found.metrics[30]["lead_median"]["value"])
    assert found.metrics[30]["windows"]["value"] == 10 * known
    assert compare(found, found)[30]["pr_auc"].verdict == "too few events"


def test_json_has_null_for_nan_and_thin_curves():
    found = evaluate(noisy(test := fleet(), 0.2), test).to_json()
    text = json.dumps(found, allow_nan=False)
    assert json.loads(text)["30"]["metrics"]["events"]["low"] is None
    assert len(found["30"]["curves"]["pr"]["recall"]) <= 200
    assert set(found["30"]["curves"]["reliability"]) == {
        "risk",
        "rate",
        "count",
        "low",
        "high",
    }
    assert set(found["30"]) == {"headline", "metrics", "curves"}
