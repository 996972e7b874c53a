"""Self-supervised pretraining of the packaged encoder: forecast 90 days of simulated series.

Legend: N series, T days, B windows, L lookback days, D future days.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from hvac.arrays import AnyArray, AnyFloats, Bools, Float32s, Floats
from hvac.config import Config
from hvac.features.encoder_weights import packaged_architecture
from hvac.filling import fill_forward
from hvac.panel.grid import Unit, panels
from hvac.panel.joins import unit_column
from hvac.simulate.fleet import simulate
from hvac.simulate.simulate_config import SimulateConfig
from hvac.storage import name_hash

if TYPE_CHECKING:
    from tsfm_public.models.tinytimemixer import TinyTimeMixerForPrediction

Report = Callable[[dict[str, float]], None]
LOOKBACK = DAYS = 90
HELD_OUT = 0.15
MIN_OBSERVED = 0.6


class PretrainConfig(Config):
    """What the encoder is pretrained on, and for how long."""

    seed: int = 20260215
    """Starts the drawing of series, windows and weights."""
    fleets: tuple[SimulateConfig, ...] = (
        SimulateConfig(seed=101),
        SimulateConfig(seed=102, failures_per_year=2.0),
        SimulateConfig(seed=103, no_signal=True),
    )
    """Simulated fleets whose series are forecast."""
    shapes: int = 3000
    """How many generic series beside the fleets'."""
    steps: int = 4000
    """Steps of training, one batch each."""
    batch_size: int = 256
    """Windows drawn for a batch; those that hardly vary or were hardly observed are left out."""
    learning_rate: float = 2e-3
    """Highest learning rate; it falls along a cosine over all steps."""
    report_every: int = 100
    """Steps from one report of the training error to the next."""
    held_out_windows: int = 20_000
    """Windows of held-out equipment on which the encoder is evaluated."""


class TrainingSeries(NamedTuple):
    """Series filled forward, with the days that were really observed."""

    value_NT: Float32s
    observed_NT: Bools

    def take(self, rows: AnyArray) -> TrainingSeries:
        """Return some of the series: by a mask or by positions."""
        return TrainingSeries(self.value_NT[rows], self.observed_NT[rows])


class Batch(NamedTuple):
    """Past and future of windows, both in units of the past's mean and standard deviation."""

    past_BL: Float32s
    future_BD: Float32s
    observed_BD: Bools


def simulated_series(config: PretrainConfig) -> tuple[TrainingSeries, TrainingSeries]:
    """Return the training and the held-out series of the simulated fleets.

    They are cut by equipment: held-out equipment is never seen in training. Training has generic
    shapes as well.
    """
    rng = np.random.default_rng(config.seed)
    fleets = map(_fleet_series, config.fleets)
    value_NT, observed_NT, held_N = map(np.concatenate, zip(*fleets, strict=True))
    shapes_NT = shape_series(rng, config.shapes, value_NT.shape[1])
    train_NT = np.concatenate([value_NT[~held_N], shapes_NT])
    all_NT = np.ones(shapes_NT.shape, dtype=bool)
    read_NT = np.concatenate([observed_NT[~held_N], all_NT])
    held = TrainingSeries(value_NT[held_N], observed_NT[held_N])
    return TrainingSeries(train_NT, read_NT), held


def _fleet_series(
    config: SimulateConfig,
) -> tuple[Float32s, Bools, Bools]:
    """Return the values of a fleet's series [N, T], which were observed, and which are held out."""
    fleet = simulate(config)
    by_unit = fleet.readings.group_by(list(Unit._fields))
    units = by_unit.aggregate([("point_id", "distinct")])
    points = {}
    for unit, names in unit_column(units, "point_id_distinct").items():
        points[unit] = sorted(names)
    values = []
    masks = []
    held = []
    for panel in panels(fleet.readings, points):
        short = config.days - len(panel.value_TC)
        behind = ((0, short), (0, 0))
        values.append(np.pad(panel.value_TC, behind, constant_values=np.nan).T)
        masks.append(np.pad(panel.observed_TC, behind).T)
        held += [_held_out(panel.unit, config.seed)] * len(panel.points)
    mask_NT = np.concatenate(masks)
    value_NT = fill_forward(np.concatenate(values), mask_NT).astype(np.float32)
    return value_NT, mask_NT, np.array(held)


def _held_out(unit: Unit, seed: int) -> bool:
    return name_hash(seed, *unit)[0] / 256 < HELD_OUT


def shape_series(rng: np.random.Generator, series: int, days: int) -> Float32s:
    """Draw generic series [N, T] beside those of the fleets.

    They mix seasons, weeks, walks, ramps, level shifts and counts at random.
    """
    t_T = np.arange(days)

    def weight() -> Floats:
        size_N1 = rng.exponential(1.0, (series, 1))
        return size_N1 * (rng.random((series, 1)) < 0.4)

    def wave(period: float | Floats) -> Floats:
        shift_N1 = rng.uniform(0, 365, (series, 1))
        return np.asarray(np.sin(2 * np.pi * (t_T + shift_N1) / period))

    noise_NT = rng.normal(size=(series, days))
    stride_NT = rng.normal(size=(series, days))
    walk_NT = np.cumsum(stride_NT, axis=1) / np.sqrt(30)
    knee_day_N1 = rng.uniform(0, days, (series, 1))
    knee_NT = np.maximum(t_T - knee_day_N1, 0)
    knee_NT = knee_NT / rng.uniform(30, 300, (series, 1))
    step_day_N1 = rng.uniform(0, days, (series, 1))
    step_NT = np.sign(t_T - step_day_N1)
    rate_N1 = rng.exponential(0.3, (series, 1))
    count_NT = rng.poisson(rate_N1, (series, days))
    parts = (
        wave(365.0),
        wave(7.0),
        wave(rng.uniform(10, 200, (series, 1))),
        walk_NT,
        step_NT,
        count_NT,
    )
    signed_NT = knee_NT * rng.choice((-1.0, 1.0), (series, 1)) * weight()
    mixed_NT = sum((part * weight() for part in parts), signed_NT)
    mixed_NT = mixed_NT + noise_NT * rng.exponential(0.3, (series, 1))
    return np.asarray(mixed_NT, dtype=np.float32)


