"""Newton's method and Fisher scoring: steps, closed forms, far starts, what is no maximum, batches, resuming."""

import copy
import io
import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from operator import add

import numpy as np
import pytest
import scipy.optimize
import torch
from scipy import stats
from torch import Tensor, nn

from paramfit import DistributionModel, InputError, NegativeLogLikelihood, Newton, Observations
from paramfit.passes.likelihood_terms import LikelihoodTerms
from paramfit.solvers.newton_step import NewtonStep
from paramfit.solvers.standing import Finding
from paramfit.solvers.sums import LikelihoodSums

Function = Callable[[Tensor], Tensor]


def vector(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


class Case:
    """A loss as a user of the optimizer alone would write it."""

    def __init__(self, loss: Function, *start: float, **options: float) -> None:
        self.loss = loss
        self.theta = nn.Parameter(vector(*start))
        self.solver = Newton([self.theta], **options)  # type: ignore[arg-type]
        self.losses: list[float] = []

    def closure(self) -> LikelihoodSums:
        at = self.theta.detach()
        slope, curvature = torch.func.grad(self.loss)(at), torch.func.hessian(self.loss)(at)
        return LikelihoodSums(self.loss(at).item(), slope.numpy(), curvature.numpy(), 1)

    def solve(self, most: int = 300) -> "Case":
        for _ in range(most):
            if self.solver.is_done():
                break
            self.losses.append(self.solver.step(self.closure))
        return self


def parabola(t: Tensor) -> Tensor:
    return 0.5 * (t @ torch.tensor([[4.0, 1.0], [1.0, 3.0]], dtype=torch.float64) @ t) - t @ vector(1.0, 2.0)


def rosenbrock(t: Tensor) -> Tensor:
    return 100 * (t[1] - t[0] ** 2) ** 2 + (1 - t[0]) ** 2


def hill_between_valleys(t: Tensor) -> Tensor:
    return (t[0] ** 2 - 1) ** 2  # minima at -1 and 1, and curved down between -0.577 and 0.577


def test_a_parabola_is_solved_in_one_step():
    case = Case(parabola, 30.0, -70.0, damping=1e-12)
    for _ in range(2):  # a look at the start, and the step
        case.solver.step(case.closure)
    assert case.theta.tolist() == pytest.approx([1 / 11, 7 / 11], rel=1e-9)  # (4 1; 1 3)^-1 (1, 2)


def test_the_logarithm_of_a_bounded_value_moves_by_two_at_most():
    case = Case(parabola, 30.0, -70.0, damping=1e-12)

    def closure() -> LikelihoodSums:
        return replace(case.closure(), bounded=(1,))

    for _ in range(2):
        case.solver.step(closure)
    first, second = case.theta.tolist()
    assert second == pytest.approx(-68.0, rel=1e-12)
    assert first == pytest.approx(30 + (1 / 11 - 30) * 2 / (70 + 7 / 11), rel=1e-9)  # as short a part of the way


@pytest.mark.parametrize("damping", [1e-8, 1e-4, 100.0], ids=str)
@pytest.mark.parametrize("start", [(-1.2, 1.0), (10.0, -30.0)], ids=str)
def test_a_curved_valley_is_followed_to_its_end_and_the_loss_never_rises(start, damping):
    case = Case(rosenbrock, *start, damping=damping).solve(2000)
    assert case.solver.converged
    assert case.theta.tolist() == pytest.approx([1.0, 1.0], abs=1e-6)
    assert all(after <= before for before, after in itertools.pairwise(case.losses))


@pytest.mark.parametrize("start", [0.01, 0.3, -0.5, -1e-6, 40.0], ids=str)
def test_where_the_loss_curves_down_the_way_is_downhill_all_the_same(start):
    case = Case(hill_between_valleys, start).solve()
    assert case.solver.converged
    assert case.theta.item() == pytest.approx(math.copysign(1.0, start), rel=1e-8)


def test_the_top_of_a_hill_is_no_minimum_though_it_has_no_slope():
    case = Case(hill_between_valleys, 0.0).solve()
    assert not case.solver.converged
    assert case.solver.stalled
    assert case.solver.reached.standing.finding is Finding.NO_MINIMUM


def test_the_step_does_not_depend_on_the_units():
    units = vector(1e-6, 1e8)
    plain = Case(rosenbrock, -1.2, 1.0).solve()
    scaled = Case(lambda t: rosenbrock(t * units), -1.2e6, 1e-8).solve()
    assert scaled.losses[:8] == pytest.approx(plain.losses[:8], rel=1e-6)
    assert (scaled.theta.detach() * units).tolist() == pytest.approx([1.0, 1.0], abs=1e-6)


def test_a_trial_that_is_not_finite_is_not_taken():
    case = Case(lambda t: t[0] - 1e-3 * torch.log(t[0]), 0.5).solve()  # full steps lead below 0
    assert case.solver.converged
    assert case.theta.item() == pytest.approx(1e-3, rel=1e-8)
    assert all(map(math.isfinite, case.losses))


def test_a_start_that_is_not_finite_is_refused():
    case = Case(lambda t: -torch.log(t[0]), -1.0)
    with pytest.raises(InputError, match="not finite at the start"):
        case.solver.step(case.closure)


def test_a_slope_without_an_end_does_not_converge():
    assert not Case(lambda t: -t.sum(), 0.0).solve(50).solver.converged


@pytest.mark.parametrize(("options", "named"), [
    ({"damping": 0.0}, "damping"),
    ({"damping": math.inf}, "damping"),
    ({"tolerance": 0.0}, "tolerance"),
    ({"tolerance": 1.0}, "tolerance"),
    ({"tolerance": math.nan}, "tolerance"),
], ids=str)  # fmt: skip
def test_an_option_out_of_its_range_is_refused(options, named):
    with pytest.raises(InputError, match=f"{named}: expected"):
        Newton([nn.Parameter(vector(1.0))], **options)  # type: ignore[arg-type]


X = torch.linspace(-1.0, 2.0, 101, dtype=torch.float64)
COUNTS = torch.from_numpy(np.random.default_rng(0).poisson(np.exp(0.5 + 0.8 * X.numpy()))).double()
WAITING = torch.from_numpy(np.random.default_rng(1).gamma(2.5, 0.5, 101))


def poisson(a: float = 0.0, b: float = 0.0) -> DistributionModel:
    return DistributionModel("torch.distributions.Poisson", {"rate": "exp(a + b*x)"}, coefficients={"a": a, "b": b})


def gamma(concentration: float = 1.0, rate: float = 1.0) -> DistributionModel:
    return DistributionModel("torch.distributions.Gamma", {"concentration": concentration, "rate": rate})


class TwoHeaps(nn.Module):
    """Two normal distributions of unit width on either side of 0, by a location that may have either sign."""

    def __init__(self, location: float) -> None:
        super().__init__()
        self.location = nn.Parameter(vector(location)[0])

    def forward(self) -> torch.distributions.MixtureSameFamily:
        halves = torch.distributions.Categorical(torch.full((2,), 0.5, dtype=torch.float64), validate_args=False)
        heaps = torch.distributions.Normal(torch.stack([self.location, -self.location]), vector(1.0, 1.0))
        return torch.distributions.MixtureSameFamily(halves, heaps)


ROWS = {"counts": Observations((X,), COUNTS), "sample": Observations((), WAITING)}


def solved(model: nn.Module, rows: Observations, expected: bool = True, size: int = 1000) -> Newton:
    """Fit in batches of a size."""
    terms = LikelihoodTerms(model, NegativeLogLikelihood())
    solver = Newton(model.parameters(), expected=expected)
    for _ in range(400):
        if solver.is_done():
            break
        solver.step(lambda: in_batches(terms, rows, expected, size))
    return solver


def in_batches(terms: LikelihoodTerms, rows: Observations, expected: bool, size: int) -> LikelihoodSums:
    batches = [rows.rows(slice(start, start + size)) for start in range(0, rows.n, size)]
    return reduce(add, [terms(batch, expected=expected) for batch in batches])


@pytest.mark.parametrize("expected", [True, False], ids=["Fisher scoring", "Hessian"])
@pytest.mark.parametrize("start", [(0.0, 0.0), (20.0, -10.0), (-30.0, 5.0), (5.0, 40.0)], ids=str)
def test_poisson_regression_is_solved_from_far_starts(start, expected):
    model = poisson(*start)
    assert solved(model, ROWS["counts"], expected).converged

    def gradient(theta: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> list[float]:
        residual = np.exp(theta[0] + theta[1] * X.numpy()) - COUNTS.numpy()
        return [residual.sum(), (residual * X.numpy()).sum()]

    theirs = scipy.optimize.root(gradient, [0.5, 0.8], tol=1e-13).x
    assert [parameter.item() for parameter in model.parameters()] == pytest.approx(theirs, rel=1e-8)


@pytest.mark.parametrize("expected", [True, False], ids=["Fisher scoring", "Hessian"])
@pytest.mark.parametrize("start", [(1.0, 1.0), (1e6, 1e-6), (1e-4, 1e4), (1e4, 1e4)], ids=str)
def test_gamma_is_solved_from_far_starts(start, expected):
    model = gamma(*start)
    assert solved(model, ROWS["sample"], expected).converged
    shape, _, scale = stats.gamma.fit(WAITING.numpy(), floc=0)
    assert model.natural("concentration").item() == pytest.approx(shape, rel=1e-6)
    assert model.natural("rate").item() == pytest.approx(1 / scale, rel=1e-6)


@pytest.mark.parametrize("start", [1e-3, -0.4, 100.0], ids=str)
def test_a_mixture_is_solved_from_where_its_likelihood_curves_up(start):
    heaps = torch.cat([X - 3, X + 3])
    model = TwoHeaps(start)
    assert solved(model, Observations((), heaps)).converged

    def slope(location: float) -> float:  # of the log-likelihood of 0.5 N(m, 1) + 0.5 N(-m, 1)
        return float((heaps * torch.tanh(heaps * location)).mean()) - location

    root = scipy.optimize.brentq(slope, 1.0, 10.0, xtol=1e-13)
    assert model.location.item() == pytest.approx(math.copysign(root, start), rel=1e-9)


def test_a_mixture_is_not_solved_where_both_heaps_are_one():
    solver = solved(TwoHeaps(0.0), Observations((), torch.cat([X - 3, X + 3])))
    assert solver.stalled
    assert solver.reached.standing.finding is Finding.NO_MINIMUM


@pytest.mark.parametrize("kind", ROWS)
def test_batches_of_any_size_give_the_same_estimates(kind):
    values = []
    for size in (1, 13, 1000):
        model = poisson() if kind == "counts" else gamma()
        assert solved(model, ROWS[kind], size=size).converged
        values.append([parameter.item() for parameter in model.parameters()])
    assert values[0] == pytest.approx(values[2], rel=1e-10)
    assert values[1] == pytest.approx(values[2], rel=1e-10)


@pytest.mark.parametrize("taken", range(6))
def test_a_solver_goes_on_from_what_it_kept_bit_for_bit(taken):
    whole = poisson(3.0, -2.0)
    solved(whole, ROWS["counts"])
    model = poisson(3.0, -2.0)
    solver = Newton(model.parameters())
    terms = LikelihoodTerms(model, NegativeLogLikelihood())
    for _ in range(taken):
        solver.step(lambda: terms(ROWS["counts"], expected=True))
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "solver": solver.state_dict()}, file)
    file.seek(0)
    kept = torch.load(file, weights_only=True)
    other = poisson(9.0, 9.0)
    other.load_state_dict(kept["model"])
    resumed = Newton(other.parameters())
    resumed.load_state_dict(copy.deepcopy(kept["solver"]))
    other_terms = LikelihoodTerms(other, NegativeLogLikelihood())
    while not resumed.is_done():
        resumed.step(lambda: other_terms(ROWS["counts"], expected=True))
    assert resumed.converged
    assert all(map(torch.equal, other.parameters(), whole.parameters()))


