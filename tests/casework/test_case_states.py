"""Which changes a case may make, and when an alarm opens one."""

from __future__ import annotations

import pytest

from hvac.casework.case_states import (
    NEXT,
    OPEN_STATES,
    STATES,
    CaseConfig,
    CaseState,
    check_change,
    is_armed,
    is_confirmed,
)
from hvac.casework.outcome_codes import JAPANESE, outcome_code
from hvac.errors import InputError


@pytest.mark.parametrize("state", ["done", "dismissed"])
def test_closed_case_changes_no_more(state: CaseState) -> None:
    for after in OPEN_STATES:
        with pytest.raises(InputError, match="the next alarm opens another case"):
            check_change(state, after)


def test_no_case_becomes_new_again() -> None:
    assert all("new" not in after for after in NEXT.values())
    for state in STATES:
        check_change(state, state)


def test_alarms_confirm_each_other_on_scored_days_only() -> None:
    weekly = CaseConfig(confirm_days=2, of_days=3)
    assert is_confirmed([14, 21], [7, 14, 21], weekly)
    assert not is_confirmed([21], [7, 14, 21], weekly)
    assert not is_confirmed([], [], weekly)
    assert is_confirmed([21], [21], CaseConfig(confirm_days=1))


def test_alarm_that_never_ended_opens_another_case_after_the_pause() -> None:
    config = CaseConfig(rearm_days=14)
    daily = range(100, 130)
    assert not is_armed(110, [*range(100, 125)], [*range(100, 125)], config)
    assert is_armed(110, [*range(100, 126)], [*range(100, 126)], config)
    assert not is_armed(110, [*daily][:11], [*daily][:11], config)


def test_outcomes_are_known_in_both_languages() -> None:
    assert {outcome_code(word) for word in JAPANESE} == {
        "hit", "nothing_found", "inspected", "not_applicable", "unknown",
    }  # fmt: skip
    with pytest.raises(InputError, match="did you mean 'hit'"):
        outcome_code("hits")
