"""The sweep's page shows every trial honestly, in both languages, with nothing from outside."""

from __future__ import annotations

import html
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from hvac.evaluation.sweep_importance import importance
from hvac.report.sweep_figures import Axis, learning_curves, parallel_coordinates
from hvac.report.sweep_page import SECTIONS, write_sweep_page
from hvac.report.texts import Words, texts
from tests.report.page_example import Page

SPACE: dict[str, Any] = {
    "learning_rate": {"loguniform": [1e-4, 1e-2]},
    "members": {"int": [1, 4]},
    "hidden": {"choice": [[128, 64], [64, 32]]},
}


def trial(number: int, **more: Any) -> dict[str, Any]:
    """A trial whose score rises with its learning rate."""
    rng = np.random.default_rng(number)
    share = float(rng.random())
    value, epochs = 0.2 + 0.4 * share, 3
    rows = [
        {
            "epoch": e,
            "train_loss": 1 / e,
            "tune_loss": 1.1 / e,
            "tune_pr_auc": value * e / epochs,
        }
        | {
            f"{name}_{days}": value
            for name in ("tune_pr_auc", "threshold")
            for days in (30, 60, 90)
        }
        for e in range(1, epochs + 1)
    ]
    return {
        "trial": f"trial_{number:05d}",
        "status": "finished",
        "epochs": epochs,
        "seconds": 4.2,
        "value": value,
        "settings": {
            "learning_rate": 10 ** (2 * share - 4),
            "members": int(rng.integers(1, 5)),
            "hidden": [128, 64],
        },
        "schedule": [],
        "rows": rows,
        "why": None,
        **more,
    }


def sweep(trials: int = 40, **search: Any) -> dict[str, Any]:
    made = [trial(number) for number in range(trials)]
    return {
        "name": "demo_sweep",
        "created": "2026-11-22T04:00:00+00:00",
        "folder": "/runs/demo/sweeps/demo_sweep-12ab34cd",
        "family": "hybrid",
        "horizons": [30, 60, 90],
        "search": {
            "algorithm": "random",
            "metric": "tune_pr_auc",
            "space": SPACE,
            **search,
        },
        "before": {"learning_rate": 5e-4, "members": 1, "hidden": [128, 64]},
        "best": max(made, key=lambda each: float(each["value"]))["trial"],
        "trials": made,
    }


def written(found: dict[str, Any], folder: Path, language: str = "en") -> str:
    write_sweep_page(found, path=folder / "sweep.html", language=language)
    return (folder / "sweep.html").read_text(encoding="utf-8")


