"""Why a descent diverged, and what would cure it."""

from torch.optim import Optimizer

from paramfit.facts import Fact, FactKind
from paramfit.inference.descent_stability import stability
from paramfit.inference.loss_function import LossFunction

__all__ = ["cure_of_divergence"]

_POWERS_OF_TEN = (-1, 1, -2, 2, -3, 3, -4, 4, -5, 5, -6, 6)


def cure_of_divergence(start: LossFunction, optimizer: Optimizer) -> Fact:
    """What would cure a divergence, with numbers.

    The learning rate is compared with the largest stable one at the start. Where it is above, the mildest power of ten
    is sought by which the inputs would have to be scaled for this rate to be stable.

    Args:
        start: the objective at the start of the fit, before the first update.
        optimizer: what made the updates.
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
    return stability(scaled, optimizer).learning_rate_limit
