"""The statistics of a sample by which the arguments of a distribution are first told."""

import math

from torch import Tensor
from torch.distributions import Distribution

from paramfit.errors import InputError

__all__ = ["Sample"]


class Sample:
    """The statistics of a sample, each computed when it is asked for.

    Args:
        kind: the distribution that is fitted to it, for the messages.
        target: the sample, ``(n,)``.

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
