"""From a fitted model to what is told of it: pure functions, no Trainer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from paramfit.facts import Fact, FactKind, Reason
from paramfit.inference.convergence import Distance
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.uncertainty import without_errors
from paramfit.linalg.lapack import Array, all_finite
from paramfit.linalg.unit_free import column_lengths
from paramfit.objectives import NegativeLogLikelihood, SquaredError
from paramfit.results.cautions import cautions_about
from paramfit.results.delta_method import natural_estimates
from paramfit.results.evidence import Evidence, descent_evidence, least_squares_evidence, likelihood_evidence
from paramfit.results.record import Estimate
from paramfit.solvers.levenberg_marquardt import LevenbergMarquardt
from paramfit.solvers.newton import Newton

__all__ = ["Summary", "correlations", "summarise"]


@dataclass(frozen=True, kw_only=True)
class Summary(Evidence):
    """What the final parameters say: the evidence, and the estimates by name.

    Attributes:
        parameters: the estimates, on the input as the model saw it.
        original_units: the estimates on the raw input; None where the model cannot undo the normalisation.
        correlation: correlations of the estimated parameters, ``(p, p)``; None where there is no covariance.
        covariance: of the estimated parameters within their bounds, ``(p, p)``; None where there is none.
        cautions: what to be careful about.
    """

    parameters: dict[str, Estimate]
    original_units: dict[str, Estimate] | None = None
    correlation: Tensor | None = None
    covariance: Tensor | None = None
    cautions: tuple[Reason, ...] = ()


# A fit that has ended at the end of the numbers is judged by what is finite.
@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def summarise(
    loss: LossFunction,
    optimizer: Optimizer | None,
    normalization: Sequence[tuple[float, float]],
    truth: dict[str, float] | None,
    untrusted: Reason | None = None,
    *,
    absolute_sigma: bool = True,
    factor: Array | None = None,
    began: Sequence[Fact] = (),
) -> Summary:
    """Estimates with errors in both units, statistics, and the distance to the optimum.

    Args:
        loss: the objective over the (normalised) training observations, at the final parameters.
        optimizer: what made the updates; for ``LevenbergMarquardt``, ``Newton`` and None, which is a solver without a
            Trainer, no Hessian is needed.
        normalization: shift and scale of each input column.
        truth: true values in original units.
        untrusted: why errors would mean nothing, where the fit failed.
        absolute_sigma: whether known errors are absolute.
        factor: triangular factor of ``[J, e]`` at the final parameters, where the solver of a plain squared error has
            it; one pass over the data less.
        began: what a solver did with the start, which goes before all other cautions.
    """
    theta = loss.theta
    if not all_finite(theta.numpy()):
        return _nothing_finite(loss)
    if optimizer is not None and not isinstance(optimizer, LevenbergMarquardt | Newton):
        evidence = descent_evidence(loss, theta, optimizer, untrusted, absolute_sigma=absolute_sigma)
    elif isinstance(loss.objective, NegativeLogLikelihood):
        evidence = likelihood_evidence(loss, theta, untrusted)
    else:
        evidence = least_squares_evidence(loss, theta, untrusted, absolute_sigma=absolute_sigma, factor=factor)
    errors = evidence.errors
    natural = natural_estimates(loss, theta, errors, normalization, truth, evidence.closed_form, evidence.gradient)
    correlation = correlations(natural.root)
    cautions: list[Fact] = []
    if evidence.statistics is not None or evidence.likelihood is not None:
        specs = getattr(loss.model, "specifications", None)
        solved_exactly = isinstance(loss.objective, SquaredError) and getattr(loss.model, "linear_in_parameters", False)
        cautions = cautions_about(
            loss.names,
            natural.parameters,
            errors,
            correlation,
            evidence.statistics,
            specs,
            solved_exactly=solved_exactly,
        )
        cautions += [] if evidence.rounding is None else [evidence.rounding]
    return Summary(
        **vars(evidence),
        parameters=natural.parameters,
        original_units=natural.original_units,
        covariance=natural.covariance,
        correlation=correlation,
        cautions=(*began, *cautions),
    )


def _nothing_finite(loss: LossFunction) -> Summary:
    """What is left to say where the parameters are not finite."""
    nothing = without_errors(Fact(FactKind.ESTIMATES_NOT_FINITE))
    estimates = {name: Estimate(value) for name, value in zip(loss.names, loss.theta.tolist(), strict=True)}
    distance = Distance(None, reasons=nothing.reasons)
    return Summary(errors=nothing, distance=distance, updates_left_reasons=nothing.reasons, parameters=estimates)


def correlations(root: Tensor | None) -> Tensor | None:
    """Correlations from the root F ``(p, r)`` of a covariance F F^T; 0 beside parameters that have none."""
    if root is None:
        return None
    scaled = root.numpy().T / column_lengths(root.numpy().T)
    bounded = np.minimum(np.maximum(scaled.T @ scaled, -1.0), 1.0)
    bounded.flat[:: len(bounded) + 1] = 1.0
    return torch.from_numpy(bounded)
