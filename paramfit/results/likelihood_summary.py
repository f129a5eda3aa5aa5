"""What a converged maximum-likelihood fit says, from one last pass over the data."""

import math
from collections.abc import Sequence

import torch
from torch.optim import Optimizer

from paramfit.inference.bands import fitted_mean
from paramfit.inference.closed_forms import closed_form
from paramfit.inference.convergence import distance_by_root
from paramfit.inference.likelihood_errors import likelihood_uncertainty
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.uncertainty import Uncertainty
from paramfit.passes.likelihood_terms import LikelihoodTerms
from paramfit.results.cautions import cautions
from paramfit.results.natural import natural_estimates
from paramfit.results.summary import Summary, correlations, criteria, nothing_finite

__all__ = ["SOLVED", "summarise_likelihood"]

SOLVED = "the likelihood is solved, not descended"
"""Why nothing is foreseen of the updates that a solved likelihood still needs."""


def summarise_likelihood(
    loss: LossFunction,
    optimizer: Optimizer | None,
    normalization: Sequence[tuple[float, float]],
    truth: dict[str, float] | None,
    untrusted: str | None = None,
    *,
    absolute_sigma: bool = True,
) -> Summary:
    """Estimates with errors by the observed information, and the criteria of the likelihood.

    Args:
        loss: the objective over the (normalised) training observations, at the final parameters.
        optimizer: what made the updates; the summary is the same for all.
        normalization: shift and scale of each input column.
        truth: true values in original units.
        untrusted: why errors would mean nothing, where the fit failed.
        absolute_sigma: without meaning here.
    """
    del optimizer, absolute_sigma
    theta = loss.theta
    if not bool(torch.isfinite(theta).all()):
        return nothing_finite(loss)
    terms = LikelihoodTerms(loss.model, loss.objective)
    sums, kink = terms(loss.observations), terms.kink(loss.observations)
    if untrusted is None:
        information = sums.curvature if kink is None else terms.information(loss.observations)
        errors = likelihood_uncertainty(loss, theta, information, kink)
    else:
        errors = Uncertainty(None, untrusted, math.nan, "none")
    gradient = torch.from_numpy(sums.gradient / (loss.n if loss.objective.reduction == "mean" else 1))
    found = natural_estimates(loss, theta, errors, normalization, truth, closed_form(loss), gradient)
    correlation = correlations(found.covariance)
    specs = getattr(loss.model, "specifications", None)
    return Summary(
        found.parameters,
        found.original_units,
        distance_by_root(errors, sums.gradient),
        None,
        SOLVED,
        errors,
        correlation=correlation,
        covariance=found.covariance,
        likelihood=criteria(loss, sums.loss, errors),
        curve=fitted_mean(loss, errors),
        warnings=tuple(cautions(loss.names, found.parameters, errors, correlation, None, specs)),
    )
