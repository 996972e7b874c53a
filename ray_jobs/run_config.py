"""One run, one YAML file: the sections of every step, checked together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from hvac.config import Config, read_settings
from hvac.features.encoder import EncoderConfig
from hvac.models.baselines import BASELINES
from hvac.models.decision import DecisionConfig
from hvac.models.hybrid import HybridConfig
from hvac.panel.labels import LabelConfig
from hvac.panel.readings import SourceConfig
from hvac.panel.simulate import SimulateConfig
from hvac.panel.splits import SplitConfig
from hvac.panel.windows import WindowConfig
from ray_jobs.runtime import RayConfig


class FeaturizeConfig(Config):
    """How windows are made."""

    buckets: int | None = Field(default=None, ge=1)
    encoders: int | None = Field(default=None, ge=1)
    encoder_gpus: float = Field(default=0.0, ge=0)
    keep_values: bool = False


class TrainConfig(Config):
    """How classifiers are fitted on Ray Train: `workers: 0` fits in the driver's process."""

    workers: int = Field(default=1, ge=0)
    gpu: bool = False
    checkpoint_every: int = Field(default=5, ge=1)
    max_failures: int = Field(default=2, ge=0)


class EvaluateConfig(Config):
    """What the report compares, and how sure it is."""

    baselines: tuple[str, ...] = BASELINES
    ablation: bool = True
    replicates: int = Field(default=2000, ge=100)
    forecast_windows: int = Field(default=400, ge=20)


class RunConfig(Config):
    """Everything a run is made of."""

    name: str
    workspace: Path
    language: Literal["en", "ja"] = "en"
    seed: int = 0
    source: SourceConfig | None = None
    simulate: SimulateConfig | None = None
    windows: WindowConfig = WindowConfig()
    labels: LabelConfig = LabelConfig()
    splits: SplitConfig = SplitConfig()
    encoder: EncoderConfig = EncoderConfig()
    featurize: FeaturizeConfig = FeaturizeConfig()
    model: HybridConfig = HybridConfig()
    train: TrainConfig = TrainConfig()
    decision: DecisionConfig = DecisionConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    ray: RayConfig = RayConfig()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.source is None) == (self.simulate is None):
            raise ValueError("give either a 'source' section (tables to read) or a 'simulate' section, not both")
        if self.source and self.source.format == "seed":
            if self.windows.normalise != "none":
                raise ValueError("the seed's format holds windows without their history: set windows.normalise: none")
            if self.windows.horizons != (30, 60, 90) or self.windows.lookback != 90:
                raise ValueError("the seed's format has windows of 90 days and labels for 30, 60 and 90: keep these")
            if self.splits.kind not in ("equipment", "facility"):
                raise ValueError("the seed's format has no continuous record: set splits.kind: equipment or facility")
        return self


def load_run(path: str | Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Read and check a run's YAML file with `key.sub=value` overrides."""
    return RunConfig(**read_settings(path, overrides))
