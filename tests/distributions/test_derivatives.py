"""Derivatives where they are special: far out, without closed form, of subclasses, by autograd, at a kink."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torch import distributions as dist

from paramfit.distributions import (
    curvature,
    expected_information,
    kinked_argument,
    log_density,
    majorised_curvature,
    majorised_log_prob,
    score,
)
from paramfit.distributions.autograd import curvature_by_autograd, score_by_autograd
from paramfit.distributions.tails import log_survival

ZERO = torch.zeros((), dtype=torch.float64)


def test_score_of_a_distribution_without_closed_form_is_autograds():
    a, b = (torch.tensor(value, dtype=torch.float64) for value in (2.0, 3.0))
    y = torch.tensor([0.2, 0.6], dtype=torch.float64)
    computed = score(dist.Kumaraswamy(a, b), y, ["concentration1", "concentration0"])
    torch.testing.assert_close(computed["concentration0"], 1 / b + torch.log1p(-(y**a)))
    by_first = 1 / a + y.log() - (b - 1) * y**a * y.log() / (1 - y**a)
    torch.testing.assert_close(computed["concentration1"], by_first)


class Wider(dist.Normal):
    """A subclass with another density."""

    def log_prob(self, value: Tensor) -> Tensor:
        return super().log_prob(value / 2)


def test_subclass_inherits_no_closed_form():
    zero, one = torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64)
    computed = score(Wider(zero, one), torch.tensor([3.0], dtype=torch.float64), ["loc"])
    assert computed["loc"].item() == pytest.approx(1.5)


def test_autograd_works_in_inference_mode():
    with torch.inference_mode():
        a = torch.tensor(2.0, dtype=torch.float64)
        computed = score(dist.Kumaraswamy(a, a), torch.tensor([0.5], dtype=torch.float64), ["concentration0"])
    assert computed["concentration0"].item() == pytest.approx(0.5 + np.log(0.75))


def test_only_the_argument_named_is_computed():
    gamma = dist.Gamma(torch.tensor(2.0), torch.tensor(1.0), validate_args=False)
    assert list(score(gamma, torch.tensor([1.0]), ["rate"])) == ["rate"]


def test_curvature_that_is_the_same_for_all_comes_once():
    two, three = torch.tensor(2.0, dtype=torch.float64), torch.tensor(3.0, dtype=torch.float64)
    computed = curvature(dist.Gamma(two, three), torch.ones(1000, dtype=torch.float64), ["concentration", "rate"])
    assert computed.shape == (2, 2)
    # trigamma(2) = pi^2 / 6 - 1
    expected = torch.tensor([[torch.pi**2 / 6 - 1, -1 / 3], [-1 / 3, 2 / 9]], dtype=torch.float64)
    torch.testing.assert_close(computed, expected)


def test_one_argument_of_two_gives_its_own_entry():
    one = torch.ones((), dtype=torch.float64)
    computed = curvature(dist.Normal(0 * one, 2 * one), torch.tensor([4.0], dtype=torch.float64), ["scale"])
    assert computed.tolist() == [[[2.75]]]  # (3 * 2^2 - 1) / 4


def test_curvature_without_closed_form_is_autograds():
    a = torch.tensor(2.0, dtype=torch.float64)
    computed = curvature(dist.Kumaraswamy(a, a), torch.tensor([0.2, 0.7], dtype=torch.float64), ["concentration0"])
    torch.testing.assert_close(computed, torch.full((2, 1, 1), 0.25, dtype=torch.float64))


def test_kink_has_no_curvature():
    one = torch.ones((), dtype=torch.float64)
    computed = curvature(dist.Laplace(0 * one, one), torch.tensor([1.0, 2.0], dtype=torch.float64), ["loc"])
    assert computed.flatten().tolist() == [0.0, 0.0]


def test_there_is_no_information_without_closed_form():
    a = torch.tensor(2.0)
    assert expected_information(dist.Kumaraswamy(a, a), ["concentration1"]) is None
    assert expected_information(dist.NegativeBinomial(a, probs=a / 4), ["total_count", "probs"]) is None


Y = torch.tensor([0.3, 1.7, 40.0], dtype=torch.float64)


def student(df: float) -> dist.StudentT:
    return dist.StudentT(torch.tensor(df, dtype=torch.float64), torch.zeros_like(Y[0]), torch.ones_like(Y[0]))


def test_log_density_of_students_t_keeps_its_digits_where_it_is_nearly_normal():
    # By mpmath 1.3 with 80 digits: loggamma((v + 1)/2) - loggamma(v/2) - log(v pi)/2 - (v + 1)/2 log1p(y^2/v), v = 1e6.
    expected = [-0.96393882617967084, -2.3639381401816076, -800.28041999240037]
    assert log_density(student(1e6), Y).tolist() == pytest.approx(expected, rel=1e-14)
    assert log_density(student(1e200), Y).tolist() == pytest.approx(list(stats.norm.logpdf(Y)), rel=1e-14)


def test_score_of_students_t_keeps_its_digits_where_it_is_nearly_normal():
    # By mpmath 1.3 with 80 digits, df = 1e6: (psi((v + 1)/2) - psi(v/2) - 1/v - log1p(q) + (v + 1)/(v + y^2) q)/2 with
    # q = y^2/v.
    y = torch.tensor([0.3, 1.7, 40.0], dtype=torch.float64)
    computed = score(dist.StudentT(y.new_tensor(1e6), y.new_zeros(()), y.new_ones(())), y, ["df"])
    expected = [2.9297499619287534e-13, -3.9302113020788193e-13, -6.3783814803461325e-7]
    assert computed["df"].tolist() == pytest.approx(expected, rel=1e-12)


def test_curvature_of_students_t_keeps_its_digits_where_it_is_nearly_normal():
    # By mpmath 1.3 with 80 digits, df = 1e6: minus the derivative of the score that test_score writes out.
    y = torch.tensor([0.3, 1.7, 40.0], dtype=torch.float64)
    computed = curvature(dist.StudentT(y.new_tensor(1e6), y.new_zeros(()), y.new_ones(())), y, ["df"])
    expected = [5.8594998857850136e-19, -7.8603839063786099e-19, -1.2743171412946953e-12]
    assert computed.flatten().tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("distribution", "name", "expected"), [
    (dist.VonMises(ZERO, ZERO + 50), "concentration", 0.00020206263867603742),
    (dist.VonMises(ZERO, ZERO + 100), "concentration", 5.0253830221470357e-5),
    (dist.VonMises(ZERO, ZERO + 1e6), "concentration", 5.00000250000375e-13),
    (dist.VonMises(ZERO, ZERO + 1e9), "concentration", 5.0000000025e-19),
    (dist.StudentT(ZERO + 20, ZERO, ZERO + 1), "df", 1.8349046426502712e-5),
    (dist.StudentT(ZERO + 1e6, ZERO, ZERO + 1), "df", 3.4999870000394999e-24),
    (dist.StudentT(ZERO + 1e9, ZERO, ZERO + 1), "df", 3.499999987e-36),
], ids=lambda value: type(value).__name__ if isinstance(value, dist.Distribution) else str(value))  # fmt: skip
def test_information_of_a_nearly_normal_distribution_keeps_its_digits(distribution, name, expected):
    assert expected_information(distribution, [name]).item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("concentration", [-0.3, -1e-9, 0.0, 1e-12, 0.01, 0.7])
def test_generalized_pareto_passes_through_the_exponential(concentration):
    pareto = dist.GeneralizedPareto(ZERO + 0.5, ZERO + 1.5, ZERO + concentration)
    y, names = torch.tensor([0.6, 1.7, 4.0], dtype=torch.float64), ["loc", "scale", "concentration"]
    scipys = stats.genpareto(concentration, 0.5, 1.5)
    np.testing.assert_allclose(log_density(pareto, y), scipys.logpdf(y), rtol=1e-13)
    np.testing.assert_allclose(log_survival(pareto, y), scipys.logsf(y), rtol=1e-13)
    torch.testing.assert_close(score(pareto, y, names), score_by_autograd(pareto, y, names), rtol=1e-11, atol=1e-12)
    curved = curvature_by_autograd(pareto, y, names)
    torch.testing.assert_close(curvature(pareto, y, names), curved, rtol=1e-10, atol=1e-11)


def test_information_of_a_generalized_pareto_has_no_closed_form_where_its_end_is_sharp():
    assert expected_information(dist.GeneralizedPareto(ZERO, ZERO + 1, ZERO - 0.5), ["scale", "concentration"]) is None


class Bell(dist.Distribution):
    """Log-density ``-exp(a) (y - b)**2``, up to a constant."""

    arg_constraints = {"a": dist.constraints.real, "b": dist.constraints.real}  # noqa: RUF012  # as torch writes it

    def __init__(self, a: Tensor, b: Tensor, validate_args: bool | None = None) -> None:
        self.a, self.b = a, b
        super().__init__(validate_args=validate_args)

    def log_prob(self, value: Tensor) -> Tensor:
        return -self.a.exp() * (value - self.b) ** 2


BELL = Bell(torch.tensor(0.0, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64))
AT = torch.tensor([1.0, 3.0], dtype=torch.float64)


def test_score_has_a_row_for_every_observation():
    computed = score_by_autograd(BELL, AT, ["b", "a"])
    assert computed["a"].tolist() == [0.0, -4.0]
    assert computed["b"].tolist() == [0.0, 4.0]
    assert not computed["a"].requires_grad


def test_curvature_has_a_matrix_for_every_observation():
    computed = curvature_by_autograd(BELL, AT, ["a", "b"])
    assert computed.tolist() == [[[0.0, 0.0], [0.0, 2.0]], [[4.0, -4.0], [-4.0, 2.0]]]
    assert not computed.requires_grad


def test_second_derivative_of_what_is_linear_is_zero():
    class Linear(Bell):
        def log_prob(self, value: Tensor) -> Tensor:
            return self.a * value

    assert curvature_by_autograd(Linear(BELL.a, BELL.b), AT, ["a"]).flatten().tolist() == [0.0, 0.0]


@pytest.mark.parametrize("derivative", [score_by_autograd, curvature_by_autograd])
def test_arguments_of_the_distribution_are_left_alone(derivative):
    assert callable(derivative)
    derivative(BELL, AT, ["a"])
    assert not BELL.a.requires_grad


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


LAPLACE_Y = column(0.2, 1.0, 1.5, 4.0)
START = column(1.2, 0.8)  # loc and scale


def majorised_at(theta: Tensor) -> Tensor:
    return majorised_log_prob(dist.Laplace(theta[0], theta[1]), LAPLACE_Y)


def test_value_and_slope_are_the_densitys():
    torch.testing.assert_close(majorised_at(START), dist.Laplace(*START).log_prob(LAPLACE_Y))
    slopes = [
        torch.autograd.functional.jacobian(function, START)
        for function in (majorised_at, lambda theta: dist.Laplace(theta[0], theta[1]).log_prob(LAPLACE_Y))
    ]
    torch.testing.assert_close(*slopes)


def test_derivative_of_the_slope_is_the_curvature():
    curved = majorised_curvature(dist.Laplace(*START), LAPLACE_Y, ["loc", "scale"])
    for row, y in enumerate(LAPLACE_Y):
        hessian = torch.autograd.functional.hessian(
            lambda theta, y=y: -majorised_log_prob(dist.Laplace(theta[0], theta[1]), y), START
        )
        torch.testing.assert_close(curved[row], hessian)


def test_parabola_touches_the_loss_and_lies_above_it():
    laplace = dist.Laplace(*START)
    weight = majorised_curvature(laplace, LAPLACE_Y, ["loc"])[:, 0, 0]
    slope = torch.sign(LAPLACE_Y - laplace.loc) / laplace.scale  # of the log-density
    for move in torch.linspace(-3.0, 3.0, 25, dtype=torch.float64):
        parabola = laplace.log_prob(LAPLACE_Y) + slope * move - weight * move**2 / 2
        assert (dist.Laplace(START[0] + move, START[1]).log_prob(LAPLACE_Y) >= parabola - 1e-12).all()


def test_curvature_is_finite_on_the_kink_itself():
    assert majorised_curvature(dist.Laplace(LAPLACE_Y[0], START[1]), LAPLACE_Y, ["loc"]).isfinite().all()


@pytest.mark.parametrize(("distribution", "names", "argument"), [
    (dist.Laplace(0.0, 1.0), ["loc", "scale"], "loc"),
    (dist.Laplace(0.0, 1.0), ["scale"], None),
    (dist.Normal(0.0, 1.0), ["loc"], None),
])  # fmt: skip
def test_argument_with_a_kink(distribution, names, argument):
    assert kinked_argument(distribution, names) == argument
