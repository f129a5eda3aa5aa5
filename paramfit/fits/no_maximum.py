"""Whether Newton's method is on the way to a maximum that there is not."""

from typing import Any

import numpy as np
import torch

from paramfit.facts import Fact
from paramfit.fits.kinked_density import at_kinks_of_density
from paramfit.inference.edge_of_domain import endless_edge
from paramfit.inference.limiting import limiting_distribution
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.recession_direction import is_unbounded_along, recession
from paramfit.observations import Observations
from paramfit.passes.likelihood_terms import LikelihoodTerms
from paramfit.solvers.newton_raphson import NewtonRaphson, NewtonState
from paramfit.solvers.newton_step import NewtonStep
from paramfit.solvers.parameter_vector import ParameterVector
from paramfit.solvers.standing import Finding

__all__ = ["beyond_doubt", "preferred_limit"]

_SETTLED = 0.1  # standard errors of all others from where they would settle: less does not decide what is preferred


def beyond_doubt(
    state: NewtonState,
    solver: NewtonRaphson,
    terms: LikelihoodTerms,
    observations: Observations,
    vector: ParameterVector,
) -> NewtonState:
    """The state, once it is doubtful looked into with all rows; the parameters may be anywhere afterwards.

    Where the likelihood rises without end in a direction, it is gone there to where nothing is left to gain, so that
    all else settles in a few steps; where it prefers a distribution outside of the family, the search ends.
    """
    if not state.is_doubtful:
        return state
    state = at_kinks_of_density(state, solver, terms, observations, vector)
    loss, theta = LossFunction(terms.model, terms.objective, observations), torch.from_numpy(state.theta)
    if preferred_limit(state, loss) is not None:
        return solver.without_minimum(state)
    if state.interior is not None:
        return state
    if state.ended and endless_edge(loss, theta) is not None:
        return solver.without_minimum(state, Finding.ENDLESS_AT_EDGE)
    step, _ = state.proposal
    if is_unbounded_along(loss, theta, step - state.theta):
        return solver.without_minimum(state, Finding.UNBOUNDED, step - state.theta)
    endless = recession(loss, theta)
    if endless is None and state.ended:  # nothing moves the observations any more
        endless = recession(loss, torch.from_numpy(state.start))
    if endless is None:
        return state
    if endless.far is None:
        return solver.without_minimum(state, Finding.UNBOUNDED, endless.direction)
    vector.write(endless.far)
    sums: Any = terms(observations)
    if sums.is_finite():
        return solver.beyond(state, endless.far, sums, endless.direction)
    return solver.without_minimum(state, recession=endless.direction)


def preferred_limit(state: NewtonState, loss: LossFunction) -> Fact | None:
    """That the observations prefer a distribution outside of the family, once all that does not lead there is settled.

    Too wide a spread makes any tails look light.
    """
    fact = limiting_distribution(loss, torch.from_numpy(state.theta))
    if fact is None:
        return None
    others = [place for place, name in enumerate(loss.names) if name not in fact.parameters]
    if not others:
        return fact
    settling = NewtonStep(state.sums.gradient[others], state.sums.curvature[np.ix_(others, others)])
    return fact if settling.distance < _SETTLED else None
