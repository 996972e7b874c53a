"""A fitted detector: network, windows and threshold, as a folder of JSON and safetensors.

There is no pickle in it. Legend: T steps, B windows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from safetensors.numpy import save_file
from scipy.special import expit

from hvac.arrays import Floats
from hvac.detect.series import DETECTOR, Series
from hvac.detect.sliding import (
    SlidingConfig,
    SlidingWindows,
    join_scores,
    raw_windows,
    shown,
)
from hvac.detect.training import as_windows
from hvac.errors import BundleError
from hvac.models.cnn1d import Cnn1d, Cnn1dConfig
from hvac.models.family import no_encoder
from hvac.scoring.bundle_files import MODEL, check_files, file_hashes, read_arrays
from hvac.scoring.manifest import MANIFEST, read_mapping
from hvac.storage import AnyPath, local_folder, replacing_folder

FORMAT = 1


class AnomalyScorer(Protocol):
    """A model that scores windows and steps.

    The higher a score, the more anomalous; nan where it cannot tell.
    """

    @property
    def name(self) -> str:
        """Return the model's name in tables."""

    def window_scores(self, series: Series, cuts: SlidingWindows) -> Floats:
        """Return the score of every window."""

    def step_scores(self, series: Series, cuts: SlidingWindows) -> Floats:
        """Return the score of every step."""


@dataclass(frozen=True, kw_only=True)
class Detector:
    """The network with all it needs to score a series."""

    model: Cnn1d
    windows: SlidingConfig
    threshold: float
    training: dict[str, Any] = field(default_factory=dict)
    name: str = DETECTOR

    def window_scores(self, series: Series, cuts: SlidingWindows) -> Floats:
        """Return the probability that each window is anomalous.

        It is nan where too little of a window was observed.
        """
        x_BL = raw_windows(series.value_T, cuts.start_B, self.windows.length)
        x_BCL = shown(x_BL, series, self.windows)
        logit_B = self.model.score(as_windows(x_BCL))[:, 0]
        return np.where(cuts.scored_B, expit(logit_B), np.nan)

    def step_scores(self, series: Series, cuts: SlidingWindows) -> Floats:
        """Return window scores joined to a score per step."""
        score_B = self.window_scores(series, cuts)
        return join_scores(score_B, cuts.start_B, len(series), self.windows)

    def save(self, folder: AnyPath) -> str:
        """Write the detector as a folder in place of what was there.

        Returns:
            The SHA-256 of its weights.
        """
        state = self.model.state()
        arrays = {name: np.ascontiguousarray(array) for name, array in state.items()}
        with replacing_folder(folder, last=MANIFEST) as building:
            save_file(arrays, building / MODEL)
            manifest = {
                "format": FORMAT,
                "family": self.name,
                "config": self.model.config.model_dump(mode="json"),
                "windows": self.windows.model_dump(mode="json"),
                "threshold": self.threshold,
                "training": self.training,
                "sha256": dict(file_hashes(building))[MODEL],
            }
            (building / MANIFEST).write_text(
                json.dumps(manifest, indent=1) + "\n", encoding="utf-8"
            )
        return str(manifest["sha256"])

    @classmethod
    def load(cls, folder: AnyPath) -> Detector:
        """Read what `save` wrote.

        Raises:
            BundleError: if a file is missing, damaged, or of another format.
        """
        with local_folder(folder) as copy:
            manifest = read_mapping(copy, folder, "detector")
            if (manifest.get("format"), manifest.get("family")) != (FORMAT, DETECTOR):
                raise BundleError(
                    f"{folder / MANIFEST}: expected a {DETECTOR} detector of format {FORMAT}, found"
                    " something else"
                )
            arrays = read_arrays(copy, folder, MODEL)
            check_files(copy, folder, {MODEL: manifest["sha256"]})
        return cls(
            model=Cnn1d.restore(Cnn1dConfig(**manifest["config"]), arrays, no_encoder),
            windows=SlidingConfig(**manifest["windows"]),
            threshold=manifest["threshold"],
            training=manifest["training"],
        )
