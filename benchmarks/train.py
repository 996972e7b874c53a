"""How long a fit takes: 3 horizons, 58,300 x 92 inputs, 20 epochs; beside re-running the frozen encoder every step.

    python benchmarks/train.py [--quick]

`fit_network` is what a worker of ray_jobs.train runs, on one torch thread; it is called here directly, so the
figure is the fit alone: no start of Ray, no reading of Parquet. It is timed with one thread and with two (given up, and
extended from the epochs that were done, where two take over twice as long as one); the bar is held against one thread,
as the job runs it. The peer is the same fit with the embeddings made anew for every batch, from one shared
pass for all horizons; some hundred of its steps are timed and extended to all of them. The seed fits its horizons one
after the other and pays that pass three times: that ratio is computed from the same steps and shown without a bar.

Shapes: B windows, S positions (1: a flat input), N inputs (92: embedding 64, statistics 28), H horizons, L days (90).
"""

import math
import time
from contextlib import suppress
from typing import Any

from support import Row, machine, parser, record

import numpy as np  # isort: skip  (after the thread limits that support sets)
import torch  # isort: skip
from torch import nn  # isort: skip

from hvac.features.encoder import Encoder, load_encoder  # isort: skip
from hvac.models.family import no_encoder  # isort: skip
from hvac.models.fitting import Counts, FitState, Rows, Workers, fit_network  # isort: skip
from hvac.models.hybrid import Hybrid, HybridConfig, Stack  # isort: skip
from hvac.models.network import Shape  # isort: skip

WINDOWS, TUNE_WINDOWS, INPUTS, HORIZONS, DAYS = 58_300, 8_000, 92, 3, 90
ENCODED_STEPS = 200
BAR_SECONDS, BAR_RATIO = 60.0, 10.0
PACKAGES = ("numpy", "torch", "scikit-learn")


def main() -> None:
    quick = parser(__doc__).parse_args().quick
    where = machine(PACKAGES, cores=2)
    config = HybridConfig(epochs=2 if quick else HybridConfig().epochs)
    train, tune = (
        simulated_rows(5_000 if quick else WINDOWS, seed=0),
        simulated_rows(TUNE_WINDOWS, seed=1),
    )
    timed_fit(
        *(rows.take(np.arange(512)) for rows in (train, tune)),
        config,
        threads=1,
        limit=0,
    )  # warm up
    one = timed_fit(train, tune, config, threads=1, limit=math.inf)
    two = timed_fit(train, tune, config, threads=2, limit=2 * one["seconds"])
    encoded = encode_every_step(
        train, tune, config, steps=20 if quick else ENCODED_STEPS
    )
    found = {
        "windows": len(train.y_BH),
        "tune_windows": TUNE_WINDOWS,
        "epochs": config.epochs,
        "batch_size": config.batch_size,
        "fit": {"one_thread": one, "two_threads": two},
        "encoder_every_step": encoded,
        "ratio": round(encoded["seconds_extrapolated"] / one["seconds"], 2),
        "ratio_each_horizon_by_itself": round(
            encoded["seconds_each_horizon_by_itself"] / one["seconds"], 2
        ),
    }
    print_table(found)
    record("train", where, summary(found), found, quick)


def simulated_rows(count: int, seed: int) -> Rows:
    """Standardised inputs, rare positives that depend on some of them, longer horizons more of them."""
    rng = np.random.default_rng(seed)
    input_BN = rng.normal(size=(count, INPUTS)).astype(np.float32)
    score_B = input_BN[:, :8].sum(axis=1) + 3 * rng.normal(size=count)
    y_BH = score_B[:, None] > np.array([8.0, 7.0, 6.0])
    known_BH = rng.random((count, HORIZONS)) < 0.97
    return Rows((input_BN[:, None],), y_BH, known_BH.astype(np.float32))


def untrained(config: HybridConfig) -> Stack:
    torch.manual_seed(config.seed)
    return Hybrid.build(config, Shape(1, HORIZONS, (1,), (INPUTS,)), no_encoder)


def counts_of(rows: Rows) -> Counts:
    known_BH = rows.w_BH > 0
    positive_H, known_H = (rows.y_BH & known_BH).sum(axis=0), known_BH.sum(axis=0)
    return Counts(len(rows.y_BH), tuple(positive_H.tolist()), tuple(known_H.tolist()))


class GivenUpError(Exception):
    """Raised from a fit's report to end it."""


def timed_fit(
    train: Rows, tune: Rows, config: HybridConfig, threads: int, limit: float
) -> dict[str, Any]:
    torch.set_num_threads(threads)
    scores: list[list[float]] = []
    start = time.perf_counter()
    ends = [start]

    def note(state: FitState) -> None:
        ends.append(time.perf_counter())
        scores.append(list(state.best_score))
        if ends[-1] - start > limit:
            raise GivenUpError

    with suppress(GivenUpError):
        fit_network(
            untrained(config), train, tune, config, counts=counts_of(train), report=note
        )
    return {
        "seconds": round((ends[-1] - start) * config.epochs / len(scores), 2),
        "epochs_done": len(scores),
        "seconds_per_epoch": [round(float(seconds), 3) for seconds in np.diff(ends)],
        "best_tune_pr_auc": [round(score, 4) for score in scores[-1]],
    }


