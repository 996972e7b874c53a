"""The leaderboard's page and its section in the report: honest, self-contained, in both languages."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hvac.errors import HvacError
from hvac.models.families import FAMILIES
from hvac.report.leaderboard_figures import FASTEST, cost, quality
from hvac.report.leaderboard_page import SECTIONS, write_leaderboard_page
from hvac.report.leaderboard_view import TEXTS, amount, leaderboard_summary, overall
from hvac.report.page import write_report
from hvac.report.style import EVENT, PAST
from hvac.report.texts import Words, texts
from hvac.report.view import Block, Note, Row, Table, View
from hvac.words import LANGUAGES
from tests.evaluation.leaderboard_example import ABOUT, HORIZONS, board
from tests.report.report_example import example_metrics
from tests.report.test_figures import leaves
from tests.report.test_page import Page, part

VALIDATION = {
    "fusion": 0.2,
    "hybrid": 0.3,
    "gbdt_28": 0.6,
    "my_variant": 0.31,
    "base_rate": 5.0,
}
TEST = {
    "fusion": 0.45,
    "hybrid": 0.3,
    "gbdt_28": 0.1,
    "my_variant": 0.31,
    "base_rate": 5.0,
}
PLACE = {h: place for place, h in enumerate(HORIZONS)}


@cache
def _made(onsets: int) -> str:
    return json.dumps(board(VALIDATION, TEST, onsets=onsets))


def made(onsets: int = 90) -> dict[str, Any]:
    """A fresh leaderboard whose champion, fusion, is beaten on test."""
    found: dict[str, Any] = json.loads(_made(onsets))
    return found


def view(shown: dict[str, Any], language: str = "en") -> View:
    return View(
        metrics={"leaderboard": shown, "about": ABOUT},
        images={},
        words=Words(language, TEXTS),
    )


def told(blocks: list[Block]) -> str:
    """Everything a reader reads of some blocks."""
    parts: list[str] = []
    for block in blocks:
        if isinstance(block, Note):
            parts += [block.label, block.text]
        elif isinstance(block, Table):
            parts += [
                block.caption,
                *(text for text, _ in block.groups),
                *block.head,
                *map(line, block.rows),
            ]
    return " ".join(part for part in parts if part)


def line(row: Row) -> str:
    return " ".join(
        f"{cell.text} {cell.detail}".strip() for cell in (row.head, *row.cells)
    )


def section(shown: dict[str, Any], key: str, language: str = "en") -> str:
    return told(SECTIONS[key](view(shown, language)))


def rows(shown: dict[str, Any], horizon: int, language: str = "en") -> list[Row]:
    """Rows of one horizon's table."""
    table = SECTIONS["tables"](view(shown, language))[PLACE[horizon]]
    assert isinstance(table, Table)
    return list(table.rows)


def row_of(shown: dict[str, Any], name: str, horizon: int = 30) -> Row:
    place = [row["name"] for row in shown["rows"]].index(name)
    return rows(shown, horizon)[place]


