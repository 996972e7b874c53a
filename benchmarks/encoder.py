"""How long an embedding takes, per core: `Encoder.embed` beside the bare `model.backbone(x)` loop.

    python benchmarks/encoder.py [--quick]

The bare loop gets what `embed` has to make first (z-scored float32 windows as one tensor) and keeps nothing but the
hidden states; it is run at batch sizes from 64 to 1,024, and `embed` is held against the best of them. All figures are
of one run on one thread: the candidates take turns, round after round, and each keeps its shortest wall time.

Shapes: N series, L lookback days (90).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from support import Row, machine, parser, record, shortest

import numpy as np  # isort: skip  (after the thread limits that support sets)
import numpy.typing as npt  # isort: skip
import torch  # isort: skip

from hvac.features.encoder import Encoder, load_encoder  # isort: skip

Floats = npt.NDArray[np.float64]

SERIES, DAYS = 4_096, 90
ROUNDS, SINGLE_ROUNDS = 15, 400
BATCHES = (64, 128, 256, 512, 1024)
BAR_RATIO = 1.1
PACKAGES = ("numpy", "torch", "transformers", "granite-tsfm")


def main() -> None:
    quick = parser(__doc__).parse_args().quick
    torch.set_num_threads(1)
    where = machine(PACKAGES, cores=1)
    encoder = load_encoder()
    found = measure(
        encoder,
        simulated_windows(512 if quick else SERIES),
        rounds=2 if quick else ROUNDS,
    )
    found["alone_microseconds"] = measure_alone(
        encoder, rounds=20 if quick else SINGLE_ROUNDS
    )
    print_table(found)
    record(
        "encoder",
        where,
        summary(found),
        {"days": DAYS, "embedding": encoder.dim, **found},
        quick,
    )


def simulated_windows(series: int) -> Floats:
    """Random walks with daily noise, as windows of one point: [N, 1, L]."""
    rng = np.random.default_rng(0)
    walk_NL = 0.1 * rng.normal(size=(series, DAYS)).cumsum(axis=1)
    return (20 + walk_NL + rng.normal(size=(series, DAYS)))[:, None, :]


def standardised(x_NCL: Floats) -> torch.Tensor:
    """What the bare loop is fed: [N, L, 1]."""
    series_NL = x_NCL[:, 0]
    scaled_NL = (series_NL - series_NL.mean(axis=1, keepdims=True)) / series_NL.std(
        axis=1, keepdims=True
    )
    return torch.from_numpy(scaled_NL.astype(np.float32)).unsqueeze(-1)


def bare_loop(encoder: Encoder, x_NLC: torch.Tensor, batch: int) -> None:
    with torch.inference_mode():
        for part_BLC in x_NLC.split(batch):
            encoder.model.backbone(part_BLC)


def measure(encoder: Encoder, x_NCL: Floats, rounds: int) -> dict[str, Any]:
    bare_NLC = standardised(x_NCL)
    calls: dict[str, Callable[[], object]] = {"embed": partial(encoder.embed, x_NCL)}
    calls |= {
        f"backbone_{batch}": partial(bare_loop, encoder, bare_NLC, batch)
        for batch in BATCHES
    }
    for call in calls.values():
        call()
    seconds = shortest(calls, rounds)
    each = {name: round(found / len(x_NCL) * 1e6, 2) for name, found in seconds.items()}
    best = min((name for name in each if name != "embed"), key=each.__getitem__)
    return {
        "series": len(x_NCL),
        "rounds": rounds,
        "embed_batch_size": encoder.spec.batch_size,
        "microseconds_per_series": each,
        "best_backbone": best,
        "ratio": round(seconds["embed"] / seconds[best], 3),
    }


def measure_alone(encoder: Encoder, rounds: int) -> dict[str, float]:
    """One window of one point: what a single request pays."""
    x_NCL = simulated_windows(1)
    calls: dict[str, Callable[[], object]] = {
        "embed": partial(encoder.embed, x_NCL),
        "backbone": partial(bare_loop, encoder, standardised(x_NCL), 1),
    }
    for call in calls.values():
        call()
    return {
        name: round(seconds * 1e6, 1)
        for name, seconds in shortest(calls, rounds).items()
    }


def summary(found: dict[str, Any]) -> list[Row]:
    each, best, alone = (
        found["microseconds_per_series"],
        found["best_backbone"],
        found["alone_microseconds"],
    )
    return [
        Row(
            what="embedding, one core, packaged encoder, beside the bare backbone loop",
            bar=f"≤ {BAR_RATIO:g}×",
            measured=f"{found['ratio']:.2f}× ({each['embed']:.1f} µs a series, batches of {found['embed_batch_size']})",
            peer=f"bare loop at its best batch size ({best.removeprefix('backbone_')}): {each[best]:.1f} µs",
            met=found["ratio"] <= BAR_RATIO,
        ),
        Row(
            what="embedding of one window alone",
            bar="",
            measured=f"{alone['embed'] / 1000:.2f} ms",
            peer=f"bare backbone: {alone['backbone'] / 1000:.2f} ms",
            met=None,
        ),
    ]


def print_table(found: dict[str, Any]) -> None:
    print(f"{'':<16}{'µs/series':>12}")
    for name, microseconds in found["microseconds_per_series"].items():
        print(f"{name:<16}{microseconds:>12.2f}")
    for name, microseconds in found["alone_microseconds"].items():
        print(f"{name + ' alone':<16}{microseconds:>12.1f}")


if __name__ == "__main__":
    main()
