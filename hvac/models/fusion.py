"""`fusion`: models of single blocks, mixed by weights learned on cross-fitted scores.

Every block is fitted without a fold of units and scores that fold. On these out-of-fold scores each
block is calibrated per horizon (Platt), and weights are learned that are never negative, sum to 1
and are the same for all horizons; a slope and an intercept per horizon follow. Weights are drawn
towards equal ones, the more so the fewer units have events. A block whose scores tell nothing out
of fold (slope 0 at every horizon) has weight 0. Whether the weighted mean, the plain mean of the
log-odds or the best block alone is kept is decided out of fold as well.
Legend: B windows, H horizons, K blocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

import numpy as np
from pydantic import Field, field_validator

from hvac.arrays import Floats
from hvac.features.table import Windows, concat
from hvac.models.blocks import Without
from hvac.models.boosting import BoostingConfig
from hvac.models.extra_trees import ExtraTreesConfig
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
from hvac.models.hybrid import HybridConfig
from hvac.models.linear import LogisticConfig
from hvac.models.members import MEMBERS, MemberConfig, OneMember
from hvac.models.mixing import (
    Labels,
    Mix,
    Rule,
    calibrate_and_mix,
    calibrated,
    choose_rule,
    log_loss_B,
    mix_out_of_fold,
)


def default_blocks() -> dict[str, OneMember]:
    """Return the default blocks by name.

    They are lines and forests on the last days, forests and boosting against peers, the past, and
    the neural member, chosen out of fold on units that are not tested, over ten kinds of fleets
    (docs/findings.md).
    """
    return {
        "line": LogisticConfig(family="logistic_full"),
        "line_recent": LogisticConfig(family="logistic_recent"),
        "forest": ExtraTreesConfig(family="et_full", trees=60),
        "forest_relative": ExtraTreesConfig(family="et_relative", trees=60),
        "forest_history": ExtraTreesConfig(family="et_history", trees=60, min_leaf=20),
        "boosting_relative": BoostingConfig(family="gbdt_relative"),
        "neural": HybridConfig(members=2, most_inputs=96, epochs=10, patience=3),
    }


class FusionConfig(FamilyConfig):
    """Blocks, and how they are mixed."""

    family: Literal["fusion"] = "fusion"
    """The family's name."""
    blocks: dict[str, MemberConfig] = Field(
        default_factory=default_blocks, min_length=1
    )
    """The models that are mixed, by name."""
    method: Literal["stack", "mean"] = "stack"
    """`stack` learns the weights; `mean` gives every block the same."""
    folds: int = Field(default=4, ge=2)
    """Folds of units for the out-of-fold scores."""
    shrinkage: float = Field(default=0.3, ge=0)
    """Penalty on the squared distance to equal weights, over the units with events."""
    without: Without = ()
    """Inputs left out of every block that can do without them, for ablations."""

    @field_validator("blocks")
    @classmethod
    def _have_no_seeds(cls, blocks: dict[str, OneMember]) -> dict[str, OneMember]:
        if seeded := [name for name, block in blocks.items() if block.seed]:
            raise ValueError(
                f"{seeded[0]}.seed has no say here: every block takes the fusion's seed"
            )
        return blocks

    @property
    def needs(self) -> tuple[str, ...]:
        """Return what any of the blocks needs."""
        return tuple(
            sorted(
                {need for block in self.seeded_blocks.values() for need in block.needs}
            )
        )

    @property
    def reads(self) -> tuple[str, ...]:
        """Return what training windows must carry for any of the blocks."""
        return tuple(
            sorted(
                {
                    *super().reads,
                    *(
                        part
                        for block in self.seeded_blocks.values()
                        for part in block.reads
                    ),
                }
            )
        )

    @property
    def seeded_blocks(self) -> dict[str, OneMember]:
        """Return the blocks with the fusion's seed, and without what it leaves out."""
        return {
            name: block.replace(seed=self.seed, **self._left_out(block))
            for name, block in self.blocks.items()
        }

    def _left_out(self, block: OneMember) -> dict[str, tuple[str, ...]]:
        """Return what a block leaves out for the fusion's sake."""
        if not self.without or not hasattr(block, "without"):
            return {}
        return {"without": tuple(dict.fromkeys((*block.without, *self.without)))}


