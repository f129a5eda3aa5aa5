"""How a solver ended, as facts of a result."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from paramfit.facts import Fact, FactKind, Number, Status, Stop
from paramfit.inference.loss_function import element_names
from paramfit.models import DistributionModel, ParametricModel
from paramfit.solvers.gauss_newton import GaussNewtonState
from paramfit.solvers.newton_raphson import NewtonState
from paramfit.solvers.standing import Finding, Standing

__all__ = ["fact_of", "how_it_began", "how_it_ended"]

Natural = Callable[[int, float], float]
_KINDS = {
    Finding.OFFSET_LEFT: FactKind.RELATIVE_OFFSET_LEFT,
    Finding.DISTANCE_LEFT: FactKind.DISTANCE_LEFT,
    Finding.LINEAR: FactKind.SOLVED_EXACTLY,
    Finding.ORTHOGONAL: FactKind.RELATIVE_OFFSET_SMALL,
    Finding.EXACT: FactKind.EXACT_FIT,
    Finding.STEP_SMALL: FactKind.STEP_SMALL,
    Finding.DISTANCE_SMALL: FactKind.DISTANCE_SMALL,
    Finding.OFFSET_AT_ROUNDING: FactKind.RELATIVE_OFFSET_AT_ROUNDING,
    Finding.DISTANCE_AT_ROUNDING: FactKind.DISTANCE_AT_ROUNDING,
    Finding.KINK: FactKind.KINK_OF_LOSS,
    Finding.SINGULAR: FactKind.SINGULAR_AT_OPTIMUM,
    Finding.ON_EDGE: FactKind.ON_EDGE_OF_DOMAIN,
    Finding.ENDLESS_AT_EDGE: FactKind.ENDLESS_AT_EDGE,
    Finding.NO_INFLUENCE: FactKind.WITHOUT_INFLUENCE,
    Finding.DIVERGENT: FactKind.RUN_OFF,
    Finding.UNDETERMINED: FactKind.NOTHING_DETERMINED,
    Finding.NO_DESCENT: FactKind.NO_DESCENT_BY_OFFSET,
    Finding.NO_DESCENT_BY_DISTANCE: FactKind.NO_DESCENT_BY_DISTANCE,
    Finding.NO_MINIMUM: FactKind.NO_MINIMUM,
}


def fact_of(standing: Standing, names: Sequence[str] = (), **more: Number) -> Fact:
    """How a search stands, as a fact."""
    numbers: dict[str, Number] = {"value": standing.value, "threshold": standing.threshold, **more}
    return Fact(_KINDS[standing.finding], tuple(names), numbers)


def how_it_began(state: Any, model: nn.Module) -> tuple[Fact, ...]:
    """What a solver did with the start that was given: nothing, or it moved equal components apart."""
    if not isinstance(state, GaussNewtonState) or not state.alike:
        return ()
    names = element_names(model)
    starts = tuple(state.start[list(state.alike)].tolist())
    about = tuple(names[place] for place in state.alike)
    return (Fact(FactKind.STARTS_MOVED_APART, about, {"starts": starts}, cure=Fact(FactKind.OTHER_STARTS)),)


def how_it_ended(state: GaussNewtonState | NewtonState, model: nn.Module, steps: int) -> Stop:
    """The status and the reason that go with the end of a solver, with names for the parameters that it is about."""
    standing = state.standing
    if not standing.ended:
        used_up = Fact(FactKind.ITERATIONS_USED_UP, numbers={"steps": steps}, cause=fact_of(standing))
        return Stop(Status.LIMIT_REACHED, used_up)
    if isinstance(state, NewtonState) and not state.at_edge:
        divergent = _divergent(state, model)
        if divergent is not None:
            return Stop(Status.STALLED, divergent)
    names = element_names(model) if standing.places else ()
    about = tuple(names[place] for place in standing.places)
    if standing.converged:
        return Stop(Status.CONVERGED, fact_of(standing, about))
    if not standing.places:
        return Stop(Status.STALLED, fact_of(standing))
    if standing.finding is not Finding.DIVERGENT:
        return Stop(Status.STALLED, fact_of(standing, about))
    return Stop(Status.STALLED, _run_off(FactKind.RUN_OFF, standing.places[0], state, model))


def _run_off(kind: FactKind, place: int, state: GaussNewtonState | NewtonState, model: nn.Module) -> Fact:
    """The reason that goes with a parameter that has run off, by its name and values within its bounds."""
    names = element_names(model)
    natural = _natural_values(model, names)
    start, value = (natural(place, float(theta[place])) for theta in (state.start, state.theta))
    return Fact(kind, (names[place],), {"start": start, "value": value})


def _natural_values(model: nn.Module, names: Sequence[str]) -> Natural:
    """From a place in theta and an unconstrained number there to the value within its bounds."""
    transforms = model.transforms if isinstance(model, ParametricModel) else {}

    def natural(place: int, unconstrained: float) -> float:
        transform = transforms.get(names[place])
        if transform is None:
            return unconstrained
        return float(transform(torch.tensor(unconstrained, dtype=torch.float64)))

    return natural


def _divergent(state: NewtonState, model: nn.Module) -> Fact | None:
    """The reason where a parameter has run off; one that has run to its bound is said to sit there."""
    names = element_names(model)
    specs = model.specifications if isinstance(model, ParametricModel) else {}
    bounded = {place: specs[name] for place, name in enumerate(names) if name in specs and specs[name].bounded}
    # theta = l + exp(u), or h - exp(u): no end where u grows.
    one_sided = {place for place, spec in bounded.items() if spec.lower is None or spec.upper is None}
    for place in state.divergent(one_sided):
        if place in bounded and not (place in one_sided and state.theta[place] > state.start[place]):
            continue
        # Of an argument of a distribution there is no maximum to start near.
        is_argument = isinstance(model, DistributionModel) and names[place] in model.names
        kind = FactKind.LIKELIHOOD_WITHOUT_MAXIMUM if is_argument else FactKind.RUN_OFF
        return _run_off(kind, place, state, model)
    return None
