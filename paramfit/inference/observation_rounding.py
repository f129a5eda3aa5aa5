"""Whether observations vary by so little of their size that their rounding decides a likelihood."""

import math
from typing import Any

import numpy as np
import torch
from torch.distributions import Distribution

from paramfit.distributions import support_of
from paramfit.facts import Fact, FactKind
from paramfit.inference.loss_function import LossFunction

__all__ = ["rounded_observations", "rounding_in_errors"]

_EPS = float(np.finfo(np.float64).eps)
_SEEN = 1e-3  # of the spread: as near as a minimum is called reached


def rounding_in_errors(loss: LossFunction) -> float:
    """By how many standard errors the rounding of n observations may move an estimate of their place."""
    fact = rounded_observations(loss)
    if fact is None:
        return 0.0
    rounding, spread = (float(fact.numbers[key]) for key in ("rounding", "spread"))  # type: ignore[arg-type]
    return math.sqrt(loss.n) * rounding / spread


def rounded_observations(loss: LossFunction) -> Fact | None:
    """That the fitted distribution is hardly wider than the rounding of its observations; None where it is."""
    with torch.no_grad():
        try:
            distribution: Any = loss.prediction(loss.theta)
            if not isinstance(distribution, Distribution) or support_of(distribution).discrete:
                return None
            spread = float(distribution.stddev.median())
        except (ValueError, NotImplementedError, RuntimeError):
            return None  # what has no spread, or none at the end
    ends = loss.observations.target.aminmax()
    largest = max(abs(ends.min.item()), abs(ends.max.item()))
    rounding = _EPS * largest
    if not (math.isfinite(spread) and spread > 0 and rounding > _SEEN * spread):
        return None
    return Fact(FactKind.OBSERVATIONS_ROUNDED, numbers={"largest": largest, "rounding": rounding, "spread": spread})
