"""The registry of model families: which there are, how each is configured, fitted and restored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, NamedTuple, cast

import numpy as np
from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from hvac.arrays import Bools
from hvac.errors import ConfigError
from hvac.features.table import Windows
from hvac.json_values import JsonObject
from hvac.models.family import (
    CrossFit,
    Encoding,
    FamilyConfig,
    Fitting,
    Folds,
    Model,
    State,
)
from hvac.models.folds import unit_folds
from hvac.models.fusion import Fusion, FusionConfig, fit_blocks
from hvac.models.members import MEMBERS, Family, OneMember, with_family
from hvac.models.network import TrainingConfig, fit_name

FAMILIES: dict[str, Family] = {
    "fusion": Family(FusionConfig, Fusion, slowness=7),
    **MEMBERS,
}
BASELINES = (
    "base_rate",
    "persistence",
    "logistic_28",
    "gbdt_28",
    "gbdt_92",
    "gbdt_context",
    "et_context",
    "et_28",
    "hybrid",
)
FIRST_BASELINES = ("base_rate", "persistence", "logistic_28", "gbdt_context")
ModelConfig = Annotated[
    OneMember | FusionConfig,
    Field(discriminator="family"),
    BeforeValidator(lambda given: with_family(given, tuple(FAMILIES))),
]


def config_of(name: str, **settings: Any) -> FamilyConfig:
    """Make the configuration of a family by its name.

    Raises:
        ConfigError: if the family or a setting is unknown.

    >>> config_of("gbdt_28", trees=50).trees
    50
    """
    family = FAMILIES[_checked(name)]
    return family.config(**{"family": name, **settings})


def sees_context(name: str) -> bool:
    """Tell whether a family looks at the context of a window; False for what is no family.

    >>> sees_context("fusion"), sees_context("gbdt_history"), sees_context("hybrid")
    (True, True, False)
    """
    return name in FAMILIES and "context" in config_of(name).needs


def _checked(name: str) -> str:
    try:
        return str(with_family({"family": name}, tuple(FAMILIES))["family"])
    except PydanticCustomError as error:
        raise ConfigError(error.message()) from None


def fit(train: Windows, tune: Windows, config: FamilyConfig, fitting: Fitting) -> Model:
    """Fit a family in this process.

    Args:
        train: labelled windows that carry what `config.reads` names (see `family.prepared`).
        tune: labelled windows that carry what `config.needs` names.
        config: the family's configuration.
        fitting: the encoder and what else a fit takes.
    """
    return FAMILIES[config.family].fit(train, tune, config, fitting)


def cross_fit(
    windows: Windows, config: FamilyConfig, fitting: Fitting, *, folds: int
) -> CrossFit:
    """Fit a family on all labelled windows it may learn from, and score each out of fold.

    Out of fold: by a model that saw no window of its unit.

    Args:
        windows: those of the train, tune and cal parts, with what `config.reads` and `config.needs`
            name.
        config: the family's configuration.
        fitting: the encoder and what else a fit takes.
        folds: into how many the units are dealt (a fusion has its own number).
    """
    return FAMILIES[config.family].cross_fit(
        windows, config, fitting, folds_of(windows, config, folds)
    )


def score_all(
    windows: Windows,
    learn_B: Bools,
    config: FamilyConfig,
    fitting: Fitting,
    *,
    folds: int,
) -> CrossFit:
    """Cross-fit on some of the windows and score all.

    Those are scored by their folds, the others by the final model.
    """
    fit = cross_fit(windows.take(learn_B), config, fitting, folds=folds)
    score_BH = np.empty(windows.labels[0].shape)
    score_BH[learn_B] = fit.score_BH
    score_BH[~learn_B] = fit.model.score(windows.take(~learn_B))
    return fit._replace(score_BH=score_BH)


def folds_of(windows: Windows, config: FamilyConfig, folds: int) -> Folds:
    """Deal the units of windows into the folds of a family's cross-fit."""
    return unit_folds(windows, folds=getattr(config, "folds", folds), seed=config.seed)


class NetworkFit(NamedTuple):
    """One of the network fits that a cross-fit consists of; `fold` None is the fit on all units."""

    name: str
    config: TrainingConfig
    fold: int | None


def network_fits(config: FamilyConfig, *, folds: int) -> list[NetworkFit]:
    """List the networks that a cross-fit of a family trains, in and out of folds; none for trees.

    >>> [fit.name for fit in network_fits(config_of("hybrid"), folds=2)]
    ['#0', '#1', '#all']
    """
    blocks = config.seeded_blocks if isinstance(config, FusionConfig) else {"": config}
    all_folds: list[int | None] = [*range(getattr(config, "folds", folds)), None]
    return [
        NetworkFit(fit_name(name, fold), cast(TrainingConfig, block), fold)
        for name, block in blocks.items()
        if FAMILIES[block.family].network
        for fold in all_folds
    ]


def fit_other_blocks(
    windows: Windows,
    config: FamilyConfig,
    fitting: Fitting,
    *,
    folds: int,
    names: Iterable[str],
) -> dict[str, CrossFit]:
    """Cross-fit some blocks of a fusion, which are no networks."""
    blocks = other_blocks(config)
    chosen = {name: blocks[name] for name in names}
    return fit_blocks(windows, chosen, fitting, folds_of(windows, config, folds))


def other_blocks(config: FamilyConfig) -> dict[str, OneMember]:
    """Return the blocks of a fusion that are no networks.

    >>> "neural" in other_blocks(config_of("fusion")), other_blocks(config_of("hybrid"))
    (False, {})
    """
    blocks = config.seeded_blocks if isinstance(config, FusionConfig) else {}
    return {
        name: block
        for name, block in blocks.items()
        if not FAMILIES[block.family].network
    }


def restore(config: FamilyConfig, state: State, encoder: Encoding) -> Model:
    """Restore the model that `state` was taken from."""
    model: Model = FAMILIES[config.family].model.restore(config, state, encoder)
    return model


def read_family(settings: JsonObject) -> FamilyConfig:
    """Read a configuration as `model_dump(mode="json")` gave it."""
    return config_of(
        str(settings["family"]), **{k: v for k, v in settings.items() if k != "family"}
    )
