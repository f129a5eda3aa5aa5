"""A step to where a density with a kink has its maximum: it meets as many observations as there are parameters."""

from typing import Any

import numpy as np
import torch

from paramfit.distributions.derivatives import steepness
from paramfit.linalg.lapack import Array
from paramfit.linalg.least_absolute import least_absolute_step
from paramfit.models import DistributionModel
from paramfit.models.base import trainable_parameters
from paramfit.observations import Observations
from paramfit.passes.likelihood_terms import LikelihoodTerms
from paramfit.solvers.newton_raphson import NewtonRaphson, NewtonState
from paramfit.solvers.parameter_vector import ParameterVector

__all__ = ["at_kinks_of_density"]

_MOST_ROWS = 20_000  # that a linear program takes about a second for
_MOST_STEPS = 10
_HALVINGS = 8
_LESS = 1e-12  # of the loss, or of 1: what a step has to win


def at_kinks_of_density(
    state: NewtonState,
    solver: NewtonRaphson,
    terms: LikelihoodTerms,
    observations: Observations,
    vector: ParameterVector,
) -> NewtonState:
    r"""The state after steps by least absolute deviations; the parameters may be anywhere afterwards.

    The parabolas that stand for a log-density with a kink (Laplace) lead to it ever more slowly: the one of a row that
    is nearly met holds it there. With :math:`\mu` the argument that has the kink, k the size of the slopes beside it
    and J the derivative of the argument by the parameters, each step minimises

    .. math:: \sum_i k_i |y_i - \mu_i - j_i^T d|

    and is halved until the loss falls; it is exact where the argument is linear and k one number.

    References:
        Mike Osborne, Alistair Watson: On an Algorithm for Discrete Nonlinear L1 Approximation (1971).
    """
    if observations.n > _MOST_ROWS or observations.censoring is not None or state.interior is not None or state.ended:
        return state
    argument = terms.kink(observations)
    if argument is None or not isinstance(terms.model, DistributionModel):
        return state
    for _ in range(_MOST_STEPS):
        vector.write(state.theta)
        step = _step(terms.model, argument, observations, state)
        after = None if step is None else _shortened(step, state, solver, terms, observations, vector)
        if after is None:
            return state
        state = after
    return state


def _step(model: DistributionModel, argument: str, observations: Observations, state: NewtonState) -> Array | None:
    """By the parameters that move the argument, others staying, ``(p,)``."""
    with torch.no_grad():
        distribution = model(*observations.inputs)
        slopes = model.argument_jacobian(*observations.inputs)[argument]
        residual = (observations.target - getattr(distribution, argument)).expand(observations.n).numpy()
        weights = steepness(distribution).expand(observations.n).numpy()
    names = list(trainable_parameters(model))
    places = [names.index(name) for name in slopes]
    if not places:
        return None
    rows = [np.broadcast_to(np.asarray(column, dtype=np.float64), (observations.n,)) for column in slopes.values()]
    here = state.theta[places]
    low, high = np.array(state.sums.boxes).T[:, places] - here if state.sums.boxes else _anywhere(len(places))
    inner = least_absolute_step(np.stack(rows, axis=1), residual, weights, low, high)
    if inner is None:
        return None
    step = np.zeros_like(state.theta)
    step[places] = inner
    return step


def _anywhere(p: int) -> Array:
    ends: Array = np.array([[-np.inf] * p, [np.inf] * p])
    return ends


def _shortened(
    step: Array,
    state: NewtonState,
    solver: NewtonRaphson,
    terms: LikelihoodTerms,
    observations: Observations,
    vector: ParameterVector,
) -> NewtonState | None:
    """The state at its end, or half as far as often as the loss is no less; None where it never is."""
    needed = _LESS * max(1.0, abs(state.loss))
    for halved in range(_HALVINGS):
        trial = state.theta + step / 2**halved
        vector.write(trial)
        sums: Any = terms(observations)
        if sums.is_finite() and sums.loss < state.loss - needed:
            return solver.moved(state, trial, sums)
    return None
