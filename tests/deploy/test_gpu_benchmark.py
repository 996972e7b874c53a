"""The benchmark of a GPU: what it says where there is none, and that its parts run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def benchmark(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "benchmarks/gpu.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_benchmark_says_in_one_sentence_that_there_is_no_gpu() -> None:
    done = benchmark()
    assert (done.returncode, done.stderr) == (0, "")
    (sentence,) = done.stdout.splitlines()
    assert sentence.startswith("no CUDA device here: nothing is measured")


def test_every_part_runs_on_the_cpu_and_ends_in_rows() -> None:
    done = benchmark("--quick", "--device", "cpu")
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(
        (ROOT / "build" / "benchmarks" / "gpu.json").read_text(encoding="utf-8")
    )
    assert found["quick"]
    assert set(found["members"]) == {
        "hybrid",
        "hybrid_multitask",
        "ttm_lora",
        "lstm",
        "cnn1d",
    }
    assert found["encoder"]["parity"] == 0.0  # the same device on both sides
    assert found["encoder"]["largest_embedding"] > 1
    for fits in found["members"].values():
        assert set(fits) == {"float32", "bf16", "cpu"}
        assert all(fit["windows_a_second"] > 0 for fit in fits.values())
        assert all(fit["skipped_steps"] == 0 for fit in fits.values())
    assert len(found["summary"]) == 3 + len(found["members"])


def test_figures_of_the_cpu_are_kept_out_of_the_results() -> None:
    done = benchmark("--device", "cpu")
    assert done.returncode == 2
    assert "give --quick too" in done.stderr
