"""Every score by closed form, against autograd, SciPy and its expectation."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Gamma, Kumaraswamy, Normal, StudentT

from paramfit.distributions import score
from paramfit.distributions.autograd import score_by_autograd
from paramfit.distributions.score import closed_score
from tests.distributions.families import FAMILIES


def test_every_closed_form_is_tested_here() -> None:
    assert set(closed_score.registry) - {object} <= {family.kind for family in FAMILIES.values()}


@pytest.mark.parametrize("shape", [(), (50,)], ids=["scalar", "rows"])
@pytest.mark.parametrize("name", FAMILIES)
def test_score_is_autograds(name: str, shape: tuple[int, ...]) -> None:
    family = FAMILIES[name]
    target, distribution = family.sample(50), family.distribution(*shape)
    if name == "pareto":
        target = target + 0.06  # every row's support begins below
    found = score(distribution, target, family.names)
    expected = score_by_autograd(distribution, target, family.names)
    assert list(found) == family.names
    for argument in family.names:
        assert found[argument].shape == (50,)
        torch.testing.assert_close(found[argument], expected[argument], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", FAMILIES)
def test_score_is_the_slope_of_scipys_log_density(name: str) -> None:
    family = FAMILIES[name]
    target = family.sample(20)
    found = score(family.distribution(), target, family.names)
    discrete = hasattr(family.scipy(), "logpmf")
    for argument, value in family.arguments.items():
        if argument in family.fixed:
            continue
        step = 1e-5 * abs(value)
        sides = [family.truth(**{**family.arguments, argument: value + sign * step}) for sign in (1, -1)]
        above, below = (side.logpmf(target) if discrete else side.logpdf(target) for side in sides)
        # torch's Bessel functions of the von Mises have seven digits
        np.testing.assert_allclose(found[argument], (above - below) / (2 * step), rtol=1e-6, atol=2e-6)


def test_score_of_a_distribution_without_closed_form_is_autograds() -> None:
    a, b = (torch.tensor(value, dtype=torch.float64) for value in (2.0, 3.0))
    y = torch.tensor([0.2, 0.6], dtype=torch.float64)
    found = score(Kumaraswamy(a, b), y, ["concentration1", "concentration0"])
    torch.testing.assert_close(found["concentration0"], 1 / b + torch.log1p(-(y**a)))
    by_first = 1 / a + y.log() - (b - 1) * y**a * y.log() / (1 - y**a)
    torch.testing.assert_close(found["concentration1"], by_first)


class Wider(Normal):
    """A subclass with another density."""

    def log_prob(self, value: Tensor) -> Tensor:
        return super().log_prob(value / 2)


def test_subclass_inherits_no_closed_form() -> None:
    zero, one = torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64)
    found = score(Wider(zero, one), torch.tensor([3.0], dtype=torch.float64), ["loc"])
    assert found["loc"].item() == pytest.approx(1.5)


def test_autograd_works_in_inference_mode() -> None:
    with torch.inference_mode():
        a = torch.tensor(2.0, dtype=torch.float64)
        found = score(Kumaraswamy(a, a), torch.tensor([0.5], dtype=torch.float64), ["concentration0"])
    assert found["concentration0"].item() == pytest.approx(0.5 + np.log(0.75))


def test_only_the_argument_named_is_computed() -> None:
    gamma = Gamma(torch.tensor(2.0), torch.tensor(1.0), validate_args=False)
    assert list(score(gamma, torch.tensor([1.0]), ["rate"])) == ["rate"]


def test_students_t_keeps_its_digits_where_it_is_nearly_normal() -> None:
    # By mpmath 1.3 with 80 digits, df = 1e6: (psi((v + 1)/2) - psi(v/2) - 1/v - log1p(q) + (v + 1)/(v + y^2) q)/2 with
    # q = y^2/v.
    y = torch.tensor([0.3, 1.7, 40.0], dtype=torch.float64)
    found = score(StudentT(y.new_tensor(1e6), y.new_zeros(()), y.new_ones(())), y, ["df"])
    expected = [2.9297499619287534e-13, -3.9302113020788193e-13, -6.3783814803461325e-7]
    assert found["df"].tolist() == pytest.approx(expected, rel=1e-12)
