"""The leaderboard: chosen on validation, judged on test, every number what the plain functions give."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from hvac.errors import HvacError
from hvac.evaluation.bootstrap import Replicated, interval, paired_difference
from hvac.evaluation.compared_windows import EvaluationSet, part_of, pooled
from hvac.evaluation.comparison import evaluations
from hvac.evaluation.leaderboard import (
    leaderboard,
    standings,
)
from hvac.evaluation.leaderboard_csv import write_leaderboard_csv
from hvac.evaluation.metrics import known_pr_auc
from tests.evaluation.leaderboard_example import (
    HORIZONS,
    REPLICATES,
    board,
    contender,
    trial,
)

VALIDATION = {"hybrid": 0.3, "fusion": 0.2, "gbdt_28": 0.6, "base_rate": 5.0}
TEST = {"hybrid": 0.3, "fusion": 0.6, "gbdt_28": 0.1, "base_rate": 5.0}
COLUMNS = (
    "rank,model,family,champion,horizon,validation_pr_auc,test_pr_auc,low,high,base_rate,against_default,difference,"
    "difference_low,difference_high,parameters,fit_seconds,microseconds_per_window"
)


def row_of(made: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in made["rows"] if row["name"] == name)


def with_labels(made: EvaluationSet, h: int, label: bool) -> EvaluationSet:
    """One horizon whose labels are all alike."""
    y_BH, _ = (array.copy() for array in made.windows.labels)
    y_BH[:, h] = label
    return replace(made, windows=replace(made.windows, y_BH=y_BH))


# The choice


def test_champion_is_the_best_on_validation_where_another_wins_on_test() -> None:
    made = board(VALIDATION, TEST)
    assert made["champion"] == made["rows"][0]["name"] == "fusion"
    for h in map(str, HORIZONS):
        winner = max(made["rows"], key=lambda row: row["test"][h]["pr_auc"]["value"])
        assert winner["name"] == "gbdt_28"
        assert winner["against_champion"][h]["pr_auc"]["verdict"] == "better"


def test_test_part_has_no_say_in_champion_order_and_validation() -> None:
    one, other = (
        board(VALIDATION, TEST),
        board(VALIDATION, dict(zip(TEST, reversed(TEST.values()), strict=True))),
    )
    assert one["champion"] == other["champion"]
    for mine, theirs in zip(one["rows"], other["rows"], strict=True):
        assert (mine["name"], mine["validation"]) == (
            theirs["name"],
            theirs["validation"],
        )
        assert mine["test"] != theirs["test"]


def test_rows_fall_by_mean_validation_pr_auc() -> None:
    means = [row["validation"]["mean"] for row in board(VALIDATION, TEST)["rows"]]
    assert means == sorted(means, reverse=True)
    assert len(set(means)) == len(VALIDATION)


def test_validation_is_pr_auc_over_known_labels_and_its_mean_over_horizons() -> None:
    made, seen = board(VALIDATION, TEST), trial(VALIDATION, seed=1)
    y_BH, known_BH = seen.windows.labels
    for row in made["rows"]:
        risk_BH = seen.risks[row["name"]].risk_BH
        expected = [
            average_precision_score(y_BH[known_B, h], risk_BH[known_B, h])
            for h, known_B in enumerate(known_BH.T)
        ]
        assert list(row["validation"]["pr_auc"].values()) == pytest.approx(expected)
        assert row["validation"]["mean"] == pytest.approx(np.mean(expected))


def test_unknown_labels_have_no_say_in_the_choice() -> None:
    seen = trial(VALIDATION, seed=1)
    y_BH, known_BH = seen.windows.labels
    turned = replace(
        seen, windows=replace(seen.windows, y_BH=np.where(known_BH, y_BH, ~y_BH))
    )
    for judged in seen.risks.values():
        pr_auc_H = known_pr_auc(judged.risk_BH, seen.windows)
        np.testing.assert_array_equal(
            pr_auc_H, known_pr_auc(judged.risk_BH, turned.windows)
        )


# What the test part says


def test_differences_are_paired_differences_of_the_row_minus_the_other() -> None:
    made, found = (
        board(VALIDATION, TEST),
        evaluations(trial(TEST, seed=2), replicates=REPLICATES),
    )
    assert row_of(made, "hybrid")["against_default"] is None
    assert row_of(made, "fusion")["against_champion"] is None
    for key, other in (("against_default", "hybrid"), ("against_champion", "fusion")):
        for name in set(VALIDATION) - {other}:
            for h in HORIZONS:
                for metric, higher in (
                    ("pr_auc", True),
                    ("roc_auc", True),
                    ("brier", False),
                ):
                    a, b = (found[each].replicates[h][metric] for each in (name, other))
                    expected = paired_difference(a, b, higher_is_better=higher)
                    assert row_of(made, name)[key][str(h)][metric] == expected._asdict()


def test_pooled_trials_keep_the_events_each_has_of_its_own_units() -> None:
    """Where limits are fitted a machine has other events in every turn; those of the turn that tests it count."""
    first = [
        windows.units < "F\x1fE20"
        for windows in (trial(TEST, seed=seed).windows for seed in (1, 2))
    ]
    one, other = (
        part_of(trial(TEST, seed=1), first[0]),
        part_of(trial(TEST, seed=2), ~first[1]),
    )
    expected = [(u, d) for u, d in zip(*one.events, strict=True) if u < "F\x1fE20"]
    expected += [(u, d) for u, d in zip(*other.events, strict=True) if u >= "F\x1fE20"]
    assert list(zip(*pooled([one, other]).events, strict=True)) == expected


def test_no_verdict_is_given_where_events_are_too_few() -> None:
    for row in board(VALIDATION, {**TEST, "hybrid": 2.0}, onsets=12)["rows"]:
        if row["against_default"]:
            found = [
                row["mean"]["against_default"],
                *(row["against_default"][str(h)]["pr_auc"] for h in HORIZONS),
            ]
            assert {each["verdict"] for each in found} == {"too few events"}
    fusion = row_of(board(VALIDATION, {**TEST, "hybrid": 2.0}, onsets=12), "fusion")[
        "mean"
    ]["against_default"]
    assert fusion["low"] > 0


def test_mean_over_horizons_is_compared_replicate_by_replicate() -> None:
    made, found = (
        board(VALIDATION, TEST),
        evaluations(trial(TEST, seed=2), replicates=REPLICATES),
    )

    def mean(name: str) -> Replicated:
        each = [found[name].replicates[h]["pr_auc"] for h in HORIZONS]
        return Replicated(
            sum(e.value for e in each) / 3, sum(e.value_R for e in each) / 3
        )

    for name in VALIDATION:
        row = row_of(made, name)["mean"]
        expected = interval(mean(name))
        told = {"value": expected.value, "low": expected.low, "high": expected.high}
        assert {key: row["pr_auc"][key] for key in told} == pytest.approx(told)
        for key, other in (
            ("against_default", "hybrid"),
            ("against_champion", "fusion"),
        ):
            expected_gap = paired_difference(mean(name), mean(other))._asdict()
            verdict = expected_gap.pop("verdict")
            if name == other:
                assert row[key] is None
            else:
                assert {part: row[key][part] for part in expected_gap} == pytest.approx(
                    expected_gap
                )
                assert row[key]["verdict"] == verdict


def test_rows_that_lose_to_the_default_are_called_worse() -> None:
    made = board(VALIDATION, TEST)
    for h in map(str, HORIZONS):
        assert (
            row_of(made, "gbdt_28")["against_default"][h]["pr_auc"]["verdict"]
            == "better"
        )
        assert (
            row_of(made, "fusion")["against_default"][h]["pr_auc"]["verdict"] == "worse"
        )
        assert (
            row_of(made, "base_rate")["against_default"][h]["brier"]["verdict"]
            == "worse"
        )


def test_kinds_are_averaged_replicate_by_replicate_on_the_same_units() -> None:
    noise = {"fusion": 0.2, "hybrid": 0.4}
    kinds = [trial(noise, seed=seed) for seed in (1, 2)]
    contenders = [contender(name, (name,)) for name in noise]
    row, _ = standings(kinds, contenders, {"against_default": "hybrid"}, REPLICATES)
    found = [evaluations(of_kind, replicates=REPLICATES) for of_kind in kinds]
    for h in HORIZONS:
        fusion, hybrid = (
            Replicated(
                float(np.mean([e.value for e in each])),
                np.mean([e.value_R for e in each], axis=0),
            )
            for each in (
                [of_kind[name].replicates[h]["pr_auc"] for of_kind in found]
                for name in noise
            )
        )
        told = row["test"][str(h)]["pr_auc"]
        assert (told["value"], told["low"], told["high"]) == pytest.approx(
            interval(fusion)[:3]
        )
        assert (
            row["against_default"][str(h)]["pr_auc"]
            == paired_difference(fusion, hybrid)._asdict()
        )
        windows = [
            of_kind["fusion"].metrics[h]["windows"]["value"] for of_kind in found
        ]
        assert row["test"][str(h)]["windows"]["value"] == np.mean(windows)


def test_kinds_of_different_units_are_refused() -> None:
    whole = trial(TEST, seed=1)
    fewer = part_of(whole, whole.windows.units != whole.windows.units[0])
    with pytest.raises(HvacError, match="same units"):
        standings([whole, fewer], [contender("fusion", ("fusion",))], {}, REPLICATES)


def test_seeds_are_averaged_replicate_by_replicate() -> None:
    noise = {"fusion#0": 0.2, "fusion#1": 0.5, "fusion#2": 0.3, "hybrid#0": 0.4}
    seen = trial(noise, seed=2)
    contenders = [
        contender("fusion", ("fusion#0", "fusion#1", "fusion#2")),
        contender("hybrid", ("hybrid#0",)),
    ]
    made = leaderboard(
        seen, trial(noise, seed=1), contenders, default="hybrid", replicates=REPLICATES
    )
    found, row = evaluations(seen, replicates=REPLICATES), row_of(made, "fusion")
    assert row["runs"] == 3
    for h in HORIZONS:
        seeds = [found[f"fusion#{seed}"].replicates[h]["pr_auc"] for seed in (0, 1, 2)]
        mean = Replicated(
            np.mean([s.value for s in seeds]),
            np.mean([s.value_R for s in seeds], axis=0),
        )
        expected, shown = interval(mean), row["test"][str(h)]["pr_auc"]
        assert (shown["value"], shown["low"], shown["high"]) == pytest.approx(
            expected[:3]
        )
        assert row["seeds"][str(h)] == [
            min(s.value for s in seeds),
            max(s.value for s in seeds),
        ]
        assert row["seeds"][str(h)][0] < shown["value"] < row["seeds"][str(h)][1]
        other = found["hybrid#0"].replicates[h]["pr_auc"]
        assert (
            row["against_default"][str(h)]["pr_auc"]
            == paired_difference(mean, other)._asdict()
        )


def test_validation_of_several_seeds_is_their_mean() -> None:
    noise = {"hybrid#0": 0.2, "hybrid#1": 0.6}
    seen, contenders = trial(noise, seed=1), [contender("hybrid", tuple(noise))]
    made = leaderboard(
        trial(noise, seed=2), seen, contenders, default="hybrid", replicates=REPLICATES
    )
    by_seed = [
        known_pr_auc(judged.risk_BH, seen.windows) for judged in seen.risks.values()
    ]
    expected = dict(zip(map(str, HORIZONS), np.mean(by_seed, axis=0), strict=True))
    assert made["rows"][0]["validation"]["pr_auc"] == pytest.approx(expected)


def test_row_carries_family_and_cost() -> None:
    noise = {"small": 0.2, "hybrid": 0.3}
    contenders = [
        contender("small", ("small",), family="lstm", microseconds=7.0),
        contender("hybrid", ("hybrid",)),
    ]
    made = leaderboard(
        trial(noise, seed=2),
        trial(noise, seed=1),
        contenders,
        default="hybrid",
        replicates=REPLICATES,
    )
    row = row_of(made, "small")
    assert row["family"] == "lstm"
    assert (row["parameters"], row["fit_seconds"], row["microseconds_per_window"]) == (
        1000,
        12.5,
        7.0,
    )


@pytest.mark.parametrize(("onsets", "headline"), [(12, False), (90, True)])
def test_row_has_no_headline_under_thirty_events(onsets: int, headline: bool) -> None:
    for row in board(VALIDATION, TEST, onsets=onsets)["rows"]:
        for test in row["test"].values():
            assert (test["headline"], test["events"]["value"] >= 30) == (
                headline,
                headline,
            )


# What is undefined


def test_what_is_undefined_at_a_horizon_is_null_and_the_choice_is_made_at_the_others() -> (
    None
):
    parts = [
        with_labels(trial(noise, seed=seed), 0, False)
        for seed, noise in ((2, TEST), (1, VALIDATION))
    ]
    contenders = [contender(name, (name,)) for name in VALIDATION]
    made = leaderboard(*parts, contenders, default="hybrid", replicates=REPLICATES)
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    first = made["rows"][0]
    assert first["name"] == "fusion"
    assert first["validation"]["pr_auc"]["30"] is None
    assert first["validation"]["mean"] == pytest.approx(
        np.mean([first["validation"]["pr_auc"][h] for h in ("60", "90")])
    )
    assert first["seeds"]["30"] == [None, None]
    assert first["test"]["30"]["pr_auc"]["value"] is None
    assert first["against_default"]["30"]["pr_auc"]["verdict"] == "no clear difference"


def test_validation_with_one_kind_of_label_everywhere_is_refused_in_one_sentence() -> (
    None
):
    seen = trial(VALIDATION, seed=1)
    for h in range(3):
        seen = with_labels(seen, h, h == 1)
    contenders = [contender(name, (name,)) for name in VALIDATION]
    with pytest.raises(HvacError, match="no champion can be chosen") as caught:
        leaderboard(
            trial(TEST, seed=2),
            seen,
            contenders,
            default="hybrid",
            replicates=REPLICATES,
        )
    assert "\n" not in str(caught.value)


# As a table


def test_csv_has_a_row_per_model_and_horizon_with_the_numbers_of_the_board(
    tmp_path: Path,
) -> None:
    made = board(VALIDATION, TEST)
    write_leaderboard_csv(made, tmp_path / "leaderboard.csv")
    assert (tmp_path / "leaderboard.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    with (tmp_path / "leaderboard.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == COLUMNS.split(",")
    assert [(row["rank"], row["model"], row["horizon"]) for row in rows] == [
        (str(rank), row["name"], str(h))
        for rank, row in enumerate(made["rows"], 1)
        for h in HORIZONS
    ]
    for line in rows:
        row, h = row_of(made, line["model"]), line["horizon"]
        against = (
            row["against_default"][h]["pr_auc"]
            if row["against_default"]
            else dict.fromkeys(("verdict", "value"), "")
        )
        assert line["champion"] == str(row["name"] == "fusion")
        assert float(line["validation_pr_auc"]) == row["validation"]["pr_auc"][h]
        assert float(line["high"]) == row["test"][h]["pr_auc"]["high"]
        assert (line["against_default"], line["difference"]) == (
            against["verdict"],
            str(against["value"]),
        )
        assert float(line["microseconds_per_window"]) == row["microseconds_per_window"]


def test_csv_leaves_empty_what_is_undefined(tmp_path: Path) -> None:
    parts = [
        with_labels(trial(noise, seed=seed), 0, False)
        for seed, noise in ((2, TEST), (1, VALIDATION))
    ]
    contenders = [contender(name, (name,)) for name in VALIDATION]
    made = leaderboard(*parts, contenders, default="hybrid", replicates=REPLICATES)
    write_leaderboard_csv(made, tmp_path / "leaderboard.csv")
    with (tmp_path / "leaderboard.csv").open(encoding="utf-8-sig", newline="") as file:
        first = next(csv.DictReader(file))
    assert (
        first["horizon"],
        first["validation_pr_auc"],
        first["test_pr_auc"],
        first["difference"],
    ) == (
        "30",
        "",
        "",
        "",
    )
