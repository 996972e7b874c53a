"""What a service is given: where its bundles and store lie, and its limits. One place, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from hvac.config import Config
from hvac.storage import AnyPath, Location, place

MIB = 2**20


class Limits(Config):
    """What one request may ask for, and how much work may wait."""

    body_bytes: int = Field(default=8 * MIB, ge=1024)
    bulk_bytes: int = Field(default=64 * MIB, ge=1024)
    units: int = Field(default=256, ge=1)
    readings: int = Field(default=200_000, ge=1)
    windows: int = Field(default=20_000, ge=1)
    in_flight: int = Field(default=64, ge=1)
    timeout_s: float = Field(default=20.0, gt=0)
    retry_after_s: int = Field(default=2, ge=1)


class ServeConfig(Config):
    """One service.

    `workspace` (a path or URL, as `bundles` is) is what the batch jobs wrote: its bundles, readings
    and predictions fill an empty store; `store` is a local file (SQLite) or `postgresql://…`.
    `layout: graph` runs Features, RiskModel and Forecast as deployments of their own, `fused` runs
    the same stages inside the ingress; `replicas` is how many of each. `keys: auto` asks for API
    keys unless Serve listens on the loopback address only. Without keys only requests to this
    machine are answered, and to `hosts`: names under which a reverse proxy serves."""

    workspace: Location = Path("runs/demo")
    bundles: Location | None = None
    store: str | None = Field(default=None, repr=False)  # it may hold a password
    language: Literal["en", "ja"] = "en"
    layout: Literal["graph", "fused"] = "graph"
    keys: Literal["auto", "required", "off"] = "auto"
    hosts: tuple[str, ...] = ()
    replicas: int = Field(default=1, ge=1)
    bundles_in_memory: int = Field(default=32, ge=1)
    batch: int = Field(default=16, ge=1)
    rescore_every_s: float = Field(default=0.5, gt=0)
    limits: Limits = Limits()

    @property
    def bundle_folder(self) -> AnyPath:
        """Folder whose sub-folders are bundles."""
        return place(self.bundles or self.workspace / "bundles")

    @property
    def peer_folder(self) -> AnyPath:
        """Folder of the levels of peers that the batch jobs write."""
        return place(self.workspace / "peers")

    @property
    def store_url(self) -> str:
        """Where readings and predictions are kept."""
        return self.store or str(place(self.workspace / "serve" / "store.sqlite"))


def read_serve_config(args: dict[str, Any]) -> ServeConfig:
    """Settings from the arguments of `serve run` or a Serve config file; texts such as "8" become
    numbers.

    Raises:
        ConfigError: an unknown key (the nearest known one is named) or a wrong value.

    >>> read_serve_config({"language": "ja", "limits": {"units": "10"}}).limits.units
    10
    """
    return ServeConfig(**args)
