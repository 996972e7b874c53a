"""Where an encoder's weights come from: the package, a folder, Hugging Face, or random numbers."""

from __future__ import annotations

import json
import warnings
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError

from hvac.errors import EncoderError
from hvac.storage import AnyPath, as_given, file_sha256, local_folder

if TYPE_CHECKING:
    from tsfm_public.models.tinytimemixer import TinyTimeMixerConfig

    from hvac.features.encoder import EncoderConfig


def packaged_folder() -> Path:
    """Return the folder of the packaged weights (Hugging Face layout beside a manifest)."""
    return Path(str(files("hvac.features").joinpath("weights")))


def predecessor_architecture() -> TinyTimeMixerConfig:
    """Return the predecessor's TinyTimeMixer configuration: 11 patches of 8 days.

    A prediction model of it has 103,934 parameters.
    """
    return _tsfm().TinyTimeMixerConfig(
        context_length=90,
        prediction_length=90,
        num_input_channels=1,
        d_model=64,
        num_layers=4,
        dropout=0.1,
    )


def packaged_architecture() -> TinyTimeMixerConfig:
    """Return the packaged encoder's configuration: 9 patches of 10 days see all 90 days."""
    config = predecessor_architecture().to_dict()
    config |= {
        "patch_length": 10,
        "patch_stride": 10,
        "num_patches": 9,
        "decoder_num_layers": 2,
        "head_dropout": 0.1,
    }
    return _tsfm().TinyTimeMixerConfig(**config)


def _tsfm() -> ModuleType:
    """Import granite-tsfm's model module, which takes several seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=FutureWarning)
        warnings.simplefilter("ignore", category=UserWarning)
        from transformers.utils import logging as transformers_logging
        from tsfm_public.models import tinytimemixer
    transformers_logging.disable_progress_bar()
    module: ModuleType = tinytimemixer
    return module


def make_random(seed: int) -> torch.nn.Module:
    """Make the predecessor's model with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: torch.nn.Module = _tsfm().TinyTimeMixerForPrediction(
            predecessor_architecture()
        )
    return model


def fetch_model(repository: str, revision: str) -> torch.nn.Module:
    """Fetch a model from Hugging Face."""
    try:
        model: torch.nn.Module = _tsfm().TinyTimeMixerForPrediction.from_pretrained(
            repository, revision=revision
        )
    except OSError as error:
        raise EncoderError(
            f"cannot fetch {repository} at revision {revision}: {str(error).splitlines()[0]} "
            "Without a network, download the folder elsewhere and use encoder.source: path"
        ) from error
    return model


def folder_of(spec: EncoderConfig) -> tuple[AnyPath, str | None]:
    """Return where the weights lie, and the SHA-256 they must have (None: any)."""
    if spec.source == "path":
        if spec.path is None:
            raise EncoderError(
                "encoder.source is 'path' but encoder.path is not set: give a folder in Hugging"
                " Face layout"
            )
        return as_given(spec.path), spec.sha256
    folder = packaged_folder()
    manifest = folder / "manifest.json"
    if not manifest.exists():
        raise EncoderError(
            f"no packaged weights in {folder}: make them with python -m ray_jobs.pretrain"
        )
    return folder, spec.sha256 or json.loads(manifest.read_text(encoding="utf-8"))[
        "file_sha256"
    ]


def check_folder(copy: Path, sha256: str | None, folder: AnyPath) -> None:
    """Check a local copy of the folder (itself where it is local); messages name the folder."""
    weights = copy / "model.safetensors"
    if not weights.exists() or not (copy / "config.json").exists():
        raise EncoderError(
            f"{folder}: expected config.json and model.safetensors (Hugging Face layout)"
        )
    if sha256 is not None:
        actual = file_sha256(weights)
        if actual != sha256:
            damage = f"SHA-256 is {actual}, expected {sha256}: the file is damaged or another one"
            raise EncoderError(f"{folder / weights.name}: {damage}")


def read_model(folder: AnyPath) -> torch.nn.Module:
    """Load every weight or raise EncoderError.

    The library would fill what is missing with random numbers and only log it.
    """
    advice = "the file is damaged, or belongs to another model: copy the folder anew"
    library = _tsfm().TinyTimeMixerForPrediction
    try:
        with local_folder(folder) as copy:
            model, info = library.from_pretrained(copy, output_loading_info=True)
    except (
        OSError,
        RuntimeError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        SafetensorError,
    ) as error:
        raise EncoderError(
            f"{folder} cannot be loaded ({str(error).splitlines()[0]}): {advice}"
        ) from error
    amiss: list[str] = []
    for keys in ("missing_keys", "mismatched_keys", "unexpected_keys"):
        amiss += map(str, info[keys])
    if amiss:
        raise EncoderError(
            f"{folder}: {len(amiss)} weights are missing or do not fit ({amiss[0]}, …): {advice}"
        )
    whole: torch.nn.Module = model
    return whole


def weights_stamp(spec: EncoderConfig) -> str:
    """Return what identifies an encoder's weights, without loading them."""
    if spec.source == "hub":
        return f"{spec.repository}@{spec.revision}"
    if spec.source == "random":
        return f"random {spec.seed}"
    folder = (
        packaged_folder() if spec.source == "packaged" else as_given(spec.path or ".")
    )
    weights = folder / "model.safetensors"
    if not weights.exists():
        return f"missing {folder}"
    return file_sha256(weights)


def encoder_stamp(spec: EncoderConfig) -> dict[str, str]:
    """Return what tells embeddings of one encoder from those of another."""
    return {
        "source": spec.source,
        "pooling": spec.pooling,
        "weights": weights_stamp(spec),
    }
