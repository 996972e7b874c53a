"""One detection run, one YAML file."""

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
    """Everything a detection run is made of: simulated `series` or real records from a `source`,
    and what follows.
    """

    name: str
    workspace: Location
    language: Literal["en", "ja"] = "en"
    seed: Seed = 0
    series: Annotated[SineConfig | RichConfig, Field(discriminator="pattern")] | None = None
    source: RecordsConfig | None = None
    windows: SlidingConfig = SlidingConfig()
    inject: InjectConfig | None = None
    model: Cnn1dConfig = Cnn1dConfig()
    alarms: AlarmConfig = AlarmConfig()
    train: TrainConfig = TrainConfig()
    ray: RayConfig = RayConfig()

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
        """Where series come from: sine, rich or records."""
        return self.series.pattern if self.series else "records"

    @property
    def network(self) -> Cnn1dConfig:
        """The network's configuration, with the run's seed where it names none of its own."""
        return (
            self.model
            if "seed" in self.model.model_fields_set
            else self.model.replace(seed=self.seed)
        )


def load_detect(path: str | AnyPath, overrides: Sequence[str] = ()) -> DetectConfig:
    """Read and check a detection run's YAML file with `key.sub=value` overrides."""
    return read_config(DetectConfig, path, overrides)
