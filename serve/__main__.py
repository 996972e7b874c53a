"""Serve on this machine: `python -m serve [--port 8000] [--fast] [key=value …]` (what `make serve`
runs).

`--fast` turns on Serve's HAProxy and throughput mode. Settings are those of `serve/settings.py`,
such as workspace=runs/demo language=ja layout=fused replicas=2."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import random
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

from hvac.config import read_overrides
from hvac.errors import ConfigError, HvacError
from hvac.private import keep_private, ray_token_file
from serve.settings import ServeConfig, read_serve_config
from serve.starting import check_start

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "OMP_NUM_THREADS": "1",
    "RAY_SERVE_LOG_TO_STDERR": "0",
}
# What Serve does beside a request costs more than our stages (docs/serving.md, "Fast mode").
QUICK = {
    "RAY_SERVE_USE_GRPC_BY_DEFAULT": "1",
    "RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH": str(2**30),
    "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
    "RAY_SERVE_FREEZE_GC_ON_STARTUP": "1",
    "RAY_SERVE_REQUEST_PATH_LOG_BUFFER_SIZE": "1000",
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.5",
    "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",  # three looks until a dead one is replaced
}
HAPROXY = {  # ports of its own, which Ray gives it unless told otherwise
    "RAY_SERVE_HAPROXY_METRICS_PORT": "9101",
    "RAY_SERVE_HAPROXY_STATS_PORT": "8404",
}
FAST = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    # no line per request to a reader of Ray's: ours is /metrics
    "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
}
# The only ingress listens itself: no proxy that copies every request, no ports of HAProxy's.
DIRECT = {
    "RAY_SERVE_ENABLE_DIRECT_INGRESS": "1",
    # nobody in front has to be told that it goes
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "0",
    "RAY_SERVE_PORT_QUARANTINE_S": "0",  # one that takes a dead one's place takes its port
}


def main(given: list[str] | None = None) -> int:
    """Start the service, wait for a signal, stop."""
    parser = argparse.ArgumentParser(prog="python -m serve", description=__doc__)
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; keys are needed for any but loopback",
    )
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument(
        "--fast", action="store_true", help="HAProxy and throughput mode"
    )
    parser.add_argument("settings", nargs="*", metavar="key=value")
    arguments = parser.parse_intermixed_args(given)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        stream=sys.stderr,
    )
    stop = threading.Event()
    _heed_signals(stop)
    try:
        with tempfile.TemporaryDirectory(
            prefix="hvac-metrics-", ignore_cleanup_errors=True
        ) as folder:
            config = read_serve_config(read_overrides(arguments.settings))
            check_start(config, arguments.host)
            direct = {} if arguments.fast else _direct(config, arguments.port)
            for name, value in (
                QUIET | QUICK | direct | (FAST if arguments.fast else {})
            ).items():
                os.environ.setdefault(name, value)
            _serve(
                arguments.host,
                arguments.port,
                config,
                stop,
                direct=bool(direct),
                metrics=folder,
            )
    except HvacError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def _direct(config: ServeConfig, port: int) -> dict[str, str]:
    """Return the switches that let an only ingress listen itself, on a Ray of its own; {} where the
    user has set others.
    """
    least = "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT"
    most = "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT"
    already_set = {
        "RAY_SERVE_ENABLE_DIRECT_INGRESS",
        "RAY_SERVE_ENABLE_HA_PROXY",
        least,
        most,
    } & set(os.environ)
    if config.replicas > 1 or already_set or not _own_ray():
        return {}
    return DIRECT | {
        least: str(port),
        most: str(port + 1),
    }  # Ray leaves the last one out


def _own_ray() -> bool:
    return os.environ.get("RAY_ADDRESS", "local") == "local"


def _spare_port(host: str) -> int:
    """Return a free port that neither Ray's workers nor outgoing connections are given (those begin
    at 32768).
    """
    for port in random.sample(range(21_000, 30_000), 100):
        with contextlib.suppress(OSError), _bound(host, port):
            return port
    raise ConfigError(
        f"cannot listen on {host}: none of a hundred ports between 21000 and 29999 is free"
    )


@contextlib.contextmanager
def _bound(host: str, port: int) -> Iterator[None]:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        yield


def _check_free(host: str, port: int) -> None:
    """Raise ConfigError where a port is taken already, which Ray would report in a page of
    traceback.

    A cluster that is there already may serve on it: then nothing is checked.
    """
    if not _own_ray():
        return
    addresses = [(host, port, "give another with --port")]
    if os.environ.get("RAY_SERVE_ENABLE_HA_PROXY") == "1":
        for name, usual in HAPROXY.items():
            addresses.append(
                (
                    "0.0.0.0",
                    int(os.environ.get(name, usual)),
                    f"HAProxy's own: give another with {name}=…",
                )
            )
    for address, port_number, advice in addresses:
        try:
            with _bound(address, port_number):
                pass
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {address}:{port_number} ({error.strerror}); {advice}"
            ) from error


def _heed_signals(stop: threading.Event) -> None:
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, lambda *_: stop.set())


def _serve(
    host: str,
    port: int,
    config: ServeConfig,
    stop: threading.Event,
    *,
    direct: bool,
    metrics: str,
) -> None:
    import ray
    from ray import serve

    from serve.app import run

    _check_free(host, port)
    environment = {
        "PROMETHEUS_MULTIPROC_DIR": os.environ.get("PROMETHEUS_MULTIPROC_DIR", metrics),
        "OMP_NUM_THREADS": os.environ["OMP_NUM_THREADS"],
    }
    keep_private(ray_token_file())
    local_options: dict[str, Any] = (
        {"include_dashboard": False, "object_store_memory": 256 * 2**20}
        if _own_ray()
        else {}
    )
    ray.init(
        address=os.environ.get("RAY_ADDRESS", "local"),
        logging_level=logging.WARNING,
        log_to_driver=False,
        runtime_env={"env_vars": environment},
        **local_options,
    )
    keep_private(ray_token_file())
    _heed_signals(stop)  # Ray has put its own in their place, which abort
    try:
        # a proxy is started in any case: out of the way of an ingress that listens itself
        run(config, host=host, port=_spare_port(host) if direct else port)
        sys.stderr.write(
            f"ready: http://{host}:{port}/ (page) and http://{host}:{port}/v1/facilities (API)\n"
        )
        stop.wait()
    finally:
        serve.shutdown()
        ray.shutdown()


if __name__ == "__main__":
    sys.exit(main())
