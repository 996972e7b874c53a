"""A search space is checked before anything is trained, and draws the same settings from the same seed."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pytest

from hvac.config import Config
from hvac.errors import ConfigError
from hvac.models.families import config_of
from hvac.models.family import FamilyConfig
from hvac.models.search_space import (
    Space,
    corners,
    decoded,
    distribution,
    draw_points,
    encoded,
    with_settings,
)

HYBRID = config_of("hybrid")


class Holder(Config):
    space: Space


def space(**given: Any) -> Space:
    return Holder(
        space={key.replace("__", "."): value for key, value in given.items()}
    ).space


def drawn(given: dict[str, Any], number: int = 2000) -> list[Any]:
    rng, values = np.random.default_rng(0), distribution(given)
    return [values.draw(rng) for _ in range(number)]


class Heating(Config):
    steps: int = 3
    warm: bool = False


class Nested(FamilyConfig):
    family: Literal["nested"] = "nested"
    rate: float = 0.1
    heating: Heating | None = None


# Distributions


def test_uniform_fills_its_range() -> None:
    values = drawn({"uniform": [0.1, 0.6]})
    assert min(values) >= 0.1
    assert max(values) <= 0.6
    assert np.mean(values) == pytest.approx(0.35, abs=0.01)


def test_loguniform_is_uniform_in_the_logarithm() -> None:
    values = drawn({"loguniform": [1e-4, 1e-2]})
    assert np.mean(np.log10(values)) == pytest.approx(-3, abs=0.05)
    assert 1e-4 <= min(values) <= max(values) <= 1e-2


def test_int_draws_whole_numbers_with_both_ends() -> None:
    assert set(drawn({"int": [5, 8]})) == {5, 6, 7, 8}


def test_choice_draws_every_option_whatever_it_is() -> None:
    options = [[128, 64], None, "none", 3]
    assert {str(value) for value in drawn({"choice": options})} == {
        str(option) for option in options
    }


def test_exponents_that_yaml_takes_for_texts_are_numbers() -> None:
    assert space(rate={"loguniform": ["1e-4", "3E-3"]})["rate"].values == (1e-4, 3e-3)
    assert space(rate={"choice": ["1e-4", "e-4", "none"]})["rate"].values == (
        1e-4,
        "e-4",
        "none",
    )


def test_dumped_space_reads_back_the_same() -> None:
    given = Holder(
        space={
            "rate": {"loguniform": [1e-4, 1e-3]},
            "hidden": {"choice": [[128, 64], [64, 32]]},
        }
    )
    dumped = given.model_dump(mode="json")
    assert dumped["space"]["rate"] == {"loguniform": [1e-4, 1e-3]}
    assert Holder(**dumped) == given


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"logunifrm": [1e-4, 1e-3]},
            "unknown distribution 'logunifrm': did you mean 'loguniform'?",
        ),
        (
            {"uniform": [0.6, 0.1]},
            "the range is empty, low (0.6) must be below high (0.1)",
        ),
        ({"uniform": [0.1, 0.1]}, "the range is empty"),
        ({"int": [9, 5]}, "the range is empty"),
        ({"int": [1, 2.5]}, "expected [low, high], two whole numbers"),
        ({"uniform": [0.1]}, "expected [low, high], two numbers"),
        ({"uniform": [0.1, "high"]}, "expected [low, high], two numbers"),
        ({"loguniform": [0, 1]}, "loguniform: low (0) must be above 0"),
        ({"choice": []}, "choice: the list is empty"),
        ({"choice": 3}, "choice: expected a list"),
        ({"uniform": [0, 1], "int": [0, 1]}, "expected one distribution"),
        (0.3, "expected one distribution"),
    ],
)
def test_distribution_says_what_is_wrong_with_it_and_where(
    given: Any, told: str
) -> None:
    with pytest.raises(ConfigError) as error:
        space(dropout=given)
    assert "space.dropout" in str(error.value)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_nearest_brings_a_value_back_into_its_range() -> None:
    values = distribution({"uniform": [0.1, 0.6]})
    assert [values.nearest(value) for value in (0.05, 0.3, 0.72)] == [0.1, 0.3, 0.6]
    assert distribution({"choice": ["a"]}).nearest("b") == "b"


# Settings in a family's configuration


def test_settings_replace_those_of_the_family_by_dotted_key() -> None:
    found = with_settings(Nested(), {"rate": 0.5, "heating.steps": 7})
    assert found == Nested(rate=0.5, heating=Heating(steps=7))


def test_range_of_a_change_that_no_copy_gets_is_refused() -> None:
    jitter = space(augment__jitter={"uniform": [0.0, 0.1]})
    with pytest.raises(
        ConfigError, match=r"augment\.jitter changes nothing without copies"
    ):
        corners(HYBRID, jitter)
    assert corners(HYBRID, jitter | space(augment__copies={"choice": [0, 1]}))
    assert corners(config_of("hybrid", augment={"copies": 1}), jitter)


def test_corners_hold_one_edge_each_and_leave_the_rest() -> None:
    found = corners(
        HYBRID,
        space(dropout={"uniform": [0.1, 0.6]}, hidden={"choice": [[8, 4], [4, 2]]}),
    )
    assert [(each.dropout, each.hidden) for each in found] == [
        (0.1, (128, 64)),
        (0.6, (128, 64)),
        (0.3, (8, 4)),
        (0.3, (4, 2)),
    ]


@pytest.mark.parametrize(
    ("key", "given", "told"),
    [
        ("learning_rte", {"uniform": [0.1, 0.2]}, "did you mean 'learning_rate'?"),
        (
            "dropout",
            {"uniform": [0.1, 1.2]},
            "dropout: Input should be less than 1 (found '1.2')",
        ),
        ("hidden", {"choice": [[128, 64], [64]]}, "hidden.1: Field required"),
        ("inputs", {"choice": [["embedding"], ["sound"]]}, "inputs.0"),
        (
            "dropout.share",
            {"uniform": [0.1, 0.2]},
            "'dropout' of hybrid holds a value, not a section",
        ),
        ("family", {"choice": ["hybrid", "gbdt_28"]}, "run one sweep for each"),
    ],
)
def test_settings_that_the_family_cannot_take_are_one_sentence(
    key: str, given: Any, told: str
) -> None:
    with pytest.raises(ConfigError) as error:
        corners(HYBRID, Holder(space={key: given}).space)
    assert str(error.value).startswith(f"tune.space.{key}: ")
    assert told in str(error.value)


def test_wrong_key_in_a_section_suggests_the_nearest() -> None:
    with pytest.raises(
        ConfigError, match=r"tune.space.heating.stps: .*did you mean 'steps'\?"
    ):
        corners(Nested(), space(heating__stps={"int": [1, 2]}))


# Points


def test_same_seed_draws_the_same_points_and_another_others() -> None:
    given = space(dropout={"uniform": [0.1, 0.6]}, members={"choice": [1, 4]})
    one, same, other = (
        draw_points(HYBRID, given, count=5, seed=seed) for seed in (1, 1, 2)
    )
    assert one == same
    assert one != other


def test_more_trials_begin_with_the_points_of_fewer() -> None:
    given = space(dropout={"uniform": [0.1, 0.6]}, members={"choice": [1, 4]})
    assert draw_points(HYBRID, given, count=8, seed=3)[:3] == draw_points(
        HYBRID, given, count=3, seed=3
    )


def test_points_are_all_different_even_when_the_space_holds_no_more() -> None:
    given = space(members={"choice": [1, 2, 4]}, epochs={"int": [3, 6]})
    points = draw_points(HYBRID, given, count=12, seed=0)
    assert len({tuple(point.items()) for point in points}) == 12


def test_more_trials_than_settings_is_an_error() -> None:
    with pytest.raises(
        ConfigError, match=r"holds 4 different settings, tune.trials asks for 5"
    ):
        draw_points(
            HYBRID,
            space(members={"choice": [1, 2]}, epochs={"int": [3, 4]}),
            count=5,
            seed=0,
        )


def test_distributions_know_how_many_values_they_hold() -> None:
    numbers = [
        distribution(given).number
        for given in ({"choice": [1, 2]}, {"int": [3, 3]}, {"uniform": [0, 1]})
    ]
    assert numbers == [2, 1, math.inf]


def test_encoded_settings_decode_to_what_they_were() -> None:
    given = space(
        hidden={"choice": [[128, 64], [64, 32]]},
        alpha={"choice": ["none", 0.3, None]},
        epochs={"int": [1, 9]},
    )
    for point in draw_points(
        HYBRID.replace(),
        {"hidden": given["hidden"], "epochs": given["epochs"]},
        count=9,
        seed=0,
    ):
        assert all(not isinstance(value, list) for value in encoded(point).values())
        assert decoded(encoded(point), given) == point
    for option in ("none", 0.3, None):
        assert decoded(encoded({"alpha": option}), given) == {"alpha": option}
