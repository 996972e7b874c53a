"""Comparing families on one table: what is written, what is done again, what is refused before any fit."""

from __future__ import annotations

import csv
import html
import json
import logging
import runpy
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import hvac
from hvac.errors import HvacError
from hvac.models.families import BASELINES, FAMILIES
from ray_jobs import compare, evaluate, featurize, rotate
from ray_jobs.assess.decided_risks import read_held_out
from ray_jobs.assess.leaderboard_files import finished_leaderboard, write_leaderboard
from ray_jobs.fit import candidates
from ray_jobs.fit.candidates import basis_of, read_scores
from ray_jobs.pipeline import run_summary
from ray_jobs.run.records import FeaturizeRecord
from ray_jobs.run.run_config import RunConfig, load_run
from ray_jobs.run.workspace import Workspace, workspace_of, write_json
from tests.evaluation.leaderboard_example import board
from tests.models.models_example import fit_family, windows

Finished = tuple[RunConfig, Path]
CONFIGS = Path(compare.__file__).parent / "configs"
MODELS = ["gbdt_context", "logistic_28", "base_rate"]
SECTION: dict[str, Any] = {
    "models": MODELS,
    "default": "logistic_28",
    "seeds": [0, 1],
    "replicates": 100,
}
PROMISED = ("leaderboard.json", "leaderboard.csv", "leaderboard.html", "champion.yaml")


def copied(
    finished: Finished,
    folder: Path,
    *parts: str,
    steps: tuple[str, ...] = ("ingest", "featurize"),
) -> RunConfig:
    """The finished run as it was after featurize, with more of it where asked, and a comparison to make."""
    config, workspace = finished
    for name in ("panel", "windows", *parts):
        shutil.copytree(workspace / name, folder / name)
    (folder / "steps").mkdir()
    for step in steps:
        shutil.copy(workspace / "steps" / f"{step}.json", folder / "steps")
    return config.replace(workspace=str(folder), compare=SECTION)


@pytest.fixture(scope="module")
def compared(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    config = copied(finished, tmp_path_factory.mktemp("compare") / "run")
    compare.run(config)
    return config


def folder_of(config: RunConfig) -> Path:
    return config.workspace / "compare" / "families"


def board_of(config: RunConfig) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (folder_of(config) / "leaderboard.json").read_text(encoding="utf-8")
    )
    return found


def outcomes_of(config: RunConfig) -> dict[str, int]:
    """Every outcome file with the time it was written."""
    files = (config.workspace / "candidates").rglob("*.npz")
    return {
        str(file.relative_to(config.workspace)): file.stat().st_mtime_ns
        for file in files
    }


# What is written


def test_every_promised_file_is_written(compared: RunConfig) -> None:
    assert sorted(file.name for file in folder_of(compared).iterdir()) == sorted(
        PROMISED
    )
    assert all((folder_of(compared) / name).stat().st_size > 0 for name in PROMISED)
    assert "<h1>" in (folder_of(compared) / "leaderboard.html").read_text(
        encoding="utf-8"
    )


def test_board_names_its_table_and_has_a_row_per_model_with_its_seeds(
    compared: RunConfig,
) -> None:
    made = board_of(compared)
    assert made["table"] == workspace_of(compared).record(FeaturizeRecord).key
    assert (made["name"], made["default"], made["horizons"]) == (
        "families",
        "logistic_28",
        [30, 60, 90],
    )
    assert {row["name"]: row["runs"] for row in made["rows"]} == {
        "gbdt_context": 2,
        "logistic_28": 1,
        "base_rate": 1,
    }
    for row in made["rows"]:
        assert row["parameters"] > 0
        assert (
            row["microseconds_per_window"] > 0 or row["name"] == "base_rate"
        )  # looks at no window: 0.00
    kept = [read_scores(compared.workspace / name) for name in outcomes_of(compared)]
    assert all(outcome.microseconds_per_window > 0 for outcome in kept)
    with (folder_of(compared) / "leaderboard.csv").open(
        encoding="utf-8-sig", newline=""
    ) as file:
        assert len(list(csv.DictReader(file))) == 3 * len(MODELS)


def test_outcome_is_kept_for_every_class_model_and_seed(compared: RunConfig) -> None:
    kept = sorted(
        "-".join(Path(name).stem.split("-")[:2]) for name in outcomes_of(compared)
    )
    assert kept == sorted(
        2 * ["gbdt_context-0", "gbdt_context-1", "logistic_28-0", "base_rate-0"]
    )


