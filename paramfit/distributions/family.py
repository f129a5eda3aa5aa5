"""What is known in closed form of one family of distributions, and the samples by which its fits start."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import Tensor
from torch.distributions import Distribution

from paramfit.errors import InputError

__all__ = ["Entries", "Family", "Given", "Majorised", "Sample", "SampleSums", "Slopes", "Starts", "no_derivative"]

Slopes = Mapping[str, Callable[[], Tensor]]
"""Argument to what computes the derivative by it: only what is asked for is computed."""

Entries = Mapping[tuple[str, str], Callable[[], Tensor]]
"""Pair of arguments to what computes the entry of a symmetric matrix; a pair that is left out is 0."""

Starts = Mapping[str, Callable[[], float]]
"""Argument to what computes a start of it."""

Given = Mapping[str, float]
"""Arguments that keep a value, or have a start already."""


class SampleSums(NamedTuple):
    """Sums over a sample, each ``()``."""

    log_likelihood: Tensor
    scores: Mapping[str, Tensor]  # by each argument, in units of one over the argument's


@dataclass(frozen=True)
class Majorised:
    """What stands for a log-density with a kink in steps to its maximum: a function that touches it from below."""

    argument: str  # by which the log-density has a kink
    steepness: Callable[[Any], Tensor]  # the size of its slopes by this argument on both sides of the kink
    log_density: Callable[[Any, Tensor], Tensor]  # of the same value and score, whose curvature is the one below
    curvature: Callable[[Any, Tensor], Entries]


class Sample:
    """The statistics of a sample ``(n,)``, each computed when it is asked for; it is refused as one of ``kind``.

    Raises:
        InputError: from a statistic that has to be above 0 and is not.
    """

    def __init__(self, kind: type[Distribution], target: Tensor) -> None:
        self.kind = kind
        self.y = target.detach()
        self.n = target.numel()

    def mean(self) -> float:
        """The arithmetic mean."""
        return self.y.mean().item()

    def variance(self) -> float:
        """The mean squared distance from the mean, which is not 0."""
        self.must_vary()
        return self.y.var(correction=0).item()

    def quantile(self, share: float) -> float:
        """The observation that this share of them does not exceed."""
        return self.y.kthvalue(max(1, math.ceil(share * self.n))).values.item()

    def root_mean_square(self) -> float:
        """The root of the mean square, which is not 0."""
        self.must_not_be_zero()
        return math.sqrt(self.y.square().mean().item())

    def rate(self) -> float:
        """One over the mean, which is not 0."""
        self.must_not_be_zero()
        return 1 / self.mean()

    def half_range(self) -> float:
        """Half the distance of the quartiles; where they are equal, the standard deviation."""
        self.must_vary()
        return (self.quantile(0.75) - self.quantile(0.25)) / 2 or math.sqrt(self.variance())

    def of(self, values: Tensor) -> "Sample":
        """The sample of values made from it, refused in the same words."""
        return Sample(self.kind, values)

    def must_vary(self) -> None:
        """Refuse a sample without spread."""
        if bool((self.y == self.y[0]).all()):
            raise InputError(
                f"data.target: all {self.n} observations are equal: with a spread of 0 the likelihood of"
                f" {self.kind.__name__} has no maximum; give observations that differ, or fix an argument"
            )

    def must_not_be_zero(self) -> None:
        """Refuse a sample of zeros."""
        if bool((self.y == 0).all()):
            raise InputError(
                f"data.target: all {self.n} observations are 0, for which the likelihood of {self.kind.__name__} has no"
                " maximum; give others, or fix the argument"
            )


@dataclass(frozen=True)
class Family:
    """All that is known of one class of univariate distributions: everything but the class may be left out.

    What is left out is had from the class itself: log-density and cdf by its methods, derivatives by autograd,
    quantiles and figures by numerical integration, and starts are asked for. An entry holds for exactly its class,
    since a subclass may have another density or other arguments (``Chi2`` is a ``Gamma``); what says where
    the support ends (``edges``, ``bounds``, ``open_support``, ``circular``), ``median`` and ``cdf`` are inherited.

    Distributions have arguments of shape ``()``, ``(n,)`` or ``(..., 1)``, targets ``(n,)``.

    Attributes:
        kind: the class in ``torch.distributions``, or one of ours.
        log_density: of each observation, where the class's own ``log_prob`` loses digits.
        score: derivatives of the log-density by the arguments.
        curvature: minus its second derivatives by pairs of arguments.
        information: the expected curvature, or the expected product of scores, of one observation.
        summed_information: entries of it that are a sum over all counts: too slow for every step of a fit.
        sums: log-likelihood and scores of a whole sample, arguments of shape ``()``.
        tails: log-cdf and log-survival, exact far out, differentiable by the arguments.
        cdf: in float64 for figures, where torch has none; need not be differentiable.
        median: where the class has no ``icdf`` to tell it by.
        mean: where the class's own loses digits.
        quantile: from a probability, where the class's own ``icdf`` loses digits.
        start: from a sample and the arguments that are given, starts of the others.
        edges: arguments at which the support ends, with the observation that is their maximum-likelihood estimate.
        bounds: narrower ones than an argument's constraint, between which the likelihood is regular.
        open_support: whether observations at the support's ends are refused: the density is 0 or infinite there
            whatever the data say, so that no likelihood is left to maximise, but torch counts the ends in.
        circular: whether values are angles, of which those within half a turn of ``loc`` are taken.
        majorised: what stands for a log-density with a kink.
    """

    kind: type[Distribution]
    log_density: Callable[[Any, Tensor], Tensor] | None = None
    score: Callable[[Any, Tensor], Slopes] | None = None
    curvature: Callable[[Any, Tensor], Entries] | None = None
    information: Callable[[Any], Entries] | None = None
    summed_information: Callable[[Any], Entries] | None = None
    sums: Callable[[Any, Tensor], SampleSums] | None = None
    tails: Callable[[Any, Tensor], tuple[Tensor, Tensor]] | None = None
    cdf: Callable[[Any, Tensor], Tensor] | None = None
    median: Callable[[Any], Tensor] | None = None
    mean: Callable[[Any], Tensor] | None = None
    quantile: Callable[[Any, Tensor], Tensor] | None = None
    start: Callable[[Sample, Given], Starts] | None = None
    edges: Mapping[str, str] = field(default_factory=dict)
    bounds: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    open_support: bool = False
    circular: bool = False
    majorised: Majorised | None = None


def no_derivative(kind: type[Distribution], argument: str) -> str:
    """Why a likelihood with censored observations is refused for a distribution."""
    return (
        f"parameters.{argument}: {kind.__name__} cannot take censored observations: its cdf cannot be differentiated by"
        f" {argument}; fix the argument, choose a distribution such as Weibull or LogNormal, or derive a class of your"
        " own with a `cdf` that can be differentiated (docs/extending.md)"
    )
