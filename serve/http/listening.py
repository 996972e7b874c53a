"""Where Serve listens, and whether requests therefore need a key."""

from __future__ import annotations

import ipaddress
import logging

from hvac.errors import ConfigError
from serve.memory.redact import without_secrets
from serve.memory.store import Store
from serve.settings import ServeConfig

log = logging.getLogger(__name__)


def keys_needed(config: ServeConfig) -> bool:
    """Tell whether requests need a key: as configured, or unless Serve listens on the loopback
    address only.
    """
    if config.keys != "auto":
        return config.keys == "required"
    return not is_loopback(_http_host())


def _http_host() -> str:
    """Return the host on which Serve listens; 0.0.0.0 (everywhere) where it is unknown."""
    try:
        import ray
        from ray.serve.context import _get_global_client

        if (
            not ray.is_initialized()
        ):  # asking must not connect to a cluster, which takes minutes where it is dead
            return "0.0.0.0"
        client = _get_global_client(raise_if_no_controller_running=False)
        return str(client.http_config.host) if client else "0.0.0.0"
    except Exception:
        log.warning("where Serve listens is not known: API keys are required")
        return "0.0.0.0"


def is_loopback(host: str) -> bool:
    """Tell whether an address is this machine only.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_keys(store: Store, config: ServeConfig) -> None:
    """Raise ConfigError where keys are needed and there is none."""
    if not store.api_keys():
        raise ConfigError(
            "API keys are required (Serve does not listen on the loopback address only) and there"
            " is none: python -m serve.keys add NAME --role admin --store"
            f" {without_secrets(config.store_url)}"
        )