def test_a_distribution_that_refuses_its_arguments_is_a_trial_that_failed():
    class FreeScale(nn.Module):
        """A scale that nothing keeps above 0, and torch's own check of it."""

        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(vector(10.0)[0])

        def forward(self) -> torch.distributions.Normal:
            return torch.distributions.Normal(torch.zeros_like(self.scale), self.scale)

    model = FreeScale()
    assert solved(model, Observations((), X)).converged
    assert model.scale.item() == pytest.approx(X.square().mean().sqrt().item(), rel=1e-8)


def test_a_slope_that_grows_without_end_has_run_off():
    model = DistributionModel("torch.distributions.Bernoulli", {"logits": "a + b*x"}, coefficients={"a": 0.0, "b": 0.0})
    solver = solved(model, Observations((X,), (X > 0.1).double()))  # all ones lie above all zeros
    place, *_ = solver.reached.divergent()
    assert (place, solver.reached.start[place]) == (1, 0.0)
    assert solver.reached.theta[place] > 100


@pytest.mark.parametrize("kind", ROWS)
def test_a_far_start_is_not_taken_for_running_off(kind):
    model = poisson(20.0, -10.0) if kind == "counts" else gamma(1e6, 1e-6)
    assert solved(model, ROWS[kind]).reached.divergent() == []


