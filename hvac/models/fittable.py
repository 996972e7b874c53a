"""A network that can be fitted: what the loop of training asks of it.

Legend: B windows, S positions, N columns, H horizons, M ensemble members.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from hvac.models.losses import Weighing, focal_terms

if TYPE_CHECKING:
    from hvac.models.network import TrainingConfig


Weights = dict[str, torch.Tensor]


class Network(nn.Module):
    """A network on inputs [B, S, N]; its forward gives logits [H, B], or [M, H, B] of M members.

    A family may give something else and define in `read_out` and `loss_H` what it means.
    """

    horizons: int

    @property
    def part_H(self) -> tuple[int, ...]:
        """Return which part each horizon belongs to; parts share no weights."""
        return (0,) * self.horizons

    def trainable(self) -> list[nn.Parameter]:
        """Return the parameters that training changes."""
        return [p for p in self.parameters() if p.requires_grad]

    def paces(self, config: TrainingConfig) -> list[tuple[list[nn.Parameter], float]]:
        """Return groups of trainable parameters, with a factor on the configured learning rate."""
        return [(self.trainable(), 1.0)]

    def kept(self) -> Weights:
        """Return what must be saved beside the configuration."""
        return dict(self.state_dict())

    def take(self, weights: Weights) -> None:
        """Load what `kept` gave."""
        self.load_state_dict(weights)

    def part(self, number: int) -> Weights:
        """Return a copy of one part's weights."""
        return {
            name: tensor.detach().cpu().clone() for name, tensor in self.kept().items()
        }

    def assemble(self, parts: list[Weights]) -> None:
        """Load every part's weights."""
        self.take(parts[0])

    def read_out(self, output: torch.Tensor) -> torch.Tensor:
        """Return the log-odds of the risks [H, B] from the output of forward.

        It is the mean over members where there are several.
        """
        return output if output.dim() == 2 else output.mean(dim=0)

    def loss_H(
        self,
        output: torch.Tensor,
        y_HB: torch.Tensor,
        w_HB: torch.Tensor,
        weighing: Weighing,
    ) -> torch.Tensor:
        """Return the weighted loss of each horizon: [H], or [M, H] of M members.

        Each member then learns alone.
        """
        terms = (
            focal_terms(output, y_HB, gamma=weighing.gamma, alpha=weighing.alpha_H1)
            * w_HB
        )
        weight_H = w_HB.sum(dim=-1).clamp(min=1)
        loss: torch.Tensor = terms.sum(dim=-1) / weight_H
        return loss

    def clip_gradients(self, norm: float) -> bool:
        """Scale the gradient to a norm of at most `norm`; return False where it is not finite."""
        return bool(torch.isfinite(nn.utils.clip_grad_norm_(self.trainable(), norm)))
