"""Every family that is tested, with arguments, SciPy's counterpart and observations of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor
from torch import distributions as dist
from torch.distributions import Distribution

from paramfit import LogLogistic


@dataclass(frozen=True)
class Row:
    """A family with arguments: every test of ``test_families`` runs for it."""

    kind: type[Distribution]
    arguments: dict[str, float]
    truth: Callable[..., Any]  # arguments, in their order, to SciPy's frozen distribution
    fixed: tuple[str, ...] = ()  # arguments that are not estimated

    @property
    def names(self) -> list[str]:
        return [name for name in self.arguments if name not in self.fixed]

    @property
    def discrete(self) -> bool:
        return hasattr(self.scipy(), "pmf")

    def distribution(self, *shape: int) -> Distribution:
        values = {
            name: torch.full(shape, value, dtype=torch.float64) * self._spread(name, *shape)
            for name, value in self.arguments.items()
        }
        return self.kind(**values, validate_args=False)

    def _spread(self, name: str, *shape: int) -> Tensor:
        """Factors by which an argument differs from row to row, mildly; whole numbers and fixed arguments do not."""
        if not shape or name == "total_count" or name in self.fixed:
            return torch.ones(shape, dtype=torch.float64)
        return torch.linspace(0.9, 1.1, shape[-1], dtype=torch.float64).expand(shape)

    def scipy(self) -> Any:
        return self.truth(*self.arguments.values())

    def sample(self, n: int, seed: int = 0) -> Tensor:
        drawn = self.scipy().rvs(size=n, random_state=np.random.default_rng(seed))
        return torch.from_numpy(np.asarray(drawn, dtype=np.float64))

    def log_density(self, values: Tensor, **arguments: float) -> Any:
        """SciPy's, at the row's arguments but for those given."""
        truth = self.truth(*{**self.arguments, **arguments}.values())
        return (truth.logpmf if self.discrete else truth.logpdf)(values.numpy())


class Fisk(type(stats.fisk)):  # type: ignore[misc]  # SciPy is untyped
    """SciPy's log-logistic, with the digits of its upper tail, which SciPy takes as one minus the lower."""

    def _logsf(self, x: np.ndarray, c: np.ndarray) -> np.ndarray:
        return -np.log1p(x**c)


class Cut(stats.rv_continuous):  # type: ignore[misc]  # SciPy is untyped
    """The exponential density on the unit interval; SciPy's ``truncexpon`` loses the digits of ``1 - x``."""

    def _logpdf(self, x: np.ndarray, eta: np.ndarray) -> np.ndarray:
        return eta * x + np.log(eta / np.expm1(eta))

    def _pdf(self, x: np.ndarray, eta: np.ndarray) -> np.ndarray:
        return np.exp(self._logpdf(x, eta))

    def _cdf(self, x: np.ndarray, eta: np.ndarray) -> np.ndarray:
        return np.expm1(eta * x) / np.expm1(eta)

    def _sf(self, x: np.ndarray, eta: np.ndarray) -> np.ndarray:
        return np.exp(eta * x) * np.expm1(eta * (1 - x)) / np.expm1(eta)

    def _ppf(self, share: np.ndarray, eta: np.ndarray) -> np.ndarray:
        return np.log1p(share * np.expm1(eta)) / eta

    def _isf(self, share: np.ndarray, eta: np.ndarray) -> np.ndarray:
        return 1 + np.log1p(share * np.expm1(-eta)) / eta

    def _logcdf(self, x: np.ndarray, eta: np.ndarray) -> np.ndarray:
        above = self._sf(x, eta)
        return np.where(above < 0.5, np.log1p(-above), np.log(self._cdf(x, eta)))

    def _argcheck(self, eta: np.ndarray) -> np.ndarray:
        return eta != 0


CUT = Cut(a=0.0, b=1.0, name="cut")
FISK = Fisk(a=0.0, name="fisk")


def sigmoid(logits: float) -> float:
    return float(1 / (1 + np.exp(-logits)))


