"""Machine code is found again by the content of the source, and by nothing less."""

from __future__ import annotations

import importlib.util
import os
import pkgutil
import subprocess
import sys
import threading
from builtins import __dict__ as built_in
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

import hvac
from hvac import compiled as caching
from hvac.compiled import kernel_key

ROOT = Path(__file__).resolve().parents[1]
SHIFT = "SHIFT = {shift}\n"
CALLED = """
from hvac.compiled import compiled

@compiled
def scaled(x):
    return x * {factor}
"""
KERNEL = """
from kernels_shift import SHIFT
from kernels_called import scaled
from hvac.compiled import compiled

@compiled
def kernel(x):
    return scaled(x) + SHIFT
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The cache folder of one test."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield tmp_path / "cache" / "hvac-foresight" / "kernels"
    for name in [name for name in sys.modules if name.startswith("kernels_")]:
        del sys.modules[name]


def load(name: str, text: str, tree: Path) -> ModuleType:
    tree.mkdir(exist_ok=True)
    path = tree / f"{name}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    spec.loader.exec_module(made)
    return made


def kernel(tree: Path, *, shift: float = 1.0, factor: float = 2.0) -> Any:
    """A kernel that calls another module's and uses a third one's constant, in a tree."""
    load("kernels_shift", SHIFT.format(shift=shift), tree)
    load("kernels_called", CALLED.format(factor=factor), tree)
    return load("kernels_main", KERNEL, tree).kernel


def hits(made: Any) -> int:
    return sum(made.stats.cache_hits.values())


def test_copy_of_a_tree_at_another_path_compiles_nothing(tmp_path: Path) -> None:
    first = kernel(tmp_path / "a")
    assert (first(3.0), hits(first)) == (7.0, 0)
    second = kernel(tmp_path / "b")
    assert (second(3.0), hits(second)) == (7.0, 1)


@pytest.mark.parametrize(
    ("changes", "expected"), [({"factor": 5.0}, 16.0), ({"shift": 4.0}, 10.0)]
)
def test_what_a_kernel_imports_is_part_of_its_key(
    tmp_path: Path, changes: dict[str, float], expected: float
) -> None:
    assert kernel(tmp_path / "a")(3.0) == 7.0
    changed = kernel(tmp_path / "b", **changes)
    assert (changed(3.0), hits(changed)) == (expected, 0)


@pytest.mark.parametrize("damaged", ["*.nbi", "*.nbc"])
def test_damaged_files_are_made_anew(
    tmp_path: Path, folder: Path, damaged: str
) -> None:
    assert kernel(tmp_path / "a")(3.0) == 7.0
    for path in folder.glob(damaged):
        path.write_bytes(b"")
    assert kernel(tmp_path / "b")(3.0) == 7.0
    kernel(tmp_path / "c")(3.0)
    last = kernel(tmp_path / "d")
    assert (last(3.0), hits(last)) == (7.0, 1)


def test_one_process_at_a_time_keeps_machine_code(tmp_path: Path, folder: Path) -> None:
    made = kernel(tmp_path / "a")
    with caching._locked(str(folder)):
        other = threading.Thread(target=made, args=(3.0,))
        other.start()
        other.join(timeout=2)
        assert other.is_alive()
        assert not list(folder.glob("*.nb?"))
    other.join()
    assert list(folder.glob("*main*.nbc"))


def test_folder_that_cannot_be_written_leaves_numba_its_own_place(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.parent.parent.write_text("a file")
    assert kernel(tmp_path / "a")(3.0) == 7.0
    assert list((tmp_path / "a" / "__pycache__").glob("*.nbc"))


def every_kernel() -> Iterator[Any]:
    for found in pkgutil.walk_packages(hvac.__path__, "hvac."):
        source = Path(str(found.module_finder.find_spec(found.name, None).origin))
        if "import compiled" in source.read_text(encoding="utf-8"):
            module = importlib.import_module(found.name)
            yield from (v for v in vars(module).values() if isinstance(v, Dispatcher))


def test_key_knows_whatever_a_kernel_takes_from_its_module() -> None:
    """A class, a function or a module of ours could change without the key."""
    kernels = list(every_kernel())
    assert len(kernels) > 40
    for made in kernels:
        code, known = made.py_func.__code__, made.py_func.__globals__
        for name in code.co_names:
            value = known.get(name, built_in.get(name))
            assert (
                value is None
                or isinstance(value, Dispatcher | np.ndarray)
                or caching._is_constant(value)
                or name in built_in
                or getattr(value, "__name__", "").split(".")[0] in ("math", "numpy")
            ), (made, name)


def test_key_is_the_same_in_another_process() -> None:
    keys = [kernel_key(made.py_func) for made in every_kernel()]
    command = (
        "from tests.test_compiled import every_kernel, kernel_key;"
        "print(*sorted(kernel_key(made.py_func) for made in every_kernel()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", command],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert done.stdout.split() == sorted(keys)


def test_kernel_whose_source_is_in_no_file_is_compiled_and_not_kept() -> None:
    names: dict[str, Any] = {}
    exec(compile(CALLED.format(factor=3), "<cell 1>", "exec"), names)
    assert names["scaled"](2.0) == 6.0


def test_kernel_that_is_no_longer_that_of_its_file_is_another(tmp_path: Path) -> None:
    path = tmp_path / "kernels_edited.py"
    path.write_text("# as it is after an edit")
    for factor in (3.0, 7.0):
        names: dict[str, Any] = {}
        exec(compile(CALLED.format(factor=factor), str(path), "exec"), names)
        assert names["scaled"](2.0) == 2 * factor


def test_file_that_is_edited_and_imported_again_is_read_again(tmp_path: Path) -> None:
    assert kernel(tmp_path / "a")(3.0) == 7.0
    assert kernel(tmp_path / "a", factor=5.25)(3.0) == 16.75


@pytest.mark.parametrize(
    "known", [{"XDG_CACHE_HOME": "rel"}, {"XDG_CACHE_HOME": "", "HOME": "~"}]
)
def test_no_folder_is_made_where_a_job_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: dict[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name, value in known.items():
        monkeypatch.setenv(name, value)
    assert kernel(tmp_path / "a")(3.0) == 7.0
    assert not {"rel", "~"} & {path.name for path in tmp_path.iterdir()}
