"""What to be careful about, each with a cure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from paramfit.facts import Fact, FactKind
from paramfit.inference.uncertainty import Uncertainty
from paramfit.parameters import ParameterSpec
from paramfit.results.record import Estimate
from paramfit.results.statistics import LeastSquaresStatistics

__all__ = ["cautions_about"]

_SAME = 0.9999  # parameters correlated more strongly than this are hardly two
_MOST_PAIRS = 3
_WORSE = 1e-4  # of the target's variance: less is what a bound or rounding leaves
_UNLIKELY = 1e-3


def cautions_about(
    names: Sequence[str],
    estimates: Mapping[str, Estimate],
    errors: Uncertainty,
    correlation: Tensor | None,
    statistics: LeastSquaresStatistics | None,
    specifications: Mapping[str, ParameterSpec] | None = None,
    *,
    solved_exactly: bool = False,
) -> list[Fact]:
    """Facts for the report: what is wrong, by how much, and what to do."""
    cautions = [
        Fact(FactKind.AT_BOUND, (name,), {"side": estimate.at_bound, "estimate": estimate.estimate})
        for name, estimate in estimates.items()
        if estimate.at_bound is not None
    ]
    cautions += errors.edge
    cautions += _over_bounds(estimates, specifications or {})
    cautions += [replace(direction, cure=_cure(direction)) for direction in errors.directions]
    if not errors.edge:  # along an edge what is held by it moves together
        cautions += _strong_correlations(names, correlation)
    if statistics is not None:
        cautions += _chi_square(statistics)
        if statistics.r_squared is not None and statistics.r_squared < -_WORSE:
            cure = Fact(FactKind.ADD_CONSTANT if solved_exactly else FactKind.LOOK_AND_RESTART)
            cautions.append(Fact(FactKind.WORSE_THAN_CONSTANT, numbers={"r_squared": statistics.r_squared}, cure=cure))
        if statistics.degrees_of_freedom == 0 and errors.noise is None:
            cautions.append(Fact(FactKind.AS_MANY_PARAMETERS))
    return cautions


def _cure(direction: Fact) -> Fact:
    """What several parameters do together, one of them can be fixed for; one alone may have a better start."""
    return Fact(FactKind.FIX_ONE if direction.kind is FactKind.INSEPARABLE else FactKind.FIX_OR_RESTART)


def _over_bounds(estimates: Mapping[str, Estimate], specifications: Mapping[str, ParameterSpec]) -> list[Fact]:
    """Intervals that reach to where the parameter cannot be."""
    cautions = []
    for name, spec in specifications.items():
        interval = estimates[name].interval_95 if name in estimates else None
        if interval is None:
            continue
        if spec.lower is not None and interval[0] < spec.lower:
            cautions.append(Fact(FactKind.INTERVAL_OVER_BOUND, (name,), {"side": "lower", "bound": spec.lower}))
        if spec.upper is not None and interval[1] > spec.upper:
            cautions.append(Fact(FactKind.INTERVAL_OVER_BOUND, (name,), {"side": "upper", "bound": spec.upper}))
    return cautions


def _strong_correlations(names: Sequence[str], correlation: Tensor | None) -> list[Fact]:
    if correlation is None:
        return []
    matrix = correlation.tolist()
    pairs = [(abs(matrix[i][j]), i, j) for i in range(len(names)) for j in range(i) if abs(matrix[i][j]) > _SAME]
    pairs.sort(reverse=True)
    cure = Fact(FactKind.CENTRE_OR_MEASURE_ELSEWHERE)
    cautions = [
        Fact(FactKind.STRONG_CORRELATION, (names[j], names[i]), {"correlation": matrix[i][j]}, cure=cure)
        for _, i, j in pairs[:_MOST_PAIRS]
    ]
    if len(pairs) > _MOST_PAIRS:
        cautions.append(Fact(FactKind.MORE_STRONG_CORRELATIONS, numbers={"pairs": len(pairs) - _MOST_PAIRS}))
    return cautions


def _chi_square(statistics: LeastSquaresStatistics) -> list[Fact]:
    probability = statistics.chi_square_probability
    if probability is None or _UNLIKELY <= probability <= 1 - _UNLIKELY:
        return []
    kind = FactKind.RESIDUALS_ABOVE_SIGMA if probability < _UNLIKELY else FactKind.RESIDUALS_BELOW_SIGMA
    numbers = {
        "chi_square": statistics.chi_square,
        "freedom": statistics.degrees_of_freedom,
        "probability": probability,
    }
    return [Fact(kind, numbers=numbers)]
