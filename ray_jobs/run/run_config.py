"""One run, one YAML file: the sections of every step, checked together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from hvac.config import Config, Distinct, FileName, Seed, read_config
from hvac.decision.decision import DecisionConfig
from hvac.features.encoder import EncoderConfig
from hvac.models.families import BASELINES, ModelConfig, config_of
from hvac.models.family import columns_for
from hvac.models.fusion import FusionConfig
from hvac.panel.labels import LabelConfig
from hvac.panel.split_config import SplitConfig
from hvac.panel.windows import WindowConfig
from hvac.readings.gate import SourceConfig
from hvac.simulate.simulate_config import SimulateConfig
from hvac.storage import AnyPath, Location
from ray_jobs.run.runtime import RayConfig
from ray_jobs.run.tune_config import TuneConfig

Resources = dict[str, Annotated[float, Field(ge=0)]]


class FeaturizeConfig(Config):
    """How windows are made; raw values are kept where the model needs them, unless `keep_values`
    says otherwise.

    `buckets` is into how many parts the equipment of each facility is cut (default: by size).
    `resources` and `encoder_resources` are what a task and an encoder ask of a node beside CPUs and
    GPUs, such as {features: 0.01}."""

    buckets: int | None = Field(default=None, ge=1)
    encoders: int | None = Field(default=None, ge=1)
    encoder_gpus: float = Field(default=0.0, ge=0)
    resources: Resources = Field(default_factory=dict)
    encoder_resources: Resources = Field(default_factory=dict)
    keep_values: bool | None = None


class TrainConfig(Config):
    """How classifiers are fitted on Ray Train: `workers: 0` fits in the driver's process.

    `resources` is what each worker asks of a node beside its CPU and GPU, such as {encoder: 0.01}.
    """

    workers: int = Field(default=1, ge=0)
    gpu: bool = False
    resources: Resources = Field(default_factory=dict)
    checkpoint_every: int = Field(default=5, ge=1)
    max_failures: int = Field(default=2, ge=0)


class EvaluateConfig(Config):
    """What the report compares, and how sure it is."""

    baselines: tuple[str, ...] = BASELINES
    ablation: bool = True
    replicates: int = Field(default=2000, ge=100)
    forecast_windows: int = Field(default=400, ge=20)

    @field_validator("baselines")
    @classmethod
    def _know_the_baselines(cls, baselines: tuple[str, ...]) -> tuple[str, ...]:
        for name in baselines:
            config_of(name)
        return baselines


class ScoreConfig(Config):
    """Which windows are scored: those that end on the newest `days` days of every unit, or one day,
    or some facilities.

    `again` scores what has not changed as well.
    """

    days: int = Field(default=1, ge=1)
    facilities: tuple[str, ...] = ()
    day: dt.date | None = None
    again: bool = False


class CompareConfig(Config):
    """Which models stand beside each other: a list of family names, or a mapping from a name to a
    family's settings.

    `kinds` is for `ray_jobs.rotate`: each kind of events is predicted alone, and figures are means
    over kinds."""

    name: FileName = "families"
    models: dict[str, ModelConfig]
    default: str = "hybrid"
    kinds: Annotated[tuple[str, ...], Distinct] = ()
    seeds: Annotated[tuple[Seed, ...], Distinct] = Field(default=(0, 1, 2), min_length=1)
    replicates: int = Field(default=2000, ge=100)

    @field_validator("models", mode="before")
    @classmethod
    def _by_name(cls, given: Any) -> Any:
        if isinstance(given, list | tuple):
            if odd := [each for each in given if not isinstance(each, str)]:
                raise ValueError(
                    f"a list of models holds names only, found {odd[0]!r}: write 'name:"
                    " {settings}' lines"
                )
            if len(set(given)) < len(given):
                raise ValueError("a model stands in the list twice; name each once")
            return {name: {"family": name} for name in given}
        named = (
            {name: settings or {} for name, settings in given.items()}
            if isinstance(given, dict)
            else given
        )
        return (
            {
                name: {"family": name, **settings} if isinstance(settings, dict) else settings
                for name, settings in named.items()
            }
            if isinstance(named, dict)
            else named
        )

    @field_validator("models")
    @classmethod
    def _have_no_seeds(cls, models: dict[str, ModelConfig]) -> dict[str, ModelConfig]:
        if seeded := [name for name, model in models.items() if model.seed]:
            raise ValueError(
                f"{seeded[0]}.seed has no say here: seeds are compare.seeds, for every model alike"
            )
        return models

    @model_validator(mode="after")
    def _default_is_one_of_them(self) -> Self:
        if self.default not in self.models:
            raise ValueError(
                f"default is {self.default!r}, which is none of the models:"
                f" {', '.join(self.models)}"
            )
        return self


class RunConfig(Config):
    """Everything a run is made of."""

    name: str
    workspace: Location
    language: Literal["en", "ja"] = "en"
    seed: Seed = 0
    source: SourceConfig | None = None
    simulate: SimulateConfig | None = None
    windows: WindowConfig = WindowConfig()
    labels: LabelConfig = LabelConfig()
    splits: SplitConfig = SplitConfig()
    encoder: EncoderConfig = EncoderConfig()
    featurize: FeaturizeConfig = FeaturizeConfig()
    model: ModelConfig = FusionConfig()
    train: TrainConfig = TrainConfig()
    decision: DecisionConfig = DecisionConfig()
    compare: CompareConfig | None = None
    tune: TuneConfig | None = None
    evaluate: EvaluateConfig = EvaluateConfig()
    score: ScoreConfig = ScoreConfig()
    ray: RayConfig = RayConfig()

    @property
    def keeps_values(self) -> bool:
        """Whether the featurized table holds the raw values of every window."""
        kept = self.featurize.keep_values
        models = (self.model, *(self.compare.models.values() if self.compare else ()))
        return (
            any("values" in columns_for(model.reads) for model in models) if kept is None else kept
        )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.source is None) == (self.simulate is None):
            raise ValueError(
                "give either a 'source' section (tables to read) or a 'simulate' section, not both"
            )
        if self.source and self.source.format == "seed":
            if self.windows.normalise != "none":
                raise ValueError(
                    "the seed's format holds windows without their history: set windows.normalise:"
                    " none"
                )
            if self.windows.horizons != (30, 60, 90) or self.windows.lookback != 90:
                raise ValueError(
                    "the seed's format has windows of 90 days and labels for 30, 60 and 90: keep"
                    " these"
                )
            if self.splits.kind not in ("equipment", "facility"):
                raise ValueError(
                    "the seed's format has no continuous record: set splits.kind: equipment or"
                    " facility"
                )
        return self


def load_run(path: str | AnyPath, overrides: Sequence[str] = ()) -> RunConfig:
    """Read and check a run's YAML file with `key.sub=value` overrides."""
    return read_config(RunConfig, path, overrides)
