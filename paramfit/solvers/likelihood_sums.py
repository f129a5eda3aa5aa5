"""What Newton's method needs to know of the data: a gradient and a curvature, whatever their number."""

from dataclasses import dataclass

import numpy as np

from paramfit.linalg.lapack import Array
from paramfit.solvers.value import Value

__all__ = ["LikelihoodSums"]


@dataclass(frozen=True, eq=False)
class LikelihoodSums(Value):
    """Sums over some rows; those of other batches, and of other processes, are added by ``+``.

    Attributes:
        loss: the summed negative log-likelihood.
        gradient: its derivative by theta, ``(p,)``, float64.
        curvature: its second derivatives, or their expectation, ``(p, p)``.
        n: how many rows.
        bounded: places in theta of what are unconstrained numbers of bounded parameters, such as logarithms.
    """

    loss: float
    gradient: Array
    curvature: Array
    n: int
    bounded: tuple[int, ...] = ()

    def __add__(self, other: "LikelihoodSums") -> "LikelihoodSums":
        """The sums of the rows of both."""
        return LikelihoodSums(
            self.loss + other.loss,
            self.gradient + other.gradient,
            self.curvature + other.curvature,
            self.n + other.n,
            self.bounded,
        )

    def is_finite(self) -> bool:
        """Whether every row was."""
        return bool(np.isfinite(self.loss) and np.isfinite(self.gradient).all() and np.isfinite(self.curvature).all())
