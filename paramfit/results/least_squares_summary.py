"""What a converged least-squares fit says, from one last pass over the data."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch.optim import Optimizer

from paramfit.inference.bands import FittedCurve
from paramfit.inference.convergence import distance_by_root
from paramfit.inference.least_squares_errors import ResidualFactor, least_squares_uncertainty
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.uncertainty import Uncertainty
from paramfit.linalg.lapack import Array
from paramfit.objectives import SquaredError
from paramfit.passes.residual_rows import ResidualRows
from paramfit.results.cautions import cautions
from paramfit.results.natural import natural_estimates
from paramfit.results.statistics import least_squares_statistics
from paramfit.results.summary import Summary, correlations, nothing_finite

__all__ = ["summarise_least_squares"]


def summarise_least_squares(
    loss: LossFunction,
    optimizer: Optimizer | None,
    normalization: Sequence[tuple[float, float]],
    truth: dict[str, float] | None,
    untrusted: str | None = None,
    *,
    absolute_sigma: bool = True,
    factor: Array | None = None,
) -> Summary:
    """Estimates with errors, statistics and bands.

    Unlike ``summarise`` it needs no Hessian: the triangular factor of ``[J, e]`` at the estimate says it all, for any
    number of observations. The distance to the optimum is that of the Gauss-Newton step.

    Args:
        loss: the objective over the (normalised) training observations, at the final parameters.
        optimizer: what made the updates; the summary is the same for all.
        normalization: shift and scale of each input column.
        truth: true values in original units.
        untrusted: why errors would mean nothing, where the fit failed.
        absolute_sigma: whether known errors are absolute.
        factor: triangular factor of ``[J, e]`` at the final parameters, where the solver of a plain squared error has
            it; one pass over the data less.
    """
    del optimizer
    theta, observations = loss.theta, loss.observations
    if not np.isfinite(theta.numpy()).all():
        return nothing_finite(loss)
    residual = None
    rss = math.nan if factor is None else float(np.square(factor[:, -1]).sum())
    if factor is None:
        with torch.inference_mode():
            sums, residual = ResidualRows(loss.model, SquaredError(), separate=False).sums_with_residual(observations)
        factor, rss = sums.factor, float(np.square(residual.numpy()).sum())
    if untrusted is None:
        seen = ResidualFactor(factor, loss.n, rss, residual)
        errors = least_squares_uncertainty(loss, theta, seen, absolute_sigma=absolute_sigma)
    else:
        errors = Uncertainty(None, untrusted, math.nan, "none")
    determined = loss.p if errors.root is None else errors.root.shape[1]
    statistics = least_squares_statistics(
        rss,
        observations.target,
        observations.sigma,
        determined,
        absolute_sigma=absolute_sigma,
        is_robust=not isinstance(loss.objective, SquaredError),
    )
    weighed = factor
    if not isinstance(loss.objective, SquaredError):  # not by autograd: predictions are made in inference mode
        with torch.no_grad():
            weighed = ResidualRows(loss.model, loss.objective, separate=False)(observations).factor
    count = loss.n if loss.objective.reduction == "mean" else 1
    pull = weighed[:, :-1].T @ weighed[:, -1]
    gradient = torch.from_numpy(-2 / count * pull)
    found = natural_estimates(loss, theta, errors, normalization, truth, gradient=gradient)
    curve = None
    if errors.covariance is not None:
        curve = FittedCurve(
            loss.model,
            errors.covariance,
            errors.quantile,
            errors.noise,
            errors.method,
            weighted=observations.sigma is not None,
            factor=errors.root,
        )
    correlation = correlations(found.covariance)
    specs = getattr(loss.model, "specifications", None)
    return Summary(
        found.parameters,
        found.original_units,
        distance_by_root(errors, pull),
        None,
        "least squares is solved, not descended",
        errors,
        correlation=correlation,
        covariance=found.covariance,
        statistics=statistics,
        curve=curve,
        warnings=tuple(cautions(loss.names, found.parameters, errors, correlation, statistics, specs)),
    )
