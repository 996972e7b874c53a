"""The report is one honest, self-contained page in both languages."""

from __future__ import annotations

import html
import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hvac.errors import HvacError
from hvac.report.page import SECTIONS, write_report
from hvac.report.texts import texts
from hvac.report.view import cell, number, show
from hvac.words import LANGUAGES
from tests.report.page_example import Page

PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
NAMES = (
    "forecast_comparison",
    "training_history",
    "reliability",
    "pr_curves",
    "metric_bars",
)


def _load_example() -> ModuleType:
    path = Path(__file__).with_name("report_example.py")
    spec = importlib.util.spec_from_file_location("report_example", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


example = _load_example()


@pytest.fixture(name="metrics")
def _metrics() -> dict[str, Any]:
    return example.example_metrics()


def written(
    metrics: dict[str, Any], folder: Path, *, language: str = "ja", figures: Any = None
) -> str:
    drawn = (
        {name: dict.fromkeys(LANGUAGES, PIXEL) for name in NAMES}
        if figures is None
        else figures
    )
    write_report(metrics, drawn, path=folder / "report.html", language=language)
    return (folder / "report.html").read_text(encoding="utf-8")


def part(text: str, language: str) -> str:
    """The visible text of one language."""
    found = re.search(
        rf'<div class="page" lang="{language}".*?(?=<div class="page"|<script>)',
        text,
        re.S,
    )
    assert found is not None
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found[0])))


def test_report_names_no_outside_resource(
    metrics: dict[str, Any], tmp_path: Path
) -> None:
    text = written(metrics, tmp_path)
    assert not re.search(r"https?://|@import|url\(", text)
    page = Page(text)
    links = [
        a.get("src") or a.get("href")
        for tag in ("img", "script", "link", "a", "iframe")
        for a in page.all(tag)
    ]
    assert all(link.startswith(("data:", "#")) for link in links if link)
    assert "default-src 'none'" in str(page.all("meta"))


def test_report_has_no_unclosed_tags(metrics: dict[str, Any], tmp_path: Path) -> None:
    page = Page(written(metrics, tmp_path))
    assert (page.open, page.faults) == ([], [])


@pytest.mark.parametrize("language", LANGUAGES)
def test_report_holds_both_languages_and_shows_the_one_asked_for(
    metrics: dict[str, Any], tmp_path: Path, language: str
) -> None:
    page = Page(written(metrics, tmp_path, language=language))
    assert page.all("html")[0]["lang"] == language
    shown = [div["lang"] for div in page.all("div") if div.get("class") == "page"]
    assert shown[0] == language
    assert set(shown) == set(LANGUAGES)


def test_report_speaks_to_a_facility_manager_in_numbers_of_hundred(
    metrics: dict[str, Any], tmp_path: Path
) -> None:
    text = written(metrics, tmp_path)
    assert (
        "Of 100 alarms, 43 (95% interval 35 to 51) were followed by an event within 30 days."
        in part(text, "en")
    )
    assert (
        "異常 100 件のうち 61 件（95% 区間 52〜70）は、始まる 7 日以上前に警報が出ていました。"
        in part(text, "ja")
    )


def test_report_says_where_simple_models_win(
    metrics: dict[str, Any], tmp_path: Path
) -> None:
    metrics["differences"]["gbdt_28"]["90"]["pr_auc"] = {
        "value": -0.1,
        "low": -0.2,
        "high": -0.05,
        "verdict": "worse",
    }
    text = part(written(metrics, tmp_path), "en")
    assert (
        "worse than: Trees, 28 features (90 days); Trees, 28 + context; Fusion" in text
    )
    assert "not clearly different from: Trees, 28 features (30, 60 days)" in text


def test_report_warns_where_context_alone_is_not_beaten(
    metrics: dict[str, Any], tmp_path: Path
) -> None:
    metrics["differences"]["gbdt_context"]["60"]["pr_auc"]["verdict"] = "better"
    assert "is not beaten at" in part(written(metrics, tmp_path), "en")
    for by_metric in metrics["differences"]["gbdt_context"].values():
        by_metric["pr_auc"] = {
            "value": 0.1,
            "low": 0.05,
            "high": 0.2,
            "verdict": "better",
        }
    assert 'class="warning"' not in written(metrics, tmp_path)


