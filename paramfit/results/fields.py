"""What a summary adds to a result."""

from collections.abc import Collection
from typing import Any

from torch import Tensor

from paramfit.results.summary import Summary

__all__ = ["fields_of", "reasons"]


def fields_of(summary: Summary, names: tuple[str, ...], sigma_is: str | None) -> dict[str, Any]:
    """The fields of a ``FitResult`` that its summary fills.

    Args:
        summary: of the final parameters.
        names: the estimated parameters.
        sigma_is: ``absolute`` or ``relative``; None without known errors.
    """
    statistics = summary.statistics
    return {
        "parameters": summary.parameters,
        "original_units": summary.original_units,
        "distance_to_optimum_in_standard_errors": summary.distance.total,
        "distances_per_parameter": dict(zip(names, summary.distance.per_parameter, strict=False)),
        "updates_to_converge": summary.updates_left,
        "uncertainty": summary.errors.method,
        "covariance": _matrix(names, summary.covariance, summary.errors.undetermined),
        "correlation": _matrix(names, summary.correlation, summary.errors.undetermined),
        "least_squares": None if statistics is None else {**vars(statistics), "sigma_is": sigma_is},
        "likelihood": None if summary.likelihood is None else vars(summary.likelihood),
        "warnings": list(summary.warnings),
        "curve": summary.curve,
    }


def reasons(summary: Summary) -> dict[str, str]:
    """Why what is missing is missing."""
    found = {
        "standard_error": summary.errors.reason,
        "distance_to_optimum_in_standard_errors": summary.distance.reason,
        "updates_to_converge": summary.updates_left_reason,
    }
    if summary.original_units is None and summary.errors.covariance is not None:
        found["original_units"] = "the model cannot undo the normalisation; estimates are on the scaled input"
    return {key: reason for key, reason in found.items() if reason is not None}


def _matrix(names: tuple[str, ...], values: Tensor | None, without: Collection[int]) -> dict[str, Any] | None:
    """Of the parameters that have an error: a 0 for another would be read as if it were known."""
    if values is None:
        return None
    told, rows = [k for k in range(len(names)) if k not in without], values.tolist()
    return {"parameters": [names[k] for k in told], "matrix": [[rows[j][k] for k in told] for j in told]}
