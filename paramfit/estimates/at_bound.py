"""Parameters that sit at a bound, where an error means nothing."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from paramfit.estimates.loss_function import LossFunction
from paramfit.estimates.singularity import InverseInformation, inverse_information
from paramfit.optimizers.small_matrices import Array, triangle

__all__ = ["parameters_at_bound", "without_parameters"]

_FAR_OUT = 100.0  # standard errors of an unconstrained number: the value is within 1 % of an error from its bound


def without_parameters(
    factor: Array, names: Sequence[str], at_bound: Sequence[int], least: Array
) -> InverseInformation:
    """The inverse with the parameters at their bounds taken as fixed."""
    free = [k for k in range(len(names)) if k not in at_bound]
    undetermined = {k: f"{names[k]} sits at its bound, where an error means nothing" for k in at_bound}
    if not free:
        return InverseInformation(np.zeros((len(names), 0)), undetermined, ())
    rest = inverse_information(triangle(factor[:, free]), [names[k] for k in free], least[free])
    root = np.zeros((len(names), rest.root.shape[1]))
    root[free] = rest.root
    return InverseInformation(
        root, {free[k]: reason for k, reason in rest.undetermined.items()} | undetermined, rest.directions
    )


def parameters_at_bound(loss: LossFunction, theta: Tensor, root: Array) -> list[int]:
    """The numbers of the parameters that have run into a bound."""
    bounded = [k for k, name in enumerate(loss.names) if name in getattr(loss.model, "transforms", {})]
    if not bounded:
        return []
    slopes, errors = loss.slopes(theta).abs().tolist(), np.sqrt(np.square(root).sum(axis=1))
    return [k for k in bounded if not slopes[k] > 0 or errors[k] > _FAR_OUT]
