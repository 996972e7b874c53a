"""Reasons as sentences in both languages."""

from __future__ import annotations

import datetime as dt

import pytest

from hvac.explain.reason import PastCase, Reason
from hvac.explain.wording import case_sentence, reason_sentence, reasons_line, strength
from hvac.words import LANGUAGES, read_texts

WORN = Reason(
    "vibration",
    "point",
    1.2,
    now=4.2,
    usual=2.4,
    over_peers=1.5,
    moved=3.0,
    since=dt.date(2024, 5, 12),
)
CASES = {
    "vibration is higher than usual: 4.2, usually 2.4; since about 12 May; 1.5 above its peers": WORN,
    "vibration is lower than usual: 1.2, usually 2.4": Reason(
        "vibration", "point", 0.5, now=1.2, usual=2.4, over_peers=None, moved=-2.0
    ),
    "vibration behaves differently, at its usual level of 2.4": Reason(
        "vibration", "point", 0.5, now=2.4, usual=2.4, moved=0.1
    ),
    "cleaning last left its usual range 12 days ago; it stood at 0 lately": Reason(
        "cleaning", "point", 0.5, now=0.0, usual=0.0, moved=0.0, days=12.0
    ),
    "vibration is as in healthy machines: 2.5, usually 2.4": Reason(
        "vibration", "point", -0.5, now=2.5, usual=2.4, moved=0.2
    ),
    "vibration: no recent reading": Reason("vibration", "point", 0.5),
    "history: last failure 30 days ago; 2 in the last 365 days": Reason(
        "history", "history", 0.5, event="failure", days=30.0, in_a_year=2.0
    ),
    "history: no event in the record": Reason("history", "history", -0.5),
    "season, and an age of 8.2 years": Reason(
        "season_and_age", "season_and_age", 0.5, days=2995.0
    ),
    "a value is outside its limits": Reason(
        "limits", "limits", 0.5, share=-0.1, days=0.0
    ),
    "flow reaches a limit in about 12 days as it moves now": Reason(
        "limits", "limits", 0.5, share=0.1, days=12.3, point="flow"
    ),
    "flow is nearest to its limits, with 40 % of the limit range left": Reason(
        "limits", "limits", -0.5, share=0.4, point="flow"
    ),
    "distance to limits": Reason("limits", "limits", 0.5),
    "98 % of the last 90 days were read": Reason(
        "coverage", "coverage", -0.5, share=0.981
    ),
}


@pytest.mark.parametrize("text", CASES)
def test_reason_reads_as_a_sentence(text: str) -> None:
    assert reason_sentence(CASES[text], "en") == text


def test_reason_reads_as_a_japanese_sentence() -> None:
    expected = "vibration が普段より高い（最近 4.2、普段 2.4）、5月12日ごろから、同種設備より 1.5 高い"
    assert reason_sentence(WORN, "ja") == expected


def test_a_gap_to_peers_within_the_usual_spread_is_not_named() -> None:
    assert "peers" not in reason_sentence(WORN._replace(over_peers=0.1), "en")


def test_line_holds_what_raises_the_risk_only() -> None:
    line = reasons_line(
        [WORN, CASES["distance to limits"], CASES["history: no event in the record"]],
        "en",
    )
    assert line.endswith("1.5 above its peers / distance to limits")


def test_strength_follows_the_log_odds() -> None:
    sizes = [strength(WORN._replace(log_odds=odds)) for odds in (1.0, -0.5, 0.1)]
    assert sizes == ["strong", "clear", "slight"]


def test_a_machine_that_may_not_be_seen_stays_unnamed() -> None:
    case = PastCase("F2", "PUMP-7", dt.date(2024, 1, 2), 30, 0.5)
    assert "PUMP-7" in case_sentence(case, "en", named=True)
    hidden = case_sentence(case, "en", named=False)
    assert (
        hidden
        == "a machine of another facility on 2024-01-02: an anomaly began within 30 days"
    )
    calm = case_sentence(case._replace(within_days=None), "ja", named=True)
    assert calm == "PUMP-7（2024-01-02）：異常は始まらなかった"


def test_every_text_stands_in_both_languages() -> None:
    def leaves(tree: dict) -> list[dict]:
        if set(tree) <= set(LANGUAGES):
            return [tree]
        return [leaf for part in tree.values() for leaf in leaves(part)]

    for leaf in leaves(read_texts("hvac.explain", "reason_texts.yaml")):
        assert set(leaf) == set(LANGUAGES)
