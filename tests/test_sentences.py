"""Sentences that a page shows in Japanese: every one that the code can word is known."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from hvac.readings import building_model
from hvac.sentences import Template, _pattern, translated

ROOT = Path(__file__).parents[1]
SHOWN = (
    *(f"hvac/readings/{name}.py" for name in (
        "date_notations", "date_survey", "encodings", "file_notes", "files", "formats", "gate",
        "headers", "local_days", "names_table", "notation", "notation_notes", "number_survey",
        "predecessor_csv", "building_model", "haystack_model", "brick_model", "model_files",
        "raw_columns", "rejects", "small_tables", "table_paths", "wide_tables",
    )),
    *(f"hvac/panel/{name}.py" for name in (
        "joins", "registering", "shared_files", "spans", "splits", "unit_parts",
    )),
    *(f"hvac/checks/{name}.py" for name in ("findings", "record_faults", "record_reading")),
    *("hvac/casework/outcome_codes.py", "hvac/casework/outcome_table.py"),
    *("hvac/update/canary.py", "hvac/update/champions.py", "hvac/update/ladder.py"),
    *("hvac/update/promotion_gate.py", "ray_jobs/rollback.py", "ray_jobs/update.py"),
    *(f"ray_jobs/renew/{name}.py" for name in (
        "canaries", "challenging", "matured_rows", "retrained", "steering", "watching",
    )),
    *("hvac/features/learnable.py", "hvac/features/recipes.py", "hvac/filesystems.py"),
    *(f"serve/{name}.py" for name in (
        "graph/core", "work/outcome_tables", "work/risk_rows",
    )),
)  # fmt: skip
JAPANESE = re.compile(r"[ぁ-んァ-ヶ一-龠]")
# Words that stand for a part of a sentence, or are for programmers.
PARTS = (
    *(
        "checked with the configuration",
        "did you mean",
        "expected one of {X}",
        "<name in the file>",
    ),
    *(
        "the event log has no events",
        "source.events is not set",
        "lower {X} > upper {X}",
    ),
    *(
        "fields instead of",
        "values, expected {X}",
        "row {row} {column} {reason}",
        " as {X}",
    ),
    *(
        "events were read",
        "events are of equipment",
        "joined all the same",
        "could not be read",
    ),
    *(
        "has no training window",
        "which was cut off",
        "write them in one way",
        "taken as still open",
    ),
    *(
        "were taken for one",
        "another row tells too",
        "stand in several files and were joined",
    ),
    *("does not match were left out", "their day is the one written"),
    *(
        "was read with a decimal comma",
        "stood still for 14",
        "jumped alone",
        "read as cp932:",
    ),
    *(
        "a Haystack grid in {X}",
        "read as utf-8",
        "separated by",
        "columns that source.wide.pattern",
        "\\1 \\2",
    ),
    *("in all facilities,", "stays as it is:", "is taken back,"),
    # its parts are tried below
    *(
        "expected a column {X}, found columns",
        "{X}: name a log with failures",
        "text{X}: set source",
    ),
    "source.date_format (such as",
    *("update: ray_jobs.score and", "update: windows with features"),
    "update: of %d labels",
    # of a refusal, which begins with the candidate
    *(
        "its log-loss is not surely lower",
        "its calibration error is {X}",
        "false alarms a unit-year, the serving model",
        "labels are onsets that only visits found",
    ),
)


def sentences_of(file: str) -> Iterator[tuple[int, str]]:
    """Line and text of every sentence in a module's code, values as {X}."""
    code = (ROOT / file).read_text(encoding="utf-8")
    tree = ast.parse(code)
    inner = {
        id(part)
        for node in ast.walk(tree)
        for part in ([*node.values] if isinstance(node, ast.JoinedStr) else [])
    }
    constants = {"SETTING": building_model.SETTING} if "building_model" in code else {}
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [_shown(part, constants) for part in node.values]
            text = "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) in inner or id(node) in docs:
                continue
            text = re.sub(r"{\w+[^}]*}", "{X}", node.value)
        else:
            continue
        if len(re.findall(r"[a-z]{2,}", text)) >= 4 and " " in text.strip():
            yield node.lineno, text


def _shown(part: ast.expr, constants: dict[str, str]) -> str:
    """A part of an f-string: as it is, a constant's text, or {X} for any other value."""
    if isinstance(part, ast.Constant):
        return str(part.value)
    name = ast.unparse(part.value) if isinstance(part, ast.FormattedValue) else ""
    return constants.get(name, "{X}")


WORDED = [
    pytest.param(text, id=f"{Path(file).stem}:{line}")
    for file in SHOWN
    for line, text in sentences_of(file)
    if not any(part in text for part in PARTS) and not text.startswith((" ", ";", ","))
]


PAIRS = yaml.safe_load((ROOT / "hvac" / "sentences.yaml").read_text(encoding="utf-8"))
ALL = [
    *PAIRS["sentences"],
    *(pair for of_kind in PAIRS["phrases"].values() for pair in of_kind),
]
PHRASES = [
    Template(_pattern(pair["en"]), pair["ja"])
    for of_kind in PAIRS["phrases"].values()
    for pair in of_kind
    if not pair["en"].startswith("{")  # those take nearly any words
]


