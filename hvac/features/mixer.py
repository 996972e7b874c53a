"""The plain TinyTimeMixer encoder in torch alone: the library's numbers without its start-up.

Importing granite-tsfm (and transformers, peft, scikit-learn with it) takes a worker process several
times as long as all that this needs (benchmarks/runtimes.py). An encoder without adaptive patching,
prefix or register tokens is a few small matrix products, and so is a plain forecast head; this
reads their weights from the same file. Results differ from the library's by rounding alone. Any
other encoder or head, and tuning by LoRA, use the library.

Legend: N series, L days, P patches, S days a patch, E embedding, F steps of the forecast.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch.nn import functional

PLAIN = {
    "mode": "common_channel",
    "adaptive_patching_levels": 0,
    "use_positional_encoding": False,
    "scaling": "std",
    "resolution_prefix_tuning": False,
    "register_tokens": 0,
    "fft_length": 0,
    "multi_scale": False,
    "self_attn": False,
    "enable_base_norm_always": False,
    "gated_attn": True,
    "norm_mlp": "LayerNorm",
    "masked_context_length": None,
}
PLAIN_HEAD = {
    "use_decoder": True,
    "decoder_mode": "common_channel",
    "decoder_adaptive_patching_levels": 0,
    "decoder_raw_residual": False,
    "categorical_vocab_size_list": None,
    "enable_forecast_channel_mixing": False,
    "prediction_channel_indices": None,
    "prediction_filter_length": None,
    "multi_quantile_head": False,
    "decompose": False,
}
PREDECESSOR: dict[str, Any] = {
    "context_length": 90,
    "patch_length": 8,
    "patch_stride": 8,
    "d_model": 64,
    "num_layers": 4,
    "expansion_factor": 2,
    "norm_eps": 1e-5,
}
CONFIG = "config.json"
WEIGHTS = "model.safetensors"
TINY_VARIANCE = 1e-5  # the library's scaler adds it
Shapes = dict[str, tuple[int, ...]]


class _Layers(torch.nn.Module):
    """Layers by name, and the mixing of patches and features that they are used in."""

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.eps = eps

    def _add(
        self, state: Mapping[str, torch.Tensor], place: str, shapes: Shapes
    ) -> None:
        """Add layers from the weights of a file, where all their names begin with `place`."""
        for name, shape in shapes.items():
            for kind, expected in (("weight", shape), ("bias", shape[:1])):
                tensor = state[f"{place}{name}.{kind}"]
                actual = tuple(tensor.shape)
                if actual != expected:
                    raise RuntimeError(
                        f"{name}.{kind} has shape {actual}, expected {expected}"
                    )
                buffer = f"{name}.{kind}".replace(".", "_")
                self.register_buffer(buffer, tensor.float().contiguous())

    def _block(
        self, hidden: torch.Tensor, place: str, layers: int, *, last: bool = False
    ) -> torch.Tensor:
        """Mix patches, then features, in every layer of a block.

        `last`: give the last patch alone; from the last mixing of patches on it is taken alone.
        """
        for layer in range(layers):
            for name, turned in (("patch_mixer", True), ("feature_mixer", False)):
                if last and not turned and layer == layers - 1:
                    hidden = hidden[:, -1:]
                of_layer = f"{place}_mixers_{layer}_{name}_"
                hidden = hidden + self._mixed(hidden, of_layer, turned=turned)
        return hidden

    def _mixed(self, hidden: torch.Tensor, place: str, *, turned: bool) -> torch.Tensor:
        weight, bias = self._layer(f"{place}norm_norm")
        normed = functional.layer_norm(
            hidden, hidden.shape[-1:], weight, bias, self.eps
        )
        inner = normed.transpose(1, 2) if turned else normed
        inner = functional.gelu(self._linear(inner, f"{place}mlp_fc1"))
        inner = self._linear(inner, f"{place}mlp_fc2")
        gate = self._linear(inner, f"{place}gating_block_attn_layer")
        if not turned:
            return inner * functional.softmax(gate, dim=-1)
        # torch is 20 times slower along a last axis of a few patches (benchmarks/runtimes.py)
        gate = gate.transpose(1, 2).contiguous()
        return inner.transpose(1, 2) * functional.softmax(gate, dim=1)

    def _linear(self, hidden: torch.Tensor, name: str) -> torch.Tensor:
        return functional.linear(hidden, *self._layer(name))

    def _layer(self, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        return getattr(self, f"{name}_weight"), getattr(self, f"{name}_bias")


class Mixer(_Layers):
    """Patch tokens of standardised series, as granite-tsfm's `backbone` gives them.

    Args:
        config: the model's `config.json`.
        state: all weights of its file, by name.

    Raises:
        KeyError, RuntimeError: weights are missing, or have another shape than the configuration
            says.
    """

    def __init__(
        self, config: Mapping[str, Any], state: Mapping[str, torch.Tensor]
    ) -> None:
        super().__init__(float(config["norm_eps"]))
        length = int(config["context_length"])
        self.patch = int(config["patch_length"])
        self.stride = int(config["patch_stride"])
        self.start = (length - self.patch) % self.stride
        self.layers = int(config["num_layers"])
        self._add(state, "backbone.encoder.", _shapes(config))

    def forward(self, batch_NL: torch.Tensor) -> torch.Tensor:
        """Return the patch tokens [N, P, E] of series of the model's own length."""
        hidden = self._patched(batch_NL)
        return self._block(hidden, "mlp_mixer_encoder", self.layers)

    def last(self, batch_NL: torch.Tensor) -> torch.Tensor:
        """Return the last patch token alone [N, E]: a sixth less work."""
        hidden = self._patched(batch_NL)
        return self._block(hidden, "mlp_mixer_encoder", self.layers, last=True)[:, 0]

    def _patched(self, batch_NL: torch.Tensor) -> torch.Tensor:
        mean_N1, scale_N1 = window_level(batch_NL)
        scaled_NL = (batch_NL - mean_N1) / scale_N1
        patches_NPS = scaled_NL[:, self.start :].unfold(1, self.patch, self.stride)
        return self._linear(patches_NPS, "patcher")


