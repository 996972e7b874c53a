"""Made anomalies: six kinds, each inside of its steps only."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hvac.detect.anomalies import KINDS, AnomalyConfig, draw_anomalies, put
from hvac.detect.series import Anomaly, Reference
from hvac.detect.training import InjectConfig
from hvac.errors import ConfigError

REFERENCE = Reference(centre=10.0, spread=2.0)
WAVE = 10 + 2 * np.sin(np.arange(200) / 8)


def made(kind: str, size: float = 3.0) -> Any:
    return put(WAVE, Anomaly(kind, 50, 90, size), REFERENCE, np.random.default_rng(0))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_changes_its_steps_and_no_others(kind: str) -> None:
    before = WAVE.copy()
    changed = made(kind) != WAVE
    np.testing.assert_array_equal(WAVE, before)
    assert not changed[:50].any()
    assert not changed[90:].any()
    assert changed[50:90].mean() > 0.9


def test_spike_and_level_shift_add_size_times_spread_on_the_side_of_their_sign() -> (
    None
):
    np.testing.assert_allclose(made("level_shift", 3.0)[50:90] - WAVE[50:90], 6.0)
    np.testing.assert_allclose(made("spike", -3.0)[50:90] - WAVE[50:90], -6.0)


def test_drift_grows_from_nothing_to_its_size() -> None:
    added = made("drift")[50:90] - WAVE[50:90]
    assert added[0] == 0
    assert added[-1] == pytest.approx(6.0)
    assert (np.diff(added) > 0).all()


def test_variance_change_spreads_the_values_without_moving_them() -> None:
    added = np.concatenate(
        [
            put(
                WAVE,
                Anomaly("variance", 0, 200, 3.0),
                REFERENCE,
                np.random.default_rng(s),
            )
            - WAVE
            for s in range(20)
        ]
    )
    assert added.std() == pytest.approx(6.0, rel=0.05)
    assert added.mean() == pytest.approx(0.0, abs=0.3)


def test_frequency_change_runs_faster_within_the_same_values() -> None:
    def turns(value_N: Any) -> int:
        return int((np.diff(np.sign(np.diff(value_N))) != 0).sum())

    found = made("frequency", 2.0)[50:90]
    assert turns(found) > turns(WAVE[50:90])
    assert WAVE[50:90].min() <= found.min() <= found.max() <= WAVE[50:90].max()


def test_drop_out_stands_still_below_the_level() -> None:
    assert set(made("dropout")[50:90].tolist()) == {4.0}


def test_drawn_anomalies_lie_within_the_stretch_and_keep_to_the_ranges() -> None:
    config, rng = (
        AnomalyConfig(size=(1, 2), length=(10, 20), spike_length=(1, 3)),
        np.random.default_rng(1),
    )
    for _ in range(300):
        found = draw_anomalies(config, 60, rng)
        assert 0 <= found.start < found.end <= 60
        low, high = config.spike_length if found.kind == "spike" else config.length
        assert low <= found.end - found.start <= high
        assert 1 <= abs(found.size) <= 2
    assert draw_anomalies(config.replace(kinds=("drift",)), 8, rng).end <= 8


def test_unknown_kind_of_anomaly_names_the_nearest() -> None:
    with pytest.raises(
        ConfigError, match=r"unknown kind of anomaly 'spikes': did you mean 'spike'\?"
    ) as caught:
        InjectConfig(anomalies={"kinds": ["drift", "spikes"]})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong", [{"size": (3, 1)}, {"length": (0, 5)}, {"kinds": []}, {"lenght": (1, 2)}]
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"size|length|kinds"):
        AnomalyConfig(**wrong)
