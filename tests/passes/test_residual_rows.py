"""The rows that least squares sums up, beside autograd's Jacobian, gradient and curvature."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from paramfit import AbsoluteError, FormulaModel, GaussianModel, InputError, LinearModel, Observations, PolynomialModel
from paramfit.objectives import CauchyError, HuberError, NegativeLogLikelihood, RobustError, SoftL1Error, SquaredError
from paramfit.passes.residual_rows import ResidualRows
from paramfit.solvers.projection import linearization
from paramfit.solvers.sums import ResidualSums


class Plain(nn.Module):
    """A module that knows no Jacobian of its own; its parameters are a matrix and a scalar."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.tensor([[0.4, -1.2], [0.7, 0.3]], dtype=torch.float64))
        self.bias = nn.Parameter(torch.tensor(0.2, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.matrix @ torch.stack([x, torch.ones_like(x)])).sum(dim=0) + self.bias


X = torch.linspace(-1.0, 3.0, 25, dtype=torch.float64)
Y = torch.exp(-0.4 * X) + 0.3 * torch.sin(7 * X)
SIGMA = 0.1 + 0.05 * torch.arange(25, dtype=torch.float64)

MODELS: dict[str, Callable[[], nn.Module]] = {
    "line": lambda: LinearModel(0.3, 1.1, dtype="float64"),
    "polynomial": lambda: PolynomialModel(3, {f"coefficient_{k}": 0.5 - 0.2 * k for k in range(4)}, dtype="float64"),
    "separable": lambda: FormulaModel("a * exp(-k * x) + c", ["x"], {"a": 1.3, "k": 0.6, "c": -0.2}),
    "bounded": lambda: FormulaModel("a * exp(-k * x) + c", ["x"],
        {"a": {"start": 1.3, "lower": 0}, "k": {"start": 0.6, "lower": 0, "upper": 2}, "c": -0.2}),
    "fixed": lambda: FormulaModel("a * exp(-k * x)", ["x"], {"a": 1.3, "k": {"start": 0.6, "fixed": True}}),
    "module": Plain,
}  # fmt: skip
every_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
with_or_without_sigma = pytest.mark.parametrize("sigma", [None, SIGMA], ids=["no sigma", "sigma"])


def rows_of(sigma: Tensor | None = None) -> Observations:
    return Observations((X,), Y, sigma)


def autograd_rows(model: nn.Module, sigma: Tensor | None = None) -> NDArray[np.float64]:
    """``[J, e]`` over sigma, by autograd through ``forward``, ``(n, p + 1)``."""
    free = {name: value.detach() for name, value in model.named_parameters() if value.requires_grad}
    jacobian = torch.autograd.functional.jacobian(
        lambda *values: functional_call(model, dict(zip(free, values, strict=True)), (X,)), tuple(free.values())
    )
    columns = [part.reshape(len(X), -1) for part in jacobian]
    rows = torch.cat([*columns, (Y - model(X).detach()).unsqueeze(1)], dim=1)
    return (rows if sigma is None else rows / sigma.unsqueeze(1)).numpy()


def products(sums: ResidualSums) -> NDArray[np.float64]:
    return sums.factor.T @ sums.factor


@with_or_without_sigma
@every_model
def test_rows_are_autograds_jacobian_and_the_residual(make, sigma):
    actual = ResidualRows(make(), SquaredError(), separate=False)(rows_of(sigma))
    expected = autograd_rows(make(), sigma)
    np.testing.assert_allclose(products(actual), expected.T @ expected, rtol=1e-10, atol=1e-10)
    assert actual.n == 25
    assert actual.total is None


@with_or_without_sigma
@every_model
def test_separated_rows_have_the_normal_matrix_of_plain_ones_where_the_linear_parameters_are_solved(make, sigma):
    model = make()
    rows = ResidualRows(model, SquaredError())
    point = linearization(rows(rows_of(sigma)))
    names = [name for name, value in model.named_parameters() if value.requires_grad]
    with torch.no_grad():
        for place, value in zip(rows.layout.linear, point.linear, strict=True):
            model.get_parameter(names[place]).fill_(float(value))
    expected = autograd_rows(model, sigma)
    order = [*rows.layout.linear, *rows.layout.nonlinear, expected.shape[1] - 1]
    expected = expected[:, order]
    np.testing.assert_allclose(point.factor.T @ point.factor, expected.T @ expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "linear"),
    [("line", {0, 1}), ("separable", {0, 2}), ("bounded", {2}), ("fixed", {0}), ("module", set())],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_linear_is_taken_apart(name, linear):
    assert set(ResidualRows(MODELS[name](), SquaredError()).layout.linear) == linear


def test_robust_objective_takes_nothing_apart():
    assert ResidualRows(MODELS["separable"](), HuberError()).layout.linear == ()


ROBUST: list[Callable[..., RobustError]] = [HuberError, SoftL1Error, CauchyError]
every_robust = pytest.mark.parametrize("kind", ROBUST, ids=lambda kind: kind.__name__)


@with_or_without_sigma
@every_robust
@every_model
def test_robust_rows_have_the_gradient_of_the_objective(make, kind, sigma):
    objective, model = kind(scale=0.2, reduction="sum"), make()
    actual = products(ResidualRows(model, objective)(rows_of(sigma)))
    loss = objective(model(X), Y, sigma)
    free = [value for value in model.parameters() if value.requires_grad]
    gradient = torch.cat([part.reshape(-1) for part in torch.autograd.grad(loss, free)])
    # The loss is 2 times half a sum of squares, and e = target - prediction: its gradient is -2 J^T e.
    np.testing.assert_allclose(-2 * actual[:-1, -1], gradient.numpy(), rtol=1e-9, atol=1e-9)


@with_or_without_sigma
@every_robust
@every_model
def test_total_of_robust_rows_is_the_sum_of_the_losses(make, kind, sigma):
    objective, model = kind(scale=0.2, reduction="sum"), make()
    sums = ResidualRows(model, objective)(rows_of(sigma))
    assert sums.total * sums.scale**2 == pytest.approx(objective(model(X), Y, sigma).item(), rel=1e-12)


@with_or_without_sigma
def test_robust_rows_have_the_curvature_of_the_objective_where_the_model_does_not_bend(sigma):
    # A line has no curvature of its own, so that Gauss and Newton's matrix is the whole Hessian; where residuals are
    # large the rows' own curvature has a floor.
    objective = SoftL1Error(scale=100.0, reduction="sum")
    actual = products(ResidualRows(MODELS["line"](), objective)(rows_of(sigma)))[:2, :2]

    def loss(theta: Tensor) -> Tensor:
        return objective(theta[0] * X + theta[1], Y, sigma)

    hessian = torch.autograd.functional.hessian(loss, torch.tensor([0.3, 1.1], dtype=torch.float64))
    np.testing.assert_allclose(2 * actual, hessian.numpy(), rtol=1e-9)


def test_robust_rows_that_curve_downwards_keep_a_positive_curvature():
    far = Observations((X,), Y + 100.0)
    assert np.linalg.eigvalsh(products(ResidualRows(MODELS["line"](), CauchyError(scale=0.1))(far))[:2, :2]).min() > 0


def test_batch_larger_than_a_chunk_is_summed_whole():
    n = 70_000
    x = torch.linspace(0.0, 1.0, n, dtype=torch.float64)
    sums = ResidualRows(LinearModel(0.0, 0.0, dtype="float64"), SquaredError(), separate=False)(
        Observations((x,), torch.ones_like(x))
    )
    # By the sums of 1, k/(n-1) and its square.
    expected = [n * (2 * n - 1) / (6 * (n - 1)), n / 2, float(n)]
    actual = products(sums)
    assert [actual[0, 0], actual[0, 1], actual[1, 1]] == pytest.approx(expected, rel=1e-12)
    assert sums.n == n


@pytest.mark.parametrize("sigma", [None, SIGMA], ids=["no sigma", "sigma"])
@pytest.mark.parametrize("name", ["line", "bounded", "module"])
def test_slope_is_the_jacobian_times_the_residual(name, sigma):
    rows = autograd_rows(MODELS[name](), sigma)
    actual = ResidualRows(MODELS[name](), SquaredError()).slope(rows_of(sigma))
    assert actual.tolist() == pytest.approx([math.fsum(column * rows[:, -1]) for column in rows[:, :-1].T], rel=1e-11)


def test_start_that_is_not_finite_names_row_and_input():
    model = FormulaModel("a * log(x) + b", ["x"], {"a": 1, "b": 1})
    x = torch.tensor([2.0, 1.0, 0.0, -3.0], dtype=torch.float64)
    with pytest.raises(
        InputError, match=r"2 of 4 observations, first in row 2 \(input 0\); .* or leave such rows out$"
    ):
        ResidualRows(model, SquaredError()).at_start(Observations((x,), torch.ones_like(x)))


@pytest.mark.parametrize("n", [1, 2])
def test_fewer_rows_than_parameters_are_refused_with_both_numbers(n):
    rows = ResidualRows(MODELS["separable"](), SquaredError())
    with pytest.raises(InputError, match=rf"{n} observations? cannot determine 3 parameters"):
        rows.check_count(n)
    rows.check_count(3)


@pytest.mark.parametrize(
    "objective", [AbsoluteError(), NegativeLogLikelihood()], ids=lambda given: type(given).__name__
)
def test_objective_that_is_no_sum_of_squares_is_refused_by_name(objective):
    with pytest.raises(InputError, match=f"not {type(objective).__name__}; give SquaredError, HuberError"):
        ResidualRows(MODELS["line"](), objective)


@pytest.mark.parametrize("objective", [SquaredError(l1=0.1), HuberError(l2=0.1)], ids=["l1", "l2"])
def test_penalty_is_refused(objective):
    with pytest.raises(InputError, match="a penalty"):
        ResidualRows(MODELS["line"](), objective)


def test_model_that_returns_a_distribution_is_refused():
    rows = ResidualRows(GaussianModel(), SquaredError(), separate=False)
    with pytest.raises(InputError, match="returned a distribution"):
        rows(Observations((), Y))
