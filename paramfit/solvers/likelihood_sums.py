"""What Newton's method needs to know of the data: a gradient and a curvature, whatever their number."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from paramfit.linalg.lapack import Array

__all__ = ["LikelihoodSums"]


@dataclass
class LikelihoodSums:
    """Sums over all rows seen so far; those of batches, and of processes, add up.

    Attributes:
        loss: the summed negative log-likelihood.
        gradient: its derivative by theta, ``(p,)``, float64.
        curvature: its second derivatives, or their expectation, ``(p, p)``.
        n: rows so far.
        bounded: places in theta of what are unconstrained numbers of bounded parameters, such as logarithms.
    """

    loss: float
    gradient: Array
    curvature: Array
    n: int
    bounded: tuple[int, ...] = ()

    def add(self, other: "LikelihoodSums") -> "LikelihoodSums":
        """Take in the sums of other rows.

        Returns:
            Itself.
        """
        self.loss += other.loss
        self.gradient = self.gradient + other.gradient
        self.curvature = self.curvature + other.curvature
        self.n += other.n
        return self

    def is_finite(self) -> bool:
        """Whether every row so far was."""
        return bool(np.isfinite(self.loss) and np.isfinite(self.gradient).all() and np.isfinite(self.curvature).all())

    def state_dict(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        return {
            "loss": self.loss,
            "gradient": torch.from_numpy(self.gradient.copy()),
            "curvature": torch.from_numpy(self.curvature.copy()),
            "n": self.n,
            "bounded": self.bounded,
        }

    @classmethod
    def from_state_dict(cls, state: dict[str, Any]) -> "LikelihoodSums":
        """The sums that ``state_dict`` kept."""
        gradient, curvature = state["gradient"].numpy(), state["curvature"].numpy()
        return cls(state["loss"], gradient, curvature, state["n"], tuple(state["bounded"]))
