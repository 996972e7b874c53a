"""What a GPU brings: the encoder's throughput and parity, and the neural members with bf16 autocast off and on.

    python benchmarks/gpu.py [--quick] [--device cpu]

It needs `hvac` alone, no Ray, and ends within six minutes. Where there is no CUDA device it says so and measures
nothing; `--quick --device cpu` runs all parts on the CPU, to try them.

Encoder: `Encoder.embed` on the device and on one CPU thread, the same series (the z-scores of both are made on the
CPU), and the network alone on series that are on the device already. Parity is the largest difference of an embedding.
Members: every network family as `ray_jobs.train` fits it (`fit_network`, its own settings, fewer epochs) on simulated
windows; in float32, with the forward pass of its steps under bf16 autocast, and some windows on one CPU thread. Every
epoch's score on the tune windows is part of its time. The first epoch, in which kernels are chosen, is not timed.
Memory is the peak that PyTorch held on the device.

Shapes: B windows, N series, C points (1), L lookback days (90), H horizons.
"""

import time
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from support import Row, machine, parser, record, shortest

import numpy as np  # isort: skip  (after the thread limits that support sets)
import numpy.typing as npt  # isort: skip
import pyarrow as pa  # isort: skip
import torch  # isort: skip
from torch import nn  # isort: skip

from hvac.features.encoder import Encoder, EncoderConfig, load_encoder  # isort: skip
from hvac.features.statistics import statistics  # isort: skip
from hvac.features.table import KEY_SCHEMA, Windows  # isort: skip
from hvac.models.families import FAMILIES, config_of  # isort: skip
from hvac.models.family import prepared  # isort: skip
from hvac.models.fit_rows import count  # isort: skip
from hvac.models.fitting import FitState, Workers, fit_network  # isort: skip
from hvac.models.network import NetworkModel  # isort: skip

Floats = npt.NDArray[np.float64]

NO_GPU = (
    "no CUDA device here: nothing is measured (python benchmarks/gpu.py --quick --device cpu tries"
    " all parts on the CPU)"
)
DAYS = 90
BAR_PARITY, BAR_SECONDS = 1e-4, 360.0
PACKAGES = ("numpy", "torch", "transformers", "granite-tsfm")
MEMBERS = tuple(name for name, family in FAMILIES.items() if family.network)


class Sizes(NamedTuple):
    """How much is measured."""

    series: int = 131_072
    cpu_series: int = 8_192
    batches: tuple[int, ...] = (512, 4_096, 32_768)
    rounds: int = 5
    windows: int = 16_384
    tune_windows: int = 4_096
    cpu_windows: int = 1_024
    epochs: int = 3


QUICK = Sizes(
    series=1_024,
    cpu_series=512,
    batches=(256, 512),
    rounds=2,
    windows=256,
    tune_windows=128,
    cpu_windows=128,
    epochs=2,
)


def main() -> None:
    command = parser(__doc__)
    command.add_argument(
        "--device", default="cuda", help="where networks run: cuda, or cpu to try"
    )
    asked = command.parse_args()
    if asked.device.startswith("cuda") and not torch.cuda.is_available():
        print(NO_GPU)
        return
    if asked.device == "cpu" and not asked.quick:
        command.error("--device cpu is to try the parts: give --quick too")
    torch.set_num_threads(1)
    where = {**machine(PACKAGES, cores=1), **device_of(asked.device)}
    sizes = QUICK if asked.quick else Sizes()
    started = time.perf_counter()
    encoder = measure_encoder(asked.device, sizes)
    members = {name: measure_member(name, asked.device, sizes) for name in MEMBERS}
    found = {
        "device": asked.device,
        "encoder": encoder,
        "members": members,
        "seconds": round(time.perf_counter() - started, 1),
    }
    record("gpu", where, summary(found), found, asked.quick)


def device_of(device: str) -> dict[str, object]:
    if device == "cpu":
        return {"gpu": None, "cuda": None}
    return {"gpu": torch.cuda.get_device_name(device), "cuda": torch.version.cuda}


# Encoder