# The page


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page, Japanese first, with names that would break a careless one."""
    shown, path = made(), tmp_path_factory.mktemp("page") / "new" / "leaderboard.html"
    shown["rows"][3]["name"] = "<script>alert(1)</script>"
    write_leaderboard_page(
        shown, path=path, language="ja", about={**ABOUT, "run": "<b>run</b>"}
    )
    return path.read_text(encoding="utf-8")


def test_page_is_self_contained_and_well_formed(text: str) -> None:
    page = Page(text)
    assert (page.open, page.faults) == ([], [])
    assert not re.search(r"https?://|@import|url\(", text)
    links = [
        a.get("src") or a.get("href")
        for tag in ("img", "script", "link", "a")
        for a in page.all(tag)
    ]
    assert all(link.startswith(("data:", "#")) for link in links if link)
    assert "default-src 'none'" in str(page.all("meta"))


def test_page_shows_the_language_asked_for_and_holds_both_with_every_section(
    text: str,
) -> None:
    page = Page(text)
    assert page.all("html")[0]["lang"] == "ja"
    assert [div["lang"] for div in page.all("div") if div.get("class") == "page"] == [
        "ja",
        "en",
    ]
    headings = [heading["id"] for heading in page.all("h2")]
    assert headings == [
        f"{language}-{key}" for language in ("ja", "en") for key in SECTIONS
    ]
    assert "テスト用データ" in part(text, "ja")
    assert "test part" in part(text, "en")


def test_page_has_both_figures_in_each_language_with_a_text_in_their_place(
    text: str,
) -> None:
    pictures = Page(text).all("img")
    assert (
        len(pictures)
        == len({picture["src"] for picture in pictures})
        == 2 * len(LANGUAGES)
    )
    assert all(picture["alt"] for picture in pictures)


def test_names_are_escaped(text: str) -> None:
    assert text.count("<script>") == 1
    assert "<b>run" not in text


def test_every_row_of_a_table_is_as_wide_as_its_header(text: str) -> None:
    for table in re.findall(r"<table.*?</table>", text, re.S):
        widths = {
            sum(
                int(span or 1)
                for span in re.findall(r'<t[hd](?: [^>]*?(?:colspan="(\d+)")?)?>', row)
            )
            for row in re.findall(r"<tr.*?</tr>", table, re.S)
        }
        assert len(widths) == 1


def test_page_in_an_unknown_language_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HvacError, match="expected one of en, ja"):
        write_leaderboard_page(
            made(), path=tmp_path / "leaderboard.html", language="fr", about=ABOUT
        )
    assert not list(tmp_path.iterdir())


# In short


def test_headline_says_who_was_chosen_on_validation_and_its_test_figures_once() -> None:
    shown = made()
    first, said = shown["rows"][0], section(shown, "short")
    mean = f"{first['validation']['mean']:.3f}"
    assert said.startswith(
        f"The champion is Fusion: of 5 models it has the highest PR-AUC on the validation part ({mean}"
    )
    for h in map(str, HORIZONS):
        figure, base = (
            first["test"][h]["pr_auc"],
            first["test"][h]["base_rate"]["value"],
        )
        value, low, high = (f"{figure[key]:.3f}" for key in ("value", "low", "high"))
        assert (
            said.count(
                f"{value} [{low}, {high}] within {h} days (base rate {base:.1%})"
            )
            == 1
        )
        assert (
            section(shown, "short", "ja").count(
                f"{h} 日以内が {value} [{low}, {high}]（平均発生率 {base:.1%}）"
            )
            == 1
        )


def test_page_says_that_another_model_won_on_test_and_that_the_choice_stands() -> None:
    english, japanese = (section(made(), "short", language) for language in LANGUAGES)
    assert re.search(
        r"the champion Fusion is better than: Base rate worse than: .*Trees, 28 features",
        english,
    )
    assert "The choice stands" in english
    assert re.search(
        r"採用モデル「統合モデル」とほかのモデルの比較 明確に上回ったモデル： 平均発生率"
        r" 明確に下回ったモデル： .*決定木・特徴量 28",
        japanese,
    )


def test_page_says_nothing_of_a_standing_choice_where_none_is_better() -> None:
    assert "The choice stands" not in section(
        board(VALIDATION, VALIDATION, onsets=90), "short"
    )


def test_few_events_give_a_warning_with_counts_and_no_claim() -> None:
    shown = made(onsets=12)
    events = shown["rows"][0]["test"]["30"]["events"]["value"]
    english, japanese = (section(shown, "short", language) for language in LANGUAGES)
    assert f"30 days: {events} events" in english
    assert f"30 日以内：{events} 件" in japanese
    assert "How good it is on the test part is not claimed here" in english
    assert "結論を述べません" in japanese
    assert not re.search(r"base rate|better than|worse than", english)
    assert not re.search(r"平均発生率|次より", japanese)
    assert "30 days (few events)" in section(shown, "tables")


def test_only_horizons_with_enough_events_are_claimed() -> None:
    shown = made()
    for row in shown["rows"]:
        row["test"]["30"] |= {"headline": False, "events": {"value": 12}}
    said = section(shown, "short")
    assert "30 days: 12 events" in said
    assert "within 30 days" not in said
    assert "within 60 days" in said
    assert "Trees, 28 features (60, 90 days)" in said


# Tables


def test_mean_over_horizons_has_every_model_with_its_differences() -> None:
    shown = made()
    (table,) = overall(view(shown))
    assert isinstance(table, Table)
    for row, found in zip(shown["rows"], table.rows, strict=True):
        assert found.cells[0].text == f"{row['validation']['mean']:.3f}"
        assert found.cells[1].text == f"{row['mean']['pr_auc']['value']:.3f}"
        assert (
            found.cells[2].text
            == (row["mean"]["against_default"] or {"verdict": "–"})["verdict"]
        )
    assert overall(view(made(onsets=12))) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_tables_have_every_model_in_the_order_of_validation(language: str) -> None:
    shown = made()
    names = [Words(language).name("model", row["name"]) for row in shown["rows"]]
    for h in HORIZONS:
        heads = [
            row.head.text.replace("\N{NO-BREAK SPACE}", " ")
            for row in rows(shown, h, language)
        ]
        assert heads == [f"{rank}. {name}" for rank, name in enumerate(names, 1)]


def test_row_shows_validation_test_difference_in_words_and_cost() -> None:
    shown = made()
    row = next(row for row in shown["rows"] if row["name"] == "gbdt_28")
    test, gap = row["test"]["60"], row["against_default"]["60"]["pr_auc"]
    found = row_of(shown, "gbdt_28", 60)
    assert [cell.text for cell in found.cells] == [
        f"{row['validation']['pr_auc']['60']:.3f}",
        f"{test['pr_auc']['value']:.3f}",
        "better",
        *(f"{test[name]['value']:.3f}" for name in ("brier_skill", "ece")),
        f"{test['recall_10']['value']:.1%}",
        *("1,000", "12.5", "2.00"),
    ]
    interval = (
        f"[{test['pr_auc']['low']:.3f},\N{NO-BREAK SPACE}{test['pr_auc']['high']:.3f}]"
    )
    assert found.cells[1].detail == interval
    assert found.cells[2].detail.startswith(f"{gap['value']:+.3f} [{gap['low']:+.3f}")


def test_row_that_loses_says_worse_and_one_that_does_not_says_so() -> None:
    shown = made()
    said = {name: row_of(shown, name).cells[2] for name in VALIDATION}
    assert {name: cell.text for name, cell in said.items() if name != "fusion"} == {
        "gbdt_28": "better",
        "base_rate": "worse",
        "my_variant": "no clear difference",
        "hybrid": "–",
    }
    assert {name: said[name].tone for name in ("gbdt_28", "base_rate")} == {
        "gbdt_28": "better",
        "base_rate": "worse",
    }


def test_champion_and_default_are_marked_and_a_variant_names_its_family() -> None:
    shown = made()
    next(row for row in shown["rows"] if row["name"] == "my_variant")["family"] = "lstm"
    details = {name: row_of(shown, name).head.detail for name in VALIDATION}
    assert details == {
        "fusion": "fusion · champion",
        "hybrid": "hybrid · default",
        "gbdt_28": "gbdt_28",
        "my_variant": "LSTM (lstm)",
        "base_rate": "base_rate",
    }
    assert [name for name in VALIDATION if row_of(shown, name).strong] == ["fusion"]


def test_champion_that_is_the_default_bears_both_marks() -> None:
    shown = board({"hybrid": 0.2, "lstm": 0.5}, {"hybrid": 0.2, "lstm": 0.5}, onsets=90)
    assert rows(shown, 30)[0].head.detail == "hybrid · champion · default"


def test_range_over_seeds_is_shown_only_where_there_are_several() -> None:
    shown = made()
    shown["rows"][1] |= {
        "runs": 3,
        "seeds": {h: [0.111, 0.222] for h in map(str, HORIZONS)},
    }
    found = [row.cells[1].detail for row in rows(shown, 30)]
    assert ["0.111" in detail and "0.222" in detail for detail in found] == [
        False,
        True,
        False,
        False,
        False,
    ]


def test_undefined_numbers_are_dashes() -> None:
    shown = made()
    nothing = {"value": None, "low": None, "high": None}
    for row in shown["rows"]:
        row["validation"]["pr_auc"]["30"], row["seeds"]["30"] = None, [None, None]
        row["test"]["30"] |= dict.fromkeys(
            ("pr_auc", "brier_skill", "ece", "recall_10", "base_rate"), nothing
        )
        if row["against_default"]:
            row["against_default"]["30"]["pr_auc"] |= nothing
    assert [cell.text for cell in row_of(shown, "gbdt_28").cells[:6]] == ["–"] * 6
    for key in SECTIONS:
        assert not re.search(r"\bnan\b|\bNone\b", section(shown, key))


# How the choice was made


def test_page_says_how_the_choice_was_made_and_that_test_had_no_say() -> None:
    english, japanese = (section(made(), "choice", language) for language in LANGUAGES)
    assert "had no say" in english
    assert "100 bootstrap replicates" in english
    assert "採用モデルの選択にも、順位にも、設定にも使っていません" in japanese


def test_page_names_run_seeds_table_and_the_command_that_trains_the_champion() -> None:
    said = section(made(), "facts")
    for fact in (
        "small",
        "families",
        "2026-02-15 19:08",
        "0, 1",
        "c0ffee",
        ABOUT["command"],
    ):
        assert str(fact) in said


# Words


def test_every_family_has_a_name_in_both_languages() -> None:
    assert set(FAMILIES) <= set(texts()["model"])


def test_every_text_exists_in_both_languages_with_the_same_fields() -> None:
    for path, leaf in leaves(texts(TEXTS)):
        assert set(leaf) == set(LANGUAGES), path
        fields = [
            {each.split("}")[0] for each in text.split("{")[1:]}
            for text in leaf.values()
        ]
        assert fields[0] == fields[1], path


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (None, "–"),
        (0, "0"),
        (99.96, "100.0"),
        (1234.6, "1,235"),
        (0.004, "0.00"),
        (9.5, "9.50"),
    ],
)
def test_amount_has_as_many_decimals_as_it_deserves(found: Any, shown: str) -> None:
    assert amount(found) == shown


# Figures


def test_quality_has_a_column_per_horizon_and_marks_champion_and_default() -> None:
    shown = made()
    axes = quality(shown, language="en").axes
    assert len(axes) == len(HORIZONS)
    colours = [label.get_color() for label in axes[0].get_yticklabels()]
    assert [
        row["name"]
        for row, colour in zip(shown["rows"], colours, strict=True)
        if colour == PAST
    ] == ["fusion"]
    assert [
        row["name"]
        for row, colour in zip(shown["rows"], colours, strict=True)
        if colour == EVENT
    ] == ["hybrid"]
    assert axes[0].yaxis_inverted()


def test_quality_draws_the_intervals_of_the_test_part() -> None:
    shown = made()
    axes = quality(shown, language="ja").axes[1]
    drawn = [
        collection.get_segments()[0][:, 0].tolist() for collection in axes.collections
    ]
    assert drawn == [
        [row["test"]["60"]["pr_auc"][end] for end in ("low", "high")]
        for row in shown["rows"]
    ]


def test_cost_is_drawn_on_a_logarithmic_scale_and_no_model_is_lost_at_zero() -> None:
    shown = made()
    assert min(row["microseconds_per_window"] for row in shown["rows"]) == 0
    for axes in cost(shown, language="en").axes:
        assert axes.get_xscale() == "log"
        dots = [dot.get_xdata()[0] for dot in axes.lines if dot.get_marker() == "o"]
        assert dots == [
            max(row["microseconds_per_window"], FASTEST) for row in shown["rows"]
        ]
        assert [note.get_text() for note in axes.texts] == ["1", "2", "3", "4", "5"]


# The report's section


def test_report_shows_a_compact_table_of_a_finished_comparison(tmp_path: Path) -> None:
    write_report(
        {**example_metrics(), "leaderboard": made()},
        {},
        path=tmp_path / "report.html",
        language="en",
    )
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert (Page(page).open, Page(page).faults) == ([], [])
    assert 'id="ja-leaderboard"' in page
    assert "compare/families/leaderboard.html" in part(page, "en")


def test_compact_table_has_validation_and_every_horizon_with_the_verdict() -> None:
    shown = made()
    headline, table, _ = leaderboard_summary(view(shown))
    assert isinstance(table, Table)
    assert "The champion is Fusion" in told([headline])
    assert [len(row.cells) for row in table.rows] == [1 + 2 * len(HORIZONS)] * len(
        shown["rows"]
    )
    last = table.rows[-1]
    assert last.cells[0].text == f"{shown['rows'][-1]['validation']['mean']:.3f}"
    assert [cell.text for cell in last.cells[2::2]] == ["worse"] * len(HORIZONS)


def test_report_without_a_comparison_has_no_leaderboard(tmp_path: Path) -> None:
    write_report(
        {**example_metrics(), "leaderboard": None},
        {},
        path=tmp_path / "report.html",
        language="en",
    )
    assert "-leaderboard" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_report_claims_nothing_of_a_comparison_with_few_events() -> None:
    said = told(leaderboard_summary(view(made(onsets=12))))
    assert "is not claimed here" in said
    assert "30 days (few events)" in said
