"""What every model family is: a configuration, a fit, and a fitted model that scores windows, saves
and restores.

Legend: B windows, C points, P patches, E embedding, H horizons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from hvac.config import Config, Seed
from hvac.errors import BundleError, ConfigError
from hvac.features.activity import activity
from hvac.features.encoder import Encoder, load_encoder, untrained
from hvac.features.statistics import statistics
from hvac.features.table import Windows, concat
from hvac.models.augment import AugmentConfig, changed
from hvac.models.fitting import FitState, Workers
from hvac.models.folds import CrossFit as CrossFit
from hvac.models.folds import Folds as Folds

Floats = npt.NDArray[np.floating[Any]]
State = dict[str, npt.NDArray[Any]]
Encoding = Callable[[], Encoder]

NEEDS = {
    "features": "f_BCF",
    "embedding": "z_BCE",
    "tokens": "p_BCPE",
    "values": "x_BCL",
    "activity": "a_BCA",
    "context": "k_BK",
    "recent": "n_BCS",
    "raw": "r_BCS",
    "peers": "d_BCS",
    "residuals": "e_BCS",
    "persistence": "persistence_B",
    "untrained": "u_BCE",
}
REMADE = ("f_BCF", "z_BCE", "u_BCE", "p_BCPE", "a_BCA")  # arrays that are made from values
NEVER_STORED = ("tokens", "activity")


class FamilyConfig(Config):
    """Base of every family's configuration."""

    family: str
    seed: Seed = 0
    augment: AugmentConfig = AugmentConfig()

    @property
    def needs(self) -> tuple[str, ...]:
        """Parts of a window that the family looks at: names of `NEEDS`."""
        raise NotImplementedError

    @property
    def reads(self) -> tuple[str, ...]:
        """Parts that training windows must carry: `needs`, and the values where changed copies are
        made of them.
        """
        return tuple(dict.fromkeys((*self.needs, "values"))) if self.augment.copies else self.needs


class Model(Protocol):
    """A fitted model of one class of equipment."""

    config: Any

    @property
    def parameters(self) -> int:
        """How many numbers were fitted."""

    def score(self, windows: Windows) -> Floats:
        """Logits s_BH; a window's score depends on no other window."""

    def state(self) -> State:
        """All arrays, by name (for safetensors)."""


class Fitting(NamedTuple):
    """What a fit is given beside its windows: the frozen encoder, its workers, where it stood, whom
    to report to.

    `states` holds networks that were fitted elsewhere (by Ray Train's workers), by the names of
    `network_fits`; `name` is the fit's own: "" or the block of a fusion."""

    encoder: Encoding
    workers: Workers = Workers()
    state: FitState | None = None
    report: Callable[[FitState], None] = lambda state: None
    states: Mapping[str, FitState] = {}
    name: str = ""


def columns_for(needs: Iterable[str]) -> tuple[str, ...]:
    """Columns of the featurized table that hold what is needed (patch tokens and activity are made
    from values).
    """
    return tuple(sorted({"values" if need in NEVER_STORED else need for need in needs}))


def prepared(windows: Windows, needs: Iterable[str], encoder: Encoding) -> Windows:
    """The windows with everything needed; embedding, patch tokens and activity are made from values
    if not there.

    Raises:
        BundleError: something is missing and cannot be made.
    """
    for need in needs:
        if getattr(windows, NEEDS[need]) is not None:
            continue
        x_BCL = windows.x_BCL
        if need not in ("embedding", *NEVER_STORED) or x_BCL is None:
            raise BundleError(f"the model needs the windows' {need}, which they do not carry")
        if need == "activity":
            windows = replace(windows, a_BCA=activity(x_BCL))
        elif need == "tokens":
            windows = replace(windows, p_BCPE=encoder().tokens(x_BCL))
        else:
            windows = replace(windows, z_BCE=encoder().embed(x_BCL))
    return windows


def augmented(train: Windows, config: FamilyConfig, encoder: Encoding) -> Windows:
    """Training windows followed by their changed copies; the very same windows where
    `config.augment` makes none.

    Statistics, embedding and patch tokens of a copy are made from its values; keys, labels and
    context are the original's. What the family does not need is left out.

    Raises:
        ConfigError: copies are asked for, and the windows carry no values.
    """
    if not config.augment.copies:
        return train
    if train.x_BCL is None:
        raise ConfigError(
            f"{config.family}.augment.copies is {config.augment.copies}, and the windows carry no"
            " values to change: set featurize.keep_values: true and run featurize again"
        )
    parts = [
        train,
        *(_copy(train, config, number, encoder) for number in range(config.augment.copies)),
    ]
    dropped: dict[str, Any] = {name: None for name in REMADE if getattr(parts[-1], name) is None}
    return concat([replace(parts[0], **dropped), *parts[1:]])


def _copy(train: Windows, config: FamilyConfig, number: int, encoder: Encoding) -> Windows:
    x_BCL = changed(np.asarray(train.x_BCL), config.augment, number)
    made: dict[str, Any] = dict.fromkeys(REMADE)
    if "features" in config.needs:
        made["f_BCF"] = statistics(x_BCL).astype(np.float32)
    if "untrained" in config.needs:
        made["u_BCE"] = load_encoder(untrained(encoder().spec)).embed(x_BCL)
    return prepared(replace(train, x_BCL=x_BCL, **made), config.needs, encoder)


def no_encoder() -> Encoder:
    """For fits and windows that need none."""
    raise BundleError("this needs an encoder, and none was given")


def loaded_once(load: Encoding) -> Encoding:
    """The same encoder at every call, loaded at the first."""
    return cache(load)
