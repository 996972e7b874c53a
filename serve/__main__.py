"""Serve on this machine: `python -m serve [--port 8000] [--fast] [key=value …]` (what `make serve` runs).

`--fast` turns on Serve's HAProxy and throughput mode. Settings are those of `serve/settings.py`, such as
workspace=runs/demo language=ja layout=fused replicas=2.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
import tempfile
import threading
from typing import Any

from hvac.config import read_overrides
from hvac.errors import ConfigError, HvacError

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1", "RAY_SERVE_LOG_TO_STDERR": "0"}
QUICK = {  # what Serve does beside a request costs more than our stages (docs/serving.md, "Fast mode")
    "RAY_SERVE_USE_GRPC_BY_DEFAULT": "1",
    "RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH": str(2**30),
    "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
    "RAY_SERVE_FREEZE_GC_ON_STARTUP": "1",
    "RAY_SERVE_REQUEST_PATH_LOG_BUFFER_SIZE": "1000",
}
HAPROXY = {  # ports of its own, which Ray gives it unless told otherwise
    "RAY_SERVE_HAPROXY_METRICS_PORT": "9101",
    "RAY_SERVE_HAPROXY_STATS_PORT": "8404",
}
FAST = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",  # no line per request to a reader of Ray's: ours is /metrics
}


def main(given: list[str] | None = None) -> int:
    """Start, wait for a signal, stop."""
    parser = argparse.ArgumentParser(prog="python -m serve", description=__doc__)
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; keys are needed for any but loopback"
    )
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--fast", action="store_true", help="HAProxy and throughput mode")
    parser.add_argument("settings", nargs="*", metavar="key=value")
    asked = parser.parse_intermixed_args(given)
    for name, value in (QUIET | QUICK | (FAST if asked.fast else {})).items():
        os.environ.setdefault(name, value)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    stop = threading.Event()
    _heed_signals(stop)
    try:
        with tempfile.TemporaryDirectory(prefix="hvac-metrics-", ignore_cleanup_errors=True) as folder:
            _serve(asked.host, asked.port, read_overrides(asked.settings), stop, metrics=folder)
    except HvacError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def _check_free(host: str, port: int) -> None:
    """Raise ConfigError where somebody listens on a port already, which Ray would tell in a page of traceback.

    A cluster that is there already may serve on it: that one is asked for.
    """
    if os.environ.get("RAY_ADDRESS", "local") != "local":
        return
    wanted = [(host, port, "give another with --port")]
    if os.environ.get("RAY_SERVE_ENABLE_HA_PROXY") == "1":
        for name, usual in HAPROXY.items():
            wanted.append(("0.0.0.0", int(os.environ.get(name, usual)), f"HAProxy's own: give another with {name}=…"))
    for address, number, advice in wanted:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind((address, number))
            except OSError as error:
                raise ConfigError(f"cannot listen on {address}:{number} ({error.strerror}); {advice}") from error


def _heed_signals(stop: threading.Event) -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: stop.set())


def _serve(host: str, port: int, settings: dict[str, Any], stop: threading.Event, *, metrics: str) -> None:
    import ray
    from ray import serve

    from serve.app import run
    from serve.settings import read_config

    config = read_config(settings)
    _check_free(host, port)
    environment = {
        "PROMETHEUS_MULTIPROC_DIR": os.environ.get("PROMETHEUS_MULTIPROC_DIR", metrics),
        "OMP_NUM_THREADS": os.environ["OMP_NUM_THREADS"],
    }
    address = os.environ.get("RAY_ADDRESS", "local")
    own: dict[str, Any] = {"include_dashboard": False, "object_store_memory": 256 * 2**20} if address == "local" else {}
    ray.init(
        address=address,
        logging_level=logging.WARNING,
        log_to_driver=False,
        runtime_env={"env_vars": environment},
        **own,
    )
    _heed_signals(stop)  # Ray has put its own in their place, which abort
    try:
        run(config, host=host, port=port)
        sys.stderr.write(f"ready: http://{host}:{port}/ (page) and http://{host}:{port}/v1/facilities (API)\n")
        stop.wait()
    finally:
        serve.shutdown()
        ray.shutdown()


if __name__ == "__main__":
    sys.exit(main())
