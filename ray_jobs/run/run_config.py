"""One run, one YAML file: the sections of every step, checked together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from hvac.config import Config, Distinct, FileName, Seed, read_config
from hvac.decision.fit_decisions import DecisionConfig
from hvac.features.encoder import EncoderConfig
from hvac.json_values import Json
from hvac.models.families import BASELINES, FIRST_BASELINES, ModelConfig, config_of
from hvac.models.family import columns_for
from hvac.models.fusion import FusionConfig
from hvac.monitor.monitor_settings import MonitorConfig
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
    """How windows are made."""

    buckets: int | None = Field(default=None, ge=1)
    """Parts into which the equipment of each facility is cut; default: by size."""
    encoders: int | None = Field(default=None, ge=1)
    """Actors that embed windows; default: one per 4 buckets, at most one a CPU, none below 8."""
    encoder_gpus: float = Field(default=0.0, ge=0)
    """GPUs of each encoder; 0: it runs on the CPU."""
    resources: Resources = Field(default_factory=dict)
    """What a task needs of a node beside CPUs, such as {features: 0.01}."""
    encoder_resources: Resources = Field(default_factory=dict)
    """What an encoder needs of a node beside CPUs and GPUs, such as {encoder: 0.01}."""
    keep_values: bool | None = None
    """Whether the table keeps raw values; default: where a model reads them."""


class TrainConfig(Config):
    """How classifiers are fitted on Ray Train."""

    workers: int = Field(default=1, ge=0)
    """Ray Train workers of a fit; 0: it runs in the driver's process."""
    gpu: bool = False
    """Whether each worker has a GPU."""
    resources: Resources = Field(default_factory=dict)
    """What a worker needs of a node beside its CPU and GPU, such as {encoder: 0.01}."""
    checkpoint_every: int = Field(default=5, ge=1)
    """Epochs between two checkpoints."""
    max_failures: int = Field(default=2, ge=0)
    """How often a fit goes on after a worker has died."""


class EvaluateConfig(Config):
    """Which models the report compares, and how exactly."""

    baselines: tuple[str, ...] = FIRST_BASELINES
    """Families that are fitted for comparison; `all`: every baseline there is."""
    ablation: bool = False
    """Whether the report of a `hybrid` also fits it on parts of its inputs."""
    replicates: int = Field(default=2000, ge=100)
    """Bootstrap replicates of every interval."""
    forecast_windows: int = Field(default=400, ge=20)
    """Windows on which forecasts are evaluated."""

    @field_validator("baselines", mode="before")
    @classmethod
    def _all_baselines(cls, given: Json) -> Json:
        return list(BASELINES) if given == "all" else given

    @field_validator("baselines")
    @classmethod
    def _know_the_baselines(cls, baselines: tuple[str, ...]) -> tuple[str, ...]:
        for name in baselines:
            config_of(name)
        return baselines


class ScoreConfig(Config):
    """Which windows are scored: the newest days of every unit, or one day, or some facilities."""

    days: int = Field(default=1, ge=1)
    """How many of the newest days of every unit are scored."""
    trend_days: int = Field(default=0, ge=0)
    """Days before the newest of which every seventh is scored once, to show how risks moved."""
    facilities: tuple[str, ...] = ()
    """Facilities that are scored; default: all."""
    day: dt.date | None = None
    """The one day that is scored; default: the newest `days`."""
    again: bool = False
    """Whether buckets that have not changed are scored again."""
    reasons: Literal["alarms", "all", "none"] = "alarms"
    """Which equipment gets reasons: with an alarm at any horizon, all, none."""
    listed: int = Field(default=100_000, ge=1)
    """Equipment that `latest.parquet` and the ranking hold. Of a larger fleet the ranking holds the
    first so many, and the newest scores are the parts in `scores/latest`."""


class UpdateConfig(Config):
    """How serving bundles are bettered on labels that have matured."""

    judged_days: int = Field(default=90, ge=30)
    """Newest days with a known label on which candidates are scored."""
    refit: bool = True
    """Whether a fusion's weights, and its trees and lines, are fitted again as two more candidates;
    windows of the days since the training are described for it."""
    retrained: Location | None = None
    """Path or URL of a workspace whose bundles were trained anew, as one more candidate."""
    shadow_days: int = Field(default=14, ge=0)
    """Days of the record for which a challenger is watched before it may serve."""
    alarms_per_unit_year: float | None = Field(default=None, gt=0)
    """Alarm episodes that a machine of a facility is to have in a year at the shortest horizon:
    thresholds are moved towards it by at most 0.1 of log-odds a run; default: they stay."""
    canary_share: float = Field(default=1.0, gt=0, le=1)
    """Share of the facilities in which a challenger serves at first; 1: in all at once."""
    canary_days: int = Field(default=28, ge=0)
    """Days of the record for which it does, before it serves in all or is taken back."""
    canary_more_alarms: float = Field(default=0.25, ge=0)
    """Share by which its alarms may exceed the champion's where too few labels have matured."""
    managed: bool = False
    """Whether a challenger serves by itself once it was watched; else `promote` lets it."""
    promote: bool = False
    """Let the challenger serve now."""