def test_figures_are_those_of_evaluate_for_the_same_model_on_the_same_windows(
    compared: RunConfig, finished: Finished
) -> None:
    metrics = json.loads((finished[1] / "metrics.json").read_text(encoding="utf-8"))[
        "models"
    ]
    for row in board_of(compared)["rows"]:
        if row["runs"] > 1:
            continue
        for horizon, test in row["test"].items():
            for name in (
                "pr_auc",
                "roc_auc",
                "brier_skill",
                "event_recall",
                "events",
                "windows",
            ):
                mine, theirs = (
                    found[name] for found in (test, metrics[row["name"]][horizon])
                )
                assert mine["value"] == pytest.approx(theirs["value"], rel=1e-9), (
                    row["name"],
                    horizon,
                    name,
                )


def test_seeds_of_a_family_with_chance_differ_and_their_mean_lies_between(
    compared: RunConfig,
) -> None:
    row = next(
        row for row in board_of(compared)["rows"] if row["name"] == "gbdt_context"
    )
    for horizon, (low, high) in row["seeds"].items():
        assert low < row["test"][horizon]["pr_auc"]["value"] < high


UNSEEDED = [name for name, family in FAMILIES.items() if not family.seeded]


@pytest.mark.parametrize("name", UNSEEDED)
def test_family_that_is_fitted_once_has_no_chance_in_it(name: str) -> None:
    train, tune, fresh = (windows(200, seed=seed) for seed in (1, 2, 3))
    one, other = (
        fit_family(name, train, tune, seed=seed).score(fresh) for seed in (0, 1)
    )
    np.testing.assert_array_equal(one, other)


# The champion


def test_champion_yaml_is_a_run_of_the_champion_on_the_same_windows(
    compared: RunConfig, caplog: pytest.LogCaptureFixture
) -> None:
    champion = load_run(folder_of(compared) / "champion.yaml")
    assert compared.compare is not None
    assert champion.model == compared.compare.models[board_of(compared)["champion"]]
    assert champion.compare is None
    same = {
        "model": compared.model,
        "compare": compared.compare,
        "featurize": compared.featurize,
    }
    assert champion.replace(**same) == compared
    with caplog.at_level(logging.INFO):
        featurize.run(champion)
    assert "featurize: already done, skipped" in caplog.text