class EncodedEveryStep(nn.Module):
    """The classifiers behind a frozen encoder: the embedding part of a batch is made anew from as many windows."""

    def __init__(self, module: nn.Module, encoder: Encoder, windows: int) -> None:
        super().__init__()
        self.module = module
        self.seconds: list[float] = []
        self._encoder = encoder
        self._x_BCL = (
            np.random.default_rng(2).normal(size=(windows, 1, DAYS)).cumsum(axis=-1)
        )

    def forward(self, input_BSN: torch.Tensor) -> torch.Tensor:
        start = time.perf_counter()
        rows = np.random.default_rng(len(self.seconds)).integers(
            0, len(self._x_BCL), len(input_BSN)
        )
        z_BSE = torch.from_numpy(self._encoder.embed(self._x_BCL[rows]))
        self.seconds.append(time.perf_counter() - start)
        return self.module(torch.cat([z_BSE, input_BSN[:, :, z_BSE.shape[2] :]], dim=2))


def encode_every_step(
    train: Rows, tune: Rows, config: HybridConfig, steps: int
) -> dict[str, Any]:
    """Time some steps (one thread) of the fit that runs the encoder in every one; extend to all steps."""
    torch.set_num_threads(1)
    some, few = (
        train.take(np.arange(steps * config.batch_size)),
        tune.take(np.arange(256)),
    )
    encoder, made = load_encoder(), []
    encoder.embed(np.zeros((config.batch_size, 1, DAYS)))

    def wrap(module: nn.Module) -> nn.Module:
        made.append(EncodedEveryStep(module, encoder, windows=4_096))
        return made[0]

    workers, one_epoch = Workers(wrap=wrap), config.replace(epochs=1)
    start = time.perf_counter()
    fit_network(
        untrained(one_epoch),
        some,
        few,
        one_epoch,
        counts=counts_of(some),
        workers=workers,
    )
    per_step = (time.perf_counter() - start) / steps
    all_steps = math.ceil(len(train.y_BH) / config.batch_size) * config.epochs
    encoding = float(np.median(made[0].seconds))
    return {
        "steps_timed": steps,
        "steps_in_all": all_steps,
        "milliseconds_per_step": round(per_step * 1e3, 3),
        "of_which_encoder": round(encoding * 1e3, 3),
        "seconds_extrapolated": round(per_step * all_steps, 1),
        "seconds_each_horizon_by_itself": round(
            (per_step + (HORIZONS - 1) * encoding) * all_steps, 1
        ),
    }


def summary(found: dict[str, Any]) -> list[Row]:
    encoded = found["encoder_every_step"]
    one, two = (found["fit"][name]["seconds"] for name in ("one_thread", "two_threads"))
    return [
        Row(
            what=f"train {HORIZONS} horizons, {found['windows']:,} × {INPUTS}, {found['epochs']} epochs, one thread",
            bar=f"≤ {BAR_SECONDS:g} s on 2 cores",
            measured=f"{one:.1f} s",
            peer=f"two threads: {two:.1f} s",
            met=one <= BAR_SECONDS,
        ),
        Row(
            what="the same beside running the frozen encoder in every step, one thread each",
            bar=f"≥ {BAR_RATIO:g}× faster",
            measured=f"{found['ratio']:.1f}×",
            peer=f"{encoded['seconds_extrapolated']:.0f} s, extended from {encoded['steps_timed']} steps of "
            f"{encoded['milliseconds_per_step']:.1f} ms ({encoded['of_which_encoder']:.1f} ms of it the encoder)",
            met=found["ratio"] >= BAR_RATIO,
        ),
        Row(
            what="the same where each horizon is fitted by itself, as in the seed",
            bar="",
            measured=f"{found['ratio_each_horizon_by_itself']:.1f}×",
            peer=f"{encoded['seconds_each_horizon_by_itself']:.0f} s, computed: {HORIZONS} encoder passes a step",
            met=None,
        ),
    ]


def print_table(found: dict[str, Any]) -> None:
    print(f"{'':<22}{'seconds':>10}{'s/epoch':>10}")
    for name, fit in found["fit"].items():
        print(
            f"{name:<22}{fit['seconds']:>10.1f}{float(np.median(fit['seconds_per_epoch'])):>10.2f}"
        )
    encoded = found["encoder_every_step"]["seconds_extrapolated"]
    print(
        f"{'encoder every step':<22}{encoded:>10.1f}{encoded / found['epochs']:>10.2f}"
    )


if __name__ == "__main__":
    main()
