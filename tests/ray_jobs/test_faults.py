"""Killed in the middle: the next run goes on, and nothing is lost or doubled."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest
import yaml
from ray.exceptions import ActorDiedError
from ray.train import ControllerError

from hvac.errors import HvacError, InputError
from hvac.scoring.bundle import Bundle
from ray_jobs import featurize, ingest, train
from ray_jobs.fit.torch_run import _led_again
from ray_jobs.run.run_config import RunConfig
from ray_jobs.tables.windows_table import load_recipes, read_windows
from tests.ray_jobs.conftest import SMALL, copy_of

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


def start(step: str, config: Path) -> subprocess.Popen[str]:
    return start_python("-m", f"ray_jobs.{step}", "--config", str(config))


def start_python(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stderr=pipe,
        stdout=pipe,
        text=True,
        env=plain_environment(),
        start_new_session=True,
    )


def plain_environment() -> dict[str, str]:
    """Return the environment without what the tests tell Ray, but for the priority of its workers."""
    kept = ("RAY_worker_niceness",)
    return {
        name: value
        for name, value in os.environ.items()
        if name in kept or not name.startswith("RAY_")
    }


def finish(process: subprocess.Popen[str], seconds: float = 200) -> tuple[int, str]:
    _, told = process.communicate(timeout=seconds)
    return process.returncode, told


def wait_for(condition: Callable[[], object], seconds: float = 120) -> object:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise TimeoutError("what was waited for did not happen")


def kill_all(process: subprocess.Popen[str]) -> None:
    """The job and every process it started, at once."""
    family = [
        psutil.Process(process.pid),
        *psutil.Process(process.pid).children(recursive=True),
    ]
    for member in family:
        if member.is_running():
            member.kill()
    process.wait(timeout=20)


def write_config(folder: Path, **changes: object) -> Path:
    file = folder / "run.yaml"
    content = {
        **SMALL,
        "workspace": str(folder / "run"),
        "ray": {
            "num_cpus": 1,
            "object_store_mb": 150,
        },  # a second process of Ray's imports anew
        **changes,
    }
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


def windows_in(workspace: Path) -> dict[str, bytes]:
    return {
        str(f.relative_to(workspace)): f.read_bytes()
        for f in sorted((workspace / "windows").glob("class=*/part-*"))
    }


HELD = """
import time
from ray_jobs import featurize
from ray_jobs.tables import windows_writer
from ray_jobs.run.command import main

def hold(step, what, total, blocks, count):
    running = iter(blocks)  # kept: when it goes, Ray Data kills its actors
    next(running)
    print("the first bucket is written", flush=True)
    time.sleep(3600)

