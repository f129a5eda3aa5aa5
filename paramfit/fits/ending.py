"""How a solver ended, in the words of a result."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from paramfit.inference.loss_function import element_names
from paramfit.models import DistributionModel, ParametricModel
from paramfit.outcome import Status, Stop
from paramfit.solvers.gauss_newton import GaussNewtonState
from paramfit.solvers.newton_raphson import NewtonState
from paramfit.solvers.standing import Finding, Standing

__all__ = ["how_it_ended", "standing_in_words"]

Natural = Callable[[int, float], float]
_WORDS = {
    Finding.OFFSET_LEFT: "the step that is left is {value:.1e} standard errors (relative offset)",
    Finding.DISTANCE_LEFT: "the step that is left is {value:.1e} standard errors",
    Finding.LINEAR: "the model is linear in its parameters: solved exactly",
    Finding.ORTHOGONAL: (
        "the step that is left is {value:.1e} standard errors (relative offset), at most {threshold:g}"
    ),
    Finding.EXACT: "the residuals are {value:.1e} long, nothing but rounding: the fit is exact",
    Finding.STEP_SMALL: "the step that is left is {value:.1e} of each parameter, at most {threshold:g}",
    Finding.DISTANCE_SMALL: "the step that is left is {value:.1e} standard errors, at most {threshold:g}",
    Finding.OFFSET_AT_ROUNDING: "the loss cannot be lowered any more, and the relative offset is {value:.1e}",
    Finding.DISTANCE_AT_ROUNDING: (
        "the loss cannot be lowered any more, and the minimum is {value:.1e} standard errors away"
    ),
    Finding.NO_INFLUENCE: "{parameters} where no prediction depends on {pronoun}; give other starts",
    Finding.DIVERGENT: (
        "{parameters} started at {start:.3g} and has run off to {end:.3g}, and nothing holds it there: the loss hardly"
        " depends on it any more; give other starts, or bounds"
    ),
    Finding.UNDETERMINED: (
        "no parameter is determined here, the best known one to {value:.1e} times its size: the model has lost"
        " sight of the data; give other starts"
    ),
    Finding.NO_DESCENT: ("no step lowers the loss, though the relative offset is {value:.1e}, above {threshold:.0e}"),
    Finding.NO_DESCENT_BY_DISTANCE: (
        "no step lowers the loss, though the minimum seems {value:.1e} standard errors away, above {threshold:g};"
        " give other starts"
    ),
    Finding.NO_MINIMUM: (
        "no step lowers the loss, but it is no minimum: along some direction it is flat or curves down;"
        " give other starts"
    ),
}


def standing_in_words(standing: Standing, names: Sequence[str] = (), start: float = 0.0, end: float = 0.0) -> str:
    """One clause that says how a search stands.

    Args:
        standing: the finding and its numbers.
        names: of the parameters that it is about.
        start: where the one that diverged began, within its bounds.
        end: where it is.
    """
    *others, last = names or ("",)
    verbs = {Finding.NO_INFLUENCE: (" is", " are")}.get(standing.finding, ("", ""))
    return _WORDS[standing.finding].format(
        value=standing.value,
        threshold=standing.threshold,
        parameters=f"{', '.join(others)} and {last}{verbs[1]}" if others else f"{last}{verbs[0]}",
        pronoun="them" if others else "it",
        start=start,
        end=end,
    )


def how_it_ended(state: GaussNewtonState | NewtonState, model: nn.Module, steps: int) -> Stop:
    """The status and the reason that go with the end of a solver, with names for the parameters that it is about.

    Args:
        state: the solver's last.
        model: whose trainable parameters it has solved for.
        steps: how many it took.
    """
    standing = state.standing
    if not standing.ended:
        return Stop(Status.LIMIT_REACHED, f"not converged in {steps} iterations: {standing_in_words(standing)}.")
    if isinstance(state, NewtonState):
        divergent = _divergent(state, model)
        if divergent is not None:
            return Stop(Status.STALLED, divergent)
    if standing.converged:
        return Stop(Status.CONVERGED, f"{standing_in_words(standing)}.")
    if not standing.places:
        return Stop(Status.STALLED, f"{standing_in_words(standing)}.")
    return Stop(Status.STALLED, _about(standing, state, model))


def _about(standing: Standing, state: GaussNewtonState | NewtonState, model: nn.Module) -> str:
    """The reason that goes with parameters, by their names and values within bounds."""
    names = element_names(model)
    natural, place = _natural_values(model, names), standing.places[0]
    ends = (natural(place, float(theta[place])) for theta in (state.start, state.theta))
    return f"{standing_in_words(standing, [names[place] for place in standing.places], *ends)}."


def _natural_values(model: nn.Module, names: Sequence[str]) -> Natural:
    """From a place in theta and an unconstrained number there to the value within its bounds."""
    transforms = model.transforms if isinstance(model, ParametricModel) else {}

    def natural(place: int, unconstrained: float) -> float:
        transform = transforms.get(names[place])
        if transform is None:
            return unconstrained
        return float(transform(torch.tensor(unconstrained, dtype=torch.float64)))

    return natural


def _divergent(state: NewtonState, model: nn.Module) -> str | None:
    """The reason where a parameter has run off; one that has run to its bound is said to sit there."""
    names = element_names(model)
    specs = model.specifications if isinstance(model, ParametricModel) else {}
    bounded = {place: specs[name] for place, name in enumerate(names) if name in specs and specs[name].bounded}
    # theta = l + exp(u), or h - exp(u): no end where u grows.
    one_sided = {place for place, spec in bounded.items() if spec.lower is None or spec.upper is None}
    for place in state.divergent(one_sided):
        start, end = float(state.start[place]), float(state.theta[place])
        if place in bounded and not (place in one_sided and end > start):
            continue
        if isinstance(model, DistributionModel) and names[place] in model.names:
            natural = _natural_values(model, names)
            return _without_end(names[place], natural(place, start), natural(place, end))
        return _about(Standing(Finding.DIVERGENT, places=(place,)), state, model)
    return None


def _without_end(name: str, start: float, end: float) -> str:
    """The reason that goes with an argument of a distribution that has run off: there is no maximum to start near."""
    return (
        f"{name} started at {start:.3g} and has run off to {end:.3g}, and no other start helps: the likelihood rises,"
        f" or stays the same, without end as {name} {'grows' if end > start else 'falls'}; give it a bound there, fix"
        " it (fixed: true), or take the distribution that it tends to."
    )
