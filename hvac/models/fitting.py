"""Fit the classifiers of all horizons at once: AdamW, cosine, focal loss, best epoch of each by validation PR-AUC.

The H classifiers share nothing but the order of the batches: their weights lie stacked in one module, so that a step
costs one pass instead of H, and clipping, loss and the best epoch are each classifier's own. Knows nothing of Ray; what
a caller injects: `report` (after each epoch), and `Workers` (how a module is wrapped and seen by several workers).

Legend: B windows, N inputs, H horizons, O outputs of a layer.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from sklearn.metrics import average_precision_score
from torch import nn

from hvac.errors import ConfigError
from hvac.features.table import Windows
from hvac.models.hybrid import Hybrid, HybridClassifier, HybridConfig, hybrid_inputs
from hvac.models.losses import focal_terms
from hvac.models.scaling import Scaler, fit_scaler

Floats = npt.NDArray[np.float32]
Weights = dict[str, torch.Tensor]


class Rows(NamedTuple):
    """Standardised inputs, labels, and which labels are known."""

    input_BN: Floats
    y_BH: npt.NDArray[np.bool_]
    known_BH: npt.NDArray[np.bool_]


class Counts(NamedTuple):
    """Training windows, and per horizon the positive and the known ones, over all workers."""

    windows: int
    positive_H: tuple[int, ...]
    known_H: tuple[int, ...]


class Workers(NamedTuple):
    """How many workers share the fit, how a module is wrapped for them, and where it runs."""

    number: int = 1
    wrap: Callable[[nn.Module], nn.Module] = lambda module: module
    device: str = "cpu"


@dataclass(kw_only=True)
class FitState:
    """Where a fit stands: enough to go on after a kill, and in the end the result (`best_H`)."""

    epoch: int = 0
    module: Weights = field(default_factory=dict)
    optimiser: dict[str, Any] = field(default_factory=dict)
    best_H: list[Weights] = field(default_factory=list)
    best_score_H: list[float] = field(default_factory=list)
    history_H: list[list[dict[str, float]]] = field(default_factory=list)


class Stack(nn.Module):
    """H classifiers of the same shape, stacked: every parameter of `HybridClassifier` with a leading axis H."""

    def __init__(self, classifiers: list[HybridClassifier], dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        states = [classifier.state_dict() for classifier in classifiers]
        for name in states[0]:
            stacked = nn.Parameter(torch.stack([state[name] for state in states]))
            self.register_parameter(name.replace(".", "_"), stacked)

    def forward(self, input_BN: torch.Tensor) -> torch.Tensor:
        """Logits of every classifier: s_HB."""
        weight = dict(self.named_parameters())
        hidden_HBO = input_BN.expand(len(weight["layers_0_weight"]), *input_BN.shape)
        for layer in (0, 4):
            hidden_HBO = self._linear(hidden_HBO, weight, layer)
            hidden_HBO = F.layer_norm(hidden_HBO, hidden_HBO.shape[-1:])
            scale_H1O, shift_H1O = (weight[f"layers_{layer + 1}_{part}"][:, None] for part in ("weight", "bias"))
            hidden_HBO = F.dropout(F.relu(hidden_HBO * scale_H1O + shift_H1O), self.dropout, self.training)
        return self._linear(hidden_HBO, weight, 8).squeeze(-1)

    @staticmethod
    def _linear(hidden_HBO: torch.Tensor, weight: dict[str, nn.Parameter], layer: int) -> torch.Tensor:
        bias_H1O = weight[f"layers_{layer}_bias"][:, None]
        return torch.baddbmm(bias_H1O, hidden_HBO, weight[f"layers_{layer}_weight"].transpose(1, 2))

    def of_horizon(self, h: int) -> Weights:
        """The state dict of one `HybridClassifier`."""
        return {name.replace("_", "."): tensor[h].detach().cpu().clone() for name, tensor in self.named_parameters()}


def fit_classifiers(
    train: Rows, tune: Rows, config: HybridConfig, *, counts: Counts, workers: Workers = Workers(),  # noqa: B008
    state: FitState | None = None, report: Callable[[FitState], None] = lambda state: None,
) -> FitState:  # fmt: skip
    """Fit, or go on fitting, one classifier per horizon; its best epoch by PR-AUC on *tune* wins (ties: the earlier).

    Args:
        train: this worker's rows.
        counts: of the training rows over all workers: class weights, and the number of steps.
        report: called on every worker after each epoch.

    Returns:
        the final state. Batches whose loss or gradient is not finite are skipped and counted (`skipped`). Where tune
        has one class only there is no PR-AUC to choose by, and the last epoch is kept.
    """
    torch.manual_seed(config.seed)
    horizons, inputs = train.y_BH.shape[1], train.input_BN.shape[1]
    made = [HybridClassifier(inputs, config.hidden, config.dropout) for _ in range(horizons)]
    module = Stack(made, config.dropout).to(workers.device)
    optimiser = torch.optim.AdamW(
        module.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, eps=1e-8, fused=True
    )
    state = _resume(state, module, optimiser, horizons)
    wrapped, loss = workers.wrap(module), _Loss.make(config, counts, workers.device)
    tensors = _Tensors.make(train, workers.device)
    while state.epoch < config.epochs:
        torch.manual_seed(config.seed * 100_003 + state.epoch)  # so that a resumed fit equals an undisturbed one
        for group in optimiser.param_groups:
            group["lr"] = _cosine(config, state.epoch)
        batches = _batches(len(train.y_BH), config, counts, workers.number, state.epoch)
        trained = _epoch(wrapped, optimiser, tensors, batches, loss)
        _close_epoch(state, module, optimiser, _epoch_rows(trained, module, tune, loss))
        report(state)
    return state


class _Tensors(NamedTuple):
    input_BN: torch.Tensor
    y_HB: torch.Tensor
    known_HB: torch.Tensor

    @classmethod
    def make(cls, rows: Rows, device: str) -> _Tensors:
        labels = (torch.from_numpy(np.ascontiguousarray(a.T, dtype=np.float32)) for a in (rows.y_BH, rows.known_BH))
        return cls(torch.from_numpy(rows.input_BN).to(device), *(label.to(device) for label in labels))


class _Loss(NamedTuple):
    """Focal loss of each horizon, over the labels that are known."""

    gamma: float
    clip: float
    alpha_H1: torch.Tensor | None

    @classmethod
    def make(cls, config: HybridConfig, counts: Counts, device: str) -> _Loss:
        prevalence_H = [p / max(n, 1) for p, n in zip(counts.positive_H, counts.known_H, strict=True)]
        fixed = config.alpha if isinstance(config.alpha, float) else None
        alpha_H = [fixed if fixed is not None else 1 - p if config.alpha == "balanced" else p for p in prevalence_H]
        return cls(config.gamma, config.clip, torch.tensor(alpha_H, device=device)[:, None])

    def __call__(self, logit_HB: torch.Tensor, y_HB: torch.Tensor, known_HB: torch.Tensor) -> torch.Tensor:
        terms_HB = focal_terms(logit_HB, y_HB, gamma=self.gamma, alpha=self.alpha_H1)
        return (terms_HB * known_HB).sum(dim=1) / known_HB.sum(dim=1).clamp(min=1)


def _resume(state: FitState | None, module: Stack, optimiser: torch.optim.Optimizer, horizons: int) -> FitState:
    if state is None:
        return FitState(best_score_H=[-1.0] * horizons, best_H=[{}] * horizons, history_H=[[] for _ in range(horizons)])
    module.load_state_dict(state.module)
    optimiser.load_state_dict(state.optimiser)
    return state


def _cosine(config: HybridConfig, epoch: int) -> float:
    share = 0.5 * (1 + math.cos(math.pi * epoch / config.epochs))
    return config.final_learning_rate + (config.learning_rate - config.final_learning_rate) * share


def _batches(rows: int, config: HybridConfig, counts: Counts, workers: int, epoch: int) -> list[torch.Tensor]:
    """This worker's batches of one epoch, drawn anew each epoch; every worker takes the same number of steps."""
    own = max(config.batch_size // workers, 1)
    order = np.random.default_rng((config.seed, epoch)).permutation(rows)
    if workers > 1:
        order = np.resize(order, math.ceil(counts.windows / config.batch_size) * own)
    return list(torch.from_numpy(order).split(own))


def _epoch(
    module: nn.Module, optimiser: torch.optim.Optimizer, rows: _Tensors, batches: list[torch.Tensor], loss: _Loss
) -> list[npt.NDArray[np.float64]]:
    """One pass over the batches; the loss of each horizon per step, nan where the step was skipped."""
    module.train()
    parameters = list(module.parameters())
    losses = []
    for batch in batches:
        at = batch.to(rows.input_BN.device)
        loss_H = loss(module(rows.input_BN[at]), rows.y_HB[:, at], rows.known_HB[:, at])
        optimiser.zero_grad()
        loss_H.sum().backward()
        finite = _clip_each(parameters, loss.clip)
        losses.append(loss_H.detach().cpu().numpy().astype(np.float64))
        if finite and np.isfinite(losses[-1]).all():
            optimiser.step()
        else:
            losses[-1] = np.full_like(losses[-1], np.nan)
    return losses


def _clip_each(parameters: list[nn.Parameter], clip: float) -> bool:
    """Scale the gradient of each stacked classifier to a norm of at most `clip`; False where one is not finite."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm_H = torch.stack([g.flatten(1).square().sum(dim=1) for g in gradients]).sum(dim=0).sqrt()
    scale_H = (clip / (norm_H + 1e-6)).clamp(max=1.0)
    if bool((scale_H < 1).any()):
        for gradient in gradients:
            gradient.mul_(scale_H.view(-1, *[1] * (gradient.dim() - 1)))
    return bool(torch.isfinite(norm_H).all())


def _epoch_rows(
    losses: list[npt.NDArray[np.float64]], module: Stack, tune: Rows, loss: _Loss
) -> list[dict[str, float]]:
    """One history row per horizon."""
    module.eval()
    rows = _Tensors.make(tune, str(next(module.parameters()).device))
    with torch.inference_mode():
        logit_HB = module(rows.input_BN)
        tune_loss_H = loss(logit_HB, rows.y_HB, rows.known_HB).cpu().numpy()
    steps = np.array(losses)
    done = np.isfinite(steps).all(axis=1)
    return [
        {
            "train_loss": float(steps[done, h].mean()) if done.any() else math.nan,
            "tune_loss": float(tune_loss_H[h]),
            "tune_pr_auc": _pr_auc(logit_HB[h].cpu().numpy(), tune.y_BH[:, h], tune.known_BH[:, h]),
            "skipped": float((~done).sum()),
        }
        for h in range(len(logit_HB))
    ]


def _pr_auc(logit_B: Floats, y_B: npt.NDArray[np.bool_], known_B: npt.NDArray[np.bool_]) -> float:
    y_B, logit_B = y_B[known_B], logit_B[known_B]
    defined = 0 < y_B.sum() < len(y_B) and np.isfinite(logit_B).all()
    return float(average_precision_score(y_B, logit_B)) if defined else math.nan


def _close_epoch(
    state: FitState, module: Stack, optimiser: torch.optim.Optimizer, rows: list[dict[str, float]]
) -> None:
    state.epoch += 1
    if not all(bool(torch.isfinite(parameter).all()) for parameter in module.parameters()):
        raise ConfigError(f"weights are not finite after epoch {state.epoch}: lower model.learning_rate")
    state.module = {name: tensor.detach().cpu().clone() for name, tensor in module.state_dict().items()}
    state.optimiser = copy.deepcopy(optimiser.state_dict())
    for h, row in enumerate(rows):
        state.history_H[h].append({"epoch": float(state.epoch), **row})
        undefined = math.isnan(row["tune_pr_auc"])
        if undefined or row["tune_pr_auc"] > state.best_score_H[h]:
            state.best_H[h] = module.of_horizon(h)
            state.best_score_H[h] = state.best_score_H[h] if undefined else row["tune_pr_auc"]


def rows_of(windows: Windows, scaler: Scaler, config: HybridConfig) -> Rows:
    """Standardised inputs and labels of labelled windows."""
    return Rows(scaler.transform(hybrid_inputs(windows, config)), *windows.labels)


def count(windows: Windows) -> Counts:
    """Counts of one worker's, or of all, training windows."""
    y_BH, known_BH = windows.labels
    positive_H = (y_BH & known_BH).sum(axis=0).tolist()
    return Counts(len(windows), tuple(positive_H), tuple(known_BH.sum(axis=0).tolist()))


def to_hybrid(state: FitState, scaler: Scaler, config: HybridConfig) -> Hybrid:
    """The fitted family: every horizon's best epoch."""
    classifiers = []
    for best in state.best_H:
        classifier = HybridClassifier(len(scaler.mean_N), config.hidden, config.dropout)
        classifier.load_state_dict(best)
        classifiers.append(classifier)
    return Hybrid(config, scaler, classifiers)


def fit_hybrid(train: Windows, tune: Windows, config: HybridConfig) -> Hybrid:
    """Fit the whole family in this process."""
    scaler = fit_scaler(hybrid_inputs(train, config))
    train_rows, tune_rows = (rows_of(part, scaler, config) for part in (train, tune))
    return to_hybrid(fit_classifiers(train_rows, tune_rows, config, counts=count(train)), scaler, config)