def test_gradients_are_filled_for_whoever_looks():
    model = poisson()
    solver = Newton(model.parameters())
    terms = LikelihoodTerms(model, NegativeLogLikelihood())
    solver.step(lambda: terms(ROWS["counts"]))
    residual = 1 - COUNTS  # at rates of 1
    for count in (1, 101):
        solver.fill_gradients(count)
        slopes = [parameter.grad.item() for parameter in model.parameters() if parameter.grad is not None]
        expected = [residual.sum().item() / count, (residual * X).sum().item() / count]
        assert slopes == pytest.approx(expected, rel=1e-12)


CURVATURE = np.array([[4.0, 1.0], [1.0, 3.0]])
GRADIENT = np.array([1.0, -2.0])


def test_undamped_step_solves_the_quadratic():
    step, promised = NewtonStep(GRADIENT, CURVATURE).step(0.0)
    np.testing.assert_allclose(step, -np.linalg.solve(CURVATURE, GRADIENT), rtol=1e-12)
    assert promised == pytest.approx(-(GRADIENT @ step + 0.5 * step @ CURVATURE @ step))


def test_distance_is_in_standard_errors_and_knows_no_unit():
    expected = math.sqrt(GRADIENT @ np.linalg.solve(CURVATURE, GRADIENT))
    assert NewtonStep(GRADIENT, CURVATURE).distance == pytest.approx(expected)
    unit = np.diag([1e6, 1e-3])
    assert NewtonStep(unit @ GRADIENT, unit @ CURVATURE @ unit).distance == pytest.approx(expected)


def test_step_from_a_saddle_leads_downhill():
    saddle = np.diag([2.0, -1.0])
    visited = NewtonStep(np.array([1.0, 0.5]), saddle)
    step, promised = visited.step(0.0)
    assert step @ np.array([1.0, 0.5]) < 0
    assert promised > 0
    assert math.isinf(visited.distance)