def draw_series(
    rng: np.random.Generator, series: TrainingSeries, windows: int
) -> Batch:
    """Draw random windows with a mostly observed past that varies."""
    rows, days = series.value_NT.shape
    row_B = rng.integers(0, rows, windows)
    day_B = rng.integers(0, days - LOOKBACK - DAYS + 1, windows)
    day_BL = day_B[:, None] + np.arange(LOOKBACK + DAYS)
    place_BL = (row_B[:, None], day_BL)
    value_BL = series.value_NT[place_BL]
    observed_BL = series.observed_NT[place_BL]
    past_BL = value_BL[:, :LOOKBACK]
    mean_B1 = past_BL.mean(axis=1, keepdims=True)
    std_B1 = past_BL.std(axis=1, keepdims=True)
    observed_B = observed_BL[:, :LOOKBACK].mean(axis=1)
    keep_B = (observed_B >= MIN_OBSERVED) & (std_B1[:, 0] > 1e-6)
    scaled_BL = ((value_BL - mean_B1) / np.maximum(std_B1, 1e-6))[keep_B]
    past_BL = scaled_BL[:, :LOOKBACK]
    future_BD = scaled_BL[:, LOOKBACK:]
    return Batch(past_BL, future_BD, observed_BL[keep_B, LOOKBACK:])


def pretrain(
    config: PretrainConfig, *, device: str = "cpu", report: Report = lambda row: None
) -> tuple[TinyTimeMixerForPrediction, dict[str, float]]:
    """Train a TinyTimeMixer forecaster on simulated series (MAE, one cosine over all steps).

    Returns:
        the trained `TinyTimeMixerForPrediction`, and its held-out errors (see `held_out_figures`).
    """
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    train, held = simulated_series(config)
    from tsfm_public.models.tinytimemixer import TinyTimeMixerForPrediction

    model = TinyTimeMixerForPrediction(packaged_architecture()).to(device).train()
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=0.01
    )
    warm_cosine = partial(_warm_cosine, steps=config.steps)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, warm_cosine)
    losses = []
    for step in range(1, config.steps + 1):
        loss = _masked_mae(model, draw_series(rng, train, config.batch_size), device)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if step % config.report_every == 0:
            recent_losses = losses[-config.report_every :]
            report({"step": step, "train_mae": float(np.mean(recent_losses))})
    held_batch = draw_series(np.random.default_rng(1), held, config.held_out_windows)
    return model, held_out_figures(model.eval(), held_batch, device)


def _warm_cosine(step: int, steps: int) -> float:
    warm = min(step / 100, 1.0)
    cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
    return warm * (cosine * 0.99 + 0.01)


def _forecast(model: torch.nn.Module, past_BL: Float32s, device: str) -> torch.Tensor:
    context_BL1 = torch.from_numpy(past_BL).to(device).unsqueeze(-1)
    forecast_BD: torch.Tensor = model(context_BL1).prediction_outputs[..., 0]
    return forecast_BD


def _masked_mae(model: torch.nn.Module, batch: Batch, device: str) -> torch.Tensor:
    forecast_BD = _forecast(model, batch.past_BL, device)
    future_BD = torch.from_numpy(batch.future_BD).to(device)
    observed_BD = torch.from_numpy(batch.observed_BD).to(device)
    error_BD = F.l1_loss(forecast_BD, future_BD, reduction="none")
    return error_BD[observed_BD].clamp(max=20).mean()


def held_out_figures(
    model: torch.nn.Module, batch: Batch, device: str
) -> dict[str, float]:
    """Return the MAE on held-out equipment, in standard deviations of the past.

    Beside the encoder's stand those of the last value and of the last week, repeated.
    """
    parts = []
    with torch.inference_mode():
        for start in range(0, len(batch.past_BL), 1024):
            parts.append(_forecast(model, batch.past_BL[start : start + 1024], device))
    last_week_B7 = batch.past_BL[:, -7:]
    week_BD = np.tile(last_week_B7, (1, DAYS // 7 + 1))[:, :DAYS]
    return {
        "encoder": _mae(torch.cat(parts).cpu().numpy(), batch),
        "last_value": _mae(batch.past_BL[:, -1:], batch),
        "seasonal_naive_7": _mae(week_BD, batch),
        "windows": float(len(batch.past_BL)),
    }


def _mae(forecast_BD: AnyFloats, batch: Batch) -> float:
    return float(np.abs(forecast_BD - batch.future_BD)[batch.observed_BD].mean())
