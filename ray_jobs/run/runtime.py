"""Start, or join, Ray: the one place where this is done."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar

import ray
from pydantic import Field

from hvac.config import Config
from hvac.private import keep_private, ray_token_file

log = logging.getLogger(__name__)
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_USE_DATASOURCE_V2": "0",
    "OMP_NUM_THREADS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


_start: ContextVar[Callable[[], None] | None] = ContextVar("start", default=None)


class RayConfig(Config):
    """How a job gets its Ray."""

    address: str = "local"
    """`local` starts a Ray; other addresses, or RAY_ADDRESS, are joined."""
    num_cpus: int | None = Field(default=None, ge=1)
    """CPUs of a Ray started here; default: all of the machine."""
    object_store_mb: int = Field(default=512, ge=80)
    """Object store of a Ray started here, in MiB."""
    dashboard: bool = False
    """Whether a Ray started here has its dashboard."""


@contextmanager
def ray_session(config: RayConfig) -> Iterator[None]:
    """Connect to Ray while the block runs; a Ray that was started here is also stopped, one that
    was joined goes on.
    """
    if ray.is_initialized():
        yield
        return
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    _connect(config)
    logging.getLogger("ray").setLevel(logging.WARNING)
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = os.isatty(2)
    # else the user's error arrives as text only
    context.raise_original_map_exception = True
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def ray_on_demand(config: RayConfig) -> Iterator[None]:
    """Let `require_ray` open the session while the block runs; the session ends with the block.

    A command whose steps are all done already thus ends without a Ray.
    """
    with ExitStack() as sessions:
        token = _start.set(lambda: sessions.enter_context(ray_session(config)))
        try:
            yield
        finally:
            _start.reset(token)


def require_ray() -> None:
    """Start Ray where a command has said how (`ray_on_demand`) and it does not run yet."""
    start = _start.get()
    if start is not None:
        start()


def _connect(config: RayConfig) -> None:
    address = os.environ.get("RAY_ADDRESS") or config.address
    options: dict[str, object] = {
        "log_to_driver": False,
        "logging_level": logging.WARNING,
    }
    if address == "local":
        options |= {
            "num_cpus": config.num_cpus,
            "include_dashboard": config.dashboard,
            "object_store_memory": config.object_store_mb * 2**20,
        }
    try:
        ray.init(address=address, **options)
        keep_private(ray_token_file())
    except Exception as error:
        if address != "local" or "timed out during startup" not in str(error):
            raise
        log.warning("Ray did not start within its 30 s on this busy machine: once more")
        ray.shutdown()
        ray.init(address=address, **options)
        keep_private(ray_token_file())
