"""The plain TinyTimeMixer encoder in torch alone: the library's numbers without its start-up.

Importing granite-tsfm (and transformers, peft, scikit-learn with it) takes a worker process several
times as long as all that this needs (benchmarks/runtimes.py). An encoder without adaptive patching,
prefix or register tokens is a few small matrix products; this reads their weights from the same
file. Any other encoder, the forecast head and tuning by LoRA use the library.

Legend: N series, L days, P patches, S days a patch, E embedding.
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


class Mixer(torch.nn.Module):
    """Patch tokens of standardised series, as granite-tsfm's `backbone` gives them.

    Args:
        config: the model's `config.json`.
        state: all weights of its file, by name.

    Raises:
        KeyError, RuntimeError: weights are missing, or have another shape than the configuration
            says.
    """

    def __init__(
        self, config: Mapping[str, float], state: Mapping[str, torch.Tensor]
    ) -> None:
        super().__init__()
        length = int(config["context_length"])
        self.patch = int(config["patch_length"])
        self.stride = int(config["patch_stride"])
        self.start = (length - self.patch) % self.stride
        self.eps = float(config["norm_eps"])
        self.layers = int(config["num_layers"])
        for name, shape in _shapes(config).items():
            for kind, expected in (("weight", shape), ("bias", shape[:1])):
                tensor = state[f"backbone.encoder.{name}.{kind}"]
                actual = tuple(tensor.shape)
                if actual != expected:
                    raise RuntimeError(
                        f"{name}.{kind} has shape {actual}, expected {expected}"
                    )
                buffer = f"{name}.{kind}".replace(".", "_")
                self.register_buffer(buffer, tensor.float().contiguous())

    def forward(self, batch_NL: torch.Tensor) -> torch.Tensor:
        """Return the patch tokens [N, P, E] of series of the model's own length."""
        mean_N1 = batch_NL.mean(dim=1, keepdim=True)
        variance_N1 = ((batch_NL - mean_N1) ** 2).mean(dim=1, keepdim=True)
        scaled_NL = (batch_NL - mean_N1) / torch.sqrt(variance_N1 + TINY_VARIANCE)
        patches_NPS = scaled_NL[:, self.start :].unfold(1, self.patch, self.stride)
        hidden = self._linear(patches_NPS, "patcher")
        for layer in range(self.layers):
            place = f"mlp_mixer_encoder_mixers_{layer}_"
            hidden = hidden + self._mixed(hidden, f"{place}patch_mixer_", turned=True)
            hidden = hidden + self._mixed(
                hidden, f"{place}feature_mixer_", turned=False
            )
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
        gated = inner * functional.softmax(gate, dim=-1)
        return gated.transpose(1, 2) if turned else gated

    def _linear(self, hidden: torch.Tensor, name: str) -> torch.Tensor:
        return functional.linear(hidden, *self._layer(name))

    def _layer(self, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        return getattr(self, f"{name}_weight"), getattr(self, f"{name}_bias")


def _shapes(config: Mapping[str, float]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all layers' weights, in the order in which the library builds them."""
    length = int(config["context_length"])
    patch = int(config["patch_length"])
    stride = int(config["patch_stride"])
    dim = int(config["d_model"])
    wide = int(config["expansion_factor"])
    shapes: dict[str, tuple[int, ...]] = {"patcher": (dim, patch)}
    for layer in range(int(config["num_layers"])):
        for name, size in (
            ("patch_mixer", (length - patch) // stride + 1),
            ("feature_mixer", dim),
        ):
            place = f"mlp_mixer_encoder.mixers.{layer}.{name}."
            shapes |= {
                f"{place}norm.norm": (dim,),
                f"{place}mlp.fc1": (wide * size, size),
                f"{place}mlp.fc2": (size, wide * size),
                f"{place}gating_block.attn_layer": (size, size),
            }
    return shapes


class Weights(NamedTuple):
    """A model's configuration, its weights by name, and the encoder among them.

    Of an encoder that was drawn (`draw_mixer`) the weights by name are not kept: the library has
    the whole model.
    """

    config: dict[str, Any]
    state: dict[str, torch.Tensor]
    mixer: Mixer

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

    The caller must know that the file is whole (by its SHA-256): only the encoder's part is checked
    here.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        plain = all(config.get(name, value) == value for name, value in PLAIN.items())
        if not plain or "gate_mode" in config:
            return None
        state = load_file(folder / WEIGHTS)
        return Weights(config, state, Mixer(config, state).eval())
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError):
        return None
