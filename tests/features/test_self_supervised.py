"""Self-supervised pretraining: blind to the future, held out by equipment, judged beside naive forecasts."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from hvac.features.encoder import Encoder, EncoderConfig, state_hash
from hvac.features.self_supervised import (
    Batch,
    PretrainConfig,
    TrainingSeries,
    draw_series,
    held_out_figures,
    pretrain,
    shape_series,
    simulated_series,
)
from hvac.simulate.fleet import simulate
from hvac.simulate.simulate_config import SimulateConfig

FLEET = SimulateConfig(
    facilities=2, equipment_per_class=4, classes=("ahu", "pump"), days=420, seed=7
)
CONFIG = PretrainConfig(
    fleets=(FLEET,),
    shapes=30,
    steps=24,
    batch_size=32,
    report_every=8,
    held_out_windows=300,
)


@cache
def made() -> tuple[TrainingSeries, TrainingSeries]:
    return simulated_series(CONFIG)


@cache
def trained() -> tuple[Any, dict[str, float], tuple[dict[str, float], ...]]:
    rows: list[dict[str, float]] = []
    model, figures = pretrain(CONFIG, report=rows.append)
    return model, figures, tuple(rows)


def walks(rows: int = 50, days: int = 300) -> TrainingSeries:
    value_NT = np.cumsum(
        np.random.default_rng(0).normal(size=(rows, days)), axis=1
    ).astype(np.float32)
    return TrainingSeries(value_NT, np.ones((rows, days), dtype=bool))


# Series


def test_every_simulated_series_is_in_training_or_held_out_and_shapes_are_in_training() -> (
    None
):
    train, held = made()
    fleet = simulate(FLEET).readings
    points = (
        fleet.group_by(["facility_id", "equipment_id", "point_id"])
        .aggregate([])
        .num_rows
    )
    assert len(train.value_NT) + len(held.value_NT) == points + CONFIG.shapes
    assert len(held.value_NT) > 0
    assert train.value_NT.shape == train.observed_NT.shape == (len(train.value_NT), 420)


def test_no_held_out_series_is_in_training_and_equipment_is_held_out_whole() -> None:
    train, held = made()
    seen = {row.tobytes() for row in train.value_NT}
    assert not seen & {row.tobytes() for row in held.value_NT}
    fleet = simulate(FLEET).readings.to_pandas()
    sizes = fleet.groupby(["facility_id", "equipment_id"])["point_id"].nunique()
    first = {}
    for (facility, equipment, point), own in fleet.sort_values("date").groupby(
        ["facility_id", "equipment_id", "point_id"]
    ):
        first[
            np.float32(own["value"].to_numpy()[-1]), np.float32(own["value"].mean())
        ] = (
            facility,
            equipment,
            point,
        )
    whole = {}
    for row, observed in zip(held.value_NT, held.observed_NT, strict=True):
        ((facility, equipment, _),) = {
            unit for (last, mean), unit in first.items()
            if last == row[observed][-1] and math.isclose(mean, row[observed].mean(dtype=float), rel_tol=1e-4)
        }  # fmt: skip
        whole[facility, equipment] = whole.get((facility, equipment), 0) + 1
    assert all(count == sizes[unit] for unit, count in whole.items())


def test_series_are_filled_and_remember_what_was_observed() -> None:
    for part in made():
        assert np.isfinite(part.value_NT).all()
        assert part.observed_NT.dtype == bool
    _, held = made()
    gaps = np.argwhere(~held.observed_NT[:, 1:] & held.observed_NT[:, :-1])
    assert len(gaps) > 0
    assert all(held.value_NT[n, t + 1] == held.value_NT[n, t] for n, t in gaps)


def test_series_are_the_same_each_time() -> None:
    for one, other in zip(made(), simulated_series(CONFIG), strict=True):
        np.testing.assert_array_equal(one.value_NT, other.value_NT)
        np.testing.assert_array_equal(one.observed_NT, other.observed_NT)


def test_shapes_are_finite_varied_and_given_by_their_generator() -> None:
    one, two = (shape_series(np.random.default_rng(3), 200, 365) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert one.shape == (200, 365)
    assert np.isfinite(one).all()
    assert (one.std(axis=1) > 0).all()
    assert len({row.tobytes() for row in one}) == 200


# Windows


def test_past_of_a_window_has_mean_0_and_std_1_and_the_future_is_in_its_units() -> None:
    batch = draw_series(np.random.default_rng(0), walks(), 200)
    assert (
        batch.past_BL.shape
        == batch.future_BD.shape
        == batch.observed_BD.shape
        == (200, 90)
    )
    np.testing.assert_allclose(batch.past_BL.mean(axis=1), 0, atol=1e-4)
    np.testing.assert_allclose(batch.past_BL.std(axis=1), 1, atol=1e-4)
    jump = np.abs(batch.future_BD[:, 0] - batch.past_BL[:, -1])
    assert np.median(jump) < 0.5


def test_past_does_not_know_the_future() -> None:
    source = walks()
    late = source.value_NT.copy()
    late[:, 240:] *= 1000
    plain, moved = (
        draw_series(np.random.default_rng(0), source._replace(value_NT=v), 400)
        for v in (source.value_NT, late)
    )
    untouched = np.isclose(plain.future_BD[:, 0], moved.future_BD[:, 0])
    assert untouched.sum() > 100
    np.testing.assert_array_equal(plain.past_BL[untouched], moved.past_BL[untouched])


def test_windows_with_a_constant_or_mostly_missing_past_are_left_out() -> None:
    rng, source = np.random.default_rng(0), walks(3)
    value_NT, observed_NT = source.value_NT.copy(), source.observed_NT.copy()
    value_NT[0] = 5.0
    observed_NT[1] = np.arange(300) % 2 == 0
    batch = draw_series(rng, TrainingSeries(value_NT, observed_NT), 300)
    assert 60 < len(batch.past_BL) < 140
    assert batch.observed_BD.all()


def test_future_days_that_were_not_observed_are_marked() -> None:
    source = walks()
    source.observed_NT[:, 5::10] = False
    batch = draw_series(np.random.default_rng(0), source, 50)
    np.testing.assert_allclose(batch.observed_BD.mean(axis=1), 0.9)


# Training


def test_pretraining_reports_and_its_error_falls() -> None:
    _, _, rows = trained()
    assert [row["step"] for row in rows] == [8, 16, 24]
    assert rows[-1]["train_mae"] < rows[0]["train_mae"]


def test_pretraining_gives_the_packaged_architecture_in_evaluation_mode() -> None:
    model, _, _ = trained()
    config = model.config
    assert (
        config.d_model,
        config.num_layers,
        config.patch_length,
        config.num_patches,
    ) == (
        64,
        4,
        10,
        9,
    )
    assert not model.training
    assert Encoder(EncoderConfig(), lambda: model).embed(
        np.zeros((2, 1, 90))
    ).shape == (2, 1, 64)


def test_figures_name_the_encoder_and_both_naive_forecasts() -> None:
    _, figures, _ = trained()
    assert set(figures) == {"encoder", "last_value", "seasonal_naive_7", "windows"}
    assert 0 < figures["windows"] <= CONFIG.held_out_windows
    assert all(np.isfinite(value) for value in figures.values())


def test_pretraining_is_the_same_each_time_and_another_seed_another() -> None:
    short = CONFIG.replace(steps=2)
    hashes = [
        state_hash(pretrain(each)[0].state_dict())
        for each in (short, short, short.replace(seed=1))
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_held_out_figures_are_mean_absolute_errors_on_observed_days() -> None:
    """Against slow loops: last value, the value of the same weekday in the last week, and the model itself."""
    model, _, _ = trained()
    rng = np.random.default_rng(0)
    batch = Batch(
        *(rng.normal(size=(20, 90)).astype(np.float32) for _ in range(2)),
        rng.random((20, 90)) < 0.8,
    )
    found = held_out_figures(model, batch, "cpu")
    errors: dict[str, list[float]] = {
        "encoder": [],
        "last_value": [],
        "seasonal_naive_7": [],
    }
    for past, future, observed in zip(*batch, strict=True):
        with torch.inference_mode():
            forecast = (
                model(torch.from_numpy(past)[None, :, None])
                .prediction_outputs[0, :, 0]
                .numpy()
            )
        for day in np.flatnonzero(observed):
            errors["encoder"].append(abs(forecast[day] - future[day]))
            errors["last_value"].append(abs(past[-1] - future[day]))
            errors["seasonal_naive_7"].append(abs(past[90 - 7 + day % 7] - future[day]))
    for name, values in errors.items():
        assert found[name] == pytest.approx(np.mean(values), rel=1e-4)
