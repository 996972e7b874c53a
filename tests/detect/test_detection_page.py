"""The report: both languages in one file, nothing from outside, and honest about who won."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from matplotlib.text import Text

from hvac.detect.classification_summary import summary_text
from hvac.detect.detection_figures import probability_figure, sample_figure
from hvac.detect.detection_page import write_detection_report
from hvac.detect.detection_results import DetectionView
from hvac.detect.detection_texts import DetectWords
from hvac.detect.detector_differences import difference_notes
from hvac.detect.figure_files import draw_detection_figures
from hvac.detect.part_scores import Assessment, metrics_of
from hvac.detect.sliding import SlidingConfig
from hvac.words import read_texts
from tests.detect.detect_example import (
    SMALL,
    assessed,
    assessed_sines,
    clocked,
    small_fleet,
)

HISTORY = [
    {
        "epoch": float(n),
        "train_loss": 1 / n,
        "tune_loss": 1.1 / n,
        "tune_pr_auc": 0.5 + n / 10,
    }
    for n in (1, 2)
]


FACTS: dict[str, Any] = {
    "run": {"name": "tiny", "created": "2024-05-01", "version": "0", "config_hash": "ab", "seed": 1, "workers": 0,
            "command": "python -m ray_jobs.detect"},
    "settings": {"rule": "half", "budget": 1.0, "most_in_alarm": None, "exposure_unit": "steps", "gap": 5, "slack": 5,
                 "join": "mean", "inject": False},
    "records": {},
    "examples": {"train": {"normal": 9, "anomalous": 3, "made": 0}},
    "detector": {"parameters": 10561, "kept_epoch": 2, "epochs": 2, "window": "20, 5", "channels": ["raw"],
                 "detector": "detector", "sha256": "cd"},
    "history": HISTORY,
}  # fmt: skip


def metrics(found: Assessment, series: Any, windows: SlidingConfig, kind: str) -> Any:
    settings = {"settings": {**FACTS["settings"], "kind": kind}}
    tree = FACTS | settings | metrics_of(found, series, windows, seed=0)
    return json.loads(json.dumps(tree), parse_constant=lambda _: None)


def test_report_stands_alone_in_both_languages(tmp_path: Path) -> None:
    found, series = assessed(), small_fleet()
    content = metrics(found, series, SMALL, "rich")
    figures = draw_detection_figures(found, series, content, tmp_path / "figures")
    write_detection_report(
        content, figures, path=tmp_path / "report.html", language="ja"
    )
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<html lang="ja">' in html
    for text in (
        "異常検知レポート",
        "Anomaly detection report",
        "6 件中 6 件",
        "6 of 6 anomalies",
        "誤報",
        "False alarms",
    ):
        assert text in html
    assert "http://" not in html
    assert "https://" not in html
    names = [
        f"{name}.{each}.png"
        for name in ("series", "confusion", "training", "scores")
        for each in ("en", "ja")
    ]
    assert sorted(file.name for file in (tmp_path / "figures").iterdir()) == sorted(
        names
    )
    assert html.count("data:image/png;base64,") == len(names)


def test_report_of_the_seeds_series_speaks_of_series_and_of_kind_conditions(
    tmp_path: Path,
) -> None:
    series, found = assessed_sines()
    content = metrics(found, series, SlidingConfig(length=100), "sine")
    write_detection_report(content, {}, path=tmp_path / "report.html", language="en")
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    for text in (
        "未知データ",
        "優しい",
        "very kind to the model",
        "of 8 series rightly",
    ):
        assert text in html
    assert "異常 1 件ごとの成績" not in html


def drawn_texts(figure: Any) -> set[str]:
    return {text.get_text() for text in figure.findobj(Text)}


def test_probability_figure_names_parts_and_threshold_in_japanese() -> None:
    judged = {
        part: found["cnn1d"]
        for part, found in assessed_sines()[1].scores.items()
        if part != "validation"
    }
    texts = drawn_texts(probability_figure(judged, 0.5, language="ja"))
    assert {"テスト", "未知データ", "しきい値", "異常の確率"} <= texts


def test_records_are_drawn_with_their_parts() -> None:
    texts = drawn_texts(
        sample_figure([clocked(each) for each in small_fleet()], language="en")
    )
    assert {" train", " validation", " test", "anomaly"} <= texts


@pytest.mark.parametrize(
    ("mine", "theirs", "english"),
    [
        ((2, 3), (2, 2), "1D-CNN loses to"),
        ((1, 2), (2, 2), "1D-CNN loses to"),
        ((2, 1), (2, 2), "1D-CNN is ahead of"),
        ((2, 2), (2, 2), "are level"),
        ((2, 5), (1, 2), "Neither is ahead in both"),
    ],
)
def test_verdict_by_counts_says_who_lost_and_that_it_is_not_decided(
    mine: Any, theirs: Any, english: str
) -> None:
    def counted(found: int, false: int) -> Any:
        return {
            "test": {"events": {"found": found, "false_alarms": false, "events": 2}}
        }

    content = {
        "models": {"cnn1d": counted(*mine), "zscore_record": counted(*theirs)},
        "differences": {},
    }
    (line,) = difference_notes(
        DetectionView(metrics=content, images={}, words=DetectWords("en"))
    )
    assert english in line.text
    assert line.tone == "unclear"


@pytest.mark.parametrize(
    ("verdict", "tone"), [("worse", "worse"), ("no clear difference", "unclear")]
)
def test_verdict_by_interval_has_its_tone(verdict: str, tone: str) -> None:
    counted = {"test": {"events": {"found": 9, "false_alarms": 1, "events": 20}}}
    difference = {"value": -0.1, "low": -0.2, "high": -0.02, "verdict": verdict}
    content = {
        "models": {"cnn1d": counted, "zscore_window": counted},
        "differences": {"zscore_window": difference},
    }
    (line,) = difference_notes(
        DetectionView(metrics=content, images={}, words=DetectWords("ja"))
    )
    assert line.tone == tone
    assert "-10.0 ポイント" in line.text


def test_summary_for_the_terminal_holds_the_seeds_report() -> None:
    text = summary_text(metrics(assessed(), small_fleet(), SMALL, "rich"))
    assert "precision     recall   f1-score    support" in text
    assert "anomalies found 6 of 6, false alarms 0" in text


def test_every_text_exists_in_both_languages() -> None:
    def leaves(tree: Any) -> Any:
        yield from (
            [tree]
            if "en" in tree
            else [leaf for branch in tree.values() for leaf in leaves(branch)]
        )

    texts = read_texts("hvac.detect", "texts.yaml")
    assert all(
        set(leaf) == {"en", "ja"} and all(leaf.values()) for leaf in leaves(texts)
    )
