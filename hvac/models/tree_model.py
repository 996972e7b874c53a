"""What all families of trees share: trees of every horizon, their inputs, saving and restoring.

Legend: B windows, N inputs, H horizons.
"""

from __future__ import annotations

from typing import Self

import numpy as np

from hvac.arrays import Floats
from hvac.errors import BundleError
from hvac.features.table import Windows
from hvac.models.blocks import inputs
from hvac.models.family import Encoding, FamilyConfig, State
from hvac.models.trees import Trees, check_trees, restored_trees, tree_arrays


class TreeModel:
    """Trees of all horizons on blocks of a window.

    The score of a window is the sum over its leaves.
    """

    def __init__(self, config: FamilyConfig, forests: list[Trees], width: int) -> None:
        self.config = config
        self.forests = forests
        self.width = width

    @property
    def parameters(self) -> int:
        """Count a threshold per split and a value per leaf."""
        return sum(forest.parameters for forest in self.forests)

    def score(self, windows: Windows) -> Floats:
        """Return logits s_BH.

        Raises:
            BundleError: if the windows have another number of inputs.
        """
        input_BN = np.ascontiguousarray(inputs(windows, self.config.needs))
        if input_BN.shape[1] != self.width:
            raise BundleError(
                f"windows have {input_BN.shape[1]} inputs, the model expects {self.width}"
            )
        return np.stack([forest.total(input_BN) for forest in self.forests], axis=1)

    def state(self) -> State:
        """Return all arrays, by name."""
        return {"width": np.array([self.width]), **tree_arrays(self.forests)}

    @classmethod
    def restore(cls, config: FamilyConfig, state: State, encoder: Encoding) -> Self:
        """Restore the model that `state` was taken from."""
        forests = restored_trees(state)
        width = int(state["width"][0])
        for forest in forests:
            check_trees(forest, width)
        return cls(config, forests, width)


def width_of(windows: Windows, needs: tuple[str, ...]) -> int:
    """Return how many inputs the windows have."""
    none = windows.take(np.arange(0))
    return int(inputs(none, needs).shape[1])
