"""A bundle as a folder: written whole or not at all, and read back with every file checked."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from safetensors.numpy import save_file

from hvac.arrays import Floats
from hvac.certainty.certainty import PREFIX as BANDS
from hvac.certainty.certainty import Certainty
from hvac.decision.decision import Decision
from hvac.errors import BundleError
from hvac.explain.background import background_windows
from hvac.explain.past_cases import PREFIX as CASE
from hvac.explain.past_cases import PastCases
from hvac.features.encoder import EncoderConfig
from hvac.features.recipe import Recipe
from hvac.json_values import as_json
from hvac.models.families import FAMILIES, restore
from hvac.scoring.bundle_content import BAND, BundleContent
from hvac.scoring.bundle_files import (
    DAMAGE,
    ENCODER,
    GOLDEN,
    MODEL,
    REASONS,
    Arrays,
    check_files,
    family_config_of,
    file_hashes,
    load_own_encoder,
    read_arrays,
)
from hvac.scoring.forecast_methods import QUADRATIC
from hvac.scoring.golden import golden_arrays
from hvac.scoring.manifest import MANIFEST, StoredBundle, read_manifest
from hvac.storage import AnyPath, as_given, local_folder, replacing_folder

if TYPE_CHECKING:
    from hvac.scoring.bundle import Bundle

Kind = TypeVar("Kind", bound=BundleContent)


def save_bundle(bundle: Bundle, parent: AnyPath) -> AnyPath:
    """Write the bundle as `parent/<id>`, whole or not at all."""
    folder = parent / bundle.id
    with replacing_folder(folder, last=MANIFEST) as building:
        save_file(bundle.arrays(), building / MODEL)
        bundle.encoder.save(building / ENCODER)
        content = bundle.content()
        if golden := golden_arrays(bundle, as_json(content)):
            save_file(golden, building / GOLDEN)
        if reasons := bundle.reason_arrays():
            save_file(reasons, building / REASONS)
        manifest = {"id": bundle.id, **content, "files": dict(file_hashes(building))}
        (building / MANIFEST).write_text(
            json.dumps(manifest, indent=1) + "\n", encoding="utf-8"
        )
        for file in building.rglob("*.safetensors"):
            file.chmod((building / MANIFEST).stat().st_mode)
    return folder


def read_bundle(kind: type[Kind], path: str | AnyPath) -> Kind:
    """Read a bundle folder into a `kind` of bundle; `path` may be a URL.

    Raises:
        BundleError: if a file is missing or differs from its SHA-256, or the format or family
            is unknown.
    """
    folder = as_given(path)
    with local_folder(folder) as copy:
        manifest = read_manifest(copy, folder, tuple(FAMILIES))
        check_files(copy, folder, manifest["files"])
        arrays = read_arrays(copy, folder, MODEL)
        golden = (
            read_arrays(copy, folder, GOLDEN) if GOLDEN in manifest["files"] else {}
        )
        reasons = (
            read_arrays(copy, folder, REASONS) if REASONS in manifest["files"] else {}
        )
    try:
        bundle = _restored(kind, folder, manifest, arrays, golden)
        return _explaining(bundle, reasons)
    except BundleError:
        raise
    except DAMAGE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise BundleError(
            f"{folder} is damaged: its parts do not fit each other ({reason})"
        ) from error


def _restored(
    kind: type[Kind],
    folder: AnyPath,
    manifest: StoredBundle,
    arrays: Arrays,
    golden: Arrays,
) -> Kind:
    prefix = BAND.format("")
    encoder_config = EncoderConfig(**manifest["encoder"])
    sha256 = manifest["encoder_sha256"]
    model_arrays: Arrays = {}
    band: dict[int, Floats] = {}
    for name, array in arrays.items():
        if name.startswith(prefix):
            band[int(name.removeprefix(prefix))] = array
        else:
            model_arrays[name] = array
    return kind(
        model=restore(
            family_config_of(folder, manifest),
            model_arrays,
            lambda: load_own_encoder(encoder_config, folder, sha256),
        ),
        recipe=Recipe.from_json(manifest["recipe"]),
        decision=Decision.from_json(manifest["decision"]),
        encoder_config=encoder_config,
        encoder_sha256=sha256,
        band=band,
        training=manifest["training"],
        forecast_method=manifest.get("forecast", QUADRATIC),
        folder=folder,
        golden=golden,
        manifest=as_json(manifest),
    )


def _explaining(bundle: Kind, arrays: Arrays) -> Kind:
    """Return the bundle with the background, past cases and certainty that arrays hold."""
    of_cases = {name: array for name, array in arrays.items() if name.startswith(CASE)}
    of_bands = {name: array for name, array in arrays.items() if name.startswith(BANDS)}
    rest = arrays.keys() - of_cases.keys() - of_bands.keys()
    of_background = {name: arrays[name] for name in rest}
    return replace(
        bundle,
        background=background_windows(of_background) if of_background else None,
        cases=PastCases.restore(of_cases) if of_cases else None,
        certainty=Certainty.restore(of_bands, len(bundle.horizons))
        if of_bands
        else None,
    )
