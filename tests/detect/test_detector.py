"""The model folder: JSON and safetensors, nothing else, and the same scores after it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hvac.detect.detector import Detector
from hvac.detect.sliding import cut_series
from hvac.errors import BundleError
from hvac.storage import place
from tests.detect.detect_example import SMALL, fitted, noise


def test_loaded_detector_gives_bit_equal_scores(tmp_path: Path) -> None:
    series = noise(150, spikes=((70, 75),), seed=77)
    found = cut_series(series, SMALL)
    sha256 = fitted().save(tmp_path / "detector")
    again = Detector.load(tmp_path / "detector")
    np.testing.assert_array_equal(
        again.step_scores(series, found), fitted().step_scores(series, found)
    )
    assert (again.threshold, again.windows, again.training) == (
        0.5,
        SMALL,
        {"run": "small"},
    )
    assert (
        json.loads((tmp_path / "detector" / "manifest.json").read_text())["sha256"]
        == sha256
    )


def test_detector_on_s3_comes_back(tmp_path: Path, s3: Callable[[str], str]) -> None:
    folder = place(s3("detectors")) / "detector"
    assert fitted().save(folder) == fitted().save(tmp_path / "detector")
    assert (
        Detector.load(folder).threshold
        == Detector.load(tmp_path / "detector").threshold
    )


def test_model_folder_holds_json_and_safetensors_only(tmp_path: Path) -> None:
    fitted().save(tmp_path / "detector")
    assert sorted(file.name for file in (tmp_path / "detector").iterdir()) == [
        "manifest.json",
        "model.safetensors",
    ]


def test_detector_tells_spikes_from_noise() -> None:
    series = noise(150, spikes=((70, 75),), seed=78)
    step_T = fitted().step_scores(series, cut_series(series, SMALL))
    assert step_T[70:75].min() > 0.5
    assert step_T[:50].max() < 0.5
    assert step_T[100:].max() < 0.5


@pytest.mark.parametrize("damage", ["manifest.json", "model.safetensors"])
def test_damaged_or_missing_file_is_named(tmp_path: Path, damage: str) -> None:
    fitted().save(tmp_path / "detector")
    file = tmp_path / "detector" / damage
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(BundleError, match=damage):
        Detector.load(tmp_path / "detector")
    file.unlink()
    with pytest.raises(BundleError, match=damage):
        Detector.load(tmp_path / "detector")


def test_exchanged_weights_are_noticed(tmp_path: Path) -> None:
    fitted().save(tmp_path / "one")
    fitted(seed=5).save(tmp_path / "other")
    (tmp_path / "other" / "model.safetensors").replace(
        tmp_path / "one" / "model.safetensors"
    )
    with pytest.raises(BundleError, match="SHA-256 differs"):
        Detector.load(tmp_path / "one")


def test_manifest_of_something_else_is_refused(tmp_path: Path) -> None:
    fitted().save(tmp_path / "detector")
    (tmp_path / "detector" / "manifest.json").write_text(
        '{"format": 99}', encoding="utf-8"
    )
    with pytest.raises(BundleError, match="expected a cnn1d detector of format 1"):
        Detector.load(tmp_path / "detector")
