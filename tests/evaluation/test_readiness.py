"""Whether a class's risks can be relied on: every written rule, one by one."""

from __future__ import annotations

from typing import Any

import pytest

from hvac.evaluation.readiness import readiness


def interval(value: float, width: float = 0.05) -> dict[str, float]:
    return {"value": value, "low": value - width, "high": value + width}


def figures(**changes: Any) -> dict[str, Any]:
    good = {
        "events": {"value": 60},
        "pr_auc": interval(0.4),
        "roc_auc": interval(0.8),
        "base_rate": interval(0.1),
    }
    return {**good, **changes}


CASES: dict[str, tuple[dict[str, Any], float | None, str, str]] = {
    "all_hold": (figures(), 0.02, "better", "ready"),
    "few_events": (figures(events={"value": 29}), 0.02, "better", "cannot_tell"),
    "no_interval": (figures(roc_auc={"value": None}), 0.02, "better", "cannot_tell"),
    "like_chance": (figures(roc_auc=interval(0.54)), 0.02, "better", "poor"),
    "below_context": (figures(), 0.02, "worse", "poor"),
    "miscalibrated": (figures(), 0.12, "better", "poor"),
    "wide_interval": (figures(pr_auc=interval(0.15)), 0.02, "better", "cannot_tell"),
    "rough_calibration": (figures(), 0.07, "better", "cannot_tell"),
}


@pytest.mark.parametrize("reason", CASES)
def test_rule_gives_its_state(reason: str) -> None:
    given, ece, context, state = CASES[reason]
    assert readiness(given, ece=ece, against_context=context) == (state, reason)


def test_unknown_calibration_is_not_ready() -> None:
    found = readiness(figures(), ece=None, against_context="better")
    assert found == ("cannot_tell", "rough_calibration")


def test_nan_is_unknown() -> None:
    given = figures(roc_auc={"value": float("nan"), "low": float("nan")})
    assert readiness(given, ece=0.01, against_context="").reason == "no_interval"
