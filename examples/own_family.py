"""Write a model family of your own, fit it on a simulated fleet, and score held-out units.

    python examples/own_family.py

The family scores a window by how far its points lie from their peers in the last 7 days. To use a
family in run files, put it into `hvac/models/` (CONTRIBUTING.md, "A model family").
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

import hvac
from hvac.evaluation.metrics import roc_auc
from hvac.features.context import ContextSpec
from hvac.features.peer_groups import peer_levels
from hvac.features.recipe import Recipe
from hvac.features.scene import UnitRecord, scenes
from hvac.features.table import Windows, concat
from hvac.features.training_windows import training_windows
from hvac.models.family import FamilyConfig
from hvac.panel.labels import LabelConfig
from hvac.panel.record import read_record
from hvac.panel.split_config import SplitConfig
from hvac.panel.splits import make_splitter
from hvac.panel.windows import WindowConfig
from hvac.readings.frames import source_of


class DeviationConfig(FamilyConfig):
    """Settings of the family."""

    family: Literal["deviation"] = "deviation"
    power: float = 1.0
    """How much more a large deviation counts than a small one."""

    @property
    def needs(self) -> tuple[str, ...]:
        return ("peers",)


class Deviation:
    """Scores windows by the largest deviation of a point from its peers, nothing else."""

    def __init__(self, config: DeviationConfig, level: float) -> None:
        self.config, self.level = config, level

    @classmethod
    def fit(cls, train: Windows, config: DeviationConfig) -> Deviation:
        return cls(config, float(np.median(cls._deviation(train))))

    def score(self, windows: Windows) -> npt.NDArray[np.float64]:
        """Return scores [B, H]: the same for every horizon."""
        score_B = (self._deviation(windows) / self.level) ** self.config.power
        return np.tile(score_B[:, None], (1, 3))

    @staticmethod
    def _deviation(windows: Windows) -> npt.NDArray[np.float64]:
        summaries_BCS = np.nan_to_num(
            np.abs(np.asarray(windows.d_BCS, dtype=np.float64))
        )
        return summaries_BCS.max(axis=(1, 2)) + 1e-6


def windows_of_fleet() -> Windows:
    """Simulate pumps, and cut labelled windows of them."""
    fleet = hvac.simulate_fleet(
        facilities=2, equipment_per_class=10, classes=("pump",), days=900, seed=1
    )
    with source_of(*fleet) as source:
        record = read_record(source, by_class=True)
    registry = record.registry
    config = WindowConfig(train_stride=7)
    recipe = Recipe(
        class_name="pump",
        points=registry.points["pump"],
        windows=config,
        labels=LabelConfig(),
        context=ContextSpec(kinds=registry.event_kinds, classes=(), rates={}),
    )
    splitter = make_splitter(
        SplitConfig(kind="equipment"),
        registry.classes,
        spans=registry.unit_spans,
        lookback=config.lookback,
        purge=max(config.horizons),
    )
    panels = list(record.panels(recipe.points, config.aggregate))
    levels = peer_levels(registry, panels, recipe)
    follow_up = registry.follow_up(recipe.labels.kinds)
    parts: list[Windows] = []
    for panel in panels:
        about = UnitRecord(
            events=registry.events_of(panel.unit),
            install_day=registry.install_days[panel.unit],
            class_name="pump",
            follow_up=follow_up[panel.unit],
            peers=levels.get(("pump", panel.unit.facility_id)),
        )
        for scene in scenes(panel, recipe, about):
            parts.append(training_windows(scene, recipe, splitter)[0])
    return concat(parts)


def main() -> None:
    windows = windows_of_fleet()
    model = Deviation.fit(windows.split("train"), DeviationConfig())
    test = windows.split("test")
    y_BH, known_BH = test.labels
    for h, horizon in enumerate((30, 60, 90)):
        known_B = known_BH[:, h]
        score_B = model.score(test)[known_B, h]
        auc = roc_auc(score_B, y_BH[known_B, h])
        print(
            f"{horizon} days: ROC-AUC {auc:.3f} on {known_B.sum()} windows of unseen pumps"
        )


if __name__ == "__main__":
    main()
