"""Parameters that sit at a bound, where an error means nothing."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from paramfit.inference.loss_function import LossFunction
from paramfit.inference.uncertainty import weak_direction_in_words
from paramfit.linalg.lapack import Array, triangle
from paramfit.linalg.unit_free import InverseInformation, inverse_information
from paramfit.models import ParametricModel
from paramfit.parameters import ParameterSpec

__all__ = ["parameters_at_bound", "reasons_without_error", "without_parameters"]

_FAR_OUT = 100.0  # standard errors of an unconstrained number: the value is within 1 % of an error from its bound
_NEAR = 1e-3  # of the way from the start to the bound: farther off a parameter has lost its influence, not its room


def without_parameters(factor: Array, at_bound: Sequence[int], least: Array | float = 0.0) -> InverseInformation:
    """The inverse with the parameters at their bounds taken as fixed: their rows are 0."""
    p = factor.shape[1]
    free = [k for k in range(p) if k not in at_bound]
    if not free:
        return InverseInformation(np.zeros((p, 0)), {}, ())
    rest = inverse_information(triangle(factor[:, free]), least if isinstance(least, float) else least[free])
    root = np.zeros((p, rest.root.shape[1]))
    root[free] = rest.root
    whole = {weak: replace(weak, places=tuple(free[k] for k in weak.places)) for weak in rest.directions}
    return InverseInformation(
        root, {free[k]: whole[weak] for k, weak in rest.undetermined.items()}, tuple(whole.values())
    )


def reasons_without_error(
    information: InverseInformation, at_bound: Sequence[int], names: Sequence[str], effect: str
) -> dict[int, str]:
    """Why parameters have no error, by their numbers; see ``weak_direction_in_words``."""
    weak = {k: weak_direction_in_words(direction, names, effect) for k, direction in information.undetermined.items()}
    return weak | {k: f"{names[k]} sits at its bound, where an error means nothing" for k in at_bound}


def parameters_at_bound(loss: LossFunction, theta: Tensor, root: Array) -> list[int]:
    """The numbers of the parameters that have run into a bound."""
    if not isinstance(loss.model, ParametricModel) or not loss.model.transforms:
        return []
    bounded = {k: loss.model.specifications[name] for k, name in enumerate(loss.names) if name in loss.model.transforms}
    values, slopes = loss.natural(theta).tolist(), loss.slopes(theta).abs().tolist()
    errors = np.sqrt(np.square(root).sum(axis=1))
    return [
        k
        for k, spec in bounded.items()
        if not slopes[k] > 0 or (errors[k] > _FAR_OUT and _is_near_a_bound(values[k], spec))
    ]


def _is_near_a_bound(value: float, spec: ParameterSpec) -> bool:
    bounds = [bound for bound in (spec.lower, spec.upper) if bound is not None]
    ways = {bound: 1.0 if spec.start is None else abs(spec.start - bound) for bound in bounds}
    return any(abs(value - bound) <= _NEAR * way for bound, way in ways.items())