def measure_encoder(device: str, sizes: Sizes) -> dict[str, Any]:
    """Parity, series a second by batch size, and peak memory."""
    x_NCL = random_walks(sizes.series, seed=0)
    few_NCL = x_NCL[: sizes.cpu_series]
    on_cpu = load_encoder()
    z_NCE = on_cpu.embed(few_NCL)
    cpu = shortest({"embed": lambda: on_cpu.embed(few_NCL)}, sizes.rounds)["embed"]
    forget_peak(device)
    by_batch, parity = {}, 0.0
    for batch in sizes.batches:
        encoder = load_encoder(EncoderConfig(device=device, batch_size=batch))
        difference = np.abs(encoder.embed(few_NCL) - z_NCE)
        parity = max(parity, float(difference.max()))
        by_batch[str(batch)] = rates(encoder, x_NCL, device, sizes.rounds)
    return {
        "series": len(x_NCL),
        "parity": parity,
        "largest_embedding": float(np.abs(z_NCE).max()),
        "cpu_series_a_second": round(len(few_NCL) / cpu),
        "by_batch": by_batch,
        "peak_mebibytes": peak_mebibytes(device),
    }


def rates(encoder: Encoder, x_NCL: Floats, device: str, rounds: int) -> dict[str, int]:
    """Series a second through `embed`, and through the network alone."""
    there_NL = torch.from_numpy(encoder.standardised(x_NCL)).to(device)
    calls: dict[str, Callable[[], object]] = {
        "embed": lambda: encoder.embed(x_NCL),
        "network": lambda: network_alone(encoder, there_NL, device),
    }
    for call in calls.values():
        call()
    seconds = shortest(calls, rounds)
    return {name: round(len(x_NCL) / each) for name, each in seconds.items()}


def network_alone(encoder: Encoder, there_NL: torch.Tensor, device: str) -> None:
    with torch.inference_mode():
        for part_NL in there_NL.split(encoder.spec.batch_size):
            encoder.pool(encoder._hidden(part_NL))
    finish(device)


def random_walks(series: int, seed: int) -> Floats:
    """Random walks with daily noise, a tenth of them flat, as windows of one point: [N, 1, L]."""
    rng = np.random.default_rng(seed)
    walk_NL = 0.1 * rng.normal(size=(series, DAYS)).cumsum(axis=1)
    x_NL = 20 + walk_NL + rng.normal(size=(series, DAYS))
    x_NL[::10] = 20.0
    return x_NL[:, None, :]


# Members


class Autocast(nn.Module):
    """A module whose forward pass computes in bf16 where that is safe."""

    def __init__(self, module: nn.Module, device: str) -> None:
        super().__init__()
        self.module = module
        self.kind = torch.device(device).type

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        with torch.autocast(self.kind, dtype=torch.bfloat16):
            made: torch.Tensor = self.module(*inputs)
        return made.float()


def measure_member(name: str, device: str, sizes: Sizes) -> dict[str, Any]:
    """A family's fit on the device without and with autocast, and on one CPU thread."""
    train, tune = (
        windows(name, sizes.windows, seed=1),
        windows(name, sizes.tune_windows, seed=2),
    )
    few = train.take(np.arange(sizes.cpu_windows))
    fits = {
        "float32": fitted(name, train, tune, device, sizes.epochs, autocast=False),
        "bf16": fitted(name, train, tune, device, sizes.epochs, autocast=True),
        "cpu": fitted(name, few, few, "cpu", 2, autocast=False),
    }
    print(
        name, {kind: fit["windows_a_second"] for kind, fit in fits.items()}, flush=True
    )
    return fits


def fitted(
    name: str,
    train: Windows,
    tune: Windows,
    device: str,
    epochs: int,
    *,
    autocast: bool,
) -> dict[str, Any]:
    """Fit, and return windows a second after the first epoch, the best score and the peak memory."""
    config = config_of(name, epochs=epochs)
    model: NetworkModel[Any] = FAMILIES[name].model.start(train, config, packaged)
    ends: list[float] = []

    def wrap(module: nn.Module) -> nn.Module:
        return Autocast(module, device) if autocast else module

    def note(state: FitState) -> None:
        finish(device)
        ends.append(time.perf_counter())

    forget_peak(device)
    state = fit_network(
        model.network,
        model.rows(train),
        model.rows(tune),
        config,
        counts=count(train),
        workers=Workers(wrap=wrap, device=device),
        report=note,
    )
    seen = min(getattr(config, "windows_per_epoch", None) or len(train), len(train))
    each = (ends[-1] - ends[0]) / (len(ends) - 1)
    return {
        "epochs": len(ends),
        "seconds_an_epoch": round(each, 3),
        "windows_a_second": round(seen / each),
        "tune_pr_auc": round(float(np.mean(state.best_score)), 4),
        "skipped_steps": sum(
            row["skipped"] for rows in state.history_H for row in rows
        ),
        "peak_mebibytes": peak_mebibytes(device),
    }


