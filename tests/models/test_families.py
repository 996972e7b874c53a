"""The registry: families by name, their settings checked and read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hvac.errors import BundleError, ConfigError
from hvac.models.families import (
    BASELINES,
    FAMILIES,
    FIRST_BASELINES,
    config_of,
    read_family,
)
from hvac.models.family import NEEDS, columns_for, loaded_once, prepared
from hvac.models.fusion import FusionConfig
from hvac.models.hybrid import HybridConfig
from hvac.models.members import DEFAULT_FAMILY
from hvac.models.network import NetworkModel
from ray_jobs.run.run_config import RunConfig, load_run
from tests.models.models_example import SUMMARIES, packaged_encoder, windows

every_family = pytest.mark.parametrize("name", list(FAMILIES))


def run(**model: Any) -> RunConfig:
    return RunConfig(name="x", workspace="y", simulate={}, model=model)


def refused(**model: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        run(**model)
    message = str(caught.value)
    assert "\n" not in message
    return message


# By name


@every_family
def test_every_family_is_configured_under_its_own_name(name: str) -> None:
    config = config_of(name, seed=7)
    assert isinstance(config, FAMILIES[name].config)
    assert (config.family, config.seed) == (name, 7)
    assert set(config.needs) <= set(NEEDS)


@every_family
def test_every_family_can_be_the_model_of_a_run(name: str) -> None:
    assert run(family=name, seed=7).model == config_of(name, seed=7)


@every_family
def test_only_networks_are_trained_by_ray_trains_workers(name: str) -> None:
    model = FAMILIES[name].model
    assert (
        FAMILIES[name].network
        == issubclass(model, NetworkModel)
        == hasattr(model, "start")
    )


def test_baselines_are_families_and_the_first_report_has_some_of_them() -> None:
    assert set(FIRST_BASELINES) < set(BASELINES) <= set(FAMILIES)


def test_unknown_family_is_refused_with_the_nearest_and_all_names() -> None:
    for message in (refused(family="gbdt_ful"), config_refused("gbdt_ful")):
        assert "'gbdt_ful'" in message
        assert "did you mean 'gbdt_full'" in message
        assert all(name in message for name in FAMILIES)


def config_refused(name: str, **settings: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        config_of(name, **settings)
    return str(caught.value)


@pytest.mark.parametrize("name", [None, 3, ["hybrid"], {"hybrid": 1}])
def test_family_that_is_no_name_is_refused_in_one_sentence(name: Any) -> None:
    assert "unknown model family" in refused(family=name)


# Settings


@every_family
def test_unknown_setting_is_refused_with_the_nearest(name: str) -> None:
    for message in (refused(family=name, sead=1), config_refused(name, sead=1)):
        assert f"unknown key 'sead' in {FAMILIES[name].config.__name__}" in message
        assert "did you mean 'seed'" in message


def test_setting_of_another_family_is_refused() -> None:
    assert "unknown key 'trees' in HybridConfig" in refused(family="hybrid", trees=50)
    assert "unknown key 'epochs' in BoostingConfig" in refused(
        family="gbdt_28", epochs=5
    )


@every_family
def test_setting_of_a_wrong_type_is_refused_with_its_place_and_what_was_found(
    name: str,
) -> None:
    message = refused(family=name, seed="often")
    assert "seed" in message
    assert "'often'" in message


def test_section_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model.*'hybrid'"):
        RunConfig(name="x", workspace="y", simulate={}, model="hybrid")


# The default


def test_default_family_is_fusion_and_that_of_a_block_is_hybrid() -> None:
    assert DEFAULT_FAMILY == "fusion"
    assert RunConfig(name="x", workspace="y", simulate={}).model == FusionConfig()
    assert run(folds=3).model == FusionConfig(folds=3)
    assert FusionConfig(blocks={"neural": {"epochs": 3}}).blocks[
        "neural"
    ] == HybridConfig(epochs=3)


def test_override_of_the_family_alone_takes_the_familys_own_defaults(
    tmp_path: Path,
) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("name: x\nworkspace: y\nsimulate: {}\n", encoding="utf-8")
    found = load_run(file, ["model.family=gbdt_context", "model.trees=30"])
    assert found.model == config_of("gbdt_context", trees=30)


def test_model_section_can_be_replaced_by_that_of_another_family() -> None:
    changed = run(folds=3).replace(model={"family": "gbdt_28", "trees": 9})
    assert changed.model == config_of("gbdt_28", trees=9)
    assert run(family="gbdt_28", trees=9).replace(name="z").model == changed.model


# Written and read back


@every_family
def test_configuration_survives_json(name: str) -> None:
    config = config_of(name, seed=7)
    assert read_family(json.loads(json.dumps(config.model_dump(mode="json")))) == config


@every_family
def test_run_configuration_survives_json(name: str) -> None:
    whole = run(family=name, seed=7)
    assert (
        RunConfig(
            **json.loads(json.dumps(whole.model_dump(mode="json", by_alias=True)))
        )
        == whole
    )


# What families need


def test_tokens_and_activity_are_read_as_values() -> None:
    assert columns_for(("tokens", "features")) == ("features", "values")
    assert columns_for(("context", "activity")) == ("context", "values")
    assert columns_for(("tokens", "values")) == ("values",)
    assert columns_for(()) == ()


@pytest.mark.parametrize(
    ("need", "part"),
    [("embedding", "z_BCE"), ("tokens", "p_BCPE"), ("activity", "a_BCA")],
)
def test_parts_are_made_from_values_only_where_they_are_not_there(
    need: str, part: str
) -> None:
    bare = windows(3, points=2, without=("z_BCE", "a_BCA"))
    made = getattr(prepared(bare, (need,), packaged_encoder), part)
    assert made.shape[:2] == (3, 2)
    assert getattr(bare, part) is None
    assert (
        getattr(
            prepared(
                prepared(bare, (need,), packaged_encoder), (need,), no_second_encoder
            ),
            part,
        )
        is not None
    )


def no_second_encoder() -> Any:
    raise AssertionError("nothing had to be made")


def test_embedding_is_the_last_token() -> None:
    made = prepared(
        windows(3, points=2, without=("z_BCE",)),
        ("embedding", "tokens"),
        packaged_encoder,
    )
    assert made.p_BCPE is not None
    assert made.p_BCPE.shape == (
        3,
        2,
        packaged_encoder().patches,
        packaged_encoder().dim,
    )
    assert made.z_BCE is not None
    assert (made.p_BCPE[:, :, -1] == made.z_BCE).all()


@pytest.mark.parametrize("need", sorted(NEEDS))
def test_what_is_missing_and_cannot_be_made_is_named(need: str) -> None:
    bare = windows(
        3,
        without=(
            "z_BCE",
            "x_BCL",
            "f_BCF",
            "k_BK",
            "a_BCA",
            "persistence_B",
            *SUMMARIES,
        ),
    )
    with pytest.raises(BundleError, match=f"the windows' {need}"):
        prepared(bare, (need,), packaged_encoder)


def test_encoder_is_loaded_at_its_first_use_and_once() -> None:
    loads: list[int] = []

    def load() -> Any:
        loads.append(1)
        return packaged_encoder()

    encoder = loaded_once(load)
    assert not loads
    assert encoder() is encoder()
    assert len(loads) == 1
