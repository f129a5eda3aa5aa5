"""The log-logistic distribution, which torch lacks."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.distributions.utils import broadcast_all
from torch.nn.functional import logsigmoid

from paramfit.distributions.family import Entries, Family, Given, Sample, Slopes, Starts
from paramfit.distributions.special import log_quotient

__all__ = ["FAMILIES", "LogLogistic"]


class LogLogistic(Distribution):
    r"""The distribution of a positive number whose logarithm is logistic; SciPy's ``fisk``.

    .. math:: F(y) = \frac{1}{1 + (y / \alpha)^{-\beta}}, \qquad
        p(y) = \frac{\beta}{y} \, \frac{(y / \alpha)^\beta}{(1 + (y / \alpha)^\beta)^2}

    Its hazard rises and falls again where the shape is above 1, which Weibull's cannot: a model of lifetimes, incomes
    and floods.

    Args:
        scale: :math:`\alpha`, the median; in units of y.
        shape: :math:`\beta`, above 0; moments below this order are finite.

    Shapes:
        Those of the arguments, broadcast.

    Raises:
        ValueError: if an argument is not above 0, as torch's distributions do.

    References:
        Norman L. Johnson, Samuel Kotz and N. Balakrishnan: Continuous Univariate Distributions, volume 2 (1995),
        chapter 23.

    Example:
        >>> LogLogistic(2.0, 3.0).cdf(torch.tensor(2.0)).item()
        0.5
    """

    arg_constraints = {"scale": constraints.positive, "shape": constraints.positive}  # noqa: RUF012  # as torch's
    support = constraints.positive
    has_rsample = True

    def __init__(self, scale: Tensor | float, shape: Tensor | float, validate_args: bool | None = None) -> None:
        self.scale, self.shape = broadcast_all(scale, shape)
        super().__init__(self.scale.shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> "LogLogistic":
        """The same distribution in another batch shape."""
        made: LogLogistic = self._get_checked_instance(LogLogistic, _instance)  # type: ignore[no-untyped-call]
        made.scale, made.shape = self.scale.expand(batch_shape), self.shape.expand(batch_shape)
        super(LogLogistic, made).__init__(torch.Size(batch_shape), validate_args=False)
        made._validate_args = self._validate_args
        return made

    @property
    def mean(self) -> Tensor:
        """Infinite where the shape is at most 1."""
        return torch.where(self.shape > 1, self.scale * _moment(self.shape), math.inf)

    @property
    def variance(self) -> Tensor:
        """Infinite where the shape is at most 2."""
        spread = _moment(self.shape / 2) - _moment(self.shape) ** 2
        return torch.where(self.shape > 2, self.scale**2 * spread, math.inf)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws that can be differentiated by the arguments."""
        shape = self._extended_shape(torch.Size(sample_shape))
        return self.icdf(torch.rand(shape, dtype=self.scale.dtype, device=self.scale.device))

    def log_prob(self, value: Tensor) -> Tensor:
        """The log-density."""
        if self._validate_args:
            self._validate_sample(value)
        t = self.shape * log_quotient(value, self.scale)
        return (self.shape / value).log() + logsigmoid(t) + logsigmoid(-t)

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of at most the value."""
        if self._validate_args:
            self._validate_sample(value)
        return torch.sigmoid(self.shape * log_quotient(value, self.scale))

    def icdf(self, value: Tensor) -> Tensor:
        """The quantile of a probability."""
        return self.scale * (torch.logit(value) / self.shape).exp()


def _moment(order: Tensor) -> Tensor:
    """The moment of which the order is this share of the shape, of a scale of 1."""
    angle = math.pi / order
    return angle / torch.sin(angle)


def _standardized(distribution: LogLogistic, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The log of the ratio to the scale; in units of the logistic t, tanh(t/2) and its derivative by t."""
    log_ratio = log_quotient(value, distribution.scale)
    half = torch.tanh(distribution.shape * log_ratio / 2)
    return log_ratio, half, (1 - half) * (1 + half) / 2


def _score(distribution: LogLogistic, target: Tensor) -> Slopes:
    scale, shape = distribution.scale, distribution.shape
    log_ratio, half, _ = _standardized(distribution, target)
    return {"scale": lambda: shape / scale * half, "shape": lambda: 1 / shape - log_ratio * half}


def _curvature(distribution: LogLogistic, target: Tensor) -> Entries:
    scale, shape = distribution.scale, distribution.shape
    log_ratio, half, bend = _standardized(distribution, target)
    return {
        ("scale", "scale"): lambda: shape * (half + shape * bend) / scale**2,
        ("scale", "shape"): lambda: -(half + shape * log_ratio * bend) / scale,
        ("shape", "shape"): lambda: 1 / shape**2 + log_ratio**2 * bend,
    }


def _information(distribution: LogLogistic) -> Entries:
    scale, shape = distribution.scale, distribution.shape
    return {
        ("scale", "scale"): lambda: (shape / scale) ** 2 / 3,
        ("shape", "shape"): lambda: (3 + math.pi**2) / (3 * shape) ** 2,
    }


def _tails(distribution: LogLogistic, value: Tensor) -> tuple[Tensor, Tensor]:
    t = distribution.shape * log_quotient(value, distribution.scale)
    return logsigmoid(t), logsigmoid(-t)


def _start(sample: Sample, given: Given) -> Starts:
    """By the moments of the logarithm, whose variance is that of the logistic distribution."""
    logs = sample.of(sample.y.log())
    return {"scale": lambda: math.exp(logs.mean()), "shape": lambda: math.pi / math.sqrt(3 * logs.variance())}


FAMILIES = (
    Family(LogLogistic, score=_score, curvature=_curvature, information=_information, tails=_tails, start=_start),
)