class Fusion:
    """Fitted blocks, slope and intercept of each block and horizon, and how they are mixed."""

    def __init__(
        self,
        config: FusionConfig,
        blocks: dict[str, Model],
        platt_KHX: Floats,
        mix: Mix,
    ) -> None:
        self.config = config
        self.blocks = blocks
        self.platt_KHX = platt_KHX
        self.mix = mix

    @property
    def parameters(self) -> int:
        """Count the parameters of the blocks and of the mix."""
        mixing = self.platt_KHX.size + sum(array.size for array in self.mix)
        return sum(model.parameters for model in self.blocks.values()) + mixing

    def score(self, windows: Windows) -> Floats:
        """Return log-odds s_BH; blocks of weight 0 are left out."""
        used = [k for k, weight in enumerate(self.mix.weight_K) if weight > 0]
        models = list(self.blocks.values())
        scores = [models[k].score(windows) for k in used]
        score_KBH = np.stack(scores).astype(np.float64)
        return self.mix._replace(weight_K=self.mix.weight_K[used])(
            calibrated(score_KBH, self.platt_KHX[used])
        )

    def state(self) -> State:
        """Return the arrays of every block under its name, and those of the mix."""
        mixing: State = {"platt_KHX": self.platt_KHX, **self.mix._asdict()}
        return mixing | {
            f"block.{n}.{key}": a
            for n, model in self.blocks.items()
            for key, a in model.state().items()
        }

    @classmethod
    def restore(cls, config: FusionConfig, state: State, encoder: Encoding) -> Self:
        """Restore the model that `state` was taken from.

        Older bundles have no slopes, or no intercepts.
        """
        blocks = {}
        for name, block in config.seeded_blocks.items():
            prefix = f"block.{name}."
            arrays = {
                key.removeprefix(prefix): array
                for key, array in state.items()
                if key.startswith(prefix)
            }
            blocks[name] = MEMBERS[block.family].model.restore(block, arrays, encoder)
        horizons = state["platt_KHX"].shape[1]
        slope_H = state.get("slope_H", np.ones(horizons))
        intercept_H = state.get("intercept_H", np.zeros(horizons))
        mix = Mix(state["weight_K"], slope_H, intercept_H)
        return cls(config, blocks, state["platt_KHX"], mix)

    @classmethod
    def fit(
        cls, train: Windows, tune: Windows, config: FusionConfig, fitting: Fitting
    ) -> Self:
        """Fit on training and tuning windows together: folds take the place of *tune*."""
        windows = concat([train, tune]) if len(tune) else train
        folds = unit_folds(windows, folds=config.folds, seed=config.seed)
        model: Self = cls.cross_fit(windows, config, fitting, folds).model
        return model

    @classmethod
    def cross_fit(
        cls, windows: Windows, config: FusionConfig, fitting: Fitting, folds: Folds
    ) -> CrossFit:
        """Fit every block and mix their out-of-fold scores.

        Each fold is scored by a mix learned on the others.
        """
        blocks = config.seeded_blocks
        others = {
            name: block for name, block in blocks.items() if name not in fitting.blocks
        }
        fitted = {**fitting.blocks, **fit_blocks(windows, others, fitting, folds)}
        fits = {name: fitted[name] for name in blocks}
        score_KBH = np.stack([fit.score_BH for fit in fits.values()])
        labels = Labels(windows.labels[0], windows.weights.astype(np.float64))
        penalty = config.shrinkage / max(_units_with_events(windows), 1)
        rules: tuple[Rule, ...] = (
            ("mean",) if config.method == "mean" else ("weights", "mean", "best_block")
        )
        held_out = {
            rule: mix_out_of_fold(score_KBH, labels, folds, rule, penalty)
            for rule in rules
        }
        loss_RB = {
            rule: log_loss_B(odds_BH, labels) for rule, odds_BH in held_out.items()
        }
        rule = choose_rule(loss_RB, windows.units)
        platt_KHX, mix = calibrate_and_mix(score_KBH, labels, rule, penalty)
        models = {name: fit.model for name, fit in fits.items()}
        model = cls(config, models, platt_KHX, mix)
        notes = {
            "rule": rule,
            "weights": dict(zip(fits, mix.weight_K.round(4).tolist(), strict=True)),
            "log_loss": {
                name: float(loss_B.mean()) for name, loss_B in loss_RB.items()
            },
        }
        return CrossFit(model, held_out[rule], notes)


def fit_blocks(
    windows: Windows, blocks: Mapping[str, OneMember], fitting: Fitting, folds: Folds
) -> dict[str, CrossFit]:
    """Cross-fit some blocks of a fusion, by name."""
    fits = {}
    for name, block in blocks.items():
        block_fitting = fitting._replace(name=name)
        fits[name] = MEMBERS[block.family].cross_fit(
            windows, block, block_fitting, folds
        )
    return fits


def _units_with_events(windows: Windows) -> int:
    y_BH, known_BH = windows.labels
    positive_B = (y_BH & known_BH).any(axis=1)
    return len(np.unique(windows.units[positive_B]))
