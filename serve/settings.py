"""Settings of a service: where its bundles and store lie, and its limits; checked in one place."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from hvac.casework.case_states import CaseConfig
from hvac.config import Config
from hvac.json_values import JsonObject
from hvac.storage import AnyPath, Location, place
from serve.notify_settings import NotifyConfig

MIB = 2**20


def _off(given: Any) -> Any:
    """Return "off" for what YAML makes of it."""
    return "off" if given is False else given


class Limits(Config):
    """Limits of one request, and of the work that may wait."""

    body_bytes: int = Field(default=8 * MIB, ge=1024)
    """Largest body of a request, in bytes (8 MiB)."""
    bulk_bytes: int = Field(default=64 * MIB, ge=1024)
    """Largest body of a bulk request, in bytes (64 MiB)."""
    units: int = Field(default=256, ge=1)
    """Most pieces of equipment in one request."""
    explained_units: int = Field(default=32, ge=1)
    """Most pieces of equipment that one request may have explained."""
    readings: int = Field(default=200_000, ge=1)
    """Most readings in one request."""
    windows: int = Field(default=20_000, ge=1)
    """Most windows in one bulk request."""
    in_flight: int = Field(default=64, ge=1)
    """Most requests that are worked on at once; further ones are answered 429."""
    timeout_s: float = Field(default=20.0, gt=0)
    """Seconds until a request is answered 504."""
    retry_after_s: int = Field(default=2, ge=1)
    """Seconds after which a refused caller is told to try again."""


class ShadowConfig(Config):
    """How the risks of a challenger are kept beside those of the champion."""

    keep_days: float = Field(default=28.0, ge=0)
    """Days for which pairs of risks are kept after they were scored; 0: no challenger is scored."""


class ServeConfig(Config):
    """Settings of one service."""

    workspace: Location = Path("runs/demo")
    """Path or URL of what the batch jobs wrote: it fills an empty store."""
    bundles: Location | None = None
    """Path or URL of the folder of bundles; default: `bundles` in the workspace."""
    store: str | None = Field(default=None, repr=False)  # a password may be in it
    """Local file (SQLite) or `postgresql://…`; default: `serve/store.sqlite` in the workspace."""
    language: Literal["en", "ja"] = "en"
    """Language of pages and CSV files where the reader chooses none."""
    layout: Literal["graph", "fused"] = "graph"
    """`graph`: features, model and forecast are deployments; `fused`: all run in the ingress."""
    keys: Annotated[Literal["auto", "required", "off"], BeforeValidator(_off)] = "auto"
    """Whether requests need API keys; `auto`: unless Serve listens on loopback only."""
    hosts: tuple[str, ...] = ()
    """Names under which a reverse proxy serves; without keys, no others are answered."""
    replicas: int = Field(default=1, ge=1)
    """Replicas of each deployment."""
    bundles_in_memory: int = Field(default=32, ge=1)
    """Most bundles that a process keeps in memory."""
    batch: int = Field(default=16, ge=1)
    """Most requests that a stage answers in one pass."""
    visits_a_day: int = Field(default=10, ge=1)
    """Most pieces of equipment that the first page names as today's visits."""
    checks: Location | None = None
    """Path or URL of a YAML file of what to check first, by class; default: general advice."""
    rescore_every_s: float = Field(default=0.5, gt=0)
    """Seconds between two looks for equipment whose record has changed."""
    notify: NotifyConfig = NotifyConfig()
    """Who is told of new alarms; default: nobody."""
    cases: CaseConfig = CaseConfig()
    """When an alarm opens a case."""
    shadow: ShadowConfig = ShadowConfig()
    """How a challenger is watched; there is one only where `ray_jobs.update` found it."""
    limits: Limits = Limits()
    """Limits of one request, and of the work that may wait."""

    @property
    def bundle_folder(self) -> AnyPath:
        """Return the folder whose sub-folders are bundles."""
        return place(self.bundles or self.workspace / "bundles")

    @property
    def peer_folder(self) -> AnyPath:
        """Return the folder of the levels of peers that the batch jobs write."""
        return place(self.workspace / "peers")

    @property
    def panel_folder(self) -> AnyPath:
        """Return the folder in which the batch jobs keep the registry and display names."""
        return place(self.workspace / "panel")

    @property
    def monitor_folder(self) -> AnyPath:
        """Return the folder in which the batch jobs keep what their monitors found."""
        return place(self.workspace) / "monitor"

    @property
    def simulated(self) -> bool:
        """Tell whether the batch jobs simulated the readings."""
        return (place(self.workspace) / "steps" / "simulate.json").exists()

    @property
    def store_url(self) -> str:
        """Return where readings and predictions are kept."""
        return self.store or str(place(self.workspace / "serve" / "store.sqlite"))


def read_serve_config(args: JsonObject) -> ServeConfig:
    """Check the arguments of `serve run` or of a Serve config file; texts such as "8" become
    numbers.

    Raises:
        ConfigError: an unknown key (the nearest known one is named) or a wrong value.

    >>> read_serve_config({"language": "ja", "limits": {"units": "10"}}).limits.units
    10
    """
    return ServeConfig(**args)
