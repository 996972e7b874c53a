"""The Serve application: `serve run serve.app:build workspace=runs/demo`, or `serve deploy serve/config.yaml`."""

from __future__ import annotations

import ipaddress
import logging
from typing import Any

from ray import serve
from ray.serve import Application

from hvac.errors import ConfigError
from serve.deployments import Features, Forecast, Ingress, RiskModel
from serve.load import fill
from serve.settings import ServeConfig, read_config
from serve.store import Store

log = logging.getLogger(__name__)
LIGHT = {"num_cpus": 0.1}
STAGE = {"ray_actor_options": LIGHT, "max_ongoing_requests": 64, "max_queued_requests": 512}


def build(args: dict[str, Any]) -> Application:
    """The graph (or, with `layout: fused`, one deployment that holds all stages) over an opened and filled store.

    Raises:
        ConfigError: keys are required and there is none.
    """
    config = read_config(args)
    store = Store.open(config.store_url)
    fill(store, config)
    keys = keys_needed(config)
    if keys and not store.api_keys():
        raise ConfigError(
            "API keys are required (Serve does not listen on the loopback address only) and there is none: "
            f"python -m serve.keys add NAME --role admin --store {config.store or config.store_url}"
        )
    ingress = Ingress.options(num_replicas=config.replicas, ray_actor_options=LIGHT, user_config={})
    if config.layout == "fused":
        return ingress.bind(config, keys)
    stage: dict[str, Any] = {**STAGE, "num_replicas": config.replicas}
    risk, forecast = RiskModel.options(**stage).bind(config), Forecast.options(**stage).bind(config)
    return ingress.bind(config, keys, Features.options(**stage).bind(config, risk, forecast))


def keys_needed(config: ServeConfig) -> bool:
    """Whether requests need a key: as configured, or unless Serve listens on the loopback address only."""
    if config.keys != "auto":
        return config.keys == "required"
    return not is_loopback(_http_host())


def _http_host() -> str:
    """Where the running Serve listens; unknown counts as everywhere."""
    try:
        from ray.serve.context import _get_global_client

        client = _get_global_client(raise_if_no_controller_running=False)
        return str(client.http_config.host) if client else "0.0.0.0"
    except Exception:
        log.warning("where Serve listens is not known: API keys are required")
        return "0.0.0.0"


def is_loopback(host: str) -> bool:
    """Whether an address is this machine only.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def run(config: ServeConfig, *, host: str, port: int) -> None:
    """Start the application on a started Ray."""
    serve.start(http_options={"host": host, "port": port, "request_timeout_s": config.limits.timeout_s + 5})
    logs = {"enable_access_log": False}  # requests are counted at /metrics
    serve.run(build(config.model_dump(mode="json")), name="hvac", route_prefix="/", logging_config=logs)
