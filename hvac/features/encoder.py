"""The frozen TinyTimeMixer encoder: one adapter, four sources of weights, two poolings.

Legend: B windows, C points, L lookback days, P patches, E embedding, N = B·C series.

Facts of granite-tsfm 0.3.11 that shape this file: the model is loaded whole
(`TinyTimeMixerForPrediction`) and its `.backbone` called; its own scaler adds 1e-5 to the variance,
so windows are z-scored here first; a backbone accepts its own context length only; a model tuned
with a resolution prefix carries one extra patch at index 0.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from functools import cached_property, lru_cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from hvac.arrays import AnyFloats, Float32s, Floats
from hvac.config import Config, Seed
from hvac.features.encoder_weights import (
    check_folder,
    fetch_model,
    folder_of,
    make_random,
    read_model,
)
from hvac.features.mixer import CONFIG, Weights, draw_mixer, read_mixer
from hvac.storage import local_folder

if TYPE_CHECKING:
    from tsfm_public.models.tinytimemixer import (
        TinyTimeMixerConfig,
        TinyTimeMixerForPrediction,
    )

HUB_REPOSITORY = "ibm-granite/granite-timeseries-ttm-r2"
HUB_REVISION = "90-30-ft-r2.1"
DAILY_TOKEN = 8
TINY_STD = 1e-10
FEW = 7  # series, of which products are rounded otherwise
_READ: dict[tuple[str, str, str], Weights | None] = {}  # by configuration, hash, device


class EncoderConfig(Config):
    """Where the weights come from and how patches become one vector."""

    source: Literal["packaged", "path", "hub", "random"] = "packaged"
    """Where the weights come from: the package, a folder, Hugging Face, or random numbers."""
    path: str | None = None
    """Folder or URL in Hugging Face layout, for `source: path`."""
    sha256: str | None = None
    """Hash that the weights file must have; none: the packaged one's, or any."""
    repository: str = HUB_REPOSITORY
    """Repository on Hugging Face, for `source: hub`."""
    revision: str = HUB_REVISION
    """Revision of the repository."""
    pooling: Literal["last", "mean"] = "last"
    """Which patch token becomes the embedding: the last one, or the mean of all."""
    seed: Seed = 0
    """Starts the random weights of `source: random`."""
    batch_size: int = 512
    """Series that are embedded at once."""
    device: str = "cpu"
    """Torch device to run on."""


def untrained(spec: EncoderConfig) -> EncoderConfig:
    """Return the predecessor's encoder, never trained and mean-pooled, for the ablation."""
    return spec.replace(source="random", pooling="mean")


def load_encoder(spec: EncoderConfig | None = None) -> Encoder:
    """Load an encoder, frozen and ready.

    Raises:
        EncoderError: weights are missing, differ from the SHA-256 they should have, or the hub
            cannot be reached.

    >>> encoder = load_encoder(EncoderConfig(source="random"))
    >>> encoder.embed(np.zeros((2, 3, 90))).shape
    (2, 3, 64)
    """
    spec = spec or EncoderConfig()
    if spec.source == "random":
        return Encoder(spec, partial(make_random, spec.seed), draw_mixer(spec.seed))
    if spec.source == "hub":
        return Encoder(spec, partial(fetch_model, spec.repository, spec.revision))
    folder, sha256 = folder_of(spec)
    with local_folder(folder) as copy:
        check_folder(copy, sha256, folder)
        weights = _shared_mixer(copy, sha256, spec.device) if sha256 else None
        return Encoder(spec, partial(read_model, folder), weights)


def _shared_mixer(copy: Path, sha256: str, device: str) -> Weights | None:
    """Read a plain encoder once in a process: the bundles of all classes hold the same one."""
    key = ((copy / CONFIG).read_text(encoding="utf-8"), sha256, device)
    if key not in _READ:
        _READ[key] = read_mixer(copy)
    return _READ[key]


