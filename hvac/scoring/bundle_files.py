"""The files of a bundle's folder: reading them, and refusing what is missing, damaged or unlisted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load_file

from hvac.arrays import AnyArray
from hvac.errors import BundleError, ConfigError
from hvac.features.encoder import Encoder, EncoderConfig, load_encoder
from hvac.models.families import read_family
from hvac.models.family import FamilyConfig
from hvac.scoring.manifest import MANIFEST, StoredBundle
from hvac.storage import AnyPath, file_sha256

MODEL, GOLDEN, ENCODER = "model.safetensors", "golden.safetensors", "encoder"
REASONS = "reasons.safetensors"
DAMAGE = (
    AttributeError,
    IndexError,
    KeyError,
    MemoryError,
    OSError,
    ArithmeticError,
    RuntimeError,
    TypeError,
    ValueError,
)
Arrays = dict[str, AnyArray]


def read_arrays(copy: Path, folder: AnyPath, name: str) -> Arrays:
    """Read one file of arrays. Raise BundleError where it cannot be read."""
    try:
        return dict(load_file(copy / name))
    except (*DAMAGE, SafetensorError) as error:
        raise BundleError(
            f"{folder / name} cannot be read: {str(error)[:200]}"
        ) from error


def check_files(copy: Path, folder: AnyPath, listed: dict[str, str]) -> None:
    """Refuse files that are missing, damaged, or not listed though the bundle is read from them."""
    hashes = dict(file_hashes(copy))
    for name, expected in listed.items():
        if hashes.get(name) != expected:
            state = (
                "is missing" if name not in hashes else "is damaged (SHA-256 differs)"
            )
            raise BundleError(
                f"{folder / name[:200]} {state}: train or copy the bundle anew"
            )
    for name in (MODEL, *hashes):
        if name not in listed and (
            name in (MODEL, GOLDEN, REASONS) or name.startswith(f"{ENCODER}/")
        ):
            raise BundleError(
                f"{folder / MANIFEST} is damaged: its list of files lacks {name}"
            )


def family_config_of(folder: AnyPath, manifest: StoredBundle) -> FamilyConfig:
    """Read the family's configuration. Raise BundleError where it is not one."""
    try:
        return read_family({**manifest["config"], "family": manifest["family"]})
    except ConfigError as error:
        raise BundleError(f"{folder / MANIFEST}: {error}") from error


def load_own_encoder(
    config: EncoderConfig, folder: AnyPath | None, sha256: str
) -> Encoder:
    """Load a bundle's encoder. Raise BundleError where its weights are not those of training."""
    if folder is not None:
        # hashed here, so that a plain encoder needs no library
        weights = folder / ENCODER / "model.safetensors"
        sha256_now = file_sha256(weights) if weights.exists() else None
        config = config.replace(
            source="path", path=str(folder / ENCODER), sha256=sha256_now
        )
    encoder = load_encoder(config)
    if encoder.sha256 != sha256:
        raise BundleError(
            f"{folder or config.source}: the encoder's weights are not those of training"
        )
    return encoder


def file_hashes(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the path and the SHA-256 of every file but the manifest."""
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.name != MANIFEST:
            yield file.relative_to(folder).as_posix(), file_sha256(file)
