"""How a solver ended, in the words of a result."""

import torch
from torch import nn

from paramfit.estimates.loss_function import element_names
from paramfit.models import ParametricModel
from paramfit.optimizers import LevenbergMarquardt, Newton
from paramfit.optimizers.runaway import ran_off
from paramfit.updates import Status, Stop

__all__ = ["how_it_ended"]


def how_it_ended(solver: LevenbergMarquardt | Newton, model: nn.Module, steps: int) -> Stop:
    """The status and the reason that go with the end of a solver, with names for the parameters that it is about.

    Args:
        solver: as it ended.
        model: whose trainable parameters it has solved for.
        steps: how many it took.
    """
    if solver.converged:
        away = _run_off(solver, model) if isinstance(solver, Newton) else None
        return Stop(Status.CONVERGED, f"{solver.reason}.") if away is None else Stop(Status.STALLED, away)
    if not solver.stalled:
        return Stop(Status.LIMIT_REACHED, f"not converged in {steps} iterations: {solver.reason}.")
    names = element_names(model)
    transforms = model.transforms if isinstance(model, ParametricModel) else {}

    def natural(place: int, unconstrained: float) -> float:
        transform = transforms.get(names[place])
        if transform is None:
            return unconstrained
        return float(transform(torch.tensor(unconstrained, dtype=torch.float64)))

    return Stop(Status.STALLED, f"{solver.reason_with(names, natural)}.")


def _run_off(solver: Newton, model: nn.Module) -> str | None:
    """The reason where a parameter has run off; one that has run to its bound is said to sit there."""
    names = element_names(model)
    bounded = model.transforms if isinstance(model, ParametricModel) else {}
    for place, start, end in solver.run_off():
        if names[place] not in bounded:
            return f"{ran_off(names[place], start, end)}."
    return None
