"""What errors and statistics rest on: one last pass over the data, by the way in which the fit was made."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from paramfit.facts import Fact, FactKind, Reason
from paramfit.inference.bands import FittedCurve, fitted_mean
from paramfit.inference.convergence import (
    Distance,
    closed_form,
    distance_by_root,
    distance_to_optimum,
    scale_at_optimum,
    updates_to_converge,
)
from paramfit.inference.least_squares_errors import ResidualFactor, least_squares_uncertainty, uncertainty
from paramfit.inference.likelihood_errors import likelihood_uncertainty
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.observation_rounding import rounded_observations
from paramfit.inference.uncertainty import Uncertainty, without_errors
from paramfit.inference.underflow import lost_to_underflow
from paramfit.linalg.lapack import Array, lengths
from paramfit.models import ParametricModel
from paramfit.objectives import NegativeLogLikelihood, SquaredError
from paramfit.passes.likelihood_terms import LikelihoodTerms
from paramfit.passes.residual_rows import ResidualRows
from paramfit.results.statistics import (
    LeastSquaresStatistics,
    LikelihoodStatistics,
    least_squares_statistics,
    likelihood_statistics,
)

__all__ = ["Evidence", "descent_evidence", "least_squares_evidence", "likelihood_evidence"]

_EPS = float(np.finfo(np.float64).eps)
_SEEN = 0.05  # of the residuals: rounding that could move an estimate by a twentieth of its error
_NEAR = 0.1  # standard errors: a band around a curve that is so far off holds all but as much of the truth
_SEEN_UNDERFLOW = 1e-3  # the same of numbers that are too small: it is not at random, and larger somewhere on the way
_CANCELS = 1e2  # times the target: terms so large cancel


_ENDLESS_IN_PART = (FactKind.SEPARATED, FactKind.GROUP_WITHOUT_MAXIMUM)  # some rows leave a maximum to the rest


@dataclass(frozen=True)
class Evidence:
    """What the data say at the final parameters.

    Attributes:
        errors: covariance and what it rests on.
        distance: to the optimum.
        gradient: of the objective by theta, ``(p,)``; None where autograd cannot tell it.
        updates_left: updates that are missing to convergence, or None.
        updates_left_reasons: why that is None.
        closed_form: the exact optimum, ``(p,)``, where a formula gives it.
        statistics: of least squares.
        likelihood: criteria of maximum likelihood.
        curve: the fitted curve, or mean, with its bands.
        rounding: that rounding decides, where it does.
        residual: of each row, over sigma, ``(n,)``, where least squares looked at the rows once more.
    """

    errors: Uncertainty
    distance: Distance
    gradient: Tensor | None = None
    updates_left: int | None = None
    updates_left_reasons: tuple[Reason, ...] = ()
    closed_form: Tensor | None = None
    statistics: LeastSquaresStatistics | None = None
    likelihood: LikelihoodStatistics | None = None
    curve: FittedCurve | None = None
    residual: Tensor | None = None
    rounding: Fact | None = None


def descent_evidence(
    loss: LossFunction, theta: Tensor, optimizer: Optimizer, untrusted: Reason | None, *, absolute_sigma: bool
) -> Evidence:
    """Of a descent, which may be anywhere: by the Hessian."""
    if untrusted is None:
        untrusted = _why_not_differentiable(loss, theta)
    errors = uncertainty(loss, theta, absolute_sigma=absolute_sigma) if untrusted is None else without_errors(untrusted)
    whole = None if errors.undetermined else errors.covariance
    if whole is not None and isinstance(loss.objective, SquaredError) and errors.noise is not None:
        # By the scale at the optimum, where the run will end: that of an unfinished fit is mostly its misfit.
        whole = whole * scale_at_optimum(loss, theta) ** 2
    distance = distance_to_optimum(loss, theta, whole, errors.reasons)
    left, left_reasons = None, distance.reasons
    if distance.total is not None and whole is not None:
        left, why = updates_to_converge(loss, theta, whole, optimizer)
        left_reasons = () if why is None else (why,)
    likelihood = _likelihood(loss, theta, errors)
    curve = _curve_near_optimum(loss, errors, distance) if likelihood is None else fitted_mean(loss, errors)
    return Evidence(
        errors,
        distance,
        _gradient(loss, theta),
        left,
        left_reasons,
        closed_form(loss),
        likelihood=likelihood,
        curve=curve,
    )


def _curve_near_optimum(loss: LossFunction, errors: Uncertainty, distance: Distance) -> FittedCurve | None:
    """The curve that a descent by the squared error has fitted, where it is so near its optimum that bands hold."""
    near = distance.total is not None and distance.total < _NEAR
    if not near or errors.covariance is None or not isinstance(loss.objective, SquaredError):
        return None
    if errors.undetermined or not isinstance(loss.prediction(loss.theta), Tensor):
        return None
    weighted = loss.observations.sigma is not None
    return FittedCurve(loss.model, errors.covariance, errors.quantile, errors.noise, errors.method, weighted=weighted)


def least_squares_evidence(
    loss: LossFunction, theta: Tensor, untrusted: Reason | None, *, absolute_sigma: bool, factor: Array | None = None
) -> Evidence:
    """Of least squares that was solved: the triangular factor of ``[J, e]`` says it all, for any number of rows.

    The distance to the optimum is that of the Gauss-Newton step.
    """
    observations, residual = loss.observations, None
    is_robust = not isinstance(loss.objective, SquaredError)
    if factor is None:
        with torch.inference_mode():
            sums, residual = ResidualRows(loss.model, SquaredError(), separate=False).sums_with_residual(observations)
        factor = sums.factor
    assert factor is not None  # there is a row
    rows = ResidualFactor.of(factor, loss.n, residual, observations.target, observations.sigma)
    if untrusted is None:
        errors = least_squares_uncertainty(loss, theta, rows, absolute_sigma=absolute_sigma)
    else:
        errors = without_errors(untrusted)
    determined = loss.p if errors.root is None else errors.root.shape[1]
    weighed: Array | None = rows.factor
    if is_robust:  # not by autograd: predictions are made in inference mode
        with torch.no_grad():
            weighed = ResidualRows(loss.model, loss.objective, separate=False)(observations).factor / rows.unit
    assert weighed is not None
    pull = weighed[:, :-1].T @ weighed[:, -1]
    curve = None
    if errors.covariance is not None:
        weighted = observations.sigma is not None
        curve = FittedCurve(
            loss.model,
            errors.covariance,
            errors.quantile,
            errors.noise,
            errors.method,
            weighted=weighted,
            factor=errors.root,
        )
    return Evidence(
        errors,
        distance_by_root(errors, pull),
        torch.from_numpy(-2 / _rows_in_mean(loss) * pull * rows.unit * rows.unit),
        None,
        (_solved("least squares"),),
        statistics=least_squares_statistics(
            rows.rss,
            observations.target,
            observations.sigma,
            determined,
            absolute_sigma=absolute_sigma,
            is_robust=is_robust,
            unit=rows.unit,
        ),
        curve=curve,
        rounding=_rounding(loss, theta, rows, determined)
        or lost_to_underflow(loss, rows.unit * math.sqrt(rows.rss / loss.n), _SEEN_UNDERFLOW),
        residual=residual,
    )


def likelihood_evidence(loss: LossFunction, theta: Tensor, untrusted: Reason | None) -> Evidence:
    """Of a likelihood that was solved: errors by the observed information.

    Where it has no maximum, ``untrusted`` says why, and only what the observations determine all the same has an error.
    """
    terms = LikelihoodTerms(loss.model, loss.objective)
    sums, kink = terms(loss.observations), terms.kink(loss.observations)
    endless = untrusted if isinstance(untrusted, Fact) and untrusted.kind in _ENDLESS_IN_PART else None
    if untrusted is None or endless is not None:
        information = sums.curvature if kink is None else terms.information(loss.observations)
        errors = likelihood_uncertainty(loss, theta, information, kink, endless)
    else:
        errors = without_errors(untrusted)
    return Evidence(
        errors,
        distance_by_root(errors, sums.gradient),
        torch.from_numpy(sums.gradient / _rows_in_mean(loss)),
        None,
        (_solved("the likelihood"),),
        closed_form(loss),
        likelihood=_criteria(loss, sums.loss, errors, has_maximum=untrusted is None),
        curve=fitted_mean(loss, errors),
        rounding=None if untrusted is not None else rounded_observations(loss),
    )


def _rounding(loss: LossFunction, theta: Tensor, rows: ResidualFactor, determined: int) -> Fact | None:
    """That terms in which the model is linear are so much larger than the target that their rounding is seen."""
    model, observations = loss.model, loss.observations
    freedom = loss.n - determined
    if not isinstance(model, ParametricModel) or freedom <= 0:
        return None
    spread = math.sqrt(rows.rss / freedom)
    largest_value = max(map(abs, theta.tolist()))
    if not _EPS * float(np.abs(rows.factor).max()) * largest_value > _SEEN * spread / loss.p:
        return None  # without a look at each column: no term is so large
    linear_names = model.linear_parameters()
    linear = [k for k, name in enumerate(loss.names) if name in linear_names]
    terms = lengths(rows.factor[:, linear]) * theta.abs().numpy()[linear] / math.sqrt(loss.n)
    if not len(terms) or not _EPS * terms.max() > _SEEN * spread:
        return None
    weighed = observations.target if observations.sigma is None else observations.target / observations.sigma
    largest = float(terms.max())
    if not _CANCELS * float((weighed / rows.unit).abs().max()) < largest:
        return None
    numbers = {"term": largest * rows.unit, "rounding": _EPS * largest * rows.unit, "spread": spread * rows.unit}
    names = tuple(loss.names[k] for k, term in zip(linear, terms, strict=True) if _CANCELS * term > largest)
    return Fact(FactKind.ROUNDING_DECIDES, names, numbers, cure=_cure_of_rounding(loss))


def _cure_of_rounding(loss: LossFunction) -> Fact | None:
    """To subtract a number from the input that varies least for its size."""
    best = None
    for k, column in enumerate(loss.observations.inputs):
        low, high = column.min().item(), column.max().item()
        ratio = max(abs(low), abs(high)) / (high - low) if high > low else 0.0
        if ratio > _CANCELS and (best is None or ratio > best[0]):
            best = (ratio, k, low, high - low)
    if best is None:
        return None
    names = getattr(loss.model, "variables", ())
    name = names[best[1]] if best[1] < len(names) else f"input {best[1] + 1}"
    return Fact(FactKind.SUBTRACT_FROM_INPUT, (name,), {"number": best[2], "range": best[3]})


def _solved(what: str) -> Fact:
    return Fact(FactKind.SOLVED_NOT_DESCENDED, numbers={"what": what})


def _rows_in_mean(loss: LossFunction) -> int:
    """What the sum over the observations is divided by in the objective."""
    return loss.n if loss.objective.reduction == "mean" else 1


def _criteria(
    loss: LossFunction, total: float, errors: Uncertainty, *, has_maximum: bool = True
) -> LikelihoodStatistics | None:
    """The criteria of a likelihood, which mean nothing without a maximum; None where it is not finite."""
    if not math.isfinite(total):
        return None
    # An edge that the data have led to holds no parameter beforehand.
    estimated = loss.p if errors.root is None or errors.edge else errors.root.shape[1]
    return likelihood_statistics(0.0 - total, loss.n, estimated, loss.observations.censoring, has_maximum=has_maximum)


def _likelihood(loss: LossFunction, theta: Tensor, errors: Uncertainty) -> LikelihoodStatistics | None:
    """The criteria where the loss is a likelihood; with a penalty it is not at its largest."""
    objective = loss.objective
    if not isinstance(objective, NegativeLogLikelihood) or objective.penalised:
        return None
    try:
        with torch.no_grad():
            total = loss(theta).item() * _rows_in_mean(loss)
    except ValueError:
        return None  # the fit has left the parameter space
    return _criteria(loss, total, errors)


def _gradient(loss: LossFunction, theta: Tensor) -> Tensor | None:
    try:
        return loss.gradient(theta)
    except (ValueError, RuntimeError):
        return None


def _why_not_differentiable(loss: LossFunction, theta: Tensor) -> Fact | None:
    """Why the errors cannot be read off the loss, if they cannot: numerical gradients do not ask for autograd."""
    try:
        loss.gradient(theta)
        if isinstance(loss.objective, SquaredError):
            loss.jacobian(theta)
    except (ValueError, RuntimeError) as failure:
        return Fact(FactKind.NOT_DIFFERENTIABLE, numbers={"failure": str(failure).splitlines()[0][:80]})
    return None
