"""What every model family is: a configuration, a fit, and a fitted model that scores windows.

Legend: B windows, C points, P patches, E embedding, H horizons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple, Protocol

import numpy as np

from hvac.arrays import AnyArray, AnyFloats
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

State = dict[str, AnyArray]
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
REMADE = (
    "f_BCF",
    "z_BCE",
    "u_BCE",
    "p_BCPE",
    "a_BCA",
)  # arrays that are made from values
NEVER_STORED = ("tokens", "activity", "untrained")


class FamilyConfig(Config):
    """Base of every family's configuration."""

    family: str
    """The family's name."""
    seed: Seed = 0
    """Starts the random generators of a fit."""
    augment: AugmentConfig = AugmentConfig()
    """Changed copies of the training windows; none by default."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the parts of a window that the family looks at: names of `NEEDS`."""
        raise NotImplementedError

    @property
    def reads(self) -> tuple[str, ...]:
        """Return the parts that training windows must carry.

        They are `needs`, and the values where changed copies are made of them.
        """
        return (
            tuple(dict.fromkeys((*self.needs, "values")))
            if self.augment.copies
            else self.needs
        )


class Model(Protocol):
    """A fitted model of one class of equipment."""

    config: Any

    @property
    def parameters(self) -> int:
        """Return how many numbers were fitted."""

    def score(self, windows: Windows) -> AnyFloats:
        """Return logits s_BH; a window's score depends on no other window."""

    def state(self) -> State:
        """Return all arrays, by name (for safetensors)."""


class Fitting(NamedTuple):
    """What a fit takes beside its windows.

    It holds the frozen encoder, the workers, the state to go on from, and what is called after an
    epoch. `states` holds networks that were fitted elsewhere (by Ray Train's workers), by the names
    of `network_fits`; `name` is the fit's: "" or the block of a fusion. `blocks` holds blocks of a
    fusion that were cross-fitted elsewhere, by name.
    """

    encoder: Encoding
    workers: Workers = Workers()
    state: FitState | None = None
    report: Callable[[FitState], None] = lambda state: None
    states: Mapping[str, FitState] = {}
    name: str = ""
    blocks: Mapping[str, CrossFit] = {}


def columns_for(needs: Iterable[str]) -> tuple[str, ...]:
    """Return the columns of the featurized table that hold what is needed.

    Patch tokens, activity and an untrained encoder's embedding are made from values.
    """
    return tuple(sorted({"values" if need in NEVER_STORED else need for need in needs}))


def prepared(windows: Windows, needs: Iterable[str], encoder: Encoding) -> Windows:
    """Return the windows with everything needed.

    Embeddings, patch tokens and activity are made from values where they are absent.

    Raises:
        BundleError: if something is missing and cannot be made.
    """
    for need in needs:
        if getattr(windows, NEEDS[need]) is not None:
            continue
        x_BCL = windows.x_BCL
        if need not in ("embedding", *NEVER_STORED) or x_BCL is None:
            raise BundleError(
                f"the model needs the windows' {need}, which they do not carry"
            )
        if need == "activity":
            windows = replace(windows, a_BCA=activity(x_BCL))
        elif need == "tokens":
            windows = replace(windows, p_BCPE=encoder().tokens(x_BCL))
        elif need == "untrained":
            windows = replace(
                windows, u_BCE=load_encoder(untrained(encoder().spec)).embed(x_BCL)
            )
        else:
            windows = replace(windows, z_BCE=encoder().embed(x_BCL))
    return windows


def augmented(train: Windows, config: FamilyConfig, encoder: Encoding) -> Windows:
    """Return training windows followed by their changed copies.

    They are the very same windows where `config.augment` makes none. Statistics, embedding and
    patch tokens of a copy are made from its values; keys, labels and context are the original's.
    What the family does not need is left out.

    Raises:
        ConfigError: if copies are to be made, and the windows carry no values.
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
        *(
            _copy(train, config, number, encoder)
            for number in range(config.augment.copies)
        ),
    ]
    dropped: dict[str, Any] = {
        name: None for name in REMADE if getattr(parts[-1], name) is None
    }
    return concat([replace(parts[0], **dropped), *parts[1:]])


def _copy(
    train: Windows, config: FamilyConfig, number: int, encoder: Encoding
) -> Windows:
    x_BCL = changed(np.asarray(train.x_BCL), config.augment, number)
    copy: dict[str, Any] = dict.fromkeys(REMADE)
    if "features" in config.needs:
        copy["f_BCF"] = statistics(x_BCL).astype(np.float32)
    return prepared(replace(train, x_BCL=x_BCL, **copy), config.needs, encoder)


def no_encoder() -> Encoder:
    """Refuse to give an encoder: for fits and windows that need none."""
    raise BundleError("this needs an encoder, and none was given")


def loaded_once(load: Encoding) -> Encoding:
    """Return a function that loads the encoder at its first call only."""
    return cache(load)
