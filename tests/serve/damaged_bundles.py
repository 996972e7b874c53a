"""Hundreds of damaged bundles out of a sound one: keys dropped, of another type, huge; files cut or swapped."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from hvac.scoring.bundle import Bundle
from hvac.scoring.bundle_files import file_hashes

Change = Callable[[Path], None]
ODD: dict[str, Any] = {
    "null": None, "text": "x", "number": -1, "huge": 10**18, "list": [], "mapping": {}, "true": True,
    "nan": float("nan"), "float": 0.5, "nested": [[[[{}]]]],
}  # fmt: skip
HARMLESS = ("training",)  # is only shown


def ways(
    value: Any, way: tuple[Any, ...] = (), depth: int = 4
) -> Iterator[tuple[Any, ...]]:
    """Every way to a key of a manifest, the first of a list standing for all."""
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value[:1])
        if isinstance(value, list)
        else ()
    )
    for key, each in inner if depth else ():
        yield (*way, key)
        yield from ways(each, (*way, key), depth - 1)


def changed(
    manifest: dict[str, Any], way: tuple[Any, ...], value: Any
) -> dict[str, Any]:
    found = copy.deepcopy(manifest)
    place: Any = found
    for key in way[:-1]:
        place = place[key]
    if value is ...:
        del place[way[-1]]
    else:
        place[way[-1]] = value
    return found


def write(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text, encoding="utf-8")


def signed(folder: Path) -> None:
    """Let the list of files agree with the files, as whoever damages a bundle with care would."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    write(folder, json.dumps(manifest | {"files": dict(file_hashes(folder))}))


def weights(change: Callable[[np.ndarray], Any]) -> Change:
    """Every array of numbers changed, and signed."""

    def damage(folder: Path) -> None:
        arrays = load_file(folder / "model.safetensors")
        found = {
            name: np.asarray(change(array), array.dtype)
            if array.dtype.kind == "f"
            else array
            for name, array in arrays.items()
        }
        save_file(found, folder / "model.safetensors")
        signed(folder)

    return damage


def older(change: Change) -> Change:
    """The same for a bundle of a version without golden windows."""

    def damage(folder: Path) -> None:
        (folder / "golden.safetensors").unlink()
        signed(folder)
        change(folder)

    return damage


def of(other: Bundle, name: str) -> Change:
    """A file of another bundle in the place of the own, and signed."""

    def damage(folder: Path) -> None:
        source = other.save(folder.parent.parent / "others")
        shutil.copy(source / name, folder / name)
        signed(folder)

    return damage


def edited(way: tuple[Any, ...], value: Any) -> Change:
    def damage(folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        write(folder, json.dumps(changed(manifest, way, value)))

    return damage


def text_of(change: Callable[[str], str]) -> Change:
    def damage(folder: Path) -> None:
        write(folder, change((folder / "manifest.json").read_text(encoding="utf-8")))

    return damage


def cut(name: str, size: int) -> Change:
    def damage(folder: Path) -> None:
        (folder / name).write_bytes((folder / name).read_bytes()[:size])

    return damage


def damages(sound: Path, others: dict[str, Bundle]) -> dict[str, Change]:
    """All of them by name; each must be refused."""
    manifest = json.loads((sound / "manifest.json").read_text(encoding="utf-8"))
    found: dict[str, Change] = {
        "weights nan": weights(lambda a: a * np.nan),
        "weights inf": weights(lambda a: a + np.inf),
        "weights huge": weights(lambda a: a + 1e30),
        "weights zero": weights(lambda a: a * 0),
        "weights of another shape": weights(lambda a: a.reshape(-1)[:1]),
        "older, weights nan": older(weights(lambda a: a * np.nan)),
        "older, weights inf": older(weights(lambda a: a + np.inf)),
        "no files": edited(("files",), {}),
        "no golden": lambda folder: (folder / "golden.safetensors").unlink(),
        "no weights": lambda folder: (folder / "model.safetensors").unlink(),
        "no manifest": lambda folder: (folder / "manifest.json").unlink(),
        "manifest is a folder": _folder,
        "another class": edited(("recipe", "class_name"), "pump"),
        "empty": text_of(lambda _: ""),
        "a list": text_of(lambda _: "[]"),
        "deep": text_of(lambda _: "[" * 100_000),
        "latin": lambda folder: (folder / "manifest.json").write_bytes(b"\xff\xfe{}"),
        "zeros": lambda folder: (folder / "manifest.json").write_bytes(bytes(1000)),
    }
    for name, other in others.items():
        for file in ("model.safetensors", "golden.safetensors", "manifest.json"):
            found[f"{file} of {name}"] = of(other, file)
    for share in range(1, 20):
        found[f"manifest cut at {share}/20"] = text_of(
            lambda text, share=share: text[: len(text) * share // 20]
        )
    for name in (
        "model.safetensors",
        "golden.safetensors",
        "encoder/model.safetensors",
        "encoder/config.json",
    ):
        for size in (0, 7, 100):
            found[f"{name} cut at {size}"] = cut(name, size)
    for way in ways(manifest):
        if way[0] in HARMLESS:
            continue
        before = manifest
        for key in way:
            before = before[key]
        found[f"{way} dropped"] = edited(way, ...)
        for name, value in ODD.items():
            if value != before or type(value) is not type(before):
                found[f"{way} {name}"] = edited(way, value)
    return found


def _folder(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    (folder / "manifest.json").mkdir()


def damaged(sound: Path, change: Change) -> Path:
    """A copy beside the sound bundle, damaged."""
    copy_of = sound.with_name("ahu-damaged")
    shutil.rmtree(copy_of, ignore_errors=True)
    shutil.copytree(sound, copy_of)
    change(copy_of)
    return copy_of
