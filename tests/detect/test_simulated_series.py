"""Simulated series: the seed's, and the richer ones."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from hvac.detect.anomalies import KINDS
from hvac.detect.series import of_part
from hvac.detect.simulated_series import RichConfig, SineConfig, rich, sines
from hvac.errors import ConfigError


def test_sines_are_the_seeds_series_in_the_seeds_numbers() -> None:
    series = sines(SineConfig(), 42)
    found = {
        part: Counter(bool(each.anomalies) for each in of_part(series, part))
        for part in ("test", "unseen")
    }
    assert found == {"test": {False: 20, True: 20}, "unseen": {False: 10, True: 10}}
    assert {len(each) for each in series} == {100}
    learned = of_part(series, "train") + of_part(series, "validation")
    assert Counter(bool(each.anomalies) for each in learned) == {False: 80, True: 80}
    assert len(of_part(series, "validation")) == 32


def test_sine_is_two_periods_with_noise_and_a_spike_of_3_in_steps_41_to_49() -> None:
    series = sines(SineConfig(each=200), 0)
    wave_T = np.sin(np.linspace(0, 4 * np.pi, 100))
    for anomalous in (False, True):
        mean_T = np.mean(
            [each.value_T for each in series if bool(each.anomalies) == anomalous],
            axis=0,
        )
        added_T = (
            np.where((np.arange(100) > 40) & (np.arange(100) < 50), 3.0, 0.0)
            if anomalous
            else 0.0
        )
        np.testing.assert_allclose(mean_T, wave_T + added_T, atol=0.05)
    noise = np.concatenate(
        [each.value_T - wave_T for each in series if not each.anomalies]
    )
    assert noise.std() == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize(
    "config", [SineConfig(each=10), RichConfig(count=20, length=(100, 400))]
)
def test_the_same_seed_gives_the_same_series_and_no_series_twice(
    config: SineConfig | RichConfig,
) -> None:
    make = sines if isinstance(config, SineConfig) else rich
    one, same, other = (make(config, seed) for seed in (1, 1, 2))
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a.value_T, b.value_T)
    values = [tuple(each.value_T[:5]) for each in one + other]
    assert len(set(values)) == len(values)


def test_rich_series_have_all_lengths_parts_and_kinds_and_anomalies_that_do_not_touch() -> (
    None
):
    series = rich(RichConfig(count=200, length=(100, 3000), every=300), 3)
    lengths = [len(each) for each in series]
    assert min(lengths) < 150
    assert max(lengths) > 2000
    assert Counter(each.part for each in series) == {
        "train": 120,
        "validation": 40,
        "test": 40,
    }
    assert {a.kind for each in of_part(series, "test") for a in each.anomalies} == set(
        KINDS
    )
    for each in series:
        edges = [
            edge
            for a in sorted(each.anomalies, key=lambda a: a.start)
            for edge in (a.start, a.end)
        ]
        assert edges == sorted(edges)
        assert all(0 <= edge <= len(each) for edge in edges)
        assert np.isfinite(each.value_T).all()


def test_length_that_falls_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"length: expected \[shortest, longest\], found \[500, 100\]"
    ):
        RichConfig(length=(500, 100))
