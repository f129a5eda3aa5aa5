"""Special functions that torch lacks, or whose digits or derivatives it loses."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = [
    "by_scipy",
    "deviance",
    "digamma_rest",
    "log1mexp",
    "log1p_excess",
    "log1p_ratio",
    "log1p_where_near",
    "log_gamma_ratio",
    "log_gamma_ratio_curvature",
    "log_gamma_ratio_slope",
    "log_gamma_rest",
    "log_ndtr",
    "log_of",
    "log_quotient",
    "lower_gamma",
    "may_cancel",
    "tails_of_hazard",
    "tails_of_probabilities",
    "trigamma",
    "upper_gamma",
]


def by_scipy(function: Callable[..., Any], *arguments: Tensor) -> Tensor:
    """A function of NumPy arrays at tensors, in float64 and without derivatives."""
    return torch.from_numpy(np.asarray(function(*(argument.detach().double().numpy() for argument in arguments))))


_STIRLING_FROM = 20.0  # the first term left out of the series below is under 1e-16 there
# Bernoulli's numbers: of log gamma 1/x, 1/x^3, ...; of its derivatives 1/x^2, 1/x^4, ... and 1/x^3, 1/x^5, ...
_LOG_GAMMA = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)
_DIGAMMA = (-1 / 12, 1 / 120, -1 / 252, 1 / 240, -1 / 132, 691 / 32760)
_TRIGAMMA = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730)
_CANCELS_FROM = 1e3  # log gammas from here on are so large that differences of them lose more than three digits


def may_cancel(*arguments: Tensor) -> bool:
    """Whether an argument is so large that a log-density has to be summed without log gammas that cancel."""
    try:
        return any(bool((argument.detach() > _CANCELS_FROM).any()) for argument in arguments)
    except RuntimeError:  # under vmap nothing may depend on values
        return True


def log_gamma_rest(x: Tensor) -> Tensor:
    r"""What log gamma is above Stirling's first terms, with all digits at large x.

    .. math:: \log \Gamma(x) - \Big((x - \frac{1}{2}) \log x - x + \frac{1}{2} \log 2\pi\Big) = \frac{1}{12x} - \dots

    References:
        NIST Digital Library of Mathematical Functions, 5.11(i).
    """
    small = x.clamp_max(_STIRLING_FROM)
    rest = torch.lgamma(small) - (small - 0.5) * small.log() + small - math.log(2 * math.pi) / 2
    return _by_series(x, rest, 1, _LOG_GAMMA)


def digamma_rest(x: Tensor) -> Tensor:
    """What the digamma function is above the logarithm, with all digits at large x: ``-1/(2x) - ...``."""
    small = x.clamp_max(_STIRLING_FROM)
    return _by_series(x, torch.digamma(small) - small.log() + 1 / (2 * small), 2, _DIGAMMA) - 1 / (2 * x)


def trigamma(x: Tensor) -> Tensor:
    """The second derivative of log gamma; with all digits at large x, to nine below 20."""
    small = x.clamp_max(_STIRLING_FROM)
    rest = torch.special.polygamma(1, small) - 1 / small - 1 / (2 * small * small)
    return 1 / x + 1 / (2 * x * x) + _by_series(x, rest, 3, _TRIGAMMA)


_NEARLY_EQUAL = 0.03  # a relative difference whose powers from the eleventh on are rounding


def log1p_excess(difference: Tensor, logarithm: Tensor | None = None) -> Tensor:
    r"""``log(1 + d) - d``, which cancels where d is small: by the series of the logarithm there.

    .. math:: \log(1 + d) - d = -\frac{d^2}{2} + \frac{d^3}{3} - \dots

    ``logarithm`` is the first term, where it is had with more digits than 1 + d has.
    """
    near = difference.abs() < _NEARLY_EQUAL
    small, large = torch.where(near, difference, 0.0), torch.where(near, 1.0, difference)
    series = torch.zeros_like(difference)
    for power in range(11, 1, -1):
        series = series * small + (-1) ** (power + 1) / power
    apart = torch.log1p(large) if logarithm is None else torch.where(near, 0.0, logarithm)
    return torch.where(near, series * small * small, apart - large)


def log1p_where_near(difference: Tensor, logarithm: Tensor) -> Tensor:
    """``log(1 + d)``, which is ``logarithm``, where it is had with more digits than 1 + d has: unless d is small."""
    far = difference.abs() > 0.5
    return torch.where(far, logarithm, torch.log1p(torch.where(far, 0.0, difference)))


def log_quotient(x: Tensor, base: Tensor) -> Tensor:
    """``log(x / base)``, with all digits where both are nearly equal."""
    quotient = x / base
    near = (quotient > 0.5) & (quotient < 2.0)  # where their difference is exact
    small = torch.where(near, (x - base) / base, 0.0)
    return torch.where(near, torch.log1p(small), torch.where(near, 1.0, quotient).log())


def deviance(x: Tensor, mean: Tensor) -> Tensor:
    r""":math:`x \log(x / m) + m - x`, with all digits where both are large and nearly equal; m where x is 0.

    References:
        Catherine Loader: Fast and Accurate Computation of Binomial Probabilities (2000).
    """
    positive = x > 0
    kept = torch.where(positive, x, 1.0)
    far = -kept * log1p_excess((mean - kept) / kept, -log_quotient(kept, mean))
    return torch.where(positive, far, mean)


def log1mexp(x: Tensor) -> Tensor:
    """``log(1 - exp(-x))`` for x above 0, with all digits on both sides of log 2."""
    small = x < math.log(2)
    return torch.where(
        small,
        torch.log(-torch.expm1(-torch.where(small, x, 1.0))),
        torch.log1p(-torch.exp(-torch.where(small, 1.0, x))),
    )


def tails_of_hazard(hazard: Tensor) -> tuple[Tensor, Tensor]:
    """Log-cdf and log-survival where the survival is ``exp(-hazard)``."""
    return log1mexp(hazard), -hazard


def tails_of_probabilities(below: Tensor, above: Tensor) -> tuple[Tensor, Tensor]:
    """Log-cdf and log-survival from both probabilities, which make up 1."""
    return log_of(below, above), log_of(above, below)


def log_of(part: Tensor, rest: Tensor) -> Tensor:
    """``log(part)``, where part and rest make up 1, by whichever is the smaller."""
    small = part < 0.5
    return torch.where(small, torch.where(small, part, 1.0).log(), torch.log1p(-torch.where(small, 0.0, rest)))


def log_ndtr(z: Tensor) -> Tensor:
    """Log-cdf of the standard normal; ``torch.special.log_ndtr``, but with a rule for ``vmap``."""
    low = z < -1
    scaled = torch.where(low, -z, 1.0) / math.sqrt(2)
    near = torch.special.erfc(torch.where(low, 0.0, z) / math.sqrt(2))
    return torch.where(low, (torch.special.erfcx(scaled) / 2).log() - scaled**2, torch.log1p(-near / 2))


_SMALL = 0.05  # whose powers from the fifteenth on are rounding
_POWERS = 15


def log1p_ratio(x: Tensor, order: int = 0) -> Tensor:
    r"""``log(1 + x) / x`` or its first or second derivative, by the series of the logarithm where x is small.

    .. math:: \frac{\log(1 + x)}{x} = 1 - \frac{x}{2} + \frac{x^2}{3} - \dots

    NaN where x is below -1.
    """
    near = x.abs() < _SMALL
    small, large = torch.where(near, x, 0.0), torch.where(near, 1.0, x)
    series = torch.zeros_like(x)
    for power in range(_POWERS + order, order - 1, -1):
        series = series * small + (-1) ** power * math.perm(power, order) / (power + 1)
    value = torch.log1p(large) / large
    if order > 0:
        value = (1 / (1 + large) - value) / large
    if order > 1:
        value = (-((1 + large) ** -2) - 2 * value) / large
    return torch.where(near, series, value)


_SERIES_FROM = 20.0  # the first term left out of either series is below 1e-11 of the sum there
# Euler's polynomials at 0 over factorials: Boole's summation of the alternating series of the digamma function.
_VALUE = (-1 / 2, 1 / 12, -1 / 10, 17 / 56, -31 / 18, 691 / 44)  # of 1/x, 1/x^3, 1/x^5, ...
_SLOPE = (1 / 2, -1 / 4, 1 / 2, -17 / 8, 31 / 2, -691 / 4)  # of 1/x^2, 1/x^4, ...
_CURVATURE = (1.0, -3.0, 17.0, -155.0, 2073.0)  # of 1/x^5, 1/x^7, ...


def log_gamma_ratio(x: Tensor) -> Tensor:
    r"""How log gamma grows over half a step, less the logarithm, twice; at large x too, where its values cancel.

    .. math:: r(x) = 2 \log \frac{\Gamma((x + 1) / 2)}{\Gamma(x / 2)} - \log(x / 2) = -\frac{1}{2x} + \dots

    References:
        NIST Digital Library of Mathematical Functions, 24.17(i) (Boole's summation formula) and 5.11(iii).
    """
    value = 2 * (torch.lgamma((x + 1) / 2) - torch.lgamma(x / 2)) - torch.log(x / 2)
    return _by_series(x, value, 1, _VALUE)


def log_gamma_ratio_slope(x: Tensor) -> Tensor:
    r"""The derivative of ``log_gamma_ratio``.

    .. math:: r'(x) = \psi((x + 1) / 2) - \psi(x / 2) - \frac{1}{x} = \frac{1}{2x^2} - \dots
    """
    return _by_series(x, torch.digamma((x + 1) / 2) - torch.digamma(x / 2) - 1 / x, 2, _SLOPE)


def log_gamma_ratio_curvature(x: Tensor) -> Tensor:
    r"""What the second derivative of ``log_gamma_ratio`` is above its first term, :math:`-1 / x^3`.

    .. math:: r''(x) + \frac{1}{x^3} = \frac{\psi'((x + 1) / 2) - \psi'(x / 2)}{2} + \frac{1}{x^2} + \frac{1}{x^3}
        = \frac{1}{x^5} - \dots
    """
    return _by_series(x, (trigamma((x + 1) / 2) - trigamma(x / 2)) / 2 + (x + 1) / x**3, 5, _CURVATURE)


def _by_series(x: Tensor, otherwise: Tensor, first: int, coefficients: Sequence[float]) -> Tensor:
    """The series in every second power of 1/x, where x is at least 20."""
    large = x.clamp_min(_SERIES_FROM)
    squared = large**-2
    total = torch.zeros_like(x)
    for coefficient in reversed(coefficients):
        total = total * squared + coefficient
    return torch.where(x >= _SERIES_FROM, total * large**-first, otherwise)


def lower_gamma(shape: Tensor, x: Tensor) -> Tensor:
    r""":math:`P(a, x) = \frac{1}{\Gamma(a)} \int_0^x t^{a - 1} e^{-t} dt`, differentiable by x in every mode.

    torch's own ``gammainc`` has no forward mode. Neither has a derivative by the shape a, and this says so.

    Raises:
        NotImplementedError: where it is differentiated by a.
    """
    value: Tensor = _Lower.apply(shape, x)  # type: ignore[no-untyped-call]
    return value


def upper_gamma(shape: Tensor, x: Tensor) -> Tensor:
    """``1 - P(a, x)`` with all its digits; see ``lower_gamma``."""
    value: Tensor = _Upper.apply(shape, x)  # type: ignore[no-untyped-call]
    return value


def _density(shape: Tensor, x: Tensor) -> Tensor:
    return torch.exp(torch.special.xlogy(shape - 1, x) - x - torch.lgamma(shape))


def _refuse() -> None:
    raise NotImplementedError("the incomplete gamma function cannot be differentiated by its shape")


class _Incomplete(torch.autograd.Function):
    """What both functions have in common: their slope, up to its sign."""

    generate_vmap_rule = True
    sign = 1.0

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        del output
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)
        ctx.set_materialize_grads(False)

    @classmethod
    def backward(cls, ctx: Any, slope: Tensor | None) -> Any:
        if slope is None:
            return None, None
        if ctx.needs_input_grad[0]:
            _refuse()
        shape, x = ctx.saved_tensors
        along = cls.sign * slope * _density(shape, x)
        return None, along.sum_to_size(x.shape)

    @classmethod
    def jvp(cls, ctx: Any, shape_moves: Tensor | None, x_moves: Tensor) -> Any:
        if shape_moves is not None:
            _refuse()
        shape, x = ctx.saved_tensors
        return cls.sign * x_moves * _density(shape, x)


class _Lower(_Incomplete):
    @staticmethod
    def forward(shape: Tensor, x: Tensor) -> Any:
        return torch.special.gammainc(shape, x)


class _Upper(_Incomplete):
    sign = -1.0

    @staticmethod
    def forward(shape: Tensor, x: Tensor) -> Any:
        return torch.special.gammaincc(shape, x)
