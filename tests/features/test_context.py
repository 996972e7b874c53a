"""The context block against closed forms: known at the end date and no later; unknown history is nan, never zero."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvac.features.context import ContextSpec, context
from hvac.features.scene import UnitRecord, grids_of, scenes
from hvac.panel.cutting import cut
from hvac.panel.events import Events, limit_events, no_events
from hvac.panel.grid import Panel
from hvac.panel.windows import WindowConfig
from tests.features.test_describe import recipe
from tests.panel.panel_example import (
    FIRST,
    Row,
    date,
    event,
    events_of,
    panel_of,
    series,
)

SPEC = ContextSpec(kinds=("failure", "maintenance"), classes=("ahu", "pump"))
PLAIN = WindowConfig(normalise="none")
NAN = float("nan")


def facts(
    values: Any, end: int, *events: Row, limits: Any = None, **more: Any
) -> dict[str, float]:
    """The context of the window that ends on a day, by name."""
    rows = (
        values
        if isinstance(values, list) and isinstance(values[0], dict)
        else series(values, limits=limits)
    )
    log = more.pop("log", None) or (events_of(*events) if events else no_events())
    spec = more.pop("spec", SPEC)
    k_BK = context_of(
        panel_of(rows), np.array([FIRST + end], np.int32), log, spec, **more
    )
    assert k_BK.shape == (1, len(spec.names))
    return dict(zip(spec.names, k_BK[0].tolist(), strict=True))


def context_of(
    panel: Panel, end_B: Any, log: Events, spec: ContextSpec, **known: Any
) -> Any:
    rule = replace(recipe("p"), windows=PLAIN, context=spec, points=panel.points)
    record = UnitRecord(events=log, **({"class_name": "ahu"} | known))
    (scene,) = scenes(panel, rule, record)
    return context(grids_of([scene], rule), cut(panel, end_B, PLAIN), spec)


FLAT = [5.0] * 800


def test_names_are_fixed_and_ordered() -> None:
    assert SPEC.names == (
        *("days_since_failure", "failure_90d", "failure_365d", "failure_ever"),
        *(
            "days_since_maintenance",
            "maintenance_90d",
            "maintenance_365d",
            "maintenance_ever",
        ),
        *(
            "days_since_any_event",
            "age_days",
            "season_sin",
            "season_cos",
            "observed_share",
        ),
        *("limit_margin_last", "days_to_limit", "class_ahu", "class_pump"),
    )


def test_columns_do_not_shift_with_the_events_of_the_unit() -> None:
    assert list(facts(FLAT, 400)) == list(
        facts(FLAT, 400, event("failure", 3), event("stranger", 4))
    )


# Events


def test_days_since_an_event_count_from_its_start() -> None:
    found = facts(
        FLAT,
        400,
        event("failure", 100),
        event("failure", 380),
        event("maintenance", 390),
    )
    assert found["days_since_failure"] == 20
    assert found["days_since_maintenance"] == 10
    assert found["days_since_any_event"] == 10


def test_event_on_the_end_date_is_known() -> None:
    found = facts(FLAT, 400, event("failure", 400))
    assert (found["days_since_failure"], found["failure_90d"]) == (0, 1)


def test_event_after_the_last_reading_is_known_on_the_end_date() -> None:
    found = facts(FLAT[:300], 320, event("failure", 310))
    assert (
        found["days_since_failure"],
        found["failure_90d"],
        found["failure_ever"],
    ) == (10, 1, 1)


def test_event_of_the_next_day_is_not() -> None:
    found = facts(FLAT, 400, event("failure", 401))
    assert np.isnan(found["days_since_failure"])
    assert (found["failure_90d"], found["failure_ever"]) == (0, 0)


def test_no_event_in_the_record_leaves_days_since_unknown() -> None:
    found = facts(FLAT, 400)
    assert np.isnan(
        [
            found["days_since_failure"],
            found["days_since_maintenance"],
            found["days_since_any_event"],
        ]
    ).all()


def test_counts_look_back_90_and_365_days() -> None:
    events = [event("failure", day) for day in (100, 335, 336, 609, 610, 611, 700)]
    found = facts(FLAT, 700, *events)
    assert (found["failure_90d"], found["failure_365d"], found["failure_ever"]) == (
        2,
        5,
        7,
    )


@pytest.mark.parametrize(
    ("end", "unknown_90d", "unknown_365d"),
    [(50, True, True), (88, True, True), (91, False, True), (366, False, False)],
)
def test_counts_over_days_before_the_record_are_unknown(
    end: int, unknown_90d: bool, unknown_365d: bool
) -> None:
    found = facts(FLAT, end, event("failure", 20))
    assert np.isnan(found["failure_90d"]) == unknown_90d
    assert np.isnan(found["failure_365d"]) == unknown_365d
    assert found["failure_ever"] == 1


def test_events_of_other_kinds_count_only_for_any() -> None:
    found = facts(FLAT, 400, event("failure", 390), spec=ContextSpec(kinds=("trip",)))
    assert np.isnan(found["days_since_trip"])
    assert found["trip_ever"] == 0


def test_limit_event_counts_only_from_the_day_that_confirms_it() -> None:
    values = np.zeros(300)
    values[[200, 203, 206]] = 9.0
    panel = panel_of(series(values, limits=(-1.0, 1.0)))
    log = limit_events(panel, panel.lower_TC, panel.upper_TC)
    spec = ContextSpec(kinds=("limit_exceedance",))
    before = facts(values, 205, limits=(-1.0, 1.0), log=log, spec=spec)
    on_the_day = facts(values, 206, limits=(-1.0, 1.0), log=log, spec=spec)
    assert (before["limit_exceedance_90d"], on_the_day["limit_exceedance_90d"]) == (
        0,
        1,
    )
    assert np.isnan(before["days_since_limit_exceedance"])
    assert on_the_day["days_since_limit_exceedance"] == 6


def test_end_of_an_episode_that_lies_ahead_tells_nothing() -> None:
    found = [
        facts(FLAT, 400, event("maintenance", 395, end)) for end in (395, 405, 600)
    ]
    np.testing.assert_equal(found[1:], found[:1] * 2)


# Age, season, share, class


def test_installation_after_the_first_reading_says_nothing_before_it_or_after() -> None:
    """It is of the machine that replaced this one: a countdown to it would tell when this one fails."""
    ages = [
        facts(FLAT, 400, install_day=FIRST + installed)["age_days"]
        for installed in (390, 410, 500)
    ]
    assert ages == [400] * 3


def test_age_counts_from_the_installation_else_from_the_first_reading() -> None:
    assert facts(FLAT, 400, install_day=FIRST - 1000)["age_days"] == 1400
    assert facts(FLAT, 400)["age_days"] == 400


@pytest.mark.parametrize("end", [0, 90, 181, 364])
def test_season_is_the_day_of_the_year_on_a_circle(end: int) -> None:
    found = facts(FLAT, end)
    angle = 2 * np.pi * date(end).timetuple().tm_yday / 365.25
    assert found["season_sin"] == pytest.approx(np.sin(angle), abs=0.03)
    assert found["season_cos"] == pytest.approx(np.cos(angle), abs=0.03)
    assert found["season_sin"] ** 2 + found["season_cos"] ** 2 == pytest.approx(1)


def test_season_comes_back_after_a_year() -> None:
    one, other = facts(FLAT, 100), facts(FLAT, 465)
    assert one["season_sin"] == pytest.approx(other["season_sin"], abs=0.01)
    assert one["season_cos"] == pytest.approx(other["season_cos"], abs=0.01)


def test_observed_share_is_that_of_the_window() -> None:
    values = np.full(300, 5.0)
    values[240:260] = NAN
    assert facts(values, 299)["observed_share"] == pytest.approx(70 / 90)
    assert facts(values, 230)["observed_share"] == 1


@pytest.mark.parametrize(
    ("name", "hot"), [("ahu", (1, 0)), ("pump", (0, 1)), ("boiler", (0, 0))]
)
def test_class_is_one_hot(name: str, hot: tuple[int, int]) -> None:
    found = facts(FLAT, 400, class_name=name)
    assert (found["class_ahu"], found["class_pump"]) == hot


# Limits


@pytest.mark.parametrize(
    ("last", "margin"),
    [(5.0, 0.25), (10.0, 0.5), (18.0, 0.1), (0.0, 0.0), (20.0, 0.0), (25.0, -0.25)],
)
def test_margin_is_the_distance_of_the_last_value_in_limit_ranges(
    last: float, margin: float
) -> None:
    found = facts([10.0] * 199 + [last], 199, limits=(0.0, 20.0))
    assert found["limit_margin_last"] == pytest.approx(margin)


def test_margin_takes_the_last_observed_value() -> None:
    assert (
        facts([10.0] * 195 + [15.0, NAN, NAN, 10.0], 197, limits=(0.0, 20.0))[
            "limit_margin_last"
        ]
        == 0.25
    )


def test_margin_needs_only_one_reading() -> None:
    assert (
        facts([10.0] * 160 + [NAN] * 39 + [15.0], 199, limits=(0.0, 20.0))[
            "limit_margin_last"
        ]
        == 0.25
    )


def test_smallest_margin_of_the_points_counts() -> None:
    rows = series([5.0] * 200, point="a", limits=(0.0, 20.0)) + series(
        [9.0] * 200, point="b", limits=(0.0, 10.0)
    )
    assert facts(rows, 199)["limit_margin_last"] == pytest.approx(0.1)


def test_without_limits_margin_and_days_are_unknown() -> None:
    found = facts(FLAT, 400)
    assert np.isnan(found["limit_margin_last"])
    assert np.isnan(found["days_to_limit"])


@pytest.mark.parametrize(
    ("slope", "limits", "days"),
    [
        (0.1, (-100.0, 30.0), 101),
        (-0.1, (5.0, 100.0), 151),
        (0.1, (-100.0, 1e4), 365),
        (0.0, (0.0, 100.0), 365),
    ],
)
def test_days_to_limit_is_where_the_line_meets_it(
    slope: float, limits: tuple[float, float], days: float
) -> None:
    values = 20.0 + slope * (np.arange(200.0) - 200)
    assert facts(values, 199, limits=limits)["days_to_limit"] == pytest.approx(
        days, rel=1e-6
    )


def test_trend_to_the_limit_is_that_of_the_last_30_days() -> None:
    values = np.r_[np.linspace(90, 10, 170), 10.0 + 0.5 * np.arange(30)]
    last = values[-1]
    found = facts(values, 199, limits=(-1000.0, 100.0))
    assert found["days_to_limit"] == pytest.approx((100 - last) / 0.5, rel=1e-6)


def test_soonest_point_to_meet_its_limit_counts() -> None:
    rows = series(10 + 0.1 * np.arange(200), point="a", limits=(-100.0, 100.0))
    rows += series(10 + 0.1 * np.arange(200), point="b", limits=(-100.0, 31.0))
    assert facts(rows, 199)["days_to_limit"] == pytest.approx(
        (31 - 29.9) / 0.1, rel=1e-6
    )


def test_series_out_of_limits_has_no_days_left() -> None:
    values = 10 + 0.1 * np.arange(200.0)
    assert facts(values, 199, limits=(0.0, 20.0))["days_to_limit"] == 0


def test_flat_series_out_of_limits_has_no_days_left() -> None:
    assert facts([25.0] * 200, 199, limits=(0.0, 20.0))["days_to_limit"] == 0


# Contracts


@settings(max_examples=40)
@given(
    end=st.integers(0, 259),
    seed=st.integers(0, 2**32 - 1),
    log=st.lists(
        st.tuples(st.sampled_from(SPEC.kinds), st.integers(0, 300), st.integers(0, 60)),
        max_size=6,
    ),
)
def test_context_is_blind_to_what_is_later_than_the_end_date(
    end: int, seed: int, log: list[tuple[str, int, int]]
) -> None:
    rng = np.random.default_rng(seed)
    rows = series(
        np.where(rng.random(260) < 0.2, NAN, rng.normal(20, 3, 260)),
        limits=(10.0, 30.0),
    )
    changed = [row for row in rows if row["date"] <= date(end)]
    changed += series(rng.normal(-50, 100, 40), start=end + 1, limits=(-3.0, 2.0))
    events = [event(kind, start, start + length) for kind, start, length in log]
    other = [
        event(kind, start, max(start, end) + 7)
        for kind, start, _ in log
        if start <= end
    ]
    other += [event("failure", end + 1), event("maintenance", end + 5)]
    if rows[0]["date"] <= date(end):
        np.testing.assert_equal(facts(changed, end, *other), facts(rows, end, *events))


def test_windows_do_not_depend_on_which_others_are_asked() -> None:
    panel = panel_of(
        series(np.random.default_rng(0).normal(20, 3, 500), limits=(10.0, 30.0))
    )
    log = events_of(event("failure", 100), event("maintenance", 300))
    ends = np.array([FIRST + 99, FIRST + 250, FIRST + 480], np.int32)
    together = context_of(panel, ends, log, SPEC, class_name="pump")
    for b in range(3):
        alone = context_of(panel, ends[b : b + 1], log, SPEC, class_name="pump")
        assert alone.tobytes() == together[b : b + 1].tobytes()


@pytest.mark.parametrize(
    ("values", "limits"),
    [([2.0] * 200, (1.0, 1.0)), ([1.0] * 200, (1.0, 1.0)), ([1e9] * 200, (0.0, 1e-9))],
)
def test_context_is_never_infinite(
    values: list[float], limits: tuple[float, float]
) -> None:
    found = np.array(list(facts(values, 199, limits=limits).values()))
    assert not np.isinf(found.astype(np.float32)).any()


# Rates

RATES = ContextSpec(kinds=("failure",), rates={"failure": 0.5})


def rate_of(end: int, *log: Row) -> float:
    return facts(FLAT, end, *log, spec=RATES)["failure_rate"]


def test_rate_is_a_column_of_its_own_after_the_classes_and_survives_json() -> None:
    spec = ContextSpec(
        kinds=("failure", "maintenance"), classes=("ahu",), rates={"failure": 0.5}
    )
    assert spec.names[-2:] == ("class_ahu", "failure_rate")
    assert ContextSpec.from_json(spec.to_json()) == spec
    older = {key: value for key, value in spec.to_json().items() if key != "rates"}
    assert ContextSpec.from_json(older).names == spec.names[:-1]


def test_rate_is_events_per_year_as_if_one_more_year_had_been_seen_at_the_usual_rate() -> (
    None
):
    years = 701 / 365.25
    assert rate_of(700, event("failure", 3), event("failure", 500)) == pytest.approx(
        (2 + 0.5) / (years + 1)
    )
    assert rate_of(700) == pytest.approx(0.5 / (years + 1))


def test_rate_is_drawn_towards_the_usual_one_where_the_record_is_short() -> None:
    """One event in 100 days would be 3.7 a year."""
    early, late = (
        rate_of(99, event("failure", 3)),
        rate_of(799, *(event("failure", 100 * k) for k in range(8))),
    )
    assert 0.5 < early < 1.5
    assert 2.5 < late < 3.7


def test_rate_counts_only_events_that_are_known_and_of_its_kind() -> None:
    before = rate_of(400, event("failure", 3))
    assert (
        rate_of(
            400, event("failure", 3), event("failure", 401), event("maintenance", 300)
        )
        == before
    )
    assert rate_of(401, event("failure", 3), event("failure", 401)) > before
