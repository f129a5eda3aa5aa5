"""Every family that is tested, with arguments, SciPy's counterpart and observations of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor, distributions
from torch.distributions import Distribution


@dataclass(frozen=True)
class Family:
    kind: type[Distribution]
    arguments: dict[str, float]
    truth: Callable[..., Any]  # arguments to SciPy's frozen distribution
    fixed: tuple[str, ...] = ()  # arguments that are not estimated

    @property
    def names(self) -> list[str]:
        return [name for name in self.arguments if name not in self.fixed]

    def distribution(self, *shape: int) -> Distribution:
        values = {
            name: torch.full(shape, value, dtype=torch.float64) * spread(name, *shape)
            for name, value in self.arguments.items()
        }
        kind: Any = self.kind
        return kind(**values, validate_args=False)

    def scipy(self) -> Any:
        return self.truth(**self.arguments)

    def sample(self, n: int, seed: int = 0) -> Tensor:
        drawn = self.scipy().rvs(size=n, random_state=np.random.default_rng(seed))
        return torch.from_numpy(np.asarray(drawn, dtype=np.float64))


def spread(name: str, *shape: int) -> Tensor:
    """Factors by which an argument differs from row to row; whole numbers and probabilities do so mildly."""
    if not shape or name == "total_count":
        return torch.ones(shape, dtype=torch.float64)
    return torch.linspace(0.9, 1.1, shape[-1], dtype=torch.float64).expand(shape)


def sigmoid(logits: float) -> float:
    return float(1 / (1 + np.exp(-logits)))


FAMILIES = {
    "normal": Family(distributions.Normal, {"loc": 1.5, "scale": 0.7}, lambda loc, scale: stats.norm(loc, scale)),
    "log-normal": Family(
        distributions.LogNormal, {"loc": 0.4, "scale": 0.7}, lambda loc, scale: stats.lognorm(scale, scale=np.exp(loc))
    ),
    "half-normal": Family(distributions.HalfNormal, {"scale": 1.7}, lambda scale: stats.halfnorm(scale=scale)),
    "laplace": Family(distributions.Laplace, {"loc": 1.5, "scale": 0.7}, lambda loc, scale: stats.laplace(loc, scale)),
    "cauchy": Family(distributions.Cauchy, {"loc": 1.5, "scale": 0.7}, lambda loc, scale: stats.cauchy(loc, scale)),
    "half-cauchy": Family(distributions.HalfCauchy, {"scale": 1.7}, lambda scale: stats.halfcauchy(scale=scale)),
    "student-t": Family(
        distributions.StudentT, {"df": 5.0, "loc": 1.5, "scale": 0.7}, lambda df, loc, scale: stats.t(df, loc, scale)
    ),
    "gumbel": Family(distributions.Gumbel, {"loc": 1.5, "scale": 0.7}, lambda loc, scale: stats.gumbel_r(loc, scale)),
    "exponential": Family(distributions.Exponential, {"rate": 1.7}, lambda rate: stats.expon(scale=1 / rate)),
    "gamma": Family(
        distributions.Gamma,
        {"concentration": 2.3, "rate": 1.7},
        lambda concentration, rate: stats.gamma(concentration, scale=1 / rate),
    ),
    "chi2": Family(distributions.Chi2, {"df": 4.2}, lambda df: stats.chi2(df)),
    "inverse-gamma": Family(
        distributions.InverseGamma,
        {"concentration": 3.3, "rate": 1.7},
        lambda concentration, rate: stats.invgamma(concentration, scale=rate),
    ),
    "beta": Family(
        distributions.Beta,
        {"concentration1": 2.3, "concentration0": 1.7},
        lambda concentration1, concentration0: stats.beta(concentration1, concentration0),
    ),
    "weibull": Family(
        distributions.Weibull,
        {"scale": 1.5, "concentration": 1.7},
        lambda scale, concentration: stats.weibull_min(concentration, scale=scale),
    ),
    "pareto": Family(
        distributions.Pareto,
        {"scale": 0.5, "alpha": 2.5},
        lambda scale, alpha: stats.pareto(alpha, scale=scale),
        ("scale",),
    ),
    "von-mises": Family(
        distributions.VonMises,
        {"loc": 0.4, "concentration": 2.3},
        lambda loc, concentration: stats.vonmises(concentration, loc),
    ),
    "poisson": Family(distributions.Poisson, {"rate": 3.7}, lambda rate: stats.poisson(rate)),
    "bernoulli by probs": Family(distributions.Bernoulli, {"probs": 0.3}, lambda probs: stats.bernoulli(probs)),
    "bernoulli by logits": Family(
        distributions.Bernoulli, {"logits": -0.7}, lambda logits: stats.bernoulli(sigmoid(logits))
    ),
    "binomial by probs": Family(
        distributions.Binomial,
        {"total_count": 7, "probs": 0.3},
        lambda total_count, probs: stats.binom(total_count, probs),
        ("total_count",),
    ),
    "binomial by logits": Family(
        distributions.Binomial,
        {"total_count": 7, "logits": -0.7},
        lambda total_count, logits: stats.binom(total_count, sigmoid(logits)),
        ("total_count",),
    ),
    # SciPy counts from 1, torch the failures before the first success.
    "geometric by probs": Family(distributions.Geometric, {"probs": 0.3}, lambda probs: stats.geom(probs, loc=-1)),
    "geometric by logits": Family(
        distributions.Geometric, {"logits": -0.7}, lambda logits: stats.geom(sigmoid(logits), loc=-1)
    ),
    # SciPy's probability is that of the failures which torch counts up to.
    "negative binomial by probs": Family(
        distributions.NegativeBinomial,
        {"total_count": 4.5, "probs": 0.4},
        lambda total_count, probs: stats.nbinom(total_count, 1 - probs),
    ),
    "negative binomial by logits": Family(
        distributions.NegativeBinomial,
        {"total_count": 4.5, "logits": -0.5},
        lambda total_count, logits: stats.nbinom(total_count, 1 - sigmoid(logits)),
    ),
}
