"""The Serve application: `serve run serve.app:build workspace=runs/demo`, or `serve deploy
serve/config.yaml`.
"""

from __future__ import annotations

import logging
from typing import Any

from ray import serve
from ray.serve import Application

from hvac.errors import InputError
from hvac.json_values import JsonObject
from serve.deployments import Features, Forecast, Ingress, RiskModel
from serve.http.listening import check_keys, keys_needed
from serve.load import load
from serve.memory.store import Store
from serve.settings import ServeConfig, read_serve_config

log = logging.getLogger(__name__)
LIGHT = {"num_cpus": 0.1}
EVERY_REPLICA = {
    "ray_actor_options": LIGHT,
    "graceful_shutdown_wait_loop_s": 0.5,  # Serve's 2 s are waited for by each stage in turn
    "health_check_period_s": 2,  # a dead replica is replaced only when its health is looked at
}
STAGE = {**EVERY_REPLICA, "max_ongoing_requests": 64, "max_queued_requests": 512}


def build(args: JsonObject) -> Application:
    """Build the graph (with `layout: fused`, one deployment of all stages) over an opened and
    loaded store.

    Raises:
        ConfigError: keys are required and there is none. (With `keys: auto` the ingress finds out
            when it starts: only then is it sure where Serve listens.)
    """
    config = read_serve_config(args)
    store = Store.open(config.store_url)
    try:
        load(store, config)
    except InputError as error:  # what is in the store can serve all the same
        log.error("the workspace was not loaded: %s", error)
    if config.keys == "required":
        check_keys(store, config)
    of_all: dict[str, Any] = {**EVERY_REPLICA, "num_replicas": config.replicas}
    ingress = Ingress.options(**of_all, user_config={})
    if config.layout == "fused":
        return ingress.bind(config)
    stage: dict[str, Any] = {**STAGE, "num_replicas": config.replicas}
    risk = RiskModel.options(**stage).bind(config)
    forecast = Forecast.options(**stage).bind(config)
    return ingress.bind(config, Features.options(**stage).bind(config, risk, forecast))


def run(config: ServeConfig, *, host: str, port: int) -> None:
    """Start the application on a started Ray."""
    serve.start(
        http_options={
            "host": host,
            "port": port,
            "request_timeout_s": config.limits.timeout_s + 5,
        }
    )
    # its messages name the proxy's address, which may not be ours
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    if keys_needed(config):
        check_keys(Store.open(config.store_url), config)
    logs = {"enable_access_log": False}  # requests are counted at /metrics
    serve.run(
        build(config.model_dump(mode="json")),
        name="hvac",
        route_prefix="/",
        logging_config=logs,
    )
