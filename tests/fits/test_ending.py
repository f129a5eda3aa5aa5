"""How a solved model's end is told, with its parameters by name."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from paramfit import DistributionModel, FormulaModel, NegativeLogLikelihood, Objective, Observations, SquaredError
from paramfit.facts import Fact, FactKind, Status, Stop
from paramfit.fits.ending import fact_of, how_it_ended
from paramfit.fits.solved_model import solve_model
from paramfit.inference.loss_function import LossFunction
from paramfit.passes.likelihood_terms import LikelihoodTerms
from paramfit.passes.residual_rows import ResidualRows
from paramfit.shown.words import sentence
from paramfit.solvers.gauss_newton import GaussNewton
from paramfit.solvers.gauss_newton_state import GaussNewtonState
from paramfit.solvers.newton_raphson import NewtonRaphson
from paramfit.solvers.standing import Finding, Standing

X = np.linspace(0.1, 10, 40)
PEAK = Observations(
    (torch.from_numpy(X),), torch.from_numpy(np.exp(-((X - 5) ** 2)) + 0.05 * np.random.default_rng(1).normal(size=40))
)


def peak(**starts: Any) -> FormulaModel:
    return FormulaModel("a * exp(-((x - m) / s)**2)", ["x"], {"a": 1.0, "m": 4.0, "s": 1.0, **starts})


def ended(
    model: nn.Module, objective: Objective | None = None, most: int = 1000, rows: Observations = PEAK
) -> tuple[GaussNewtonState, Stop]:
    state, steps = solve_model(ResidualRows(model, objective or SquaredError()), rows, GaussNewton(), most)
    return state, how_it_ended(state, model, steps)


def test_convergence_is_told_with_the_solvers_reason():
    state, stop = ended(peak())
    assert stop == Stop(Status.CONVERGED, fact_of(state.standing))
    assert sentence(stop.reason).endswith(" standard errors (relative offset), at most 1e-06.")


def test_limit_is_told_with_its_number_and_how_far_it_is():
    state, stop = ended(peak(m=3.0), most=2)
    assert stop.status is Status.LIMIT_REACHED
    assert isinstance(stop.reason, Fact)
    assert stop.reason.cause == fact_of(state.standing)
    assert sentence(stop.reason).startswith("not converged in 2 iterations: the step that is left is ")


@pytest.mark.parametrize("bounds", [{}, {"lower": 0}], ids=["free", "bounded"])
def test_parameters_that_no_prediction_depends_on_are_named(bounds):
    starts = {"a": 1.0, "m": {"start": 300.0, **bounds}, "s": 0.1, "c": None}
    state, stop = ended(FormulaModel("a * exp(-((x - m) / s)**2) + c", ["x"], starts))
    assert (stop.status, sentence(stop.reason)) == (
        Status.STALLED,
        "a, m and s are where no prediction depends on them; give other starts.",
    )
    assert state.standing.places == (0, 1, 2)


def valley(m: Any) -> FormulaModel:
    return FormulaModel("c - 1 / (1 + m * x)", ["x"], {"c": {"start": 1, "fixed": True}, "m": m})


def endless() -> Observations:
    """A constant, with a deviation that has no part along 1 and 1/x: the larger m is, the better it fits."""
    x = np.linspace(1.0, 3.0, 30)
    basis, _ = np.linalg.qr(np.stack([np.ones(30), 1 / x], axis=1))
    deviation = np.cos(9 * x)
    y = 1 + 0.1 * (deviation - basis @ (basis.T @ deviation))
    return Observations((torch.from_numpy(x),), torch.from_numpy(y))


def test_parameter_that_ran_off_is_named_with_its_values():
    model = valley(1.0)
    state, stop = ended(model, rows=endless())
    value = model.get_parameter("m").item()
    assert value > 1e6
    assert stop.status is Status.STALLED
    assert sentence(stop.reason).startswith(
        f"m started at 1 and has run off to {value:.3g}, and nothing holds it there"
    )
    # The same numbers are unconstrained ones of a bounded parameter: 100 / (1 + e^-1), and its upper bound.
    bounded = valley({"start": 50.0, "lower": 0.0, "upper": 100.0})
    assert sentence(how_it_ended(state, bounded, 1).reason).startswith("m started at 73.1 and has run off to 100, and")


QUANTILES = (np.arange(200) + 0.5) / 200
STUDENT = {"df": None, "loc": None, "scale": None}
NEGATIVE_BINOMIAL = {"total_count": None, "probs": None}


def likeliest(kind: str, parameters: dict[str, Any], sample: np.ndarray) -> Stop:
    model = DistributionModel(f"torch.distributions.{kind}", parameters)
    target = torch.from_numpy(np.asarray(sample, dtype=np.float64))
    model.begin_at(target)
    objective, rows = NegativeLogLikelihood(), Observations((), target)
    state, steps = solve_model(LikelihoodTerms(model, objective), rows, NewtonRaphson())
    return how_it_ended(state, model, steps, lambda: LossFunction.around(model, objective, rows))


@pytest.mark.parametrize(("kind", "parameters", "sample", "name"), [
    # Lighter tails than the normal distribution's, and counts that vary less than Poisson's: neither has a maximum.
    ("StudentT", STUDENT, stats.norm.ppf(QUANTILES), "df"),
    ("StudentT", STUDENT, QUANTILES, "df"),
    ("NegativeBinomial", NEGATIVE_BINOMIAL, stats.binom(8, 0.5).ppf(QUANTILES), "total_count"),
    ("NegativeBinomial", {"total_count": 5.0, "probs": 0.5}, stats.binom(20, 0.2).ppf(QUANTILES), "total_count"),
], ids=["t, normal", "t, uniform", "negative binomial", "negative binomial from afar"])  # fmt: skip
def test_a_likelihood_that_rises_without_end_is_named(kind, parameters, sample, name):
    stop = likeliest(kind, parameters, sample)
    assert stop.status is Status.STALLED
    assert isinstance(stop.reason, Fact)
    assert (stop.reason.kind, stop.reason.parameters) == (FactKind.PREFERS_LIMIT, (name,))
    assert f"without end as {name} grows" in sentence(stop.reason)


@pytest.mark.parametrize(
    ("kind", "parameters", "sample"),
    [
        ("StudentT", STUDENT, stats.t(4).ppf(QUANTILES)),
        ("StudentT", {"df": 1e5, "loc": 0.0, "scale": 1.0}, stats.t(4).ppf(QUANTILES)),
        ("NegativeBinomial", NEGATIVE_BINOMIAL, stats.nbinom(30, 0.88).ppf(QUANTILES)),
        ("Gamma", {"concentration": 1.0, "rate": 1.0}, 1e-12 * stats.gamma(3).ppf(QUANTILES)),
        ("Normal", {"loc": {"start": -1.0, "upper": 0.0}, "scale": 1.0}, stats.norm(-1e6, 1).ppf(QUANTILES)),
    ],
    ids=[
        "t", "t from afar", "negative binomial", "gamma in a small unit", "normal far from its bound",
    ],
)  # fmt: skip
def test_a_maximum_however_far_is_not_taken_for_running_off(kind, parameters, sample):
    assert likeliest(kind, parameters, sample).status is Status.CONVERGED


@pytest.mark.parametrize(("kind", "value"), [("Bernoulli", 0.0), ("Bernoulli", 1.0), ("Geometric", 0.0)])
def test_a_sample_whose_maximum_is_at_a_bound_converges(kind, value):
    assert likeliest(kind, {"probs": None}, np.full(20, value)).status is Status.CONVERGED


@pytest.mark.parametrize("finding", [Finding.OFFSET_LEFT, Finding.DISTANCE_LEFT])
@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_distance_that_is_not_known_is_said_to_be_so(finding, value):
    assert sentence(fact_of(Standing(finding, value))).startswith("how far the minimum is is not known")
