"""The relaxed Bernoulli distribution, and that of its log-odds, which is logistic."""

from torch import Tensor
from torch.distributions import RelaxedBernoulli
from torch.distributions.relaxed_bernoulli import LogitRelaxedBernoulli
from torch.nn.functional import softplus

from paramfit.distributions.family import Family

__all__ = ["FAMILIES"]

# torch moves probabilities that are nearer to 0 or 1 than a rounding of 1, and observations likewise.


def _logistic(distribution: LogitRelaxedBernoulli, target: Tensor) -> Tensor:
    by_probs = distribution._param is vars(distribution).get("probs")
    probs = distribution.probs
    logits = probs.log() - (-probs).log1p() if by_probs else distribution.logits
    excess = logits - target * distribution.temperature
    return distribution.temperature.log() + excess - 2 * softplus(excess)


def _relaxed(distribution: RelaxedBernoulli, target: Tensor) -> Tensor:
    won, failed = target.log(), (-target).log1p()
    return _logistic(distribution.base_dist, won - failed) - won - failed


FAMILIES = (
    Family(LogitRelaxedBernoulli, log_density=_logistic),
    Family(RelaxedBernoulli, log_density=_relaxed, open_support=True),
)
