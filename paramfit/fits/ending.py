"""How a solver ended, in the words of a result."""

from collections.abc import Callable

import torch
from torch import nn

from paramfit.facts import Fact, FactKind
from paramfit.inference.loss_function import element_names
from paramfit.models import DistributionModel, ParametricModel
from paramfit.outcome import Status, Stop
from paramfit.solvers.levenberg_marquardt import LevenbergMarquardt
from paramfit.solvers.newton import Newton

__all__ = ["how_it_ended"]

Natural = Callable[[int, float], float]


def how_it_ended(solver: LevenbergMarquardt | Newton, model: nn.Module, steps: int) -> Stop:
    """The status and the reason that go with the end of a solver, with names for the parameters that it is about.

    Args:
        solver: as it ended.
        model: whose trainable parameters it has solved for.
        steps: how many it took.
    """
    if not solver.is_done():
        return Stop(
            Status.LIMIT_REACHED, Fact(FactKind.ITERATIONS_USED_UP, numbers={"steps": steps}, cause=solver.reason)
        )
    if solver.converged and isinstance(solver, LevenbergMarquardt):
        return Stop(Status.CONVERGED, f"{solver.reason}.")
    names = element_names(model)
    transforms = model.transforms if isinstance(model, ParametricModel) else {}

    def natural(place: int, unconstrained: float) -> float:
        transform = transforms.get(names[place])
        if transform is None:
            return unconstrained
        return float(transform(torch.tensor(unconstrained, dtype=torch.float64)))

    away = _run_off(solver, model, names, natural) if isinstance(solver, Newton) else None
    if away is not None:
        return Stop(Status.STALLED, away)
    if solver.converged:
        return Stop(Status.CONVERGED, f"{solver.reason}.")
    return Stop(Status.STALLED, f"{solver.reason_with(names, natural)}.")


def _run_off(solver: Newton, model: nn.Module, names: tuple[str, ...], natural: Natural) -> Fact | None:
    """The reason where a parameter has run off; one that has run to its bound is said to sit there."""
    specs = model.specifications if isinstance(model, ParametricModel) else {}
    bounded = {place: specs[name] for place, name in enumerate(names) if name in specs and specs[name].bounded}
    # theta = l + exp(u), or h - exp(u): no end where u grows.
    one_sided = {place for place, spec in bounded.items() if spec.lower is None or spec.upper is None}
    for place, start, end in solver.run_off(one_sided):
        if place in bounded and not (place in one_sided and end > start):
            continue
        # Of an argument of a distribution there is no maximum to start near.
        is_argument = isinstance(model, DistributionModel) and names[place] in model.names
        kind = FactKind.LIKELIHOOD_WITHOUT_MAXIMUM if is_argument else FactKind.RUN_OFF
        return Fact(kind, (names[place],), {"start": natural(place, start), "value": natural(place, end)})
    return None
