"""The packaged encoder in every runtime at hand: how fast, and how far from granite-tsfm's own numbers.

    python benchmarks/runtimes.py [--quick]

Runtimes: `library` (granite-tsfm's backbone), `plain` (hvac.features.mixer), `traced` (what `Encoder` uses: plain,
traced by TorchScript), `compiled` (torch.compile), `onnxruntime` (needs the packages onnx and onnxruntime, which
nothing else here does). One thread; candidates take turns, each keeps its shortest time; seconds to get ready count
imports, loading, tracing or compiling in a fresh process.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from support import Row, machine, parser, record, shortest

import numpy as np  # isort: skip  (after the thread limits that support sets)

BATCHES = (1, 5, 512)
PARITY = 1e-5
ROUNDS = {1: 300, 5: 200, 512: 12}
NAMES = ("library", "plain", "traced", "compiled", "onnxruntime")
Run = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    command = parser(__doc__)
    command.add_argument(
        "--ready",
        choices=NAMES,
        help="seconds until this one has given its first embedding",
    )
    asked = command.parse_args()
    if asked.ready:
        started = time.perf_counter()
        make(asked.ready)(series(1))
        print(json.dumps(time.perf_counter() - started))
        return
    runs: dict[str, Run] = {}
    left_out: dict[str, str] = {}
    for name in NAMES:
        try:
            runs[name] = make(name)
            runs[name](series(1))
        except Exception as error:
            left_out[name] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    x_NL = series(512)
    expected = runs["library"](x_NL)
    found: dict[str, Any] = {
        "left_out": left_out,
        "furthest_from_library": {},
        "microseconds_per_series": {},
    }
    for name, run in runs.items():
        found["furthest_from_library"][name] = float(np.abs(run(x_NL) - expected).max())
    for batch in BATCHES:
        part, rounds = series(batch), 3 if asked.quick else ROUNDS[batch]
        calls = {name: partial(run, part) for name, run in runs.items()}
        for call in calls.values():
            call()
        seconds = shortest(calls, rounds)
        found["microseconds_per_series"][str(batch)] = {
            n: round(s / batch * 1e6, 1) for n, s in seconds.items()
        }
    found["seconds_to_get_ready"] = {name: round(ready(name), 1) for name in runs}
    print(json.dumps(found, indent=1))
    record(
        "runtimes",
        machine(("torch", "onnxruntime", "granite-tsfm"), cores=1),
        summary(found),
        found,
        asked.quick,
    )


def series(count: int) -> np.ndarray:
    """Standardised random series [N, 90]."""
    return np.random.default_rng(0).normal(size=(count, 90)).astype(np.float32)


def ready(name: str) -> float:
    """Seconds in a fresh process, its Python started."""
    done = subprocess.run(
        [sys.executable, __file__, "--ready", name],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(json.loads(done.stdout.splitlines()[-1]))


def make(name: str) -> Run:
    """A function from series [N, 90] to patch tokens [N, P, E]."""
    import torch

    from hvac.features.encoder import hidden_tokens, load_encoder

    torch.set_num_threads(1)
    encoder = load_encoder()
    if name == "onnxruntime":
        return onnx_session(encoder)
    mixer = encoder._weights.mixer
    modules: dict[str, Callable[[], Any]] = {
        "library": lambda: (
            lambda batch: hidden_tokens(
                encoder.model.backbone, encoder.model.config, batch
            )
        ),
        "plain": lambda: mixer,
        "traced": lambda: encoder._hidden,
        "compiled": lambda: torch.compile(mixer, dynamic=True),
    }
    module = modules[name]()

    def run(x_NL: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return np.asarray(module(torch.from_numpy(x_NL)).numpy())

    return run


def onnx_session(encoder: Any) -> Run:
    """A session per batch size: the exporter cannot cut patches out of a batch of unknown size."""
    sessions: dict[int, Any] = {}

    def run(x_NL: np.ndarray) -> np.ndarray:
        if len(x_NL) not in sessions:
            sessions[len(x_NL)] = exported(encoder._weights.mixer, len(x_NL))
        return np.asarray(sessions[len(x_NL)].run(None, {"series": x_NL})[0])

    return run


def exported(mixer: Any, batch: int) -> Any:
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "encoder.onnx")
        torch.onnx.export(
            mixer, (torch.zeros(batch, 90),), path, input_names=["series"], dynamo=False
        )
        return onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )


def summary(found: dict[str, Any]) -> list[Row]:
    rows = []
    for batch, each in found["microseconds_per_series"].items():
        near = {
            n: t for n, t in each.items() if found["furthest_from_library"][n] <= PARITY
        }
        rows.append(
            Row(
                what=f"encoder runtimes, batches of {batch}, parity ≤ {PARITY:g}",
                bar="",
                measured=f"traced (ours) {each['traced']:.1f} µs a series; fastest: {min(near, key=near.__getitem__)}",
                peer=", ".join(
                    f"{name} {time_:.1f}"
                    for name, time_ in each.items()
                    if name != "traced"
                ),
                met=None,
            )
        )
    ready_in = found["seconds_to_get_ready"]
    rows.append(
        Row(
            what="encoder runtimes, seconds until a fresh process embeds",
            bar="",
            measured=f"traced (ours) {ready_in['traced']:.1f} s",
            peer=", ".join(
                f"{name} {seconds:.1f} s"
                for name, seconds in ready_in.items()
                if name != "traced"
            ),
            met=None,
        )
    )
    return rows


if __name__ == "__main__":
    main()