def plain(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", text))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(sweep(), tmp_path_factory.mktemp("page"))


def test_page_holds_both_languages_and_nothing_from_outside(page: str) -> None:
    seen = Page(page)
    assert seen.faults == []
    assert seen.open == []
    assert "http" not in page.replace("http-equiv", "")
    links = [
        value
        for _, attributes in seen.tags
        for name, value in attributes.items()
        if name in ("src", "href")
    ]
    assert all(str(value).startswith(("data:", "#")) for value in links)
    for language in ("en", "ja"):
        words = Words(language, "sweep_texts.yaml")
        for section in SECTIONS:
            assert words(f"section.{section}") in page


def test_language_asked_for_comes_first(tmp_path: Path) -> None:
    assert '<html lang="ja">' in written(sweep(8), tmp_path, "ja")
    assert '<html lang="en">' in written(sweep(8), tmp_path, "en")


def test_every_trial_is_a_row_and_a_line_in_each_language(page: str) -> None:
    seen = Page(page)
    lines = [
        attributes["data-trial"] for tag, attributes in seen.tags if tag == "polyline"
    ]
    assert sorted(lines) == sorted(
        f"trial_{number:05d}" for number in range(40) for _ in "ab"
    )
    assert all(
        page.count(f'<th scope="row" role="rowheader">trial_{number:05d}</th>') == 2
        for number in range(40)
    )


def test_summary_names_the_best_its_score_and_that_it_flatters(page: str) -> None:
    found = sweep()
    best = next(each for each in found["trials"] if each["trial"] == found["best"])
    text = plain(page)
    assert (
        f"The best is {found['best']}: tune PR-AUC (mean over classes and horizons) {best['value']:.3f}"
        in text
    )
    assert "so it flatters it. No test data were looked at" in text
    assert "テストデータは一度も見ていません" in text


def test_metric_of_one_horizon_is_named(tmp_path: Path) -> None:
    text = plain(written(sweep(8, metric="tune_pr_auc_60"), tmp_path))
    assert "tune PR-AUC at 60 days" in text
    assert "調整用 PR-AUC（60 日以内" in text


def test_failed_trials_stand_in_the_table_with_the_reason_and_not_in_the_figures(
    tmp_path: Path,
) -> None:
    found = sweep(9)
    broken = {
        "status": "failed",
        "value": None,
        "rows": [],
        "epochs": 0,
        "settings": {},
        "why": "<weights> not finite",
    }
    found["trials"].append(trial(9, **broken))
    page = written(found, tmp_path)
    assert "&lt;weights&gt; not finite" in page
    assert "<weights>" not in page
    assert 'data-trial="trial_00009"' not in page
    assert "9 trained to the end, 0 stopped early, 1 failed" in plain(page)


def test_family_without_epochs_has_no_learning_curves(tmp_path: Path) -> None:
    found = sweep(8)
    for each in found["trials"]:
        each["rows"] = each["rows"][-1:]
    page = written(found, tmp_path)
    assert Words("en", "sweep_texts.yaml")("section.curves") not in plain(page)


def test_few_trials_are_told_to_be_few(tmp_path: Path) -> None:
    few, many = (plain(written(sweep(number), tmp_path)) for number in (5, 40))
    assert "chance plays a large part" in few
    assert "nothing can be said about this; it takes 8 at least" in few
    assert "chance plays a large part" not in many


def test_pbt_says_that_its_settings_changed_on_the_way(tmp_path: Path) -> None:
    assert "PBT changes settings during training" in plain(
        written(sweep(8, algorithm="pbt"), tmp_path)
    )


def test_importance_finds_the_setting_that_decides() -> None:
    trials = sweep(40)["trials"]
    found = importance(
        [each["settings"] for each in trials], [each["value"] for each in trials]
    )
    assert found is not None
    assert found.share["learning_rate"] > 0.9
    assert found.share["hidden"] == 0
    assert sum(found.share.values()) == pytest.approx(1)
    assert found.explained > 0.8
    assert not found.weak


def test_importance_of_noise_explains_nothing() -> None:
    rng = np.random.default_rng(0)
    trials = sweep(40)["trials"]
    found = importance(
        [each["settings"] for each in trials], rng.normal(size=40).tolist()
    )
    assert found is not None
    assert found.explained < 0.1
    assert found.weak


def test_importance_is_silent_on_seven_trials() -> None:
    trials = sweep(7)["trials"]
    assert (
        importance(
            [each["settings"] for each in trials], [each["value"] for each in trials]
        )
        is None
    )


def test_axes_place_values_where_they_belong() -> None:
    assert Axis("rate", "loguniform", (1e-4, 1e-2)).place(1e-3) == pytest.approx(0.5)
    assert Axis("members", "int", (1, 5)).place(2) == pytest.approx(0.25)
    assert Axis("hidden", "choice", ([1, 2], [3, 4])).place([3, 4]) == pytest.approx(
        0.75
    )
    assert Axis("value", "uniform", (0.4, 0.4)).place(0.4) == pytest.approx(0.5)


def test_best_line_is_drawn_last_and_bold() -> None:
    found = sweep(12)
    axes = [Axis(key, *next(iter(values.items()))) for key, values in SPACE.items()]
    drawn = parallel_coordinates(
        found["trials"], axes, best=found["best"], words=Words("en", "sweep_texts.yaml")
    )
    lines = re.findall(r'<polyline data-trial="(\w+)" class="([\w ]+)"', drawn)
    assert lines[-1] == (found["best"], "finished winner")
    assert not any("winner" in css for _, css in lines[:-1])


def test_learning_curves_leave_gaps_where_a_score_is_unknown() -> None:
    found = sweep(3)
    found["trials"][0]["rows"][1]["tune_pr_auc"] = None
    figure = learning_curves(
        found["trials"], best="trial_00001", metric="tune_pr_auc", language="en"
    )
    lengths = sorted(len(np.asarray(line.get_xdata())) for line in figure.axes[0].lines)
    assert lengths == [2, 3, 3]
    assert all(
        math.isfinite(y)
        for line in figure.axes[0].lines
        for y in np.asarray(line.get_ydata())
    )


def test_every_text_has_both_languages_and_the_same_braces() -> None:
    def leaves(tree: Any, path: str = "") -> Any:
        if set(tree) == {"en", "ja"}:
            yield path, tree
            return
        for key, below in tree.items():
            yield from leaves(below, f"{path}.{key}")

    own = yaml.safe_load(
        Path("hvac/report/sweep_texts.yaml").read_text(encoding="utf-8")
    )
    for path, leaf in leaves(own):
        braces = [
            sorted(re.findall(r"{(\w+)}", leaf[language])) for language in ("en", "ja")
        ]
        assert braces[0] == braces[1], path
    assert texts("sweep_texts.yaml")["model"] == texts()["model"]
