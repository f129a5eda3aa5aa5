"""Errors of estimates, what they rest on, and the parameters at a bound, where they mean nothing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from paramfit.facts import Fact, FactKind, Reason, without_repetition
from paramfit.inference.loss_function import LossFunction
from paramfit.linalg.lapack import Array, triangle
from paramfit.linalg.unit_free import InverseInformation, inverse_information
from paramfit.models import ParametricModel
from paramfit.parameters import ParameterSpec

__all__ = ["Uncertainty", "parameters_at_bound", "with_errors", "without_errors", "without_parameters"]

_NO_WAY = 1e-8  # of a standard error: less is left of no step
_FAR_OUT = 100.0  # standard errors of an unconstrained number: the value is within 1 % of an error from its bound
_NEAR = 1e-3  # of the way from the start to the bound: farther off a parameter has lost its influence, not its room


@dataclass(frozen=True)
class Uncertainty:
    """Covariance of the estimates, or why there is none."""

    # (p, p), float64, of the elements of theta; undetermined parameters have rows and columns of 0; None with a reason
    covariance: Tensor | None
    reasons: tuple[Reason, ...]  # why there is none, or why some parameters have none
    quantile: float  # half-width of a 95 % interval in standard errors
    method: Fact  # what covariance and quantile rest on
    root: Tensor | None = None  # F with F F^T the covariance; None where there is none
    undetermined: dict[int, Fact] = field(default_factory=dict)  # for each parameter without error, by its number, why
    at_bound: tuple[int, ...] = ()  # numbers of the parameters that sit at a bound, taken as fixed by the other errors
    directions: tuple[Fact, ...] = ()  # what the observations cannot tell apart
    edge: tuple[Fact, ...] = ()  # arguments on the edge of what their distribution allows: errors are those along it
    # Standard deviation of one new observation, or its factor on sigma; None: sigma is that itself; NaN: not known.
    noise: float | None = None
    spread: float = 1.0  # the factor on (J^T J)^-1's root
    unit: float = 1.0  # what rows have to be divided by before they are squared
    # The argument in which the log-density has a kink: the covariance is then by the expected information.
    kink: str | None = None


def without_errors(*reasons: Reason) -> Uncertainty:
    """No covariance, and why."""
    return Uncertainty(None, reasons, math.nan, Fact(FactKind.NO_METHOD))


def with_errors(
    inverse: InverseInformation,
    quantile: float,
    method: Fact,
    at_bound: Sequence[int],
    spread: float = 1.0,
    noise: float | None = None,
    kink: str | None = None,
    unit: float = 1.0,
) -> Uncertainty:
    """The errors that an inverse information gives; no covariance where it determines no parameter.

    The information is that of rows over the ``unit``.
    """
    root, undetermined = spread / unit * inverse.root, inverse.undetermined
    determined = len(undetermined) < len(root)
    return Uncertainty(
        covariance=torch.from_numpy(root @ root.T) if determined else None,
        reasons=without_repetition(list(undetermined.values())),
        quantile=quantile,
        method=method if determined else Fact(FactKind.NO_METHOD),
        root=torch.from_numpy(root),
        undetermined=undetermined,
        at_bound=tuple(at_bound),
        directions=inverse.directions,
        spread=spread,
        noise=noise,
        kink=kink,
        unit=unit,
    )


def without_parameters(
    factor: Array, names: Sequence[str], at_bound: Sequence[int], least: Array
) -> InverseInformation:
    """The inverse with the parameters at their bounds taken as fixed."""
    free = [k for k in range(len(names)) if k not in at_bound]
    undetermined = {k: Fact(FactKind.SITS_AT_BOUND, (names[k],)) for k in at_bound}
    if not free:
        return InverseInformation(np.zeros((len(names), 0)), undetermined, ())
    rest = inverse_information(triangle(factor[:, free]), [names[k] for k in free], least[free])
    root = np.zeros((len(names), rest.root.shape[1]))
    root[free] = rest.root
    return InverseInformation(
        root, {free[k]: reason for k, reason in rest.undetermined.items()} | undetermined, rest.directions
    )


def parameters_at_bound(loss: LossFunction, theta: Tensor, root: Array) -> list[int]:
    """The numbers of the parameters that are on a bound, or have run into one by a transform."""
    model = loss.model
    if not isinstance(model, ParametricModel) or not (model.transforms or model.boxes):
        return []
    numbers = {name: k for k, name in enumerate(loss.names)}
    values = loss.natural(theta).tolist()
    at_bound = [numbers[name] for name, box in model.boxes.items() if values[numbers[name]] in box]
    if model.transforms:
        slopes = loss.slopes(theta).abs().tolist()
        errors = np.sqrt(np.square(root).sum(axis=1))
        for name in model.transforms:
            k = numbers[name]
            spec = model.specifications[name]
            is_on_bound = not slopes[k] > 0 or _way_to_bound(values[k], spec) <= _NO_WAY * errors[k] * slopes[k]
            if is_on_bound or (errors[k] > _FAR_OUT and _is_near_a_bound(values[k], spec)):
                at_bound.append(k)
    return sorted(at_bound)


def _way_to_bound(value: float, spec: ParameterSpec) -> float:
    return min((abs(value - bound) for bound in (spec.lower, spec.upper) if bound is not None), default=math.inf)


def _is_near_a_bound(value: float, spec: ParameterSpec) -> bool:
    bounds = [bound for bound in (spec.lower, spec.upper) if bound is not None]
    ways = {bound: 1.0 if spec.start is None else abs(spec.start - bound) for bound in bounds}
    return any(abs(value - bound) <= _NEAR * way for bound, way in ways.items())