def windows(name: str, rows: int, seed: int) -> Windows:
    """Windows with what a family needs; the last weeks of a fifth of them rise before an event."""
    rng = np.random.default_rng(seed)
    fault_B = rng.random(rows) < 0.2
    x_BCL = random_walks(rows, seed)
    x_BCL[:, 0, -21:] += fault_B[:, None] * np.linspace(0, 3, 21)
    noise_BH = rng.random((rows, 3)) < 0.05
    made = Windows(
        keys=keys(rows),
        observed_B=np.ones(rows, dtype=np.float32),
        x_BCL=x_BCL.astype(np.float32),
        f_BCF=statistics(x_BCL).astype(np.float32),
        y_BH=fault_B[:, None] ^ noise_BH,
        known_BH=np.ones((rows, 3), dtype=bool),
    )
    return prepared(made, config_of(name).needs, packaged)


def keys(rows: int) -> pa.Table:
    texts = {
        "facility_id": ["F1"] * rows,
        "equipment_id": [f"E{row % 50}" for row in range(rows)],
        "point_id": [None] * rows,
        "class": ["pump"] * rows,
        "split": ["train"] * rows,
        "status": ["ok"] * rows,
    }
    days = pa.array(np.arange(rows, dtype=np.int32)).cast(pa.date32())
    return (
        pa.table({**texts, "end_date": days}).select(KEY_SCHEMA.names).cast(KEY_SCHEMA)
    )


@cache
def packaged() -> Encoder:
    return load_encoder()


# The device


def finish(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize(device)


def forget_peak(device: str) -> None:
    if device != "cpu":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak_mebibytes(device: str) -> int | None:
    if device == "cpu":
        return None
    return round(torch.cuda.max_memory_allocated(device) / 2**20)


def summary(found: dict[str, Any]) -> list[Row]:
    encoder = found["encoder"]
    best = max(
        encoder["by_batch"], key=lambda batch: encoder["by_batch"][batch]["network"]
    )
    rate, cpu = encoder["by_batch"][best], encoder["cpu_series_a_second"]
    rows = [
        Row(
            what=f"encoder on {found['device']} beside the CPU: largest difference of an embedding",
            bar=f"≤ {BAR_PARITY:g}",
            measured=f"{encoder['parity']:.1e}",
            peer=f"largest value {encoder['largest_embedding']:.2f}",
            met=encoder["parity"] <= BAR_PARITY,
        ),
        Row(
            what=f"encoder on {found['device']}, {encoder['series']:,} series, batches of {best}",
            bar="",
            measured=f"{rate['network']:,} series/s (with z-scores and copies {rate['embed']:,})"
            f"{peak(encoder)}",
            peer=f"one CPU thread: {cpu:,} series/s",
            met=None,
        ),
    ]
    for name, fits in found["members"].items():
        plain, cast = fits["float32"], fits["bf16"]
        rows.append(
            Row(
                what=f"fit of {name} on {found['device']}, bf16 autocast",
                bar="",
                measured=speed(cast),
                peer=f"float32: {speed(plain)}; one CPU thread:"
                f" {fits['cpu']['windows_a_second']:,} windows/s",
                met=None,
            )
        )
    took = found["seconds"]
    rows.append(
        Row(
            "the whole of it",
            f"≤ {BAR_SECONDS:g} s",
            f"{took} s",
            "",
            took <= BAR_SECONDS,
        )
    )
    return rows


def speed(fit: dict[str, Any]) -> str:
    return f"{fit['windows_a_second']:,} windows/s, PR-AUC {fit['tune_pr_auc']:.3f}{peak(fit)}"


def peak(measured: dict[str, Any]) -> str:
    """The peak memory as the end of a phrase; nothing on the CPU."""
    mebibytes = measured["peak_mebibytes"]
    return "" if mebibytes is None else f", peak {mebibytes} MiB"


if __name__ == "__main__":
    main()
