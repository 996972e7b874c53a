"""The families that are one model each: what a fusion may be made of.

A new family is added here: its module's configuration and model, in `MEMBERS`.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
from pydantic import BeforeValidator, Field

from hvac.config import unknown_error
from hvac.errors import unknown_name
from hvac.features.table import Windows
from hvac.models.boosting import BLOCKS, Boosting, BoostingConfig
from hvac.models.catboosting import CatBoost, CatBoostConfig
from hvac.models.cnn1d import Cnn1d, Cnn1dConfig
from hvac.models.constant import (
    BaseRate,
    BaseRateConfig,
    Persistence,
    PersistenceConfig,
)
from hvac.models.extra_trees import FOREST_BLOCKS, ExtraTrees, ExtraTreesConfig
from hvac.models.family import CrossFit, FamilyConfig, Fitting, Folds, Model, augmented
from hvac.models.hybrid import Hybrid, HybridConfig
from hvac.models.hybrid_multitask import HybridMultitask, MultitaskConfig
from hvac.models.linear import LINEAR_BLOCKS, Logistic, LogisticConfig
from hvac.models.lstm import Lstm, LstmConfig
from hvac.models.network import NetworkModel
from hvac.models.ttm_lora import TtmLora, TtmLoraConfig


class Family(NamedTuple):
    """How one family is configured, fitted and restored.

    `most_points` is the widest window it takes (None: any). The higher `slowness`, the longer a fit
    takes beside other families: slow ones are started first. `seeded` tells whether another random
    seed gives another model, `only_ranks` that scores are no log-odds (as those of networks), and
    `scores_are_rates` that they are rates of training already, which need no calibration.
    """

    config: type[FamilyConfig]
    model: Any
    most_points: int | None = None
    slowness: int = 0
    seeded: bool = True
    only_ranks: bool = False
    scores_are_rates: bool = False

    @property
    def network(self) -> bool:
        """Tell whether it is one network, which Ray Train's workers fit epoch by epoch."""
        return isinstance(self.model, type) and issubclass(self.model, NetworkModel)

    @property
    def log_odds(self) -> bool:
        """Tell whether its scores are log-odds by the way it is fitted."""
        return not self.network and not self.only_ranks

    def fit(
        self, train: Windows, tune: Windows, config: FamilyConfig, fitting: Fitting
    ) -> Model:
        """Fit in this process, on the training windows and what `config.augment` makes of them."""
        model: Model = self.model.fit(
            augmented(train, config, fitting.encoder), tune, config, fitting
        )
        return model

    def cross_fit(
        self, windows: Windows, config: FamilyConfig, fitting: Fitting, folds: Folds
    ) -> CrossFit:
        """Fit on all labelled windows that may be learned from, and score each out of fold.

        A family that chooses something on held-out windows (strength, trees, epochs) has a
        `cross_fit` of its own; the others are fitted without each fold, then on everything.
        """
        if hasattr(self.model, "cross_fit") and (
            self.network or not config.augment.copies
        ):
            crossed: CrossFit = self.model.cross_fit(windows, config, fitting, folds)
            return crossed
        nothing = windows.take(np.zeros(len(windows), dtype=bool))
        score_BH = np.empty(windows.labels[0].shape)
        for rest_B, held_B in folds.parts:
            rest = windows.take(rest_B if rest_B.any() else held_B)
            model = self.fit(rest, nothing, config, fitting)
            score_BH[held_B] = model.score(windows.take(held_B))
        return CrossFit(self.fit(windows, nothing, config, fitting), score_BH)


MEMBERS: dict[str, Family] = {
    "hybrid": Family(HybridConfig, Hybrid, slowness=2),
    "hybrid_multitask": Family(MultitaskConfig, HybridMultitask, slowness=4),
    "ttm_lora": Family(TtmLoraConfig, TtmLora, slowness=6),
    "lstm": Family(LstmConfig, Lstm, slowness=5),
    "cnn1d": Family(Cnn1dConfig, Cnn1d, slowness=3),
    **{
        name: Family(BoostingConfig, Boosting, slowness=int(name == "gbdt_92"))
        for name in BLOCKS
    },
    **{name: Family(ExtraTreesConfig, ExtraTrees) for name in FOREST_BLOCKS},
    **{name: Family(LogisticConfig, Logistic, seeded=False) for name in LINEAR_BLOCKS},
    "catboost_full": Family(CatBoostConfig, CatBoost),
    "persistence": Family(
        PersistenceConfig, Persistence, seeded=False, only_ranks=True
    ),
    "base_rate": Family(BaseRateConfig, BaseRate, seeded=False, scores_are_rates=True),
}
DEFAULT_FAMILY = "fusion"
DEFAULT_MEMBER = "hybrid"


def with_family(given: Any, known: tuple[str, ...]) -> Any:
    """Fill in the `family` of a section of a run file.

    An unknown family is an error that suggests the nearest.
    """
    if not isinstance(given, dict):
        return given
    name = given.get(
        "family", DEFAULT_FAMILY if DEFAULT_FAMILY in known else DEFAULT_MEMBER
    )
    if not isinstance(name, str) or name not in known:
        subject = f"model family '{name}'"
        raise unknown_error(unknown_name(subject, str(name), known, "families"))
    return {**given, "family": name}


if TYPE_CHECKING:
    OneMember = FamilyConfig
else:  # a union of every configuration, which pydantic tells apart by `family`
    OneMember = reduce(or_, (family.config for family in MEMBERS.values()))
MemberConfig = Annotated[
    OneMember,
    Field(discriminator="family"),
    BeforeValidator(lambda given: with_family(given, tuple(MEMBERS))),
]