def test_champion_keeps_the_values_that_the_comparison_needed(
    run_config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    config = run_config(
        compare={"models": ["base_rate", "lstm"], "default": "lstm"}, workspace=tmp_path
    )
    assert config.compare is not None
    assert config.keeps_values
    made = board(
        {"base_rate": 0.1, "lstm": 0.5}, {"base_rate": 0.5, "lstm": 0.1}, default="lstm"
    )
    write_leaderboard(config, config.compare, made, tmp_path)
    champion = load_run(tmp_path / "champion.yaml")
    assert champion.model.family == "base_rate"
    assert champion.keeps_values


# Done again


def test_second_run_is_skipped_and_touches_nothing(
    compared: RunConfig, caplog: pytest.LogCaptureFixture
) -> None:
    before = {file: file.stat().st_mtime_ns for file in compared.workspace.rglob("*")}
    with caplog.at_level(logging.INFO):
        again = compare.run(compared)
    assert "compare_families: already done, skipped" in caplog.text
    assert again.champion == board_of(compared)["champion"]
    assert before == {
        file: file.stat().st_mtime_ns for file in compared.workspace.rglob("*")
    }


def test_deleted_outcome_is_made_again_alone_and_the_board_is_the_same(
    compared: RunConfig, tmp_path: Path
) -> None:
    shutil.copytree(compared.workspace, tmp_path / "run", copy_function=shutil.copy2)
    here = compared.replace(workspace=str(tmp_path / "run"))
    (here.workspace / "steps" / "compare_families.json").unlink()
    before = outcomes_of(here)
    victim = next(name for name in before if "gbdt_context-1" in name)
    (here.workspace / victim).unlink()
    compare.run(here)
    after = outcomes_of(here)
    assert {name for name in before if after[name] != before[name]} == {victim}
    assert set(after) == set(before)
    for mine, theirs in zip(
        board_of(here)["rows"], board_of(compared)["rows"], strict=True
    ):
        for part in (
            "name",
            "validation",
            "test",
            "seeds",
            "against_default",
            "against_champion",
        ):
            assert mine[part] == theirs[part]


def test_other_code_takes_no_outcome_of_before(
    compared: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        candidates, "_code_hash", candidates._code_hash.__wrapped__
    )  # not what it remembers
    installed = basis_of(compared)
    monkeypatch.setattr(hvac, "__path__", [str(tmp_path)])

    def basis(line: str) -> str:
        (tmp_path / "models").mkdir(exist_ok=True)
        (tmp_path / "models" / "some.py").write_text(line, encoding="utf-8")
        return basis_of(compared)

    assert len({installed, basis("folds = 3"), basis("folds = 5")}) == 3
    assert basis("folds = 3") == basis("folds  =  3  # how many")


def test_changed_replicates_make_a_new_board_of_the_outcomes_that_are_there(
    compared: RunConfig, tmp_path: Path
) -> None:
    shutil.copytree(compared.workspace, tmp_path / "run", copy_function=shutil.copy2)
    here = compared.replace(
        workspace=str(tmp_path / "run"), compare={**SECTION, "replicates": 150}
    )
    before = outcomes_of(here)
    compare.run(here)
    assert outcomes_of(here) == before
    assert board_of(here)["rows"][0]["test"] != board_of(compared)["rows"][0]["test"]


# In the main report


def test_board_is_found_only_for_the_windows_it_was_made_of(
    compared: RunConfig, tmp_path: Path
) -> None:
    assert finished_leaderboard(workspace_of(compared)) == board_of(compared)
    assert finished_leaderboard(workspace_of(compared), "another") is None
    other = Workspace(tmp_path)
    record = workspace_of(compared).record(FeaturizeRecord).model_dump(mode="json")
    write_json(other.record_file("featurize"), {**record, "key": "of other windows"})
    assert finished_leaderboard(other) is None
    write_json(
        tmp_path / "compare" / "families" / "leaderboard.json", board_of(compared)
    )
    assert finished_leaderboard(other) is None


def test_report_of_evaluate_shows_the_leaderboard(
    finished: Finished, compared: RunConfig, tmp_path: Path
) -> None:
    config = copied(
        finished,
        tmp_path / "run",
        "bundles",
        "held_out",
        steps=("ingest", "featurize", "train"),
    )
    few = {
        "baselines": ["base_rate"],
        "ablation": False,
        "replicates": 100,
        "forecast_windows": 20,
    }
    config = config.replace(evaluate=few)
    shutil.copytree(folder_of(compared), folder_of(config))
    first = evaluate.run(config)
    metrics = json.loads(
        (config.workspace / "metrics.json").read_text(encoding="utf-8")
    )
    assert metrics["leaderboard"] == board_of(compared)
    assert 'id="en-leaderboard"' in (config.workspace / "report.html").read_text(
        encoding="utf-8"
    )
    shutil.rmtree(folder_of(config))
    assert evaluate.run(config).key != first.key
    assert 'id="en-leaderboard"' not in (config.workspace / "report.html").read_text(
        encoding="utf-8"
    )


def test_report_fits_nothing_that_a_comparison_kept_nor_the_other_way_round(
    finished: Finished,
    compared: RunConfig,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = copied(
        finished,
        tmp_path / "run",
        "bundles",
        "held_out",
        steps=("ingest", "featurize", "train"),
    )
    shutil.copytree(compared.workspace / "candidates", config.workspace / "candidates")
    shared = ["base_rate", "logistic_28", "gbdt_context"]
    few = {
        "baselines": shared,
        "ablation": False,
        "replicates": 100,
        "forecast_windows": 20,
    }
    with caplog.at_level(logging.INFO):
        evaluate.run(config.replace(evaluate=few))
    assert "evaluate: 6 fits, 6 of them are there already" in caplog.text
    shutil.rmtree(config.workspace / "candidates")
    (config.workspace / "steps" / "evaluate.json").unlink()
    caplog.clear()
    with caplog.at_level(logging.INFO):
        evaluate.run(config.replace(evaluate=few))
        compare.run(config.replace(compare=compared.compare))
    assert "compare: 8 fits, 6 of them are there already" in caplog.text


def test_command_that_the_report_tells_compares_the_model_with_every_baseline(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = ("ingest", "featurize", "train")
    parts = ("bundles", "held_out", "candidates")
    config = copied(finished, tmp_path / "run", *parts, steps=steps)
    config = config.replace(
        compare=None, evaluate=config.evaluate.replace(replicates=100)
    )
    file = tmp_path / "small.yaml"
    settings = config.model_dump(mode="json", by_alias=True, exclude_unset=True)
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["ray_jobs/evaluate.py", "--config", str(file)])
    evaluate.run(load_run(file))
    report = (config.workspace / "report.html").read_text(encoding="utf-8")
    command = metrics_of(config)["compare_command"]
    assert command in html.unescape(report)
    assert command in run_lines(config)
    python, option, module, *arguments = shlex.split(command)
    assert (python, option) == ("python", "-m")
    monkeypatch.setattr("sys.argv", [module, *arguments])
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    board = board_of(config)
    assert {row["name"] for row in board["rows"]} == set(
        BASELINES
    )  # hybrid is one of them
    assert board["default"] == "hybrid"
    evaluate.run(load_run(file))
    assert metrics_of(config)["compare_command"] is None
    assert command not in run_lines(config)


def metrics_of(config: RunConfig) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (config.workspace / "metrics.json").read_text("utf-8")
    )
    return found


def run_lines(config: RunConfig) -> str:
    return run_summary(workspace_of(config))


# What is refused


def test_bundles_without_scores_of_held_out_units_are_refused_in_one_sentence(
    tmp_path: Path,
) -> None:
    told = refused(lambda: read_held_out(tmp_path, "pump"))
    assert "'pump'" in told
    assert "run python -m ray_jobs.train" in told


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(HvacError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"models": ["gbdt_contex", "hybrid"]}, "did you mean 'gbdt_context'"),
        (
            {"models": {"mine": {"trees": 5}}, "default": "mine"},
            "unknown model family 'mine'",
        ),
        (
            {"models": {"mine": {"family": "gbdt_28", "tres": 5}}, "default": "mine"},
            "did you mean 'trees'",
        ),
        (
            {"models": ["gbdt_28"]},
            "default is 'hybrid', which is none of the models: gbdt_28",
        ),
        ({"models": []}, "default is 'hybrid', which is none of the models"),
        ({"models": ["hybrid"], "seeds": []}, "seeds: "),
        ({"models": ["hybrid"], "replicates": 10}, "replicates: "),
        ({"models": "hybrid"}, "models: "),
    ],
)
def test_section_that_makes_no_sense_is_refused_with_its_fault(
    run_config: Callable[..., RunConfig], section: dict[str, Any], said: str
) -> None:
    assert said in refused(lambda: run_config(compare=section, workspace="x"))