def test_report_warns_when_context_was_not_compared(
    metrics: dict[str, Any], tmp_path: Path
) -> None:
    del metrics["differences"]["gbdt_context"]
    assert "not compared with context alone" in part(written(metrics, tmp_path), "en")


def test_report_names_classes_and_horizons_with_few_units_behind_calibration(
    metrics: dict[str, Any], tmp_path: Path
) -> None:
    for h, pumps in (("30", 7), ("60", 12), ("90", 20)):
        metrics["thresholds"]["hybrid"][h]["units_with_event"] = {
            "AHU": 40,
            "pump": pumps,
            "冷凍機": 19 if h == "30" else 25,
        }
    text = written(metrics, tmp_path)
    assert "Fewer than 20 pieces of equipment with an event" in part(text, "en")
    assert "pump, 30 days: 7, 60 days: 12; 冷凍機, 30 days: 19." in part(text, "en")
    assert (
        "20 台に満たないところがあります（pump：30 日以内 7 台、60 日以内 12 台／冷凍機：30 日以内 19 台）"
        in part(text, "ja")
    )


def test_report_does_not_warn_of_units_where_there_are_many_or_none_are_counted(
    metrics: dict[str, Any], tmp_path: Path
) -> None:
    assert "behind calibration" not in part(written(metrics, tmp_path), "en")
    for by_horizon in metrics["thresholds"]["hybrid"].values():
        by_horizon["units_with_event"] = {"AHU": 20}
    assert "behind calibration" not in part(written(metrics, tmp_path), "en")


def test_report_shows_how_the_fusion_mixes_its_blocks(
    metrics: dict[str, Any], tmp_path: Path
) -> None:
    assert "mixes its blocks" not in part(written(metrics, tmp_path), "en")
    losses = {"weights": 0.2104, "mean": 0.2151, "best_block": 0.23}
    metrics["fusion"] = {
        "AHU": {
            "rule": "weights",
            "weights": {"forest": 0.75, "my_block": 0.25},
            "log_loss": losses,
        },
        "pump": {"rule": "mean", "weights": {"forest": 1.0}, "log_loss": {"mean": 0.3}},
    }
    text = written(metrics, tmp_path)
    assert "Rule chosen weighted mean of the blocks plain mean of the blocks" in part(
        text, "en"
    )
    assert "Log-loss: plain mean of the blocks 0.215 0.300" in part(text, "en")
    assert "Log-loss: best block alone 0.230 –" in part(text, "en")
    assert (
        "Weight: Forest, last days + peers 75.0% 100.0% Weight: my_block 25.0% –"
        in part(text, "en")
    )
    assert "採用した方法 ブロックの重み付き平均 ブロックの単純平均" in part(text, "ja")


def test_report_gives_no_headline_when_events_are_few(
    metrics: dict[str, Any], tmp_path: Path
) -> None:
    for measured in metrics["models"]["hybrid"].values():
        measured |= {"headline": False, "events": 7}
    text = part(written(metrics, tmp_path), "ja")
    assert "30 日以内：7 件" in text
    assert "警報 100 件のうち" not in text
    assert "次より良い" not in text


def test_headline_is_of_the_first_horizon_with_enough_events(
    metrics: dict[str, Any], tmp_path: Path
) -> None:
    metrics["models"]["hybrid"]["30"]["events"] = 12
    assert "within 60 days" in part(written(metrics, tmp_path), "en")


@pytest.mark.parametrize("absent", list(example.example_metrics()))
def test_report_tolerates_an_absent_key(
    metrics: dict[str, Any], tmp_path: Path, absent: str
) -> None:
    del metrics[absent]
    page = Page(written(metrics, tmp_path))
    assert (page.open, page.faults) == ([], [])


@pytest.mark.parametrize(
    ("absent", "section"),
    [
        ("ablation", "ablation"),
        ("slices", "slices"),
        ("models", "summary"),
        ("models", "alarms"),
    ],
)
def test_section_is_left_out_when_its_numbers_are_absent(
    metrics: dict[str, Any], tmp_path: Path, absent: str, section: str
) -> None:
    assert f'id="ja-{section}"' in written(metrics, tmp_path)
    del metrics[absent]
    assert f'id="ja-{section}"' not in written(metrics, tmp_path)


def section_of(text: str, name: str, language: str) -> str:
    """The visible text of one section."""
    found = re.search(rf'<h2 id="{language}-{name}".*?(?=<h2|<script>)', text, re.S)
    return (
        html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found[0])))
        if found
        else ""
    )


