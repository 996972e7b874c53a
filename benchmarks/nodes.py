"""A Ray cluster of several nodes on this machine, for tests of what a lost node does: `with nodes(2) as cluster: …`.

Each node is a raylet of its own with its own workers (`ray.cluster_utils.Cluster`), in a process of its own, with a
token of its own. Jobs join by `cluster.environment`.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

PROGRAM = """
import sys
from ray.cluster_utils import Cluster
workers, cpus = int(sys.argv[1]), int(sys.argv[2])
more = {"object_store_memory": 150 * 2**20, "include_dashboard": False, "dashboard_port": 0}
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **more})
nodes = [cluster.add_node(num_cpus=cpus, object_store_memory=150 * 2**20) for _ in range(workers)]
cluster.wait_for_nodes(120)
print("ADDRESS", cluster.address, flush=True)
for line in sys.stdin:
    if line.strip() == "lose" and nodes:
        cluster.remove_node(nodes.pop(), allow_graceful=False)
        print("LOST", len(nodes), flush=True)
    elif line.strip() == "join":
        nodes.append(cluster.add_node(num_cpus=cpus, object_store_memory=150 * 2**20))
        print("JOINED", len(nodes), flush=True)
cluster.shutdown()
"""
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1", "RAY_DATA_USE_DATASOURCE_V2": "0",
            "RAY_health_check_period_ms": "1000", "RAY_health_check_failure_threshold": "5"}  # fmt: skip


class Nodes:
    """A running cluster; `lose` kills a node with all its workers, `join` adds one."""

    def __init__(
        self, process: subprocess.Popen[str], environment: dict[str, str]
    ) -> None:
        self.process, self.environment = process, environment

    def lose(self) -> None:
        """Kill the newest node."""
        self._ask("lose", "LOST")

    def join(self) -> None:
        """Add a node."""
        self._ask("join", "JOINED")

    def _ask(self, word: str, answer: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        _await(self.process, answer)


def _await(process: subprocess.Popen[str], word: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(word):
            return line.removeprefix(word).strip()
    raise RuntimeError(
        f"the cluster ended (status {process.wait()}) before it said {word}"
    )


@contextmanager
def nodes(workers: int = 1, cpus: int = 1) -> Iterator[Nodes]:
    """A head with one CPU and `workers` nodes of `cpus` CPUs each."""
    base = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    environment = {
        **base,
        **SETTINGS,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(workers), str(cpus)], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL,
        text=True, env=environment,
    )  # fmt: skip
    try:
        address = _await(process, "ADDRESS")
        yield Nodes(process, {**environment, "RAY_ADDRESS": address})
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
