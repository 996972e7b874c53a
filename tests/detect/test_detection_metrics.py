"""Metrics of windows and of anomalies, and the tables for people."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from hvac.detect.detection_metrics import (
    chance,
    choose,
    known_windows,
    rate,
    recall_difference,
)
from hvac.detect.detection_tables import alarms_table, scored_windows_table, steps_table
from hvac.detect.detections import AlarmConfig, DetectionOutcome, Episode, EventOutcome
from hvac.detect.part_scores import metrics_of
from hvac.detect.series import Anomaly
from tests.detect.detect_example import SMALL, assessed, assessed_sines, small_fleet


def outcome(
    found: list[bool], *, false: int = 0, exposure: float = 1.0, reach: float = 0.1
) -> DetectionOutcome:
    anomaly = Anomaly("spike", 0, 5)
    events = [
        EventOutcome(number, anomaly, reach, 3 if each else None)
        for number, each in enumerate(found)
    ]
    return DetectionOutcome(
        events, [Episode(0, 0, 0, False)] * false, exposure, 0.0, 0.0
    )


def test_window_report_equals_scikit_learns() -> None:
    found = assessed()
    for name in ("cnn1d", "zscore_window"):
        threshold = found.thresholds[name][0]
        score_B, y_B = known_windows(found.scores["test"][name])
        result = metrics_of(found, small_fleet(), SMALL, seed=0)["models"][name][
            "test"
        ]["windows"]
        precision, recall, f1, support = precision_recall_fscore_support(
            y_B, score_B >= threshold
        )
        for place, label in enumerate(("normal", "anomalous")):
            row = result["report"][label]
            assert [
                row[key] for key in ("precision", "recall", "f1-score", "support")
            ] == pytest.approx(
                [precision[place], recall[place], f1[place], support[place]]
            )
        assert sum(result["confusion"].values()) == len(y_B) == result["windows"]


def test_accuracy_has_an_interval_only_where_windows_do_not_overlap() -> None:
    overlapping = metrics_of(assessed(), small_fleet(), SMALL, seed=0)["models"][
        "cnn1d"
    ]["test"]["windows"]
    assert np.isnan(overlapping["accuracy"]["low"])
    series, found = assessed_sines()
    apart = metrics_of(found, series, SMALL.replace(length=100), seed=0)["models"][
        "cnn1d"
    ]["test"]["windows"]
    assert 0 <= apart["accuracy"]["low"] < apart["accuracy"]["high"] <= 1


def test_series_of_one_window_have_no_events_and_the_seeds_threshold() -> None:
    _, found = assessed_sines()
    assert found.outcomes == {}
    assert found.thresholds["cnn1d"][0] == 0.5


def test_small_fleet_is_found_event_by_event() -> None:
    metrics = metrics_of(assessed(), small_fleet(), SMALL, seed=0)
    events = metrics["models"]["cnn1d"]["test"]["events"]
    assert (events["events"], events["found"], events["false_alarms"]) == (6, 6, 0)
    assert events["by_kind"]["spike"]["recall"]["value"] == 1.0
    assert events["by_group"]["1-300"]["series"] == 3
    assert events["delay"]["value"] >= 0
    assert [each["start"] for each in metrics["events"]] == ["60", "140"] * 3
    assert metrics["parts"]["test"]["anomalies"] == 6


def test_threshold_of_a_baseline_lies_between_the_classes_of_validation() -> None:
    found = assessed().scores["validation"]["zscore_window"]
    value, note = choose(found, AlarmConfig(rule="half"), SMALL, probability=False)
    score_B, y_B = known_windows(found)
    assert note == ""
    assert score_B[~y_B].max() < value < score_B[y_B].min()


def test_rate_interval_is_the_poisson_one() -> None:
    found = rate(3, 2.0)
    assert found["value"] == 1.5
    assert (found["low"] * 2, found["high"] * 2) == pytest.approx(
        (0.6187, 8.7673), abs=1e-3
    )
    assert np.isnan(rate(0, 0.0)["value"])


def test_chance_is_what_random_alarms_would_hit() -> None:
    rng, hits = np.random.default_rng(0), 0
    for _ in range(4000):
        alarms = rng.uniform(0, 10, rng.poisson(20))
        hits += bool(((alarms >= 4) & (alarms < 4.3)).any())
    assert chance(outcome([True], false=20, exposure=10.0, reach=0.3)) == pytest.approx(
        hits / 4000, abs=0.03
    )
    assert chance(outcome([True])) == 0


def test_difference_needs_series_enough_and_says_who_is_better() -> None:
    good, poor = (
        outcome([True] * 12),
        outcome([number % 4 == 0 for number in range(12)]),
    )
    found, reverse = (
        recall_difference(good, poor, seed=0),
        recall_difference(poor, good, seed=0),
    )
    assert found is not None
    assert reverse is not None
    assert (found["value"], found["verdict"]) == (pytest.approx(0.75), "better")
    assert reverse["verdict"] == "worse"
    assert recall_difference(outcome([True] * 5), outcome([False] * 5), seed=0) is None


def test_tables_hold_every_window_step_and_alarm() -> None:
    found = assessed()
    windows, steps, alarms = (
        scored_windows_table(found),
        steps_table(found),
        alarms_table(found),
    )
    judged = [each for part in found.scores.values() for each in part["cnn1d"]]
    assert windows.num_rows == sum(len(each.score_B) for each in judged)
    assert steps.num_rows == sum(len(each.series) for each in judged)
    assert alarms.num_rows == sum(
        len(o.episodes) for part in found.outcomes.values() for o in part.values()
    )
    first = windows.slice(0, 1).to_pylist()[0]
    assert (first["part"], first["start"], first["end"], first["anomalous"]) == (
        "validation",
        "0",
        "19",
        False,
    )
