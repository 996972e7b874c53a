"""Fit a network: AdamW, cosine, focal loss, best epoch by validation PR-AUC.

The loop knows nothing of Ray. A caller injects `report` (called after each epoch), and `Workers`
(how a module is wrapped and seen by several workers). A network may consist of parts that share
nothing (the hybrid's horizons): each part then has its own clipping and its own best epoch.
Legend: B windows, S positions, N columns, H horizons, M ensemble members.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import nn

from hvac.arrays import Floats
from hvac.errors import ConfigError
from hvac.models.fit_rows import Counts, Rows, RowTensors, drawn_batches
from hvac.models.fittable import Network, Weights
from hvac.models.losses import Weighing
from hvac.models.tune_score import tune_pr_auc

if TYPE_CHECKING:
    from hvac.models.network import TrainingConfig


class Workers(NamedTuple):
    """How many workers share the fit, how a module is wrapped for them, and where it runs."""

    number: int = 1
    wrap: Callable[[nn.Module], nn.Module] = lambda module: module
    device: str = "cpu"


@dataclass(kw_only=True)
class FitState:
    """Where a fit stands: enough to go on after a kill.

    In the end it holds the result (`best`, one entry per part).
    """

    epoch: int = 0
    module: Weights = field(default_factory=dict)
    optimiser: dict[str, Any] = field(default_factory=dict)
    best: list[Weights] = field(default_factory=list)
    best_score: list[float] = field(default_factory=list)
    best_epoch: list[int] = field(default_factory=list)
    history_H: list[list[dict[str, float]]] = field(default_factory=list)

    @classmethod
    def fresh(cls, network: Network) -> FitState:
        """Return the state before the first epoch."""
        parts = max(network.part_H) + 1
        history: list[list[dict[str, float]]] = [[] for _ in network.part_H]
        return cls(
            best_score=[-1.0] * parts,
            best=[{}] * parts,
            best_epoch=[0] * parts,
            history_H=history,
        )

    def ended(self, config: TrainingConfig) -> bool:
        """Tell whether the fit is over.

        It is over when all epochs are done, or no part has improved for `patience` epochs.
        """
        waited = self.epoch - max(self.best_epoch, default=0)
        return self.epoch >= config.epochs or bool(
            config.patience and waited >= config.patience
        )


def fit_network(
    network: Network,
    train: Rows,
    tune: Rows,
    config: TrainingConfig,
    *,
    counts: Counts,
    workers: Workers = Workers(),  # noqa: B008
    state: FitState | None = None,
    report: Callable[[FitState], None] = lambda state: None,
) -> FitState:
    """Fit, or go on fitting, a network; keep each part's best epoch by PR-AUC on *tune*.

    Where epochs are equal, the earlier is kept. Where tune has one kind of label only, there is no
    PR-AUC to choose by, and the last epoch is kept.

    Args:
        network: the network, which is changed.
        train: this worker's rows.
        tune: the rows that epochs are chosen on.
        config: a `TrainingConfig`.
        counts: of the training rows over all workers: class weights, and the number of steps.
        workers: how many workers share the fit.
        state: where the fit stands.
        report: called on every worker after each epoch.

    Returns:
        The final state. Batches whose loss or gradient is not finite are skipped and counted
        (`skipped`).
    """
    state = FitState.fresh(network) if state is None else state
    for _ in fit_epochs(
        network, train, tune, config, counts=counts, workers=workers, state=state
    ):
        report(state)
    return state


def fit_epochs(
    network: Network,
    train: Rows,
    tune: Rows,
    config: TrainingConfig,
    *,
    counts: Counts,
    workers: Workers = Workers(),  # noqa: B008
    state: FitState,
) -> Iterator[FitState]:
    """Fit as `fit_network` does, and yield `state` after each epoch.

    It is for a caller that does other things between two epochs.
    """
    network = network.to(workers.device)
    groups = [
        {"params": parameters, "pace": pace}
        for parameters, pace in network.paces(config)
    ]
    optimiser = torch.optim.AdamW(
        groups,
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        eps=1e-8,
        fused=True,
    )
    if state.epoch:
        network.take(state.module)
        optimiser.load_state_dict(
            state.optimiser
        )  # its paces are of the settings of then (population based search)
        for group, (_, pace) in zip(
            optimiser.param_groups, network.paces(config), strict=True
        ):
            group["pace"] = pace
    wrapped = workers.wrap(network)
    weighing = Weighing.make(config, counts.positive_H, counts.known_H, workers.device)
    tensors = RowTensors.make(train, workers.device)
    while not state.ended(config):
        torch.manual_seed(
            config.seed * 100_003 + state.epoch
        )  # so that a resumed fit equals an undisturbed one
        for group in optimiser.param_groups:
            group.update(
                lr=group["pace"] * _cosine(config, state.epoch),
                weight_decay=config.weight_decay,
            )
        batches = drawn_batches(
            len(train.y_BH), config, counts, workers.number, state.epoch
        )
        losses = _epoch(
            wrapped, network, optimiser, tensors, batches, weighing, config.clip
        )
        _close_epoch(
            state,
            network,
            optimiser,
            _epoch_rows(losses, network, tune, weighing, config.batch_size),
        )
        yield state


def _cosine(config: TrainingConfig, epoch: int) -> float:
    share = 0.5 * (1 + math.cos(math.pi * epoch / config.epochs))
    return float(
        config.final_learning_rate
        + (config.learning_rate - config.final_learning_rate) * share
    )


def _epoch(
    module: nn.Module,
    network: Network,
    optimiser: torch.optim.Optimizer,
    rows: RowTensors,
    batches: Iterable[torch.Tensor],
    weighing: Weighing,
    clip: float,
) -> list[Floats]:
    """Pass once over the batches; return the loss of each horizon per step.

    It is nan where the step was skipped.
    """
    module.train()
    losses = []
    for batch in batches:
        at = batch.to(rows.y_HB.device)
        logit = module(*(tensor[at] for tensor in rows.inputs))
        y_HB = rows.y_HB[:, at]
        w_HB = rows.w_HB[:, at]
        loss = network.loss_H(logit, y_HB, w_HB, weighing)
        optimiser.zero_grad()
        loss.sum().backward()
        finite = network.clip_gradients(clip)
        losses.append(_by_horizon(loss))
        if finite and np.isfinite(losses[-1]).all():
            optimiser.step()
        else:
            losses[-1] = np.full_like(losses[-1], np.nan)
    return losses


def _by_horizon(loss: torch.Tensor) -> Floats:
    """Return the loss of each horizon: the mean over members where there are several."""
    rows = loss.detach().cpu().double().reshape(-1, loss.shape[-1])
    return np.asarray(rows.mean(dim=0))


def _epoch_rows(
    losses: list[Floats],
    network: Network,
    tune: Rows,
    weighing: Weighing,
    batch_size: int,
) -> list[dict[str, float]]:
    """Return one history row per horizon."""
    network.eval()
    rows = RowTensors.make(tune, str(next(network.parameters()).device))
    size = 8 * batch_size
    with torch.inference_mode():
        batches = (
            zip(
                *(losses_of_step.split(size) for losses_of_step in rows.inputs),
                strict=True,
            )
            if len(tune.y_BH)
            else ()
        )
        parts = [network(*batch) for batch in batches]
        outputs = torch.cat(parts, dim=-1) if parts else torch.empty(rows.y_HB.shape)
        tune_loss_H = _by_horizon(
            network.loss_H(outputs, rows.y_HB, rows.w_HB, weighing)
        )
        logit_HB = network.read_out(outputs)
    steps = np.array(losses)
    done = np.isfinite(steps).all(axis=1)
    return [
        {
            "train_loss": float(steps[done, h].mean()) if done.any() else math.nan,
            "tune_loss": float(tune_loss_H[h]),
            "tune_pr_auc": tune_pr_auc(
                logit_HB[h].cpu().numpy(), tune.y_BH[:, h], tune.w_BH[:, h]
            ),
            "skipped": float((~done).sum()),
        }
        for h in range(len(logit_HB))
    ]


def _close_epoch(
    state: FitState,
    network: Network,
    optimiser: torch.optim.Optimizer,
    rows: list[dict[str, float]],
) -> None:
    state.epoch += 1
    if not all(
        bool(torch.isfinite(parameter).all()) for parameter in network.trainable()
    ):
        raise ConfigError(
            f"weights are not finite after epoch {state.epoch}: lower model.learning_rate"
        )
    state.module = {
        name: tensor.detach().cpu().clone() for name, tensor in network.kept().items()
    }
    state.optimiser = copy.deepcopy(optimiser.state_dict())
    for h, row in enumerate(rows):
        state.history_H[h].append({"epoch": float(state.epoch), **row})
    for number in range(len(state.best)):
        scores = [
            row["tune_pr_auc"]
            for row, part in zip(rows, network.part_H, strict=True)
            if part == number
        ]
        known = [score for score in scores if not math.isnan(score)]
        if not known or float(np.mean(known)) > state.best_score[number]:
            state.best[number] = network.part(number)
            state.best_epoch[number] = state.epoch
            if known:
                state.best_score[number] = float(np.mean(known))
