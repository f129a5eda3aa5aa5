"""Every curvature by closed form, against autograd."""

import pytest
import torch
from torch.distributions import Gamma, Kumaraswamy, Laplace, Normal, StudentT

from paramfit.distributions import curvature
from paramfit.distributions.autograd import curvature_by_autograd
from paramfit.distributions.curvature import closed_curvature
from tests.distributions.families import FAMILIES


def test_every_closed_form_is_tested_here() -> None:
    assert set(closed_curvature.registry) - {object} <= {family.kind for family in FAMILIES.values()}


@pytest.mark.parametrize("shape", [(), (50,)], ids=["scalar", "rows"])
@pytest.mark.parametrize("name", FAMILIES)
def test_curvature_is_autograds(name: str, shape: tuple[int, ...]) -> None:
    family = FAMILIES[name]
    target, distribution = family.sample(50), family.distribution(*shape)
    if name == "pareto":
        target = target + 0.06  # every row's support begins below
    found = curvature(distribution, target, family.names)
    expected = curvature_by_autograd(distribution, target, family.names)
    k = len(family.names)
    assert expected.shape == (50, k, k)
    assert found.shape in {(50, k, k), (k, k)}
    # torch's trigamma has nine digits
    torch.testing.assert_close(found.expand(50, k, k), expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", FAMILIES)
def test_order_of_the_names_is_that_of_rows_and_columns(name: str) -> None:
    family = FAMILIES[name]
    target, distribution = family.sample(5), family.distribution()
    forward, backward = (curvature(distribution, target, names) for names in (family.names, family.names[::-1]))
    torch.testing.assert_close(forward, backward.flip(-1, -2))


def test_curvature_that_is_the_same_for_all_comes_once() -> None:
    two, three = torch.tensor(2.0, dtype=torch.float64), torch.tensor(3.0, dtype=torch.float64)
    found = curvature(Gamma(two, three), torch.ones(1000, dtype=torch.float64), ["concentration", "rate"])
    assert found.shape == (2, 2)
    # trigamma(2) = pi^2 / 6 - 1
    expected = torch.tensor([[torch.pi**2 / 6 - 1, -1 / 3], [-1 / 3, 2 / 9]], dtype=torch.float64)
    torch.testing.assert_close(found, expected)


def test_one_argument_of_two_gives_its_own_entry() -> None:
    one = torch.ones((), dtype=torch.float64)
    found = curvature(Normal(0 * one, 2 * one), torch.tensor([4.0], dtype=torch.float64), ["scale"])
    assert found.tolist() == [[[2.75]]]  # (3 * 2^2 - 1) / 4


def test_without_closed_form_it_is_autograds() -> None:
    a = torch.tensor(2.0, dtype=torch.float64)
    found = curvature(Kumaraswamy(a, a), torch.tensor([0.2, 0.7], dtype=torch.float64), ["concentration0"])
    torch.testing.assert_close(found, torch.full((2, 1, 1), 0.25, dtype=torch.float64))


def test_kink_has_no_curvature() -> None:
    one = torch.ones((), dtype=torch.float64)
    found = curvature(Laplace(0 * one, one), torch.tensor([1.0, 2.0], dtype=torch.float64), ["loc"])
    assert found.flatten().tolist() == [0.0, 0.0]


def test_students_t_keeps_its_digits_where_it_is_nearly_normal() -> None:
    # By mpmath 1.3 with 80 digits, df = 1e6: minus the derivative of the score that test_score writes out.
    y = torch.tensor([0.3, 1.7, 40.0], dtype=torch.float64)
    found = curvature(StudentT(y.new_tensor(1e6), y.new_zeros(()), y.new_ones(())), y, ["df"])
    expected = [5.8594998857850136e-19, -7.8603839063786099e-19, -1.2743171412946953e-12]
    assert found.flatten().tolist() == pytest.approx(expected, rel=1e-12)
