"""Why a descent diverged, and what would cure it."""

from torch.optim import Optimizer

from paramfit.inference.descent_stability import stability
from paramfit.inference.loss_function import LossFunction

__all__ = ["divergence_cure"]

_POWERS_OF_TEN = (-1, 1, -2, 2, -3, 3, -4, 4, -5, 5, -6, 6)


def divergence_cure(start: LossFunction, optimizer: Optimizer) -> str:
    """What would cure a divergence, with numbers.

    The learning rate is compared with the largest stable one at the start. Where it is above, the mildest power of ten
    is sought by which the inputs would have to be scaled for this rate to be stable.

    Args:
        start: the objective at the start of the fit, before the first update.
        optimizer: what made the updates.
    """
    rate = optimizer.param_groups[0]["lr"]
    found = stability(start, optimizer)
    limit = found.learning_rate_limit
    if limit is None:
        return f"no largest stable rate is known ({found.limit_reason}); try a learning rate below {rate:g}"
    if rate <= limit:
        return (
            f"learning rate {rate:g} is below the largest stable rate {_rate(limit)} at the start, so the curvature has"
            f" grown on the way or the gradient is wrong; try {_rate(rate / 10)}, another start, or AutogradGradient"
        )
    cure = f"learning rate {rate:g} is {rate / limit:.2g} times the largest stable rate {_rate(limit)}"
    if start.observations.inputs:
        for power in _POWERS_OF_TEN:
            scale = 10.0**power
            scaled = _stable_rate_with_scaled_inputs(start, optimizer, scale)
            if scaled is not None and scaled > rate:
                return f"{cure}; scaling the input by {scale:g} raises the limit to {_rate(scaled)}"
    return f"{cure}; a rate of {_rate(limit / 2)} descends"


def _rate(value: float) -> str:
    """Two digits: ``0.033``, but ``3.4e-4`` where zeros would have to be counted."""
    if value >= 1e-3:
        return f"{value:.2g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def _stable_rate_with_scaled_inputs(start: LossFunction, optimizer: Optimizer, scale: float) -> float | None:
    inputs = tuple(column * scale for column in start.observations.inputs)
    scaled = LossFunction(start.model, start.objective, start.observations._replace(inputs=inputs))
    return stability(scaled, optimizer).learning_rate_limit
