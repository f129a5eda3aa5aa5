"""Estimates that need no descent."""

import torch
from torch import Tensor

from paramfit.inference.loss_function import LossFunction
from paramfit.models import ParametricModel
from paramfit.objectives import NegativeLogLikelihood, SquaredError

__all__ = ["closed_form"]


def closed_form(loss: LossFunction) -> Tensor | None:
    """The exact optimum ``(p,)`` where a formula gives it: linear least squares, or a sample's own statistics.

    Returns:
        float64 estimates in the order of ``loss.names``; None where there is no formula.
    """
    model, objective = loss.model, loss.objective
    if objective.penalised or not isinstance(model, ParametricModel):
        return None
    if isinstance(objective, SquaredError) and model.linear_in_parameters and loss.n >= loss.p:
        origin = torch.zeros(loss.p, dtype=torch.float64)
        design = loss.jacobian(origin)
        rest = (loss.observations.target - loss.prediction(origin)).detach()
        size = design.norm(dim=0)
        if not bool((size > 0).all()):
            return None
        scaled: Tensor = torch.linalg.lstsq(design / size, rest.unsqueeze(1), driver="gelsd").solution.squeeze(1)
        return scaled.div(size)
    if isinstance(objective, NegativeLogLikelihood) and loss.observations.censoring is None:
        estimate = model.sample_estimate(loss.observations.target)
        if estimate is not None and set(estimate) == set(loss.names):
            return torch.stack([estimate[name] for name in loss.names])
    return None
