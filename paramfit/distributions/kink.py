"""Densities with a kink, whose second derivative is 0 almost everywhere and tells neither steps nor errors."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution, Laplace

from paramfit.distributions.closed_form import Entries, symmetric_matrix

__all__ = ["kinked_argument", "majorised_curvature", "majorised_log_prob"]

_SHARPEST = 1e-9  # of the scale: a residual is not taken as shorter, so that no curvature is infinite


def kinked_argument(distribution: Distribution, names: Sequence[str]) -> str | None:
    """By which of the arguments named the log-density has a kink; None where it has none."""
    return "loc" if type(distribution) is Laplace and "loc" in names else None


def majorised_curvature(distribution: Laplace, target: Tensor, names: Sequence[str]) -> Tensor:
    r"""What stands for the curvature of a Laplace density in steps to its maximum.

    .. math:: |r| \le \frac{r^2}{2 |r_0|} + \frac{|r_0|}{2}

    The parabola on the right meets :math:`|r|` where the residual is :math:`r_0` and lies above it elsewhere: steps to
    the minimum of such parabolas lead to that of the absolute values. Entries of the scale are exact.

    Args:
        distribution: with arguments of shape ``()`` or ``(n,)``.
        target: ``(n,)``.
        names: the k arguments.

    Returns:
        ``(n, k, k)``, or ``(k, k)`` where the target does not matter.

    References:
        Kenneth Lange, David Hunter, Ilsoon Yang: Optimization Transfer Using Surrogate Objective Functions (2000).
    """
    scale, residual = distribution.scale, target - distribution.loc
    entries: Entries = {
        ("loc", "loc"): lambda: _weight(distribution, residual) / scale,
        ("loc", "scale"): lambda: residual.sign() / scale**2,
        ("scale", "scale"): lambda: 2 * residual.abs() / scale**3 - 1 / scale**2,
    }
    return symmetric_matrix(names, entries, target)


def majorised_log_prob(distribution: Laplace, target: Tensor) -> Tensor:
    """The log-density and its score, whose derivative by autograd is ``-majorised_curvature``."""
    residual = target - distribution.loc
    parabola = _weight(distribution, residual).detach() * residual.square() / 2
    absolute = parabola + (residual.abs() - parabola).detach()
    return -absolute / distribution.scale - (2 * distribution.scale).log()


def _weight(distribution: Laplace, residual: Tensor) -> Tensor:
    return 1 / torch.maximum(residual.abs(), _SHARPEST * distribution.scale)
