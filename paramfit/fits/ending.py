"""How a solver ended, as facts of a result."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

from paramfit.facts import WITHOUT_MAXIMUM, Fact, FactKind, Number, Status, Stop
from paramfit.fits.no_maximum import preferred_limit
from paramfit.inference.edge_of_domain import domain_edge, endless_edge
from paramfit.inference.formula_edge import FormulaEdge, edge_of_formula
from paramfit.inference.loss_function import LossFunction, element_names
from paramfit.inference.observation_rounding import rounding_in_errors
from paramfit.inference.separated_rows import separation
from paramfit.inference.switched_off import are_switched_off
from paramfit.inference.underflow import lost_to_underflow
from paramfit.linalg.unit_free import ScaledCurvature
from paramfit.models import DistributionModel, ParametricModel
from paramfit.solvers.gauss_newton_state import GaussNewtonState
from paramfit.solvers.newton_raphson import NewtonState
from paramfit.solvers.standing import Finding, Standing

__all__ = ["fact_of", "how_it_began", "how_it_ended", "is_at_start", "why_untrusted"]

_FARTHER = (0.5, 1.0, 2.0, 4.0, 8.0)  # times the way that a parameter has gone
_SAME = 1e-9  # of a loss: rounding, and more than it
_NO_PART = 1e-3  # of the largest part of a step, in units of each parameter's size: the last digits of what has settled
_SEEN = 1e-6  # of the residuals: what rounds predictions by as much hides from a step whether it leads down
_BY_COMPARISON = frozenset({Finding.KINK, Finding.NO_DESCENT, Finding.OFFSET_AT_ROUNDING})  # of losses

_RIDGE = 1e-6  # of the strongest curvature: errors are a thousand times those of each parameter alone
_PART_OF_RIDGE = 1e-3  # of the largest part in a direction
_FAR_OUT = 10.0  # times the start, of which less than 1 counts as 1

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
    Finding.UNBOUNDED: FactKind.LIKELIHOOD_WITHOUT_BOUND,
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


def is_at_start(state: Any) -> bool:
    """Whether a solver has not left its start: its first update judges the start, and no trial since was better.

    Parameters that are solved for exactly at each point have moved all the same.
    """
    if isinstance(state, GaussNewtonState):
        places = state.layout.nonlinear_places
        return len(places) > 0 and np.array_equal(state.best.theta[places], state.start[places])
    return isinstance(state, NewtonState) and np.array_equal(state.best.theta, state.start)


def how_it_ended(
    state: GaussNewtonState | NewtonState, model: nn.Module, steps: int, loss: Callable[[], LossFunction] | None = None
) -> Stop:
    """The status and the reason that go with the end of a solver, with names for the parameters that it is about.

    ``loss`` makes the objective over all rows at the end, which tells why a likelihood has no maximum, and whether what
    has no influence is switched off by a kink of the model.
    """
    standing = state.standing
    is_lost = standing.finding is Finding.NO_INFLUENCE
    if is_lost and loss is not None and are_switched_off(loss(), torch.from_numpy(state.theta), standing.places):
        standing = standing.changed(finding=Finding.SINGULAR)
    is_near = standing.finding is Finding.NO_DESCENT_BY_DISTANCE and loss is not None
    if is_near and loss is not None and standing.value <= rounding_in_errors(loss()):
        return Stop(Status.CONVERGED, fact_of(standing.changed(finding=Finding.DISTANCE_AT_ROUNDING)))
    if isinstance(state, NewtonState) and standing.converged and not state.at_edge and loss is not None:
        left_out = _left_out(state, loss)
        if left_out:
            return Stop(Status.CONVERGED, fact_of(standing.changed(finding=Finding.SINGULAR), left_out))
    if isinstance(state, NewtonState) and loss is not None:
        endless = _no_maximum(state, model, loss)
        if endless is not None:
            return Stop(Status.STALLED, endless)
    if not standing.ended:
        ridge = _ridge(state, model) if isinstance(state, NewtonState) else None
        used_up = Fact(FactKind.ITERATIONS_USED_UP, numbers={"steps": steps}, cause=ridge or fact_of(standing))
        return Stop(Status.LIMIT_REACHED, used_up)
    if isinstance(state, NewtonState) and not state.at_edge:
        divergent = _divergent(state, model, loss)
        if divergent is not None and not (standing.converged and loss is not None and _is_on_edge(state, loss())):
            return Stop(Status.STALLED, divergent)
    if isinstance(state, GaussNewtonState) and standing.finding in _BY_COMPARISON and loss is not None:
        edge = edge_of_formula(loss(), torch.from_numpy(state.theta))
        if edge is not None:
            return _at_formulas_edge(edge, loss(), torch.from_numpy(state.theta))
        point = state.steps.point
        rounded = lost_to_underflow(loss(), state.unit * math.sqrt(max(point.loss, 0.0) / point.n), _SEEN)
        if rounded is not None:
            return Stop(Status.STALLED, rounded)
    names = element_names(model) if standing.places else ()
    about = tuple(names[place] for place in standing.places)
    if standing.converged:
        return Stop(Status.CONVERGED, fact_of(standing, about))
    if not standing.places:
        return Stop(Status.STALLED, fact_of(standing))
    if standing.finding is not Finding.DIVERGENT:
        return Stop(Status.STALLED, fact_of(standing, about))
    return Stop(Status.STALLED, _run_off(FactKind.RUN_OFF, standing.places[0], state, model))


def _at_formulas_edge(edge: FormulaEdge, loss: LossFunction, theta: torch.Tensor) -> Stop:
    """Whether the edge is where a minimum is."""
    is_lowest = edge.is_lowest(loss, theta)
    numbers = {**edge.fact.numbers, "lowest": is_lowest}
    reason = Fact(FactKind.ENDED_AT_FORMULAS_EDGE, edge.fact.parameters, numbers)
    return Stop(Status.CONVERGED if is_lowest else Status.STALLED, reason)


def why_untrusted(stop: Stop | None) -> Fact | None:
    """Why no error can be read off where a fit has ended, if none can."""
    if stop is None or not isinstance(stop.reason, Fact):
        return None
    if stop.status is Status.DIVERGED:
        return Fact(FactKind.DIVERGED)
    return stop.reason if stop.reason.kind in WITHOUT_MAXIMUM else None


def _no_maximum(state: NewtonState, model: nn.Module, loss: Callable[[], LossFunction]) -> Fact | None:
    """Why there is no maximum, where the observations say so."""
    preferred = preferred_limit(state, loss()) if state.standing.stalled or state.recession is not None else None
    if preferred is not None:
        return preferred
    if state.standing.finding is Finding.UNBOUNDED and state.recession is not None:
        names = element_names(model)
        size = np.abs(state.recession) / np.maximum(1.0, np.abs(state.theta))
        places = np.flatnonzero(size > _NO_PART * size.max())
        shares = tuple(float(state.recession[place] / np.abs(state.recession).max()) for place in places)
        return fact_of(state.standing, [names[place] for place in places], shares=shares)
    if state.standing.finding is Finding.ENDLESS_AT_EDGE:
        return endless_edge(loss(), torch.from_numpy(state.theta)) or fact_of(state.standing)
    return None if state.recession is None else separation(loss(), state.recession, state.start)


def _left_out(state: NewtonState, loss: Callable[[], LossFunction]) -> tuple[str, ...]:
    """The parameters that kinks of the model keep out of every prediction."""
    if ((state.sums.gradient != 0) | (state.sums.curvature.diagonal() != 0)).all():
        return ()
    at_end = loss()
    needed = at_end.locally_needed(torch.from_numpy(state.theta))
    return () if needed is None else tuple(name for name in at_end.names if name not in needed)


def _is_on_edge(state: NewtonState, loss: LossFunction) -> bool:
    """Whether what has lost its influence has reached the edge of the domain: it can run no farther."""
    return domain_edge(loss, torch.from_numpy(state.theta), state.sums.curvature) is not None


def _never_falls(loss: LossFunction, state: NewtonState, place: int) -> bool:
    """Whether the likelihood stays as large as it is however much farther a parameter goes."""
    theta = torch.from_numpy(state.theta)
    way = torch.zeros_like(theta)
    way[place] = state.theta[place] - state.start[place]
    try:
        with torch.no_grad():
            losses = [
                float(loss.objective.total(loss.prediction(theta + way * far), *loss.observations.measured))
                for far in (0.0, *_FARTHER)
            ]
    except ValueError:
        return False  # what the distribution takes has an end there
    least = _SAME * max(1.0, abs(losses[0]))
    return all(after <= before + least for before, after in pairwise(losses))


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


def _ridge(state: NewtonState, model: nn.Module) -> Fact | None:
    """The parameters that steps do not end moving together, if they are far out where it hardly matters."""
    names = element_names(model)
    scaled = ScaledCurvature.of(state.sums.curvature)
    flattest = int(np.abs(scaled.values).argmin())
    if abs(scaled.values[flattest]) > _RIDGE * scaled.strongest:
        return None
    along = np.abs(scaled.vectors[:, flattest])
    far = np.abs(state.theta) > _FAR_OUT * np.maximum(1.0, np.abs(state.start))
    places = np.flatnonzero(along > _PART_OF_RIDGE * along.max())
    if len(places) < 2 or not far[places].any():
        return None
    natural = _natural_values(model, names)
    values = tuple(natural(int(place), float(state.theta[place])) for place in places)
    cure = Fact(FactKind.START_ACROSS_OR_FIX)
    return Fact(FactKind.ON_RIDGE, tuple(names[place] for place in places), {"values": values}, cure=cure)


def _divergent(state: NewtonState, model: nn.Module, loss: Callable[[], LossFunction] | None) -> Fact | None:
    """The reason where a parameter has run off; one that has run to its bound is said to sit there."""
    names = element_names(model)
    specs = model.specifications if isinstance(model, ParametricModel) else {}
    bounded = {place: specs[name] for place, name in enumerate(names) if name in specs and specs[name].bounded}
    # theta = l + exp(u), or h - exp(u): no end where u grows.
    one_sided = {place for place, spec in bounded.items() if spec.lower is None or spec.upper is None}
    for place in state.divergent(one_sided):
        if place in bounded and not (place in one_sided and state.theta[place] > state.start[place]):
            continue
        # Of an argument of a distribution there is no maximum to start near, nor where the likelihood never falls.
        is_argument = isinstance(model, DistributionModel) and names[place] in model.names
        is_endless = is_argument or (loss is not None and _never_falls(loss(), state, place))
        kind = FactKind.LIKELIHOOD_WITHOUT_MAXIMUM if is_endless else FactKind.RUN_OFF
        return _run_off(kind, place, state, model)
    return None