def test_rotation_of_a_run_without_a_comparison_says_what_to_add(
    run_config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    message = refused(lambda: rotate.run(run_config(workspace=tmp_path)))
    assert "no 'compare' section" in message
    assert not list(tmp_path.iterdir())


def test_comparison_before_featurize_says_what_to_run_first(
    run_config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    message = refused(
        lambda: compare.run(run_config(compare=SECTION, workspace=tmp_path))
    )
    assert "python -m ray_jobs.featurize" in message


def test_model_that_needs_values_is_refused_before_any_fit_where_the_table_has_none(
    compared: RunConfig,
) -> None:
    section = {
        "name": "hungry",
        "models": ["base_rate", "gbdt_28", "lstm"],
        "default": "base_rate",
    }
    before = sorted(compared.workspace.rglob("*"))
    message = refused(lambda: compare.run(compared.replace(compare=section)))
    assert message.startswith("lstm needs the windows' values")
    assert "featurize.keep_values: true" in message
    assert sorted(compared.workspace.rglob("*")) == before


# What is shipped


def test_names_of_a_comparison_are_families_or_of_a_family_with_settings(
    run_config: Callable[..., RunConfig],
) -> None:
    listed = run_config(
        compare={"models": ["hybrid", "gbdt_28"]}, workspace="x"
    ).compare
    settings = {"hybrid": None, "small": {"family": "gbdt_28", "trees": 5}}
    named = run_config(compare={"models": settings}, workspace="x").compare
    assert listed is not None
    assert named is not None
    assert {name: model.family for name, model in listed.models.items()} == {
        "hybrid": "hybrid",
        "gbdt_28": "gbdt_28",
    }
    assert {name: model.family for name, model in named.models.items()} == {
        "hybrid": "hybrid",
        "small": "gbdt_28",
    }


SHIPPED = sorted(
    file
    for pattern in ("compare_*", "rotate_*", "ablations/*")
    for file in CONFIGS.glob(f"{pattern}.yaml")
)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_shipped_comparison_is_a_valid_run_on_the_workspace_and_windows_of_its_base(
    file: Path,
) -> None:
    config = load_run(file)
    base = load_run(
        file.parent / yaml.safe_load(file.read_text(encoding="utf-8"))["extends"]
    )
    assert config.compare is not None
    assert len(config.compare.models) > 1
    turned = file.stem.startswith("rotate_")  # turns have windows of their own
    assert (
        config.replace(compare=None, **({"splits": base.splits} if turned else {}))
        == base
    )
    assert config.keeps_values == base.keeps_values
    if file.parent.name == "ablations":
        assert config.compare.name == f"ablation_{file.stem}"
    elif turned:
        assert (config.compare.name, config.splits.kind) == ("rotation", "equipment")
        assert file.stem == f"rotate_{base.name}"
    else:
        assert config.compare.name == "families"
        assert f"compare_{base.name}" == file.stem
        assert list(config.compare.models) == [
            model.family for model in config.compare.models.values()
        ]
