"""All ways to tell how uncertain the estimates are, side by side."""

import math
from collections.abc import Callable

import torch
from scipy.special import ndtri
from torch import Tensor

from paramfit.errors import InputError
from paramfit.facts import WITHOUT_MAXIMUM, Fact, FactKind, Number, Reason, with_cure
from paramfit.inference.information_matrix import covariance_of, observed_covariance
from paramfit.inference.ladder.disagreement import BOOTSTRAP, EXPECTED, OBSERVED, PROFILE, SANDWICH, disagreements
from paramfit.inference.ladder.rungs import Interval, Ladder, Rung
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.profile.one_parameter import profile as profile_of
from paramfit.inference.profile.profiles import Profile
from paramfit.inference.sandwich import sandwich_covariance
from paramfit.inference.uncertainty import Uncertainty
from paramfit.objectives import NegativeLogLikelihood, Objective, SquaredError

__all__ = ["build_ladder", "refuse_no_likelihood"]

_LEVEL = 0.95


def build_ladder(
    loss: LossFunction,
    theta: Tensor,
    errors: Uncertainty,
    *,
    profile: bool = True,
    bootstrap: int = 0,
    seed: int = 0,
    expected: Tensor | None = None,
    absolute_sigma: bool = True,
    progress: Callable[[int], None] | None = None,
) -> Ladder:
    """Tell every error by each way that there is, and warn where they disagree.

    For a likelihood the plain rung is the observed information, or the expected one where the density has a kink; for
    least squares it is the expected one, ``s^2 (J^T J)^-1``, and the observed one is the Hessian of ``RSS / (2 s^2)``.
    All errors are those of values within the bounds, by the delta method; intervals of profile and bootstrap are theirs
    directly. ``bootstrap`` is the number of resamples, ``progress`` is called with how many are solved, and
    ``expected`` is the information of a likelihood by theta, ``(p, p)``, where it has a closed form.

    Raises:
        InputError: for a penalty, an objective that is no likelihood, or a number of resamples that cannot be.
    """
    refuse_no_likelihood(loss.objective)
    if bootstrap < 0:
        raise InputError(f"bootstrap: expected a number of resamples, 0 or more, but got {bootstrap}")
    climber = _Climber(loss, theta.detach(), errors, absolute_sigma=absolute_sigma)
    rungs = [climber.observed(), climber.expected(expected), climber.sandwich()]
    if profile:
        rungs.append(climber.profiled())
    if bootstrap:
        rungs += climber.bootstrapped(bootstrap, seed, progress)
    plain = EXPECTED if climber.least_squares or errors.kink is not None else OBSERVED
    estimates = dict(zip(loss.names, loss.natural(climber.theta).tolist(), strict=True))
    cautions = (*climber.cautions, *disagreements(rungs, plain))
    return Ladder(estimates, tuple(rungs), plain, cautions, climber.profiles)


def refuse_no_likelihood(objective: Objective) -> None:
    """Raise an InputError for a penalty, or an objective that is no likelihood: their errors have no ladder."""
    if objective.penalised:
        raise InputError(
            "ladder: a penalty is on, which biases the estimates, and no error is right; leave l1 and l2 out"
        )
    if not isinstance(objective, SquaredError | NegativeLogLikelihood):
        raise InputError(
            f"ladder: {type(objective).__name__} is no likelihood; use SquaredError or a negative log-likelihood"
        )


