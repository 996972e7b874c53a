"""The order in which files of tests are dealt to the workers of pytest-xdist, an S3 of the tests' own, how Hypothesis
draws.

No test hangs on luck: the same examples are drawn in every run. `make explore` draws new ones, twenty times as many.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

from hvac.lasting import keep_all

gc.disable()  # until all tests are collected
os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # as `make` does: threads of two workers would wait for each other
# Ray gives its workers the lowest priority: beside other tests, a job's would have hardly any processor.
os.environ.setdefault("RAY_worker_niceness", "0")
# Over a hundred processes import our modules: half a second for each that compiles them anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# an example may wait for a compiler or a busy machine
UNTIMED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("same", derandomize=True, **UNTIMED)
settings.register_profile("explore", **UNTIMED)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
FIRST = (
    "test_pipeline",  # makes the finished small run that most tests of the jobs wait for
    "test_graph",
    "test_detect",  # needs no finished run
    "test_tune",
    "test_urls",
    "test_cluster",
    "test_faults",
    "test_compare",
    "test_fuzz",
)
JOBS = "tests/ray_jobs/"


def pytest_collection_finish() -> None:
    """Take modules and tests for lasting: every search for garbage would go through all of them."""
    keep_all()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first (pytest-xdist would turn that round: hence --no-loadscope-reorder in the Makefile)."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    if item.path.stem in FIRST:
        return FIRST.index(item.path.stem)
    return len(FIRST) + (item.path.parent.name != "ray_jobs")


class TwoRays(LoadFileScheduling):
    """Deals whole files, and those of the jobs to two workers as long as there are others for the rest.

    Every worker that runs tests of the jobs has a Ray of its own, and each Ray takes 30 CPU seconds.
    """

    def _assign_work_unit(self, node: WorkerController) -> None:
        runs_jobs = self.nodes.index(node) < 2
        fitting = (file for file in self.workqueue if (JOBS in file) == runs_jobs)
        if first := next(fitting, None):
            self.workqueue.move_to_end(first, last=False)
        super()._assign_work_unit(node)


@pytest.hookimpl(optionalhook=True)  # without xdist it is unknown
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TwoRays:
    return TwoRays(config, log)


S3_SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="session")
def s3_environment() -> Iterator[dict[str, str]]:
    """A process that speaks S3 on a free loopback port, and the environment that leads there."""
    server = subprocess.Popen(
        [sys.executable, "-c", S3_SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        endpoint = f"http://127.0.0.1:{int(server.stdout.readline())}"
        keys = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
        }
        yield {
            **keys,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    finally:
        server.stdin.close()  # it ends when nobody is there to read for
        server.wait(timeout=30)


@pytest.fixture(scope="session")
def s3_bucket(s3_environment: dict[str, str]) -> Callable[[str], str]:
    """Makes a bucket on that S3 (or finds it made) and gives its URL."""

    def bucket(name: str) -> str:
        request = urllib.request.Request(
            f"{s3_environment['AWS_ENDPOINT_URL']}/{name}", method="PUT"
        )
        urllib.request.urlopen(request).close()
        return f"s3://{name}"

    return bucket


@pytest.fixture
def s3(
    s3_environment: dict[str, str],
    s3_bucket: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], str]:
    """`s3_bucket`, with the environment of this process leading there."""
    for name, value in s3_environment.items():
        monkeypatch.setenv(name, value)
    return s3_bucket