def test_facility_with_few_events_shows_counts_and_no_figures(
    metrics: dict[str, Any], tmp_path: Path
) -> None:
    text = section_of(written(metrics, tmp_path), "facilities", "en")
    assert (
        "<b>fukuoka</b> 3 too few to tell" + 8 * " –" + " All facilities 86 6.2%"
        in text
    )
    share = example.unseen()["facilities"]["tokyo-01"]["hybrid"]["30"]["pr_auc"][
        "value"
    ]
    assert re.search(rf"tokyo-01 44 6\.2% \[5\.6%, 6\.8%\] {share:.3f} ", text)
    assert "tokyo-01 40 44 its own" in text


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", ("its own", "its own for 4 of 9", "its own for 6 of 9", "the fleet's", "Under 30 events")),
     ("ja", ("施設専用", "9 件中 4 件が施設専用", "全施設共通", "異常が 30 件未満"))],
)  # fmt: skip
def test_report_tells_whose_calibration_and_thresholds_hold_at_a_facility(
    metrics: dict[str, Any], tmp_path: Path, language: str, words: tuple[str, ...]
) -> None:
    text = section_of(written(metrics, tmp_path), "facilities", language)
    assert all(word in text for word in words)
    assert "冷凍機" in text


def test_facilities_are_no_section_where_none_was_left_out_and_none_has_its_own(
    metrics: dict[str, Any], tmp_path: Path
) -> None:
    del metrics["unseen"]
    assert "its own for 4 of 9" in section_of(
        written(metrics, tmp_path), "facilities", "en"
    )
    for each in metrics["own_decisions"].values():
        each |= {"calibration": {"own": 0, "of": 9}, "thresholds": {"own": 0, "of": 9}}
    assert not section_of(written(metrics, tmp_path), "facilities", "en")


def test_report_of_nothing_still_explains_itself(tmp_path: Path) -> None:
    text = written({}, tmp_path, figures={})
    assert 'id="ja-glossary"' in text
    assert 'id="ja-leakage"' in text
    assert "<img" not in text


def test_unknown_numbers_are_dashes(metrics: dict[str, Any], tmp_path: Path) -> None:
    for by_horizon in metrics["models"].values():
        for measured in by_horizon.values():
            measured |= {
                "pr_auc": {"value": float("nan"), "low": None, "high": None},
                "ece": None,
            }
    text = part(written(metrics, tmp_path), "en")
    assert re.search(r"PR-AUC ranking; [^–]*– – –", text)
    assert not re.search(r"\bnan\b|\bNone\b", text)


def test_number_is_none_when_not_finite_or_not_a_number() -> None:
    assert [
        number(found)
        for found in (None, float("inf"), True, "x", {"value": None}, {"value": 2})
    ] == [None] * 5 + [2.0]
    assert show({"value": float("nan")}) == "–"
    assert cell({"value": 0.5, "low": 0.4, "high": None}).detail == ""


def test_values_are_escaped(metrics: dict[str, Any], tmp_path: Path) -> None:
    metrics["run"]["name"] = '"><script>alert(1)</script>'
    text = written(metrics, tmp_path)
    assert "<b>fukuoka" not in text
    assert "&lt;b&gt;fukuoka&lt;/b&gt;" in text
    assert text.count("<script>") == 1


def test_tables_figures_and_headings_are_sane_for_screen_readers(
    metrics: dict[str, Any], tmp_path: Path
) -> None:
    text = written(metrics, tmp_path)
    page = Page(text)
    assert text.count("<table") == text.count("<caption")
    assert all(th.get("scope") for th in page.all("th"))
    assert all(picture.get("alt") for picture in page.all("img"))
    headings = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert headings == 2 * [1, *[2] * len(SECTIONS)]
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_every_row_of_a_table_is_as_wide_as_its_header(
    metrics: dict[str, Any], tmp_path: Path
) -> None:
    for table in re.findall(r"<table.*?</table>", written(metrics, tmp_path), re.S):
        widths = set()
        for row in re.findall(r"<tr.*?</tr>", table, re.S):
            spans = [
                int(span or 1)
                for span in re.findall(r'<t[hd](?: [^>]*?(?:colspan="(\d+)")?)?>', row)
            ]
            widths.add(sum(spans))
        assert len(widths) == 1, table[:300]


