"""How fast gradient descent may go, and what would cure one that went too fast."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import SGD, Optimizer

from paramfit.facts import Fact, FactKind
from paramfit.inference.loss_function import LossFunction
from paramfit.optimizers import GradientDescent

__all__ = ["Stability", "cure_of_divergence", "curvature", "stability"]

_MOST_PARAMETERS_FOR_EIGENVALUES = 1000


@dataclass(frozen=True)
class Stability:
    """What the curvature of the objective allows."""

    learning_rate_limit: float | None  # largest stable learning rate; None with a reason where there is none
    limit_reason: Fact | None  # why there is none
    condition_number: float | None  # largest over smallest curvature; None with a reason
    condition_reason: Fact | None  # why there is none


def curvature(loss: LossFunction, theta: Tensor) -> tuple[float, float | None]:
    """Largest and smallest eigenvalue of the loss's Hessian at ``theta``.

    Up to 1000 parameters all eigenvalues are computed; above, the largest alone, by power iteration, and the smallest
    is None.
    """
    if loss.p <= _MOST_PARAMETERS_FOR_EIGENVALUES:
        hessian = loss.hessian(theta)
        if not bool(torch.isfinite(hessian).all()):
            return math.nan, math.nan
        eigenvalues = torch.linalg.eigvalsh(hessian)
        return eigenvalues[-1].item(), eigenvalues[0].item()
    farthest = _farthest_eigenvalue(loss, theta, 0.0)
    # Far below 0 it is the smallest; measured from there, the largest is the farthest.
    return (farthest if farthest >= 0 else _farthest_eigenvalue(loss, theta, farthest) + farthest), None


def _farthest_eigenvalue(loss: LossFunction, theta: Tensor, origin: float) -> float:
    """The Hessian's eigenvalue farthest from ``origin``, measured from there, by power iteration."""
    direction = torch.randn(loss.p, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    value = 0.0
    for _ in range(100):
        direction = direction / direction.norm()
        product = loss.hessian_product(theta, direction) - origin * direction
        before, value = value, torch.dot(direction, product).item()
        if not product.norm() > 0 or abs(value - before) <= 1e-6 * abs(value):
            break
        direction = product
    return value


def stability(loss: LossFunction, optimizer: Optimizer) -> Stability:
    r"""The largest stable learning rate at the start, and the condition number.

    .. math:: \eta_{max} = \frac{2 (1 + \beta)}{(1 - d) \lambda_{max}}

    with :math:`\lambda_{max}` the largest eigenvalue of the objective's Hessian (plus the weight decay),
    :math:`\beta` the momentum and d its dampening. Optimizers other than plain gradient descent and SGD have no limit.

    References:
        Boris Polyak: Some methods of speeding up the convergence of iteration methods (1964).
    """
    largest, smallest = curvature(loss, loss.theta)
    condition, condition_reason = None, None
    if smallest is None:
        condition_reason = Fact(FactKind.TOO_MANY_PARAMETERS, numbers={"most": _MOST_PARAMETERS_FOR_EIGENVALUES})
    elif not smallest > 0 or not math.isfinite(largest):
        condition_reason = Fact(FactKind.NOT_CURVED_UPWARDS, numbers={"eigenvalue": smallest})
    else:
        condition = largest / smallest
    group = optimizer.param_groups[0]
    if not isinstance(optimizer, SGD | GradientDescent) or group.get("nesterov"):
        kind = "Nesterov's momentum" if group.get("nesterov") else type(optimizer).__name__
        return Stability(None, Fact(FactKind.NO_FIXED_LIMIT, numbers={"optimizer": kind}), condition, condition_reason)
    largest += group.get("weight_decay", 0.0)
    if not largest > 0 or not math.isfinite(largest):
        reason = Fact(FactKind.NO_UPWARD_CURVATURE, numbers={"eigenvalue": largest})
        return Stability(None, reason, condition, condition_reason)
    momentum = group.get("momentum", 0.0)
    share = 1 - group.get("dampening", 0.0) if momentum else 1.0  # torch dampens nothing without momentum
    if not share > 0:
        return Stability(None, Fact(FactKind.NO_GRADIENT_LEFT), condition, condition_reason)
    return Stability(2 * (1 + momentum) / (share * largest), None, condition, condition_reason)


_POWERS_OF_TEN = (-1, 1, -2, 2, -3, 3, -4, 4, -5, 5, -6, 6)


def cure_of_divergence(start: LossFunction, optimizer: Optimizer) -> Fact:
    """What would cure a divergence, with numbers.

    The learning rate is compared with the largest stable one at the start. Where it is above, the mildest power of ten
    is sought by which the inputs would have to be scaled for this rate to be stable.
    """
    rate = optimizer.param_groups[0]["lr"]
    stable = stability(start, optimizer)
    limit = stable.learning_rate_limit
    if limit is None:
        return Fact(FactKind.RATE_BELOW, numbers={"rate": rate}, cause=stable.limit_reason)
    numbers = {"rate": rate, "limit": limit}
    if rate <= limit:
        return Fact(FactKind.SMALLER_RATE_OR_START, numbers=numbers)
    if start.observations.inputs:
        for power in _POWERS_OF_TEN:
            scale = 10.0**power
            scaled = _stable_rate_with_scaled_inputs(start, optimizer, scale)
            if scaled is not None and scaled > rate:
                return Fact(FactKind.SCALE_INPUT, numbers={**numbers, "scale": scale, "scaled_limit": scaled})
    return Fact(FactKind.HALF_OF_LIMIT, numbers=numbers)


def _stable_rate_with_scaled_inputs(start: LossFunction, optimizer: Optimizer, scale: float) -> float | None:
    inputs = tuple(column * scale for column in start.observations.inputs)
    scaled = LossFunction(start.model, start.objective, start.observations._replace(inputs=inputs))
    try:
        return stability(scaled, optimizer).learning_rate_limit
    except ValueError:  # with such inputs the model would start outside its distribution's domain
        return None