@pytest.mark.parametrize("text", WORDED)
def test_sentence_of_the_code_is_known_in_japanese(text: str) -> None:
    """Some way to fill in a number, a word or nothing is a sentence or a phrase that is known."""
    ways = [text]
    for _ in range(text.count("{X}")):
        ways = [
            way.replace("{X}", value, 1) for way in ways for value in ("7", "AHU-1", "")
        ][:999]
    assert any(
        JAPANESE.search(translated(way, "ja"))
        or any(phrase.pattern.fullmatch(way) for phrase in PHRASES)
        for way in ways
    )


def test_there_are_sentences_to_look_at() -> None:
    assert len(WORDED) > 60


@pytest.mark.parametrize("pair", ALL, ids=lambda pair: pair["en"][:60])
def test_both_languages_have_the_same_braces_and_settings(pair: dict[str, str]) -> None:
    english, japanese = (
        set(re.findall(r"{(\w+)}", pair[language])) for language in ("en", "ja")
    )
    # what is only expected, or says what the Japanese sentence says by itself, may be left out
    assert japanese <= english
    assert english - japanese <= {"encodings", "rows"}
    settings = r"\b(?:source|windows|labels|splits)\.[a-z_.0-9]*[a-z0-9]"
    assert set(re.findall(settings, pair["en"])) <= set(
        re.findall(settings, pair["ja"])
    )


def test_parts_of_a_sentence_are_said_in_japanese_too() -> None:
    text = (
        "a.csv, row 3: expected a header with the column names, found an empty row: set"
        " source.skip_rows to the rows above it (and so in b.csv, c.csv and 2 more)"
    )
    assert translated(text, "ja") == (
        "a.csv の 3 行目：列名の見出しがあるはずの行が空です。見出しより上の行数を"
        " source.skip_rows に設定してください（b.csv, c.csv ほか 2 件 も同様）"
    )


def test_words_of_the_data_are_left_as_they_are() -> None:
    text = "class 'test' has 1 units; a split by equipment needs at least 4"
    rest = " (train, tune, cal, test): use splits.kind: time, or pool classes with windows.class: all"
    assert "種別 'test' の設備は 1 台" in translated(text + rest, "ja")


def test_words_with_names_get_them() -> None:
    text = "12 × text_in_value (first: a.csv, row 5, column v: 'x')"
    said = translated(text, "ja", {"reject": lambda reason: f"<{reason}>"})
    assert said == "<text_in_value>：12 件（最初は a.csv の 5 行目、列 v：'x'）"
    assert translated(text, "en") == text


COMPOSED = (
    "a line for each class: 12 labels are onsets that only visits found, and on windows without an alarm"
    " its log-loss is surely higher: +0.0321 [+0.0102, +0.0500]",
    "a line for each class: its log-loss is not surely lower: +0.0012 [-0.0003, +0.0030]",
    "one intercept for the fleet: it gives 2.11 false alarms a unit-year, the serving model 1.90 (budget 1)",
    "one line for the fleet: log-loss is lower by 0.0172",
    "thresholds stay: the monitor of inputs alerted on 2026-01-05",
    "thresholds stay: alarms are as declared; they moved in the last 28 days",
    "the challenger may serve: run ray_jobs.update with update.promote=true; labels known since hold 0"
    " onsets, too few to compare again",
    "watched for 14 days; on labels known since, its log-loss is 0.0100 [-0.0010, 0.0200] lower",
    "watched for 14 days; labels known since hold 0 onsets, too few to compare again: it speaks in 1 of"
    " 5 facilities (F1)",
    "the challenger is set aside: on labels known since, its log-loss is -0.0100 [-0.0200, -0.0010] lower",
    "a.csv: expected a column 'value' (our value), found columns: t, x and 4 more; did you mean 'x'?"
    " Name it in source.columns: {value: x}; or, as row 3 has it, set source.skip_rows: 2",
    "a.csv: expected a column 'facility_id', found columns: t, x; Name it in source.columns:"
    " {facility_id: <name in the file>} (or set source.facility_id, where all is one facility)",
    "the event log has no events: name a log with failures in source.events, or set labels.source:"
    " limits",
    "a.csv: expected utf-8, found UTF-16 text without a mark: set source.encoding: utf-16-le",
    "a.csv: expected readable rows, found that every row was rejected (9 rows; first: row 2 date"
    " unreadable_date 'x'); set source.date_format (such as '%d/%m/%Y'), or check source.columns",
    "e.csv: 24 events were read, 3 of them of equipment that has readings (12%, expected at least"
    " 90%); without readings: S1/9 (nearest: S1/09), S1/8 and 4 more: correct the ids, or set"
    " source.min_matching lower",
    "2 machines (S1/A, S1/B) still learn their baseline, until 2026-12-24 at the latest: they get no"
    " risk until then",
    "S1/A in a.csv, b.csv: the files are read as one machine, and 1,200 of 4,000 readings differ for"
    " the same moment: give each file its machine or facility by source.path_pattern, such as"
    " '(?P<equipment_id>[^/]+)\\.csv$'",
)
ENGLISH = re.compile(
    r"\b(?:the|of|in|and|or|set|more|found|expected|nearest|are|such|as)\b"
)


@pytest.mark.parametrize("text", COMPOSED, ids=lambda text: text[:40])
def test_composed_sentence_has_no_english_word_left(text: str) -> None:
    said = translated(text, "ja")
    assert JAPANESE.search(said)
    assert not ENGLISH.search(re.sub(r"<name in the file>|'[^']*'", "", said)), said
