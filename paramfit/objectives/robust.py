"""Squared errors that let go of outliers."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from paramfit.errors import InputError
from paramfit.objectives.base import Objective, check_shapes

__all__ = ["CauchyError", "HuberError", "RobustError", "SoftL1Error"]


class RobustError(Objective, ABC):
    r"""A squared error for small residuals that grows more slowly for large ones.

    .. math:: \ell_i = s^2\, \rho(z_i), \qquad z_i = (r_i / s)^2, \qquad r_i = (f(x_i) - y_i) / \sigma_i

    where :math:`\sigma_i` is 1 unless errors are known, and :math:`\rho(z) \approx z` for small z. A robust fit says
    how uncertain its curve is, but not how far off the next observation may be, unless sigma is known absolutely:
    there is no prediction band otherwise.

    Args:
        scale: the residual s beyond which an observation counts for less: in the unit of the target, or in standard
            deviations where errors are known.
        reduction: ``mean`` or ``sum``.
        l1: weight of an L1 penalty on the parameters.
        l2: weight of an L2 penalty on the parameters.

    Raises:
        InputError: for a scale that is not above 0, an unknown reduction, or a penalty below 0.

    References:
        Peter J. Huber: Robust Estimation of a Location Parameter (1964).
    """

    def __init__(self, scale: float = 1.0, reduction: str = "mean", l1: float = 0.0, l2: float = 0.0) -> None:
        if not 0 < scale < math.inf:
            raise InputError(f"scale: the residual beyond which an observation counts less is above 0, but got {scale}")
        super().__init__(reduction, l1, l2)
        self.scale = scale

    @abstractmethod
    def rho(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The function of the squared residual over ``scale**2``, and its first two derivatives, each ``(..., n)``."""

    def per_observation(self, prediction: Tensor, target: Tensor, sigma: Tensor | None = None) -> Tensor:
        """``scale**2 * rho((residual / scale)**2)``."""
        check_shapes(prediction, target)
        return self.scale**2 * self.rho((self._residual(prediction, target, sigma) / self.scale).square())[0]

    def derivative(self, prediction: Tensor, target: Tensor, sigma: Tensor | None = None) -> Tensor:
        """``2 * residual * rho'``, over ``sigma`` where it is known."""
        residual = self._residual(prediction, target, sigma)
        slope = 2 * residual * self.rho((residual / self.scale).square())[1]
        return slope if sigma is None else slope / sigma

    @staticmethod
    def _residual(prediction: Tensor, target: Tensor, sigma: Tensor | None) -> Tensor:
        return prediction - target if sigma is None else (prediction - target) / sigma


class HuberError(RobustError):
    """Huber's loss: squared up to ``scale``, absolute beyond; ``rho(z) = z`` or ``2 sqrt(z) - 1``.

    Example:
        >>> HuberError(scale=1.0)(torch.tensor([0.5, 3.0]), torch.zeros(2)).item()  # (0.25 + 5) / 2
        2.625
    """

    def rho(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``z`` up to 1, ``2 sqrt(z) - 1`` beyond."""
        far = z > 1
        root = torch.where(far, z, 1.0).sqrt()
        return (
            torch.where(far, 2 * root - 1, z),
            torch.where(far, 1 / root, 1.0),
            torch.where(far, -0.5 / root**3, 0.0),
        )


class SoftL1Error(RobustError):
    """A smooth form of Huber's loss, ``rho(z) = 2 (sqrt(1 + z) - 1)``."""

    def rho(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``2 (sqrt(1 + z) - 1)``, written so that small z keep their digits."""
        root = (1 + z).sqrt()
        return 2 * z / (root + 1), 1 / root, -0.5 / root**3


class CauchyError(RobustError):
    """The negative log-likelihood of Cauchy's distribution, ``rho(z) = log(1 + z)``: far outliers count for nothing.

    It may have several minima: give a good start.
    """

    def rho(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``log(1 + z)``."""
        return z.log1p(), 1 / (1 + z), -1 / (1 + z).square()
