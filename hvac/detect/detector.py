"""A fitted detector: network, windows and threshold, as a folder of JSON and safetensors.

There is no pickle in it. Legend: T steps, B windows.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy.special import expit

from hvac.arrays import Floats
from hvac.detect.series import DETECTOR, Series
from hvac.detect.sliding import SlidingConfig, SlidingWindows, join_scores, raw_windows, shown
from hvac.detect.training import as_windows
from hvac.errors import BundleError
from hvac.models.cnn1d import Cnn1d, Cnn1dConfig
from hvac.models.family import no_encoder
from hvac.storage import AnyPath, local_folder, replacing_folder

FORMAT = 1
MANIFEST = "manifest.json"
WEIGHTS = "model.safetensors"


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
        raw = raw_windows(series, cuts.start_B, self.windows.length)
        x_BCL = shown(raw, series, self.windows)
        logit_B = self.model.score(as_windows(x_BCL))[:, 0]
        probability_B = expit(logit_B)
        observed_B = cuts.observed_B >= self.windows.least_observed
        return np.where(observed_B, probability_B, np.nan)

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
            save_file(arrays, building / WEIGHTS)
            manifest = {
                "format": FORMAT,
                "family": self.name,
                "config": self.model.config.model_dump(mode="json"),
                "windows": self.windows.model_dump(mode="json"),
                "threshold": self.threshold,
                "training": self.training,
                "sha256": _hash(building / WEIGHTS),
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
        manifest = _manifest(folder)
        with local_folder(folder) as copy:
            try:
                arrays = load_file(copy / WEIGHTS)
            except (OSError, SafetensorError) as error:
                raise BundleError(f"{folder / WEIGHTS} cannot be read: {error}") from error
            if _hash(copy / WEIGHTS) != manifest["sha256"]:
                raise BundleError(
                    f"{folder / WEIGHTS} is damaged (SHA-256 differs): train or copy the model anew"
                )
        return cls(
            model=Cnn1d.restore(Cnn1dConfig(**manifest["config"]), arrays, no_encoder),
            windows=SlidingConfig(**manifest["windows"]),
            threshold=manifest["threshold"],
            training=manifest["training"],
        )


def _manifest(folder: AnyPath) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError(f"{folder} is no detector: it has no {MANIFEST}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BundleError(f"{folder / MANIFEST} is damaged: {error}") from error
    if not isinstance(manifest, dict) or (manifest.get("format"), manifest.get("family")) != (
        FORMAT,
        DETECTOR,
    ):
        raise BundleError(
            f"{folder / MANIFEST}: expected a {DETECTOR} detector of format {FORMAT}, found"
            " something else"
        )
    return manifest


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