class CompareConfig(Config):
    """Which models are compared."""

    name: FileName = "families"
    """Name of the comparison's files."""
    models: dict[str, ModelConfig]
    """A list of family names, or a mapping from a name to a family's settings."""
    default: str = "hybrid"
    """The model with which the others are compared."""
    kinds: Annotated[tuple[str, ...], Distinct] = ()
    """Kinds of events that `ray_jobs.rotate` predicts one by one; figures are means over them."""
    seeds: Annotated[tuple[Seed, ...], Distinct] = Field(
        default=(0, 1, 2), min_length=1
    )
    """Random seeds; every model is fitted with each."""
    replicates: int = Field(default=2000, ge=100)
    """Bootstrap replicates of every interval."""

    @field_validator("models", mode="before")
    @classmethod
    def _by_name(cls, given: Json) -> Json:
        if isinstance(given, list | tuple):
            if others := [name for name in given if not isinstance(name, str)]:
                raise ValueError(
                    f"a list of models holds names only, found {others[0]!r}: write 'name:"
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
                name: {"family": name, **settings}
                if isinstance(settings, dict)
                else settings
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
    """All settings of a run."""

    name: str
    """Name of the run, as reports show it."""
    workspace: Location
    """Folder or URL that the run writes into."""
    language: Literal["en", "ja"] = "en"
    """Language of reports and CSV files."""
    seed: Seed = 0
    """Random seed of the run."""
    source: SourceConfig | None = None
    """Which tables are read; give this or `simulate`."""
    simulate: SimulateConfig | None = None
    """Which fleet is simulated; give this or `source`."""
    outcomes: Location | None = None
    """Path or URL of a table (CSV) of what visits found, as the service gives it
    (`GET /v1/outcomes?format=csv`), for `update` and the monitor of calibration: faults that were
    found are onsets, windows in alarm that were visited without a finding count neither way."""
    windows: WindowConfig = WindowConfig()
    """How windows are cut and normalised."""
    labels: LabelConfig = LabelConfig()
    """What is predicted."""
    splits: SplitConfig = SplitConfig()
    """Which windows are for training, tuning, calibration and test."""
    encoder: EncoderConfig = EncoderConfig()
    """The frozen encoder of embeddings."""
    featurize: FeaturizeConfig = FeaturizeConfig()
    """How the featurized table is made."""
    model: ModelConfig = FusionConfig()
    """The family of models and its settings."""
    train: TrainConfig = TrainConfig()
    """How the model is fitted on Ray Train."""
    decision: DecisionConfig = DecisionConfig()
    """How scores become risks and alarms."""
    compare: CompareConfig | None = None
    """Which models are compared; default: none."""
    tune: TuneConfig | None = None
    """How settings are searched; default: not at all."""
    evaluate: EvaluateConfig = EvaluateConfig()
    """What the report compares."""
    score: ScoreConfig = ScoreConfig()
    """Which windows are scored."""
    monitor: MonitorConfig = MonitorConfig()
    """What is watched, and how often it may alert in vain."""
    update: UpdateConfig = UpdateConfig()
    """How serving bundles are bettered on labels that have matured."""
    ray: RayConfig = RayConfig()
    """How jobs get their Ray."""

    @property
    def keeps_values(self) -> bool:
        """Return whether the featurized table holds the raw values of every window."""
        kept = self.featurize.keep_values
        if kept is not None:
            return kept
        models = (self.model, *(self.compare.models.values() if self.compare else ()))
        reads_values = any("values" in columns_for(model.reads) for model in models)
        return reads_values or self.has_ablation

    @property
    def has_ablation(self) -> bool:
        """Return whether evaluate also fits the model on parts of its inputs."""
        return self.evaluate.ablation and self.model.family == "hybrid"

    @property
    def ready_windows(self) -> bool:
        """Tell whether the source holds ready windows and no record, as the predecessor's does."""
        return self.source is not None and self.source.ready_windows

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.source is None) == (self.simulate is None):
            raise ValueError(
                "give either a 'source' section (tables to read) or a 'simulate' section, not both"
            )
        if self.source and self.ready_windows:
            if self.windows.normalise != "none":
                raise ValueError(
                    "the predecessor's format holds windows without their history: set"
                    " windows.normalise: none"
                )
            if self.windows.horizons != (30, 60, 90) or self.windows.lookback != 90:
                raise ValueError(
                    "the predecessor's format has windows of 90 days and labels for 30, 60 and 90:"
                    " keep these"
                )
            if self.splits.kind not in ("equipment", "facility"):
                raise ValueError(
                    "the predecessor's format has no continuous record: set splits.kind: equipment"
                    " or facility"
                )
        return self


def load_run(path: str | AnyPath, overrides: Sequence[str] = ()) -> RunConfig:
    """Read and check a run's YAML file with `key.sub=value` overrides."""
    return read_config(RunConfig, path, overrides)