windows_writer.counted = hold
main(featurize.run, None)
"""


def test_killed_featurize_goes_on_where_it_was(
    finished: tuple[RunConfig, Path], tmp_path: Path
) -> None:
    """The job is held after its first bucket, so that it cannot end before it is killed."""
    here = copy_of(finished, tmp_path / "run", upto="ingest")
    parts = here.workspace / "windows" / "_parts"
    process = start_python("-c", HELD, "--config", str(write_config(tmp_path)))
    assert process.stdout is not None
    assert any(
        "the first bucket is written" in line for line in process.stdout
    )  # Ray may write there too
    kill_all(process)
    done_before = {part.name: part.stat().st_mtime_ns for part in parts.glob("*.json")}
    assert done_before
    assert not (here.workspace / "steps" / "featurize.json").exists()
    featurize.run(here)
    assert all(
        (parts / name).stat().st_mtime_ns == stamp
        for name, stamp in done_before.items()
    )
    assert windows_in(here.workspace) == windows_in(finished[1])


def test_full_disk_is_told_in_one_sentence_and_the_next_run_goes_on(
    finished: tuple[RunConfig, Path], tmp_path: Path
) -> None:
    """The job sees 200 kB of room where its windows go; a name space of its own keeps that from everyone else."""
    here = copy_of(finished, tmp_path / "run", upto="ingest")
    room = here.workspace / "windows"
    room.mkdir()
    if subprocess.run(
        ["unshare", "-rm", "true"], check=False, capture_output=True
    ).returncode:
        pytest.skip("needs user name spaces (unshare -rm)")
    job = f"{sys.executable} -m ray_jobs.featurize --config {write_config(tmp_path)}"
    told = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f"mount -t tmpfs -o size=200k tmpfs {room} && exec {job}"],
        cwd=ROOT, env=plain_environment(), capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert told.returncode == 2, told.stderr[-2000:]
    assert "no room is left" in told.stderr.splitlines()[-1]
    said = json.loads(told.stdout.splitlines()[-1].removeprefix("RESULT "))
    assert (said["job"], said["exit"]) == ("ray_jobs.featurize", 2)
    assert "no room is left" in said["error"]
    featurize.run(here)
    assert windows_in(here.workspace) == windows_in(finished[1])


def test_damaged_part_is_named_and_made_anew_alone(
    finished: tuple[RunConfig, Path], tmp_path: Path
) -> None:
    here = copy_of(finished, tmp_path / "run", upto="featurize")
    part = sorted((here.workspace / "windows").glob("class=pump/part-*.parquet"))[0]
    content = part.read_bytes()
    part.write_bytes(content[:-8] + b"garbage!")
    with pytest.raises(
        InputError, match=r"a part cannot be read.*steps/featurize.json"
    ):
        read_windows(
            here.workspace / "windows",
            load_recipes(here.workspace / "windows")["pump"],
            ("train",),
        )
    part.unlink()
    (here.workspace / "steps" / "featurize.json").unlink()
    assert featurize.run(here).buckets_made == 1
    assert part.read_bytes() == content


def test_workspace_of_an_earlier_version_is_told_and_made_anew(
    finished: tuple[RunConfig, Path], tmp_path: Path
) -> None:
    """Buckets once had numbers, marks no key, and parts of them may lie beside the new ones."""
    here = copy_of(finished, tmp_path / "run", upto="featurize")
    old = here.workspace / "panel" / "readings" / "bucket-00000"
    shutil.copytree(
        next((here.workspace / "panel" / "readings").glob("*/bucket-*")), old
    )
    (here.workspace / "panel" / "layout.json").unlink()
    part = next((here.workspace / "windows").glob("class=pump/part-*.parquet"))
    shutil.copy(part, part.with_name("part-00000.parquet"))
    (here.workspace / "windows" / "_parts" / "00000.json").write_text(
        '{"rows": 3}', encoding="utf-8"
    )
    state = here.workspace / "steps" / "ingest.json"
    state.write_text(
        json.dumps({**json.loads(state.read_text()), "buckets": 4, "key": "old"}),
        encoding="utf-8",
    )
    made = here.workspace / "steps" / "featurize.json"
    made.write_text(
        json.dumps({**json.loads(made.read_text()), "key": "old"}), encoding="utf-8"
    )
    with pytest.raises(
        HvacError, match=r"earlier version: run python -m ray_jobs\.ingest"
    ):
        featurize.run(here)
    ingest.run(here)
    featurize.run(here)
    assert not old.exists()
    assert windows_in(here.workspace) == windows_in(finished[1])


def test_readings_that_are_no_numbers_leave_the_other_units_as_they_are(
    finished: tuple[RunConfig, Path], tmp_path: Path
) -> None:
    """A poisoned file: every value of one equipment is NaN. It is counted as missing, and nobody else notices."""
    folder = tmp_path / "in"
    shutil.copytree(finished[1] / "source" / "readings", folder)
    path = sorted(folder.glob("*.parquet"))[0]
    table = pq.read_table(path)
    victim = table["equipment_id"][0].as_py()
    own = pc.equal(table["equipment_id"], victim)
    value = pc.if_else(own, float("nan"), table["value"])
    pq.write_table(
        table.set_column(table.column_names.index("value"), "value", value), path
    )
    source = {
        "readings": str(folder),
        **{
            n: str(finished[1] / "source" / f"{n}.parquet")
            for n in ("events", "equipment")
        },
    }
    settings = {**SMALL, "workspace": tmp_path / "run", "source": source}
    settings.pop("simulate")
    config = RunConfig(**settings)
    assert ingest.run(config).missing >= pc.sum(own).as_py()
    featurize.run(config)
    assert keys_in(tmp_path / "run", but=victim).equals(
        keys_in(finished[1], but=victim)
    )


def keys_in(workspace: Path, *, but: str) -> pa.Table:
    """What names the windows of every equipment but one (which half validates may move with a unit that goes)."""
    columns = ["facility_id", "equipment_id", "end_date"]
    parts = sorted(map(str, (workspace / "windows").glob("class=*/part-*")))
    table = pads.dataset(parts).to_table(columns=columns)
    return table.filter(pc.not_equal(table["equipment_id"], but)).sort_by(
        [(name, "ascending") for name in columns]
    )


def test_killed_training_worker_resumes_from_its_checkpoint(
    finished: tuple[RunConfig, Path], tmp_path: Path
) -> None:
    """The job runs here, on the Ray of all tests, and a thread kills its worker."""
    model = {"family": "hybrid", "epochs": 3}
    here, quiet = (
        copy_of(finished, tmp_path / name, upto="featurize", model=model)
        for name in ("run", "quiet")
    )
    storage = here.workspace / "ray_train"

    def kill_worker() -> None:
        wait_for(lambda: list(storage.glob("*/checkpoint_*/fits.pt")))
        victim: Any = wait_for(_training_worker)
        victim.kill()
        victim.wait(timeout=20)

    with ThreadPoolExecutor() as threads:
        killed = threads.submit(kill_worker)
        state = train.run(here.replace(train={"workers": 1, "checkpoint_every": 1}))
        killed.result(timeout=0)
    assert [row["epoch"] for row in state.history["pump"]["30"]] == list(range(1, 4))
    assert state.history == train.run(quiet).history
    assert {Bundle.load(f).id for f in (here.workspace / "bundles").iterdir()} == set(
        state.bundles.values()
    )


def _training_worker() -> psutil.Process | None:
    for member in psutil.Process().children(recursive=True):
        try:
            if "RayTrainWorker" in " ".join(member.cmdline()):
                return member
        except psutil.Error:
            continue
    return None


@pytest.mark.parametrize(
    "death",
    [ActorDiedError(), ControllerError(ActorDiedError())],
    ids=["controller", "starting"],
)
def test_what_ray_train_does_not_start_again_is_started_again_as_often_as_workers_are(
    death: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """The real death of a controller, or of a worker while it starts, is part of `make chaos`."""
    deaths: list[str] = []

    def dies_twice() -> Any:
        if len(deaths) < 2:
            deaths.append("died")
            raise death
        return "a result"

    assert _led_again(dies_twice, 2) == "a result"
    assert caplog.text.count("going on from the last checkpoint") == 2
    deaths.clear()
    with pytest.raises(type(death)):
        _led_again(dies_twice, 1)


def test_error_of_ray_trains_controller_that_is_no_death_is_raised_at_once() -> None:
    tries: list[str] = []

    def cannot() -> Any:
        tries.append("tried")
        raise ControllerError(ValueError("no such resources"))

    with pytest.raises(ControllerError, match="no such resources"):
        _led_again(cannot, 2)
    assert len(tries) == 1
