"""What `ray job submit --working-dir .` ships: the code, and nothing of what lies beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from ray._private.ray_constants import get_runtime_env_default_excludes
from ray._private.runtime_env.packaging import create_package

from tests.deploy.deploy_example import ROOT

MIB = 2**20
LITTER = (".venv/lib/torch.so", "runs/demo/windows/part.parquet", "build/lib/hvac.bin", ".git/objects/pack.pack",
          ".mypy_cache/3.11/cache.json", "hvac_foresight.egg-info/SOURCES.txt")  # fmt: skip


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Our own files, beside them what work leaves behind: six incompressible files of 6 MiB."""
    folder = tmp_path / "checkout"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    for name in LITTER:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(os.urandom(6 * MIB))
    return folder


@pytest.mark.parametrize("gitignore", [True, False])
def test_package_is_small_and_whole(
    gitignore: bool, checkout: Path, tmp_path: Path
) -> None:
    package = tmp_path / "package.zip"
    create_package(
        str(checkout),
        package,
        include_gitignore=gitignore,
        excludes=get_runtime_env_default_excludes(),
    )
    assert package.stat().st_size < 5 * MIB
    with zipfile.ZipFile(package) as content:
        shipped = set(content.namelist())
        assert sum(each.file_size for each in content.infolist()) < 5 * MIB
    code = {
        str(path.relative_to(checkout))
        for room in ("hvac", "ray_jobs", "serve")
        for path in checkout.glob(f"{room}/**/*.*")
    }
    assert code <= shipped
    assert not shipped & set(LITTER)
    assert not {name.split("/")[0] for name in shipped} & {
        "tests",
        "docs",
        "benchmarks",
        ".ci",
    }