def test_figures_come_from_files_and_fall_back_to_the_only_language(
    metrics: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "curve.png"
    path.write_bytes(b"\x89PNG")
    text = written(metrics, tmp_path, figures={"pr_curves": {"en": path}})
    assert text.count("data:image/png;base64,iVBORw==") == 2


def test_error_says_what_was_expected_when_a_figure_or_language_is_unknown(
    metrics: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(HvacError, match="found \\['pie_chart'\\]"):
        written(metrics, tmp_path, figures={"pie_chart": {"en": PIXEL}})
    with pytest.raises(HvacError, match="expected a data URI or an existing"):
        written(metrics, tmp_path, figures={"pr_curves": {"en": tmp_path / "none.png"}})
    with pytest.raises(HvacError, match="expected one of en, ja"):
        written(metrics, tmp_path, language="fr")


def test_default_model_is_the_family_of_the_run(
    metrics: dict[str, Any], tmp_path: Path
) -> None:
    metrics["run"]["family"] = "fusion"
    assert "Fusion on the test period" in part(written(metrics, tmp_path), "en")


def test_report_counts_points_when_units_are_points(
    metrics: dict[str, Any], tmp_path: Path
) -> None:
    metrics["run"]["by"] = "point"
    assert "点検項目 312 件について" in part(written(metrics, tmp_path), "ja")


REJECTED = """missing_id missing_date unreadable_date date_out_of_range text_in_value infinite_value unreadable_known_at
    known_at_out_of_range field_count limits_swapped unreadable_limit end_before_start unreadable_end
    unreadable_install_date unreadable_end_of_follow_up end_of_follow_up_out_of_range missing_kind missing_start
    unreadable_start repeated_equipment unknown_equipment
    sequence_length text_in_sequence infinite_in_sequence label_not_0_or_1"""
EXCLUDED = "learning insufficient_data in_episode purged"


def test_every_reason_of_the_gate_and_the_windows_has_a_name() -> None:
    assert not set(REJECTED.split()) - set(texts()["rejected"])
    assert not set(EXCLUDED.split()) - set(texts()["excluded"])


def test_reason_without_a_name_stands_as_it_is(
    metrics: dict[str, Any], tmp_path: Path
) -> None:
    text = part(written(metrics, tmp_path), "en")
    assert "value is not a number 3,512" in text
    assert "odd_fault 2" in text


def test_report_names_kinds_of_events_and_their_parts(
    metrics: dict[str, Any], tmp_path: Path
) -> None:
    text = part(written(metrics, tmp_path), "ja")
    assert "履歴の件数：故障 402" in text
    assert "履歴の件数：故障（comp3） 31" in text
    assert "履歴の件数：odd 5" in text
    assert "故障、基準値外れ（出典：異常・保守の履歴）" in text


def test_report_shows_effective_numbers_only_where_they_differ(
    metrics: dict[str, Any], tmp_path: Path
) -> None:
    train = metrics["windows"]["train"]
    train["effective"] = {name: dict(train[name]) for name in ("known", "positives")}
    assert "tell as much as" not in part(written(metrics, tmp_path), "en")
    train["effective"]["known"]["90"] = 12_345.4
    text = part(written(metrics, tmp_path), "en")
    assert f"90 days 12,345 ({train['positives']['90']:,} positive)" in text
    assert "60 days 58,300" not in text
    assert "重み" in part(written(metrics, tmp_path), "ja")


def test_report_says_how_many_readings_were_combined_and_which_points_were_dropped(
    metrics: dict[str, Any], tmp_path: Path
) -> None:
    text = part(written(metrics, tmp_path), "en")
    assert "1,280 readings fell on a day" in text
    assert "AHU: 還気CO2, filter_dp" in text
    assert "P18, P19 and 3 more" in text
    metrics["panel"] |= {"repeated_unit_days": 0, "dropped_points": {"AHU": []}}
    text = part(written(metrics, tmp_path), "en")
    assert "readings fell on a day" not in text
    assert "Points left out" not in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_command_that_compares_more_models_stands_below_the_models(
    metrics: dict[str, Any], tmp_path: Path, language: str
) -> None:
    command = "python -m ray_jobs.compare --config run.yaml"
    metrics["compare_command"] = command
    assert command in section_of(written(metrics, tmp_path), "models", language)
    metrics["compare_command"] = None
    assert "ray_jobs.compare" not in section_of(
        written(metrics, tmp_path), "models", language
    )
