"""Make the packaged encoder: pretrain on simulated series, write weights and their manifest.

python -m ray_jobs.pretrain --out hvac/features/weights [steps=3000 …]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import platform
import sys
import tempfile
import time
from pathlib import Path

import ray
import torch
from ray.exceptions import RayError

from hvac.config import read_overrides
from hvac.errors import HvacError
from hvac.features.encoder import Encoder, EncoderConfig
from hvac.features.encoder_weights import packaged_folder
from hvac.features.self_supervised import PretrainConfig, pretrain, simulated_series
from hvac.json_values import Json
from hvac.storage import AnyPath, as_given, place, write_json, writing
from ray_jobs.run.command import add_overrides, start_logging, stop_for
from ray_jobs.run.runtime import RayConfig, ray_session

log = logging.getLogger(__name__)


def run(config: PretrainConfig, folder: AnyPath, *, gpus: int = 0) -> dict[str, Json]:
    """Pretrain in one Ray task (on GPUs where set) and publish the weights with their manifest."""
    with ray_session(RayConfig()):
        task = ray.remote(num_cpus=1, num_gpus=gpus)(_make)
        manifest: dict[str, Json] = ray.get(
            task.remote(config, str(folder), bool(gpus))
        )
        return manifest


def _make(config: PretrainConfig, folder: str, gpu: bool) -> dict[str, Json]:
    torch.set_num_threads(1)
    started = time.monotonic()
    model, figures = pretrain(
        config, device="cuda" if gpu else "cpu", report=_log_progress
    )
    encoder = Encoder(EncoderConfig(), model.cpu)
    with tempfile.TemporaryDirectory(prefix="hvac-") as built:
        encoder.save(Path(built))
        files = {file.name: file.read_bytes() for file in Path(built).iterdir()}
    for name, content in files.items():
        with writing(place(folder) / name) as file:
            file.write(content)
    manifest = _manifest(config, encoder, figures, time.monotonic() - started) | {
        "file_sha256": hashlib.sha256(files["model.safetensors"]).hexdigest()
    }
    write_json(place(folder) / "manifest.json", manifest)
    return manifest


def _log_progress(row: dict[str, float]) -> None:
    print(
        f"step {row['step']:.0f}: training MAE {row['train_mae']:.4f}",
        file=sys.stderr,
        flush=True,
    )


def _manifest(
    config: PretrainConfig, encoder: Encoder, figures: dict[str, float], seconds: float
) -> dict[str, Json]:
    train, held = simulated_series(config)
    digest = hashlib.sha256()
    for array in (*train, *held):
        digest.update(array.tobytes())
    return {
        "command": "python -m ray_jobs.pretrain --out hvac/features/weights",
        "config": config.model_dump(mode="json"),
        "seed": config.seed,
        "training_series": len(train.value_NT),
        "held_out_series": len(held.value_NT),
        "series_sha256": digest.hexdigest(),
        "weights_sha256": encoder.sha256,
        "held_out_mae": figures,
        "held_out": (
            "90-day forecast on equipment never seen in training, in standard deviations of the"
            " past 90 days"
        ),
        "minutes": round(seconds / 60, 1),
        "torch": torch.__version__,
        "machine": f"{platform.machine()}, 1 thread",
    }


def main() -> None:
    """Run from the command line: settings of `PretrainConfig` as key=value."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", default=str(packaged_folder()), help="folder of the weights"
    )
    parser.add_argument("--gpus", type=int, default=0)
    add_overrides(parser)
    arguments = parser.parse_args()
    start_logging()
    started = time.monotonic()
    try:
        config = PretrainConfig(**read_overrides(arguments.overrides))
        manifest = run(config, as_given(arguments.out), gpus=arguments.gpus)
    except (HvacError, RayError, OSError) as error:
        stop_for(error, started)
    sys.stdout.write(json.dumps(manifest["held_out_mae"], indent=1) + "\n")


if __name__ == "__main__":
    main()
