"""CPU seconds until every compiled kernel of a job is ready, in a tree at a path where it never was before.

    python benchmarks/kernels.py [--quick]

A small run fills a cache folder of its own; its kernels and their types are those that count. Then copies of hvac/ at
new paths, each in a fresh process, get all of them ready: with an empty cache folder (as every path had to, while
machine code lay beside its module), and with that of the run. They take turns; each keeps its shortest time. Imports
do not count.
"""

import importlib
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support import ROOT, Row, machine, parser, record

ROUNDS = 3
SMALL = ("model.family=gbdt_full", "evaluate.replicates=200")
Wanted = list[tuple[str, str, Any]]


def main() -> None:
    command = parser(__doc__)
    command.add_argument("--list", type=Path, help="write the kernels that are cached")
    command.add_argument("--ready", type=Path, help="get the kernels of a list ready")
    asked = command.parse_args()
    if asked.list:
        asked.list.write_bytes(pickle.dumps(list(cached())))
    elif asked.ready:
        print(json.dumps(ready(pickle.loads(asked.ready.read_bytes()))))
    else:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), quick=asked.quick)


def measure(folder: Path, *, quick: bool) -> None:
    kept, wanted = folder / "kept", folder / "kernels.pickle"
    settings = ("--config", "ray_jobs/configs/demo_small.yaml", *SMALL)
    if quick:
        settings += ("simulate.equipment_per_class=5", "simulate.days=500")
    job = ("-m", "ray_jobs.pipeline", *settings, f"workspace={folder / 'run'}")
    python(job, tree=ROOT, cache=kept)
    python((__file__, "--list", str(wanted)), tree=ROOT, cache=kept)
    found: dict[str, list[dict[str, float]]] = {"empty": [], "kept": []}
    for turn in range(1 if quick else ROUNDS):
        for name, cache in (("empty", folder / f"empty{turn}"), ("kept", kept)):
            tree = folder / f"{name}_tree{turn}"
            shutil.copytree(
                ROOT / "hvac",
                tree / "hvac",
                ignore=shutil.ignore_patterns("__pycache__"),
            )
            said = python((__file__, "--ready", str(wanted)), tree=tree, cache=cache)
            found[name].append(json.loads(said))
    empty, kept_s = (min(one["cpu_s"] for one in found[name]) for name in found)
    row = Row(
        what="kernels of a job ready at a new path",
        bar="",
        measured=f"{kept_s:.2f} s of CPU",
        peer=f"{empty:.1f} s (empty cache)",
        met=None,
    )
    record("kernels", machine(("numba", "llvmlite"), cores=1), [row], found, quick)


def python(arguments: tuple[str, ...], *, tree: Path, cache: Path) -> str:
    """Run Python on a tree's modules with a cache folder; return what it prints."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(tree),
        "BENCHMARKED": str(tree),
        "NUMBA_CACHE_DIR": str(cache),
    }
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


def cached() -> Iterator[tuple[str, str, Any]]:
    """Give module, name and types of every kernel in the cache folder."""
    from numba.core.dispatcher import Dispatcher

    for path in sorted((ROOT / "hvac").rglob("*.py")):
        if "import compiled" not in path.read_text(encoding="utf-8"):
            continue
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for kernel, value in vars(importlib.import_module(name)).items():
            if isinstance(value, Dispatcher) and value.py_func.__module__ == name:
                for key in value._cache._cache_file._load_index():
                    yield name, kernel, key[0]


def ready(wanted: Wanted) -> dict[str, float]:
    """Get kernels ready: seconds, how many there are, and how many were not compiled."""
    sys.path.insert(0, os.environ["BENCHMARKED"])
    kernels = [
        (getattr(importlib.import_module(module), name), types)
        for module, name, types in wanted
    ]
    wall, cpu = time.perf_counter(), time.process_time()
    for kernel, types in kernels:
        kernel.compile(types)
    found = {
        "cpu_s": round(time.process_time() - cpu, 3),
        "wall_s": round(time.perf_counter() - wall, 3),
    }
    each = {id(kernel): kernel for kernel, _ in kernels}.values()
    hits = sum(sum(kernel.stats.cache_hits.values()) for kernel in each)
    return {**found, "kernels": len(kernels), "from_cache": hits}


if __name__ == "__main__":
    main()
