"""The configuration of a detection run: one YAML file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hvac.config import Config, Seed, read_config
from hvac.detect.detections import AlarmConfig
from hvac.detect.labelled_records import RecordsConfig
from hvac.detect.simulated_series import RichConfig, SineConfig
from hvac.detect.sliding import SlidingConfig
from hvac.detect.training import InjectConfig
from hvac.models.cnn1d import Cnn1dConfig
from hvac.storage import AnyPath, Location
from ray_jobs.run.run_config import TrainConfig
from ray_jobs.run.runtime import RayConfig


class DetectConfig(Config):
    """Settings of a detection run: simulated `series` or real records from a `source`, and what
    follows.
    """

    name: str
    """Name of the run, as the report shows it."""
    workspace: Location
    """Folder or URL that the run writes into."""
    language: Literal["en", "ja"] = "en"
    """Language of the report."""
    seed: Seed = 0
    """Random seed of simulation, training and bootstrap."""
    series: (
        Annotated[SineConfig | RichConfig, Field(discriminator="pattern")] | None
    ) = None
    """How series are simulated; give this or `source`."""
    source: RecordsConfig | None = None
    """Which records are read; give this or `series`."""
    windows: SlidingConfig = SlidingConfig()
    """How series are cut into windows."""
    inject: InjectConfig | None = None
    """Anomalies that are put into the training part; default: none."""
    model: Cnn1dConfig = Cnn1dConfig()
    """Settings of the network."""
    alarms: AlarmConfig = AlarmConfig()
    """How the threshold is chosen and alarms are made."""
    train: TrainConfig = TrainConfig()
    """How the network is fitted on Ray Train."""
    ray: RayConfig = RayConfig()
    """How the job gets its Ray."""

    @model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        if (self.series is None) == (self.source is None):
            raise ValueError(
                "give either a 'series' section (simulated) or a 'source' section (records), not"
                " both"
            )
        return self

    @property
    def kind(self) -> str:
        """Return where series come from: sine, rich or records."""
        return self.series.pattern if self.series else "records"

    @property
    def network(self) -> Cnn1dConfig:
        """Return the network's configuration, with the run's seed where it sets none itself."""
        return (
            self.model
            if "seed" in self.model.model_fields_set
            else self.model.replace(seed=self.seed)
        )


def load_detect(path: str | AnyPath, overrides: Sequence[str] = ()) -> DetectConfig:
    """Read and check a detection run's YAML file with `key.sub=value` overrides."""
    return read_config(DetectConfig, path, overrides)
