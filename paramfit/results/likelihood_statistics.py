"""What a maximum-likelihood fit says, beyond the estimates."""

import math
from dataclasses import dataclass, field

from paramfit.distributions import Censoring
from paramfit.observations import Censored

__all__ = ["LikelihoodStatistics", "likelihood_statistics"]


@dataclass(frozen=True)
class LikelihoodStatistics:
    r"""How likely a model makes the sample.

    Attributes:
        log_likelihood: :math:`\ln L`, with all constants.
        n_parameters: estimated parameters k, without those that nothing determines or that sit at a bound.
        aic: Akaike's criterion, :math:`2k - 2 \ln L`.
        aicc: the same, corrected for few observations; None for :math:`n \le k + 1`.
        bic: Schwarz's criterion, :math:`k \ln n - 2 \ln L`.
        censored: how many observations are bounds, by their kind (``left``, ``right``, ``interval``).

    References:
        Kenneth Burnham, David Anderson: Model Selection and Multimodel Inference (2002), chapter 2.
    """

    log_likelihood: float
    n_parameters: int
    aic: float
    aicc: float | None
    bic: float
    censored: dict[str, int] = field(default_factory=dict)


def likelihood_statistics(
    log_likelihood: float, n: int, k: int, censoring: Censored | None = None
) -> LikelihoodStatistics:
    """The criteria of ``k`` parameters and ``n`` observations, of which some may be censored."""
    status = [] if censoring is None else censoring.status.tolist()
    counts = {kind.name.lower(): status.count(kind) for kind in Censoring if kind is not Censoring.OBSERVED}
    aic = 2 * k - 2 * log_likelihood
    return LikelihoodStatistics(
        log_likelihood=log_likelihood,
        n_parameters=k,
        aic=aic,
        aicc=aic + 2 * k * (k + 1) / (n - k - 1) if n > k + 1 else None,
        bic=k * math.log(n) - 2 * log_likelihood,
        censored={kind: count for kind, count in counts.items() if count},
    )