class Encoder:
    """A frozen TinyTimeMixer: windows in, embeddings (or its own forecast) out.

    Args:
        spec: pooling, device, batch size.
        load: gives the library's model.
        weights: a plain encoder that runs without the library (`hvac.features.mixer`), which is
            then loaded only when something else is needed.
    """

    def __init__(
        self,
        spec: EncoderConfig,
        load: Callable[[], torch.nn.Module],
        weights: Weights | None = None,
    ) -> None:
        self.spec = spec
        self._load = load
        self._weights = weights
        self.config: dict[str, Any] = (
            weights.config if weights else self.model.config.to_dict()
        )

    @cached_property
    def model(self) -> TinyTimeMixerForPrediction:
        """Return the library's model (importing it takes several seconds)."""
        return self._load().to(self.spec.device).eval().requires_grad_(False)

    @property
    def dim(self) -> int:
        """Return E, the length of one embedding."""
        return int(self.config["d_model"])

    @property
    def context(self) -> int:
        """Return how many days (steps) the model reads; other windows are interpolated to it."""
        return int(self.config["context_length"])

    @property
    def patches(self) -> int:
        """Return how many patches a window is cut into, without a resolution prefix."""
        behind_first = self.context - self.config["patch_length"]
        return int(behind_first // self.config["patch_stride"] + 1)

    @cached_property
    def sha256(self) -> str:
        """Return the hash of the weights' names, shapes and bytes, whatever file they came from."""
        if self._weights and self._weights.state:
            return state_hash(self._weights.state)
        return state_hash(self.model.state_dict())

    def embed(self, x_BCL: AnyFloats) -> Float32s:
        """Embed every point of every window.

        Args:
            x_BCL: filled, finite windows, any scale (each series is z-scored here).

        Returns:
            z_BCE: float32; points are channels, encoded independently.
        """
        return self._run(x_BCL, self._pooled, (self.dim,))

    def tokens(self, x_BCL: AnyFloats) -> Float32s:
        """Return the patch tokens p_BCPE that `embed` pools: one vector per patch, oldest first."""
        return self._run(x_BCL, self._hidden, (self.patches, self.dim))

    def _run(
        self,
        x_BCL: AnyFloats,
        encode: Callable[[torch.Tensor], torch.Tensor],
        tail: tuple[int, ...],
    ) -> Float32s:
        series_NL = self.standardised(x_BCL)
        out = np.empty((len(series_NL), *tail), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(series_NL), self.spec.batch_size):
                rows = slice(start, start + self.spec.batch_size)
                batch = torch.from_numpy(series_NL[rows]).to(self.spec.device)
                out[rows] = encode(batch).cpu().numpy()
        return out.reshape(*x_BCL.shape[:-1], *tail)

    @cached_property
    def _hidden(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return the function from standardised series to patch tokens.

        It is traced where that gives the same numbers, as many small operations cost more than
        their arithmetic for a few series (benchmarks/runtimes.py).
        """
        if self._weights:
            plain: Any = self._weights.mixer.to(self.spec.device)
        elif self.model.config.resolution_prefix_tuning:
            return partial(hidden_tokens, self.model.backbone, self.model.config)
        else:
            plain = _Hidden(self.model.backbone).eval()
        return _fast(plain, self.context, self.spec.device)

    @cached_property
    def _pooled(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return the function from standardised series to embeddings.

        The last patch's token is computed alone, but of a few series with the others: products of
        so few rows are rounded otherwise, and no series is to depend on how many there are.
        """

        def pooled(batch_NL: torch.Tensor) -> torch.Tensor:
            return self.pool(self._hidden(batch_NL))

        if self._weights is None or self.spec.pooling != "last":
            return pooled
        mixer: Any = self._weights.mixer.to(self.spec.device)
        last = _fast(mixer, self.context, self.spec.device, "last")
        return lambda batch_NL: (last if len(batch_NL) > FEW else pooled)(batch_NL)

    @cached_property
    def _steps(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return the function from standardised series to their next steps [N, F]."""
        if self._weights and self._weights.forecaster:
            plain = self._weights.forecaster.to(self.spec.device)
            return _fast(plain, self.context, self.spec.device)
        return self._library_steps

    def _library_steps(self, batch_NL: torch.Tensor) -> torch.Tensor:
        extra = {}
        if self.model.config.resolution_prefix_tuning:
            extra["freq_token"] = torch.full((len(batch_NL),), DAILY_TOKEN)
        forecast = self.model(batch_NL.unsqueeze(-1), **extra)
        steps_NF: torch.Tensor = forecast.prediction_outputs[..., 0]
        return steps_NF

    def standardised(self, x_BCL: AnyFloats) -> Float32s:
        """Return every series z-scored, in the length the model reads: float32 [B·C, context]."""
        flat_NL = np.asarray(x_BCL, dtype=np.float64).reshape(-1, x_BCL.shape[-1])
        series_NL, _, _ = _zscore(flat_NL)
        return _resample(series_NL, self.context).astype(np.float32)

    def pool(self, hidden_NPE: torch.Tensor) -> torch.Tensor:
        """Return one vector per series from its patch tokens [N, E]."""
        if self.spec.pooling == "last":
            return hidden_NPE[:, -1]
        return hidden_NPE.mean(dim=1)

    def forecast(self, x_BCL: AnyFloats, days: int) -> Floats:
        """Forecast the next days by the model's own head, in the units of the window.

        Returns:
            y_BCD for the next `days` days; nan beyond the days the head reaches.
        """
        shape = x_BCL.shape
        flat_NL = np.asarray(x_BCL, dtype=np.float64).reshape(-1, shape[-1])
        series_NL, mean_N1, std_N1 = _zscore(flat_NL)
        context_NL = torch.from_numpy(
            _resample(series_NL, self.context).astype(np.float32)
        )
        with torch.inference_mode():
            steps_NF = self._steps(context_NL.to(self.spec.device)).cpu().numpy()
        day_of_step = (
            np.arange(1, steps_NF.shape[1] + 1) * (shape[-1] - 1) / (self.context - 1)
        )
        day_D = np.arange(1, days + 1)
        daily = [np.interp(day_D, day_of_step, row, right=np.nan) for row in steps_NF]
        forecast_ND = np.stack(daily) * std_N1 + mean_N1
        return forecast_ND.reshape(*shape[:-1], days)

    def save(self, folder: Path) -> None:
        """Write weights and architecture in Hugging Face layout (safetensors, no pickle)."""
        if self._weights and self._weights.state:
            self._weights.save(folder)
        else:
            self.model.save_pretrained(folder)


class _Hidden(torch.nn.Module):
    """The backbone's patch tokens as a module of one tensor in, one out."""

    def __init__(self, backbone: torch.nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, batch_NL: torch.Tensor) -> torch.Tensor:
        hidden_NPE: torch.Tensor = self.backbone(
            batch_NL.unsqueeze(-1)
        ).last_hidden_state[:, 0]
        return hidden_NPE


@lru_cache(maxsize=16)
def _fast(
    module: Any, length: int, device: str, method: str = "forward"
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Trace a module's method of standardised series, where that gives the same numbers."""
    plain = getattr(module, method)
    traced = _traced(module, length, device, method)
    probe_NL = torch.linspace(-2, 2, 3 * length, device=device).reshape(3, -1)
    return traced if torch.equal(traced(probe_NL), plain(probe_NL)) else plain


def _traced(
    module: torch.nn.Module, length: int, device: str, method: str
) -> Callable[[torch.Tensor], torch.Tensor]:
    example_NL = torch.zeros(2, length, device=device)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace_module(module, {method: example_NL}, check_trace=False)
    run: Callable[[torch.Tensor], torch.Tensor] = getattr(traced, method)
    return run


def hidden_tokens(
    backbone: Callable[..., SimpleNamespace],
    config: TinyTimeMixerConfig,
    batch_NL: torch.Tensor,
) -> torch.Tensor:
    """Return the patch tokens [N, P, E] of standardised series, without a resolution prefix."""
    extra = {}
    if config.resolution_prefix_tuning:
        extra["freq_token"] = torch.full(
            (len(batch_NL),), DAILY_TOKEN, device=batch_NL.device
        )
    hidden_NPE: torch.Tensor = backbone(
        batch_NL.unsqueeze(-1), **extra
    ).last_hidden_state[:, 0]
    return hidden_NPE[:, 1:] if extra else hidden_NPE


def state_hash(state: dict[str, torch.Tensor]) -> str:
    """Return the SHA-256 over names, shapes and bytes of a state dict."""
    digest = hashlib.sha256()
    for name in sorted(state):
        array = state[name].detach().cpu().contiguous().numpy()
        digest.update(f"{name}{array.shape}{array.dtype}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _zscore(series_NL: AnyFloats) -> tuple[AnyFloats, AnyFloats, AnyFloats]:
    mean_N1 = series_NL.mean(axis=1, keepdims=True)
    std_N1 = series_NL.std(axis=1, keepdims=True)
    flat = std_N1 <= TINY_STD * np.maximum(1.0, np.abs(mean_N1))
    scaled_NL = (series_NL - mean_N1) / np.where(flat, 1.0, std_N1)
    return np.where(flat, 0.0, scaled_NL), mean_N1, std_N1


def _resample(series_NL: AnyFloats, length: int) -> AnyFloats:
    """Interpolate linearly to another number of steps, both ends kept (better than padding)."""
    if series_NL.shape[1] == length:
        return series_NL
    position = np.linspace(0, series_NL.shape[1] - 1, length)
    left = np.minimum(position.astype(int), series_NL.shape[1] - 2)
    weight = position - left
    left_NS = series_NL[:, left] * (1 - weight)
    right_NS = series_NL[:, left + 1] * weight
    return np.asarray(left_NS + right_NS)
