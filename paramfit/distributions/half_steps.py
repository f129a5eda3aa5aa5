"""How the gamma function grows over half a step, at large arguments too, where its values cancel."""

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["bend_of_half_step", "half_step", "slope_of_half_step"]

_SERIES_FROM = 20.0  # the first term left out of either series is below 1e-11 of the sum there
# Euler's polynomials at 0 over factorials: Boole's summation of the alternating series of the digamma function.
_RISE = (-1 / 2, 1 / 12, -1 / 10, 17 / 56, -31 / 18, 691 / 44)  # of 1/x, 1/x^3, 1/x^5, ...
_SLOPE = (1 / 2, -1 / 4, 1 / 2, -17 / 8, 31 / 2, -691 / 4)  # of 1/x^2, 1/x^4, ...
_BEND = (1.0, -3.0, 17.0, -155.0, 2073.0)  # of 1/x^5, 1/x^7, ...


def half_step(x: Tensor) -> Tensor:
    r"""What is left of the growth of log gamma over half a step besides the logarithm, twice.

    .. math:: r(x) = 2 \log \Gamma((x + 1) / 2) - 2 \log \Gamma(x / 2) - \log(x / 2) = -\frac{1}{2x} + \dots

    Args:
        x: above 0, any shape.

    References:
        NIST Digital Library of Mathematical Functions, 24.17(i) (Boole's summation formula) and 5.11(iii).
    """
    found = 2 * (torch.lgamma((x + 1) / 2) - torch.lgamma(x / 2)) - torch.log(x / 2)
    return _by_series(x, found, 1, _RISE)


def slope_of_half_step(x: Tensor) -> Tensor:
    r"""The derivative of ``half_step``.

    .. math:: r'(x) = \psi((x + 1) / 2) - \psi(x / 2) - \frac{1}{x} = \frac{1}{2x^2} - \dots
    """
    return _by_series(x, torch.digamma((x + 1) / 2) - torch.digamma(x / 2) - 1 / x, 2, _SLOPE)


def bend_of_half_step(x: Tensor) -> Tensor:
    r"""What the second derivative of ``half_step`` is above its first term, :math:`-1 / x^3`.

    .. math:: r''(x) + \frac{1}{x^3} = \frac{\psi'((x + 1) / 2) - \psi'(x / 2)}{2} + \frac{1}{x^2} + \frac{1}{x^3}
        = \frac{1}{x^5} - \dots
    """
    trigammas = torch.special.polygamma(1, (x + 1) / 2) - torch.special.polygamma(1, x / 2)
    return _by_series(x, trigammas / 2 + (x + 1) / x**3, 5, _BEND)


def _by_series(x: Tensor, otherwise: Tensor, first: int, coefficients: Sequence[float]) -> Tensor:
    """The series in every second power of 1/x, where x is large."""
    large = x.clamp_min(_SERIES_FROM)
    squared = large**-2
    total = torch.zeros_like(x)
    for coefficient in reversed(coefficients):
        total = total * squared + coefficient
    return torch.where(x >= _SERIES_FROM, total * large**-first, otherwise)