class _Climber:
    """One rung after the other."""

    def __init__(self, loss: LossFunction, theta: Tensor, errors: Uncertainty, *, absolute_sigma: bool) -> None:
        self.loss, self.theta, self.errors = loss, theta, errors
        self.absolute_sigma = absolute_sigma
        self.quantile = errors.quantile if math.isfinite(errors.quantile) else float(ndtri((1 + _LEVEL) / 2))
        self.least_squares = isinstance(loss.objective, SquaredError)
        self.sigma_is_known = loss.observations.sigma is not None and absolute_sigma
        self.held = errors.at_bound
        self.profiles: dict[str, Profile] = {}
        self.cautions: list[Reason] = [Fact(FactKind.HELD_AT_BOUND, (loss.names[k],)) for k in self.held]

    def _rung(self, name: str, covariance: Tensor | None, method: Reason, reasons: tuple[Reason, ...]) -> Rung:
        """A rung of a covariance ``(p, p)`` of theta: natural values by the delta method."""
        if covariance is None:
            return Rung(name, None, {}, method, reasons)
        loss = self.loss
        slopes = loss.slopes(self.theta).abs()
        spread = (covariance.diagonal().clamp_min(0).sqrt() * slopes).tolist()
        values = loss.natural(self.theta).tolist()
        half, determined = self.quantile, self._with_error()
        intervals: dict[str, Interval] = {
            own: (values[k] - half * spread[k], values[k] + half * spread[k]) for k, own in determined
        }
        return Rung(name, {own: spread[k] for k, own in determined}, intervals, method, reasons)

    def observed(self) -> Rung:
        """The inverse Hessian."""
        if self.errors.kink is not None:
            return Rung(OBSERVED, None, {}, Fact(FactKind.INVERSE_HESSIAN), self._bends_nowhere())
        if not self.least_squares:
            if self._is_no_maximum():
                self.cautions += [
                    reason if _is_endless(reason) else with_cure(reason, FactKind.NO_ERROR_HOLDS)
                    for reason in self.errors.reasons
                ]
            else:
                self.cautions += self.errors.directions
            return self._rung(OBSERVED, self.errors.covariance, self.errors.method, self.errors.reasons)
        method = Fact(FactKind.HESSIAN_OF_RSS, numbers={"known": self.sigma_is_known})
        if self.errors.covariance is None:
            return Rung(OBSERVED, None, {}, method, self.errors.reasons)
        covariance, reason = observed_covariance(self.loss, self.theta, held=self.held, variance=self.errors.spread**2)
        if reason is not None and not self.errors.undetermined and self.errors.spread > 0:
            self.cautions.append(with_cure(reason, FactKind.SADDLE))
        return self._rung(OBSERVED, covariance, method, () if reason is None else (reason,))

    def _is_no_maximum(self) -> bool:
        """Whether nothing that a bound does not hold has an error by the curvature of the likelihood."""
        return self.errors.covariance is None and len(self.held) < self.loss.p

    def expected(self, information: Tensor | None) -> Rung:
        """The inverse of the Hessian's expectation."""
        if self.least_squares:
            return self._rung(EXPECTED, self.errors.covariance, self.errors.method, self.errors.reasons)
        method = Fact(FactKind.FISHER_INFORMATION)
        if self.errors.edge:
            return Rung(EXPECTED, None, {}, method, (Fact(FactKind.NOT_ON_AN_EDGE),))
        if information is None:
            return Rung(EXPECTED, None, {}, method, (Fact(FactKind.NO_CLOSED_FORM),))
        if self._is_no_maximum():
            return Rung(EXPECTED, None, {}, method, self.errors.reasons)
        covariance, reason = covariance_of(information, self.loss.names, self.held, "Fisher information")
        return self._rung(EXPECTED, covariance, method, () if reason is None else (reason,))

    def sandwich(self) -> Rung:
        """The covariance that holds for another error model too."""
        if self.errors.kink is not None:
            return Rung(SANDWICH, None, {}, Fact(FactKind.OUTER_PRODUCTS_OF_SCORES), self._bends_nowhere())
        if self.least_squares:
            weighted = self.loss.observations.sigma is not None
            method = Fact(FactKind.HETEROSCEDASTICITY_CONSISTENT, numbers={"weighted": weighted})
        else:
            method = Fact(FactKind.OUTER_PRODUCTS_OF_SCORES)
        if self.errors.edge:
            return Rung(SANDWICH, None, {}, method, (Fact(FactKind.NOT_ON_AN_EDGE),))
        if self.errors.covariance is None:
            return Rung(SANDWICH, None, {}, method, self.errors.reasons)
        covariance = sandwich_covariance(self.loss, self.theta, held=self.held)
        return self._rung(SANDWICH, covariance, method, ())

    def _bends_nowhere(self) -> tuple[Fact]:
        return (Fact(FactKind.BENDS_NOWHERE, numbers={"kink": self.errors.kink}),)

    def profiled(self) -> Rung:
        """The interval in which the likelihood is not much lower."""
        method = Fact(FactKind.PROFILE_LIKELIHOOD)
        if self.least_squares:
            method = Fact(FactKind.PROFILE_RSS, numbers={"known": self.sigma_is_known})
        covariance = self._scales_of_profiles()
        if (covariance is None and not self.held) or not self.errors.spread > 0:
            return Rung(PROFILE, None, {}, method, self.errors.reasons or (Fact(FactKind.RESIDUALS_ZERO),))
        if covariance is None:
            covariance = torch.zeros(self.loss.p, self.loss.p, dtype=torch.float64)
        for k, name in enumerate(self.loss.names):
            if k not in self.held and not covariance[k, k] > 0:
                continue
            followed = profile_of(
                self.loss, self.theta, covariance, k, _LEVEL, absolute_sigma=self.absolute_sigma, held=self.held
            )
            self.profiles[name] = followed
            self.cautions += followed.notes
        ends = {name: (followed.lower, followed.upper) for name, followed in self.profiles.items()}
        return Rung(PROFILE, None, ends, method)

    def _scales_of_profiles(self) -> Tensor | None:
        """The covariance, in which what has no finite estimate is given the size of the way that it went."""
        endless = [k for k, why in self.errors.undetermined.items() if why.kind is FactKind.GROWS_WITHOUT_END]
        if not endless:
            return self.errors.covariance
        zeros = torch.zeros(self.loss.p, self.loss.p, dtype=torch.float64)
        scales = zeros if self.errors.covariance is None else self.errors.covariance.clone()
        for k in endless:
            scales[k, k] = self.theta[k].square().clamp(min=1.0)
        return scales

    def bootstrapped(self, resamples: int, seed: int, progress: Callable[[int], None] | None) -> list[Rung]:
        """The scatter of fits to resampled observations."""
        if self.errors.kink is not None:
            return self._not_resampled(Fact(FactKind.NO_RESAMPLES_AT_KINK, numbers={"kink": self.errors.kink}))
        if self.errors.edge:
            return self._not_resampled(Fact(FactKind.NOT_ON_AN_EDGE))
        from paramfit.inference.bootstrap.resamples import bootstrap

        try:
            resampled = bootstrap(self.loss, self.theta, resamples, seed, progress, self.held)
        except InputError as failure:  # the other rungs stand without it
            refused = Fact(FactKind.REFUSED, numbers={"message": str(failure)})
            self.cautions.append(refused)
            return self._not_resampled(refused)
        if not resampled.is_telling:
            few = Fact(FactKind.RESAMPLES_NOT_TELLING, numbers={"failed": resampled.failed, "resamples": resamples})
            self.cautions.append(Fact(FactKind.OF_THE_BOOTSTRAP, cause=few, cure=Fact(FactKind.OTHERS_NOT_ALIKE)))
            return self._not_resampled(few)
        if resampled.failed:
            self.cautions += [Fact(FactKind.OF_THE_BOOTSTRAP, cause=reason) for reason in resampled.reasons]
        numbers: dict[str, Number] = {"resamples": resamples - resampled.failed, "seed": seed}
        scatter = resampled.standard_errors.tolist()
        errors = {name: scatter[k] for k, name in self._with_error() if not math.isnan(scatter[k])}
        kinds = (FactKind.PERCENTILES, FactKind.BCA_QUANTILES)
        ways = zip(BOOTSTRAP, kinds, (resampled.percentile(_LEVEL), resampled.bca(_LEVEL)), strict=True)
        return [Rung(name, errors, self._ends(ends), Fact(kind, numbers=numbers)) for name, kind, ends in ways]

    @staticmethod
    def _not_resampled(reason: Reason) -> list[Rung]:
        return [Rung(name, None, {}, Fact(FactKind.NO_RESAMPLES), (reason,)) for name in BOOTSTRAP]

    def _with_error(self) -> list[tuple[int, str]]:
        """Numbers and names of the parameters that have an error."""
        without = {*self.errors.undetermined, *self.held}
        return [(k, name) for k, name in enumerate(self.loss.names) if k not in without]

    def _ends(self, ends: Tensor) -> dict[str, Interval]:
        """Intervals ``(p, 2)`` by name; None for an end that is NaN."""
        rows = ends.tolist()
        return {
            name: (None if math.isnan(rows[k][0]) else rows[k][0], None if math.isnan(rows[k][1]) else rows[k][1])
            for k, name in self._with_error()
        }


def _is_endless(reason: Reason) -> bool:
    """Whether the likelihood has no maximum, so that no start leads to errors."""
    return isinstance(reason, Fact) and reason.kind in {*WITHOUT_MAXIMUM, FactKind.GROWS_WITHOUT_END}
