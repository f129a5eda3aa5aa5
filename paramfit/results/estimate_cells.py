"""A fit in a line, and its estimates as cells of a table: value with error, interval, what is to be said of them."""

from collections.abc import Mapping

from paramfit.facts import WITHOUT_MAXIMUM, Fact, Status
from paramfit.inference.convergence import CONVERGED_BELOW
from paramfit.results.record import Estimate, Record
from paramfit.shown.digits import value_as_with_error, with_error
from paramfit.shown.words import opening

__all__ = ["caveat", "estimate_cell", "first_estimates", "headline", "interval_cell", "is_unfinished", "remark"]


def first_estimates(result: Record) -> Mapping[str, Estimate]:
    """Those that a reader wants: in the data's own units, or where the model cannot undo a normalisation as fitted."""
    return result.parameters if result.original_units is None else result.original_units


def headline(result: Record) -> str:
    """How the fit ended."""
    made = f"{result.updates} update{'' if result.updates == 1 else 's'}"
    return f"{result.task}: {result.status.value.replace('_', ' ')} after {made}. {opening(result.stop_reason)}"


def caveat(result: Record) -> str | None:
    """That the estimates are not those of a fit that has converged, and how it ended; None where they are."""
    distance = result.distance_to_optimum_in_standard_errors
    if result.status is Status.CONVERGED or (distance is not None and distance < CONVERGED_BELOW):
        return None
    return f"not the estimates of a fit that has converged: {headline(result)}"


def is_unfinished(result: Record) -> bool:
    """Whether there are errors, but of a point that is no optimum."""
    if result.is_solved:
        endless = isinstance(result.stop_reason, Fact) and result.stop_reason.kind in WITHOUT_MAXIMUM
        return result.status is not Status.CONVERGED and result.covariance is not None and not endless
    distance = result.distance_to_optimum_in_standard_errors
    if distance is None:  # as where the Hessian has no minimum: nothing says that the errors are those of one
        return result.covariance is not None and result.status is not Status.CONVERGED
    return distance >= CONVERGED_BELOW


def estimate_cell(estimate: Estimate, *, rounded: bool) -> str:
    """With the digits that its error supports; six where it is not yet where it will be."""
    error = estimate.standard_error
    if rounded or error is None:
        return with_error(estimate.estimate, error)
    return f"{estimate.estimate:.6g} ± {error:.6g}"


def interval_cell(estimate: Estimate, *, rounded: bool) -> str:
    """Both ends, or why there are none."""
    if (why := remark(estimate)) or estimate.interval_95 is None:
        return why
    error = estimate.standard_error if rounded else None
    low, high = (value_as_with_error(end, error) for end in estimate.interval_95)
    return f"{low} to {high}"


def remark(estimate: Estimate) -> str:
    """Why an estimate is not one of those with an interval on both sides; nothing where it is.

    Example:
        >>> remark(Estimate(2.0, fixed=True)), remark(Estimate(2.0)), remark(Estimate(2.0, 0.5, (1.0, 3.0)))
        ('fixed', 'undetermined', '')
    """
    if estimate.fixed:
        return "fixed"
    if estimate.at_bound is not None:
        return f"at its {estimate.at_bound} bound"
    return "undetermined" if estimate.interval_95 is None else ""
