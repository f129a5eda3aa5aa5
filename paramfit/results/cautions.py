"""What to be careful about, each with a cure."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from paramfit.inference.uncertainty import Uncertainty
from paramfit.parameters import ParameterSpec
from paramfit.results.record import Estimate
from paramfit.results.statistics import LeastSquaresStatistics

__all__ = ["cautions"]

_CURES = {
    True: "fix one of them (fixed: true), or leave it out",
    False: "give another start, fix it (fixed: true), or leave it out",
}
_SAME = 0.9999  # parameters correlated more strongly than this are hardly two
_MOST_PAIRS = 3
_WORSE = 1e-4  # of the target's variance: less is what a bound or rounding leaves
_UNLIKELY = 1e-3


def cautions(
    names: Sequence[str],
    estimates: Mapping[str, Estimate],
    errors: Uncertainty,
    correlation: Tensor | None,
    statistics: LeastSquaresStatistics | None,
    specifications: Mapping[str, ParameterSpec] | None = None,
) -> list[str]:
    """Sentences for the report: what is wrong, by how much, and what to do.

    Args:
        names: the estimated parameters, in the order of the correlation.
        estimates: all parameters.
        errors: their uncertainty.
        correlation: ``(p, p)``.
        statistics: of least squares.
        specifications: of the parameters that have any.
    """
    found = [
        f"{name} sits at its {estimate.at_bound} bound (estimate {estimate.estimate:.6g}): an error there means"
        " nothing, and all other errors take it as fixed; fix it, or widen the bound if you gave it"
        for name, estimate in estimates.items()
        if estimate.at_bound is not None
    ]
    found += _over_bounds(estimates, specifications or {})
    found += [f"{direction}; {_CURES['cannot be told apart' in direction]}" for direction in errors.directions]
    found += _near(names, correlation)
    if statistics is not None:
        found += _chi_square(statistics)
        if statistics.r_squared is not None and statistics.r_squared < -_WORSE:
            found.append(
                f"R² is {statistics.r_squared:.3g}: the curve fits worse than a constant would; look at the figure, and"
                " give other starts"
            )
        if statistics.degrees_of_freedom == 0 and errors.noise is None:
            found.append(
                "there are as many parameters as observations: the curve meets every point, and nothing is"
                " left to tell errors by; give more rows, or sigma"
            )
    return found


def _over_bounds(estimates: Mapping[str, Estimate], specifications: Mapping[str, ParameterSpec]) -> list[str]:
    """Intervals that reach to where the parameter cannot be."""
    found = []
    for name, spec in specifications.items():
        interval = estimates[name].interval_95 if name in estimates else None
        if interval is None:
            continue
        ends = {"lower": spec.lower is not None and interval[0] < spec.lower}
        ends["upper"] = spec.upper is not None and interval[1] > spec.upper
        for side in (side for side, is_over in ends.items() if is_over):
            bound = spec.lower if side == "lower" else spec.upper
            found.append(
                f"{name}: its interval reaches over its {side} bound {bound:g}, so that the parabola is a poor picture"
                " there; the profile likelihood keeps to the bound (--ladder.enabled true, or paramfit.ladder)"
            )
    return found


def _near(names: Sequence[str], correlation: Tensor | None) -> list[str]:
    if correlation is None:
        return []
    matrix = correlation.tolist()
    pairs = [(abs(matrix[i][j]), i, j) for i in range(len(names)) for j in range(i) if abs(matrix[i][j]) > _SAME]
    pairs.sort(reverse=True)
    found = []
    for _, i, j in pairs[:_MOST_PAIRS]:
        value = matrix[i][j]
        told = f"{value:.5f}" if abs(value) < 0.999995 else f"{value:.10f}"
        found.append(
            f"{names[j]} and {names[i]} cannot be told apart: correlation {told.replace('-', '−')}; fix one of them"
            " (fixed: true), count an input from the middle of its values, or measure where they act differently"
        )
    if len(pairs) > _MOST_PAIRS:
        found.append(f"and {len(pairs) - _MOST_PAIRS} more such pairs; the curve is sound, its parameters are not")
    return found


def _chi_square(statistics: LeastSquaresStatistics) -> list[str]:
    probability = statistics.chi_square_probability
    if probability is None or _UNLIKELY <= probability <= 1 - _UNLIKELY:
        return []
    seen = f"chi-square {statistics.chi_square:.4g} for {statistics.degrees_of_freedom} degrees of freedom"
    if probability < _UNLIKELY:
        return [
            f"the residuals are larger than sigma allows ({seen}, probability {probability:.2g}): the curve is not the"
            " data's, or sigma is too small; sigma_is: relative takes the errors from the residuals"
        ]
    return [
        f"the residuals are smaller than sigma allows ({seen}): sigma is too large; sigma_is: relative takes the errors"
        " from the residuals"
    ]