class Forecaster(_Layers):
    """The next steps of series, as granite-tsfm's prediction model gives them.

    Args:
        mixer: the encoder of the same model.
        config: the model's `config.json`.
        state: all weights of its file, by name.

    Raises:
        KeyError, RuntimeError: weights are missing, or have another shape than the configuration
            says.
    """

    def __init__(
        self,
        mixer: Mixer,
        config: Mapping[str, Any],
        state: Mapping[str, torch.Tensor],
    ) -> None:
        super().__init__(mixer.eps)
        self.mixer = mixer
        self.layers = int(config["decoder_num_layers"])
        dim, inner = int(config["d_model"]), int(config["decoder_d_model"])
        wide, patches = int(config["expansion_factor"]), _patches(config)
        self.adapted = dim != inner
        if self.adapted:
            self._add(state, "decoder.", {"adapter": (inner, dim)})
        shapes = _block_shapes("decoder_block", self.layers, patches, inner, wide)
        self._add(state, "decoder.", shapes)
        steps = int(config["prediction_length"])
        self._add(state, "head.", {"base_forecast_block": (steps, patches * inner)})

    def forward(self, batch_NL: torch.Tensor) -> torch.Tensor:
        """Return the next steps [N, F] of series of the model's own length."""
        hidden = self.mixer(batch_NL)
        if self.adapted:
            hidden = self._linear(hidden, "adapter")
        hidden = self._block(hidden, "decoder_block", self.layers)
        steps_NF = self._linear(hidden.flatten(1), "base_forecast_block")
        mean_N1, scale_N1 = window_level(batch_NL)
        return steps_NF * scale_N1 + mean_N1


def window_level(batch_NL: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and scale [N, 1] of series, as the library's scaler takes them."""
    mean_N1 = batch_NL.mean(dim=1, keepdim=True)
    variance_N1 = ((batch_NL - mean_N1) ** 2).mean(dim=1, keepdim=True)
    return mean_N1, torch.sqrt(variance_N1 + TINY_VARIANCE)


def _shapes(config: Mapping[str, Any]) -> Shapes:
    """Return the shapes of the encoder's weights, in the order in which the library builds them."""
    dim, layers = int(config["d_model"]), int(config["num_layers"])
    wide, patches = int(config["expansion_factor"]), _patches(config)
    blocks = _block_shapes("mlp_mixer_encoder", layers, patches, dim, wide)
    return {"patcher": (dim, int(config["patch_length"])), **blocks}


def _patches(config: Mapping[str, Any]) -> int:
    behind_first = int(config["context_length"]) - int(config["patch_length"])
    return behind_first // int(config["patch_stride"]) + 1


def _block_shapes(block: str, layers: int, patches: int, dim: int, wide: int) -> Shapes:
    """Return the shapes of a block's weights, which widens inner layers by a factor."""
    shapes: Shapes = {}
    for layer in range(layers):
        for name, size in (("patch_mixer", patches), ("feature_mixer", dim)):
            place = f"{block}.mixers.{layer}.{name}."
            shapes |= {
                f"{place}norm.norm": (dim,),
                f"{place}mlp.fc1": (wide * size, size),
                f"{place}mlp.fc2": (size, wide * size),
                f"{place}gating_block.attn_layer": (size, size),
            }
    return shapes


class Weights(NamedTuple):
    """A model's configuration, its weights by name, and the encoder and forecast head among them.

    Of an encoder that was drawn (`draw_mixer`) the weights by name are not kept: the library has
    the whole model, and forecasts. So it does where a head is not plain.
    """

    config: dict[str, Any]
    state: dict[str, torch.Tensor]
    mixer: Mixer
    forecaster: Forecaster | None = None

    def save(self, folder: Path) -> None:
        """Write configuration and weights in Hugging Face layout."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG).write_text(
            json.dumps(self.config, indent=2, sort_keys=True) + "\n", encoding="utf-8"
        )
        save_file(self.state, folder / WEIGHTS, metadata={"format": "pt"})


def draw_mixer(seed: int) -> Weights:
    """Draw the predecessor's encoder with the library's random weights, without importing it.

    They are the same bit by bit: the library leaves linear layers as PyTorch draws them, and builds
    the encoder's first.
    """
    state: dict[str, torch.Tensor] = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name, shape in _shapes(PREDECESSOR).items():
            layer: torch.nn.Module = torch.nn.LayerNorm(shape[0])
            if len(shape) == 2:
                layer = torch.nn.Linear(shape[1], shape[0])
            for kind, parameter in layer.named_parameters():
                state[f"backbone.encoder.{name}.{kind}"] = parameter.detach()
    return Weights(PREDECESSOR, {}, Mixer(PREDECESSOR, state).eval())


def read_mixer(folder: Path) -> Weights | None:
    """Read the weights of a folder; None where the library is needed to run, or to refuse, them.

    The caller must know that the file is whole (by its SHA-256): only the parts that are used are
    checked here.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        if not _is_plain(config, PLAIN) or "gate_mode" in config:
            return None
        state = load_file(folder / WEIGHTS)
        mixer = Mixer(config, state).eval()
        forecaster = None
        if _is_plain(config, PLAIN_HEAD):
            forecaster = Forecaster(mixer, config, state).eval()
        return Weights(config, state, mixer, forecaster)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError):
        return None


def _is_plain(config: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    return all(config.get(name, value) == value for name, value in expected.items())
