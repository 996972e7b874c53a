"""The registry of model families: which there are, how each is configured, fitted and restored."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from hvac.errors import ConfigError
from hvac.features.table import Windows
from hvac.models.family import Encoding, FamilyConfig, Fitting, Model, State
from hvac.models.fusion import Fusion, FusionConfig
from hvac.models.members import MEMBERS, Family, OneMember, with_family

FAMILIES: dict[str, Family] = {"fusion": Family(FusionConfig, Fusion), **MEMBERS}
BASELINES = ("base_rate", "persistence", "logistic_28", "gbdt_28", "gbdt_92", "gbdt_context")
ModelConfig = Annotated[
    OneMember | FusionConfig,
    Field(discriminator="family"),
    BeforeValidator(lambda given: with_family(given, tuple(FAMILIES))),
]


def config_of(name: str, **settings: Any) -> FamilyConfig:
    """The configuration of a family by its name.

    Raises:
        ConfigError: unknown family or setting.

    >>> config_of("gbdt_28", trees=50).trees
    50
    """
    family = FAMILIES[_checked(name)]
    return family.config(**{"family": name, **settings})


def _checked(name: str) -> str:
    try:
        return str(with_family({"family": name}, tuple(FAMILIES))["family"])
    except PydanticCustomError as error:
        raise ConfigError(error.message()) from None


def fit(train: Windows, tune: Windows, config: Any, fitting: Fitting) -> Model:
    """Fit a family in this process.

    Args:
        train, tune: labelled windows that carry what `config.reads` and `config.needs` name (see `family.prepared`).
    """
    return FAMILIES[config.family].fit(train, tune, config, fitting)


def restore(config: Any, state: State, encoder: Encoding) -> Model:
    """The model that `state` was taken from."""
    model: Model = FAMILIES[config.family].model.restore(config, state, encoder)
    return model


def read_config(found: dict[str, Any]) -> FamilyConfig:
    """A configuration as `model_dump(mode="json")` gave it."""
    return config_of(found["family"], **{k: v for k, v in found.items() if k != "family"})
