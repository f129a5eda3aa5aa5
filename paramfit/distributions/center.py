"""Where a distribution has its middle, as far as its class tells."""

import torch
from torch import Tensor
from torch.distributions import Distribution

from paramfit.distributions.families import family_of, inherited_family
from paramfit.errors import InputError

__all__ = ["mean_of", "median_of", "predicted_mean"]


def mean_of(distribution: Distribution) -> Tensor | None:
    """The mean, of the batch shape: NaN or infinite where there is no finite one, None where the class tells none.

    Example:
        >>> from torch.distributions import Cauchy, Exponential, RelaxedBernoulli
        >>> mean_of(Exponential(2.0)).item(), mean_of(Cauchy(1.0, 2.0)).item()
        (0.5, nan)
        >>> mean_of(RelaxedBernoulli(torch.tensor(0.5), probs=torch.tensor(0.5))) is None
        True
    """
    closed = family_of(distribution).mean
    if closed is not None:
        return closed(distribution)
    try:
        return distribution.mean
    except NotImplementedError:
        return None


def predicted_mean(distribution: Distribution) -> Tensor:
    """The mean, of the batch shape, where it is what a model predicts; NaN or infinite where there is no finite one.

    Raises:
        InputError: if the class tells none.
    """
    mean = mean_of(distribution)
    if mean is None:
        name = type(distribution).__name__
        raise InputError(
            f"predict: {name} tells no mean, which is what is predicted; derive a class from it with a property mean"
        )
    return mean


def median_of(distribution: Distribution) -> Tensor | None:
    """The median, of the batch shape; None where neither its family nor an ``icdf`` tells it.

    Example:
        >>> from torch.distributions import Cauchy, Gamma
        >>> median_of(Cauchy(1.0, 2.0)).item()
        1.0
        >>> median_of(Gamma(1.0, 2.0)) is None
        True
    """
    closed = inherited_family(type(distribution)).median
    if closed is not None:
        return closed(distribution)
    try:
        return distribution.icdf(torch.tensor(0.5, dtype=torch.float64))
    except NotImplementedError:
        return None
