"""Levenberg and Marquardt's method, on problems whose minima are published, and beside SciPy and lmfit."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import lmfit
import numpy as np
import pytest
import scipy.optimize
import torch
from torch import Tensor, nn

from paramfit import FormulaModel, InputError, LevenbergMarquardt, Observations, PolynomialModel, SquaredError
from paramfit.fits.solved_model import SlopeLook
from paramfit.passes.residual_rows import ResidualRows
from paramfit.solvers.standing import Finding
from paramfit.solvers.sums import Layout, ResidualSums


def vector(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


BARD_Y = vector(0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39)
KOWALIK_Y = vector(0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246)
KOWALIK_U = vector(4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625)
MEYER_Y = vector(
    34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872
)  # fmt: skip


def rosenbrock(t: Tensor) -> Tensor:
    return torch.stack([10 * (t[1] - t[0] ** 2), 1 - t[0]])


def freudenstein_roth(t: Tensor) -> Tensor:
    x, y = t
    return torch.stack([-13 + x + ((5 - y) * y - 2) * y, -29 + x + ((y + 1) * y - 14) * y])


def brown_badly_scaled(t: Tensor) -> Tensor:
    return torch.stack([t[0] - 1e6, t[1] - 2e-6, t[0] * t[1] - 2])


def bard(t: Tensor) -> Tensor:
    u = torch.arange(1.0, 16.0, dtype=torch.float64)
    v = 16 - u
    return BARD_Y - (t[0] + u / (v * t[1] + torch.minimum(u, v) * t[2]))


def kowalik_osborne(t: Tensor) -> Tensor:
    u = KOWALIK_U
    return KOWALIK_Y - t[0] * (u**2 + u * t[1]) / (u**2 + u * t[2] + t[3])


def meyer(t: Tensor) -> Tensor:
    return t[0] * torch.exp(t[1] / ((45 + 5 * torch.arange(1.0, 17.0, dtype=torch.float64)) + t[2])) - MEYER_Y


class Published(NamedTuple):
    """A problem with the minimum of its sum of squares as printed, cut after the last digit."""

    residual: Callable[[Tensor], Tensor]
    start: tuple[float, ...]
    minimum: float
    last_digit: float


# Jorge More, Burton Garbow, Kenneth Hillstrom: Testing Unconstrained Optimization Software (1981).
PUBLISHED = {
    "Rosenbrock": Published(rosenbrock, (-1.2, 1.0), 0.0, 1e-20),
    "Freudenstein and Roth": Published(freudenstein_roth, (0.5, -2.0), 48.9842, 1e-4),
    "Brown, badly scaled": Published(brown_badly_scaled, (1.0, 1.0), 0.0, 1e-10),
    "Bard": Published(bard, (1.0, 1.0, 1.0), 8.21487e-3, 1e-8),
    "Kowalik and Osborne": Published(kowalik_osborne, (0.25, 0.39, 0.415, 0.39), 3.07505e-4, 1e-9),
    "Meyer": Published(meyer, (0.02, 4000.0, 250.0), 87.9458, 1e-4),
}


class Case:
    """A problem as a user of the optimizer alone would write it: residuals, and a closure that sums up its rows."""

    def __init__(
        self, residual: Callable[[Tensor], Tensor], start: tuple[float, ...], sign: float = 1.0, **options: float
    ) -> None:
        self.residual, self.sign = residual, sign
        self.theta = nn.Parameter(vector(*start))
        self.solver = LevenbergMarquardt([self.theta], **options)
        self.visited: list[list[float]] = []

    def closure(self) -> ResidualSums:
        at = self.theta.detach()
        self.visited.append(at.tolist())
        jacobian = torch.func.jacfwd(self.residual)(at)
        rows = torch.cat([self.sign * jacobian.T, -self.residual(at).unsqueeze(0)])
        return ResidualSums.of(Layout.plain(len(at)), rows)

    def step(self) -> float:
        return self.solver.step(self.closure)

    def loss(self) -> float:
        return self.residual(self.theta.detach()).square().sum().item()

    def solve(self, most: int = 300) -> "Case":
        for _ in range(most):
            if self.solver.is_done():
                break
            self.step()
        return self


@pytest.mark.parametrize("problem", PUBLISHED.values(), ids=PUBLISHED)
def test_published_minimum_is_reached_from_the_published_start(problem):
    case = Case(problem.residual, problem.start).solve()
    assert case.solver.converged
    assert problem.minimum <= case.loss() < problem.minimum + problem.last_digit


@pytest.mark.parametrize("problem", PUBLISHED.values(), ids=PUBLISHED)
def test_loss_never_rises_and_is_that_of_the_parameters(problem):
    case = Case(problem.residual, problem.start)
    losses = []
    for _ in range(300):
        if case.solver.is_done():
            break
        losses.append(case.step())
        assert losses[-1] == pytest.approx(case.loss(), rel=1e-9, abs=1e-25)
    assert losses == sorted(losses, reverse=True)


def test_first_step_looks_at_the_start_and_stays_there():
    case = Case(rosenbrock, (-1.2, 1.0))
    assert case.step() == pytest.approx(24.2, rel=1e-12)  # 10^2 (1 - 1.44)^2 + 2.2^2
    assert case.theta.tolist() == [-1.2, 1.0]


def test_closure_sees_the_trial_and_the_parameters_are_back_after_a_rejection():
    # Newton's step from 3 overshoots the zero of the arc tangent, and lands where it is larger.
    case = Case(lambda t: torch.atan(t), (3.0,), damping=1e-9)
    case.step()
    case.step()
    assert case.visited[1][0] < -5.0
    assert case.theta.item() == 3.0
    assert abs(case.solve().theta.item()) < 1e-10


def test_trial_that_is_not_finite_is_rejected():
    # Newton's step from 3 is to 3 - 3 log 3 < 0, where the logarithm is not a number.
    case = Case(lambda t: torch.log(t), (3.0,), damping=1e-9).solve()
    assert case.visited[1][0] < 0
    assert case.theta.item() == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("count", [1, 15], ids=["sum", "mean"])
def test_gradients_are_those_of_the_loss(count):
    case = Case(bard, (1.0, 1.0, 1.0))
    for _ in range(3):
        case.step()
        case.solver.fill_gradients(count)
        point = case.theta.detach().clone().requires_grad_()
        (expected,) = torch.autograd.grad(bard(point).square().sum() / count, point)
        assert case.theta.grad is not None
        torch.testing.assert_close(case.theta.grad, expected, rtol=1e-8, atol=1e-12)


def test_a_linear_problem_with_small_damping_takes_one_trial():
    design = torch.randn(20, 3, dtype=torch.float64)
    target = torch.randn(20, dtype=torch.float64)
    case = Case(lambda t: design @ t - target, (0.0, 0.0, 0.0), damping=1e-12).solve()
    assert len(case.visited) <= 3
    expected = np.linalg.lstsq(design.numpy(), target.numpy(), rcond=None)[0]
    assert case.theta.tolist() == pytest.approx(expected, rel=1e-9)


def test_converged_solver_changes_nothing_and_asks_for_nothing():
    case = Case(bard, (1.0, 1.0, 1.0)).solve()
    place, visited = case.theta.tolist(), len(case.visited)
    assert case.step() == pytest.approx(8.21487e-3, abs=1e-8)
    assert case.theta.tolist() == place
    assert len(case.visited) == visited
    assert case.solver.is_done()


def test_jacobian_that_points_uphill_stalls_at_the_start():
    case = Case(bard, (1.0, 1.0, 1.0), sign=-1.0).solve()
    assert (case.solver.stalled, case.solver.converged) == (True, False)
    assert case.solver.reached.standing.finding is Finding.NO_DESCENT
    assert case.theta.tolist() == pytest.approx([1.0, 1.0, 1.0], abs=1e-12)


@pytest.mark.parametrize("count", [1, 2, 5, 11])
def test_checkpoint_in_the_middle_continues_bit_for_bit(count):
    whole = Case(meyer, (0.02, 4000.0, 250.0))
    for _ in range(count):
        whole.step()
    torch.save({"solver": whole.solver.state_dict(), "theta": whole.theta}, "half.pt")
    kept = torch.load("half.pt", weights_only=True)
    rest = Case(meyer, tuple(kept["theta"].tolist()), damping=0.7)
    rest.solver.load_state_dict(kept["solver"])
    assert rest.solver.is_done() == whole.solver.is_done()
    whole.solve()
    rest.solve()
    assert rest.visited == whole.visited[count:]
    assert rest.theta.tolist() == whole.theta.tolist()
    assert rest.solver.reached == whole.solver.reached


def test_checkpoint_of_separated_parameters_continues_bit_for_bit():
    x = torch.linspace(0.1, 4.0, 30, dtype=torch.float64)
    rows = Observations((x,), 3 * torch.exp(-0.7 * x) + 0.5 + 0.1 * torch.sin(9 * x))

    def begun() -> tuple[FormulaModel, LevenbergMarquardt, ResidualRows]:
        model = FormulaModel("a * exp(-k * x) + c", ["x"], {"a": None, "k": 5, "c": None})
        return model, LevenbergMarquardt(model.parameters()), ResidualRows(model, SquaredError())

    model, solver, sums = begun()
    for _ in range(2):
        solver.step(lambda: sums(rows))
    assert not solver.is_done()
    other, again, its_sums = begun()
    other.load_state_dict(model.state_dict())
    again.load_state_dict(solver.state_dict())
    for _ in range(30):
        one, two = solver.step(lambda: sums(rows)), again.step(lambda: its_sums(rows))
        assert one == two
    assert solver.converged
    assert [p.item() for p in other.parameters()] == [p.item() for p in model.parameters()]


@pytest.mark.parametrize("name", ["damping", "orthogonality", "step_tolerance", "cost_tolerance"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf], ids=str)
def test_option_that_is_no_tolerance_is_refused_by_name(name, value):
    with pytest.raises(InputError, match=f"{name}: expected a number above 0, but got {value}"):
        LevenbergMarquardt([nn.Parameter(vector(1.0))], **{name: value})


def test_start_that_is_not_finite_is_refused():
    with pytest.raises(InputError, match="not finite at the start"):
        Case(lambda t: torch.log(t), (-1.0,)).step()


def fitted(model: nn.Module, rows: Observations, *, separate: bool = True) -> tuple[list[float], LevenbergMarquardt]:
    sums = ResidualRows(model, SquaredError(), separate=separate)
    solver = LevenbergMarquardt(model.parameters())
    for _ in range(300):
        if solver.is_done():
            break
        solver.step(lambda: sums.at_start(rows))
    assert solver.converged
    return [parameter.item() for parameter in model.parameters()], solver


class Curve(NamedTuple):
    """A formula, the same in NumPy, starts, and the truth of its simulated data."""

    formula: str
    by_numpy: Callable[..., "np.ndarray[tuple[int], np.dtype[np.float64]]"]
    starts: dict[str, float]
    truth: tuple[float, ...]


CURVES = {
    "decay": Curve("a * exp(-k * x) + c", lambda x, a, k, c: a * np.exp(-k * x) + c, dict(a=1, k=1, c=0), (3, 0.7, 1)),
    "logistic": Curve("a / (1 + exp(b - k * x))", lambda x, a, b, k: a / (1 + np.exp(b - k * x)),
                      dict(a=1, b=1, k=1), (5, 3, 1.5)),
    "peak": Curve("h * exp(-((x - m) / s)**2) + c * x", lambda x, h, m, s, c: h * np.exp(-(((x - m) / s) ** 2)) + c * x,
                  dict(h=1, m=1.5, s=1, c=0), (4, 2.1, 0.6, 0.3)),
    "power": Curve("a * x**b", lambda x, a, b: a * x**b, dict(a=1, b=1), (2, 1.7)),
}  # fmt: skip


def simulated(curve: Curve) -> tuple["np.ndarray[tuple[int], np.dtype[np.float64]]", ...]:
    x = np.linspace(0.05, 4.0, 40)
    return x, curve.by_numpy(x, *curve.truth) + np.random.default_rng(2).normal(0, 0.1, 40)


@pytest.mark.parametrize("separate", [True, False], ids=["separated", "together"])
@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
def test_estimates_are_scipys(curve, separate):
    x, y = simulated(curve)
    theirs = scipy.optimize.least_squares(
        lambda t: curve.by_numpy(x, *t) - y, curve.truth, method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15
    ).x
    model = FormulaModel(curve.formula, ["x"], curve.starts)
    ours, _ = fitted(model, Observations((torch.from_numpy(x),), torch.from_numpy(y)), separate=separate)
    assert ours == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
def test_estimates_are_lmfits_from_the_same_starts(curve):
    x, y = simulated(curve)
    parameters = lmfit.create_params(**curve.starts)
    theirs = lmfit.minimize(
        lambda p: curve.by_numpy(x, *p.valuesdict().values()) - y, parameters, xtol=1e-14, ftol=1e-14
    )
    model = FormulaModel(curve.formula, ["x"], curve.starts)
    ours, solver = fitted(model, Observations((torch.from_numpy(x),), torch.from_numpy(y)))
    assert ours == pytest.approx(list(theirs.params.valuesdict().values()), rel=1e-5)
    assert solver.reached.loss == pytest.approx(theirs.chisqr, rel=1e-9)


@pytest.mark.parametrize("start", [1e-9, 1.0, -1e12], ids=str)
def test_linear_parameters_do_not_need_their_starts(start):
    curve = CURVES["decay"]
    x, y = simulated(curve)
    theirs, _ = scipy.optimize.curve_fit(curve.by_numpy, x, y, p0=curve.truth, xtol=1e-14, ftol=1e-14)
    model = FormulaModel(curve.formula, ["x"], {"a": start, "k": 1, "c": start})
    ours, _ = fitted(model, Observations((torch.from_numpy(x),), torch.from_numpy(y)))
    assert ours == pytest.approx(theirs, rel=1e-6)


def test_exact_data_end_in_an_exact_fit():
    x = torch.linspace(0.1, 3.0, 25, dtype=torch.float64)
    model = FormulaModel("a * exp(-k * x)", ["x"], {"a": 1, "k": 0.5})
    ours, solver = fitted(model, Observations((x,), 2.5 * torch.exp(-1.3 * x)))
    assert ours == pytest.approx([2.5, 1.3], rel=1e-12)
    assert solver.reached.loss < 1e-26


def test_polish_wins_digits_of_a_stiff_polynomial():
    degree, n = 7, 21
    xs = [Fraction(k, 2) + 10 for k in range(n)]
    ys = [Fraction((-1) ** k * 1000 + k * k * 7 % 13) for k in range(n)]  # residuals as large as the data
    exact = [float(value) for value in rational_least_squares(xs, ys, degree)]
    model = PolynomialModel(degree, dtype="float64")
    sums = ResidualRows(model, SquaredError())
    rows = Observations((vector(*map(float, xs)),), vector(*map(float, ys)))
    solver = LevenbergMarquardt(model.parameters())
    solver.step(lambda: sums(rows))

    def worst() -> float:
        ours = [parameter.item() for parameter in model.parameters()]
        return max(abs(each / true - 1) for each, true in zip(ours, exact, strict=True))

    before = worst()
    solver.go_to(solver.solver.polished(solver.reached, SlopeLook(sums, rows, solver.vector)))
    assert worst() < min(1e-7, 0.5 * before)


def rational_least_squares(xs: list[Fraction], ys: list[Fraction], degree: int) -> list[Fraction]:
    """The normal equations of a polynomial, solved without rounding."""
    size = degree + 1
    rows = [
        [sum((x ** (i + j) for x in xs), Fraction()) for j in range(size)]
        + [sum((y * x**i for x, y in zip(xs, ys, strict=True)), Fraction())]
        for i in range(size)
    ]
    for i in range(size):
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for j in range(size):
            if j != i:
                rows[j] = [a - rows[j][i] * b for a, b in zip(rows[j], rows[i], strict=True)]
    return [row[-1] for row in rows]


def test_polish_leaves_an_unfinished_fit_alone():
    case = Case(bard, (1.0, 1.0, 1.0))
    case.step()
    before = case.theta.tolist()
    state = case.solver.reached
    polished = case.solver.solver.polished(state, lambda at: pytest.fail(f"there is nothing to polish at {at} yet"))
    assert polished is state
    assert case.theta.tolist() == before