ROWS = {
    "normal": Row(dist.Normal, {"loc": 1.5, "scale": 0.7}, lambda loc, scale: stats.norm(loc, scale)),
    "log-normal": Row(dist.LogNormal, {"loc": 0.4, "scale": 0.7},
        lambda loc, scale: stats.lognorm(scale, scale=np.exp(loc))),
    "half-normal": Row(dist.HalfNormal, {"scale": 1.7}, lambda scale: stats.halfnorm(scale=scale)),
    "laplace": Row(dist.Laplace, {"loc": 1.5, "scale": 0.7}, lambda loc, scale: stats.laplace(loc, scale)),
    "cauchy": Row(dist.Cauchy, {"loc": 1.5, "scale": 0.7}, lambda loc, scale: stats.cauchy(loc, scale)),
    "half-cauchy": Row(dist.HalfCauchy, {"scale": 1.7}, lambda scale: stats.halfcauchy(scale=scale)),
    "student-t": Row(dist.StudentT, {"df": 5.0, "loc": 1.5, "scale": 0.7},
        lambda df, loc, scale: stats.t(df, loc, scale)),
    "gumbel": Row(dist.Gumbel, {"loc": 1.5, "scale": 0.7}, lambda loc, scale: stats.gumbel_r(loc, scale)),
    "exponential": Row(dist.Exponential, {"rate": 1.7}, lambda rate: stats.expon(scale=1 / rate)),
    "gamma": Row(dist.Gamma, {"concentration": 2.3, "rate": 1.7}, lambda k, rate: stats.gamma(k, scale=1 / rate)),
    "chi2": Row(dist.Chi2, {"df": 4.2}, lambda df: stats.chi2(df)),
    "inverse-gamma": Row(dist.InverseGamma, {"concentration": 3.3, "rate": 1.7},
        lambda k, rate: stats.invgamma(k, scale=rate)),
    "beta": Row(dist.Beta, {"concentration1": 2.3, "concentration0": 1.7}, lambda a, b: stats.beta(a, b)),
    "weibull": Row(dist.Weibull, {"scale": 1.5, "concentration": 1.7},
        lambda scale, k: stats.weibull_min(k, scale=scale)),
    "pareto": Row(dist.Pareto, {"scale": 0.5, "alpha": 2.5}, lambda scale, alpha: stats.pareto(alpha, scale=scale),
        ("scale",)),
    "generalized pareto": Row(dist.GeneralizedPareto, {"loc": 0.5, "scale": 1.5, "concentration": 0.2},
        lambda loc, scale, k: stats.genpareto(k, loc, scale), ("loc",)),
    "generalized pareto with an upper end": Row(dist.GeneralizedPareto,
        {"loc": 0.0, "scale": 1.5, "concentration": -0.2}, lambda loc, scale, k: stats.genpareto(k, loc, scale),
        ("loc",)),
    "log-logistic": Row(LogLogistic, {"scale": 1.5, "shape": 2.3}, lambda scale, shape: FISK(shape, scale=scale)),
    "von-mises": Row(dist.VonMises, {"loc": 0.4, "concentration": 2.3}, lambda loc, k: stats.vonmises(k, loc)),
    "poisson": Row(dist.Poisson, {"rate": 3.7}, lambda rate: stats.poisson(rate)),
    "bernoulli by probs": Row(dist.Bernoulli, {"probs": 0.3}, lambda probs: stats.bernoulli(probs)),
    "bernoulli by logits": Row(dist.Bernoulli, {"logits": -0.7}, lambda logits: stats.bernoulli(sigmoid(logits))),
    "continuous bernoulli by probs": Row(dist.ContinuousBernoulli, {"probs": 0.2},
        lambda probs: CUT(np.log(probs / (1 - probs)))),
    "continuous bernoulli by logits": Row(dist.ContinuousBernoulli, {"logits": -1.7},
        lambda logits: CUT(logits)),
    "binomial by probs": Row(dist.Binomial, {"total_count": 7, "probs": 0.3}, lambda n, probs: stats.binom(n, probs),
        ("total_count",)),
    "binomial by logits": Row(dist.Binomial, {"total_count": 7, "logits": -0.7},
        lambda n, logits: stats.binom(n, sigmoid(logits)), ("total_count",)),
    # SciPy counts from 1, torch the failures before the first success.
    "geometric by probs": Row(dist.Geometric, {"probs": 0.3}, lambda probs: stats.geom(probs, loc=-1)),
    "geometric by logits": Row(dist.Geometric, {"logits": -0.7}, lambda logits: stats.geom(sigmoid(logits), loc=-1)),
    # SciPy's probability is that of the failures which torch counts up to.
    "negative binomial by probs": Row(dist.NegativeBinomial, {"total_count": 4.5, "probs": 0.4},
        lambda n, probs: stats.nbinom(n, 1 - probs)),
    "negative binomial by logits": Row(dist.NegativeBinomial, {"total_count": 4.5, "logits": -0.5},
        lambda n, logits: stats.nbinom(n, 1 - sigmoid(logits))),
}  # fmt: skip
