"""Log-densities that keep their digits, against SciPy, mpmath and the limit."""

import pytest
import torch
from scipy import stats
from torch.distributions import StudentT

from paramfit.distributions.log_density import closed_log_density, log_density
from tests.distributions.families import FAMILIES

Y = torch.tensor([0.3, 1.7, 40.0], dtype=torch.float64)


def student(df: float) -> StudentT:
    return StudentT(torch.tensor(df, dtype=torch.float64), torch.zeros_like(Y[0]), torch.ones_like(Y[0]))


@pytest.mark.parametrize("name", FAMILIES)
def test_log_density_is_scipys(name: str) -> None:
    family = FAMILIES[name]
    target, truth = family.sample(20), family.scipy()
    expected = truth.logpmf(target) if hasattr(truth, "logpmf") else truth.logpdf(target)
    # torch's Bessel functions of the von Mises have seven digits
    tolerance = 1e-11 if type(family.distribution()) in closed_log_density.registry else 1e-6
    assert log_density(family.distribution(), target).tolist() == pytest.approx(list(expected), rel=tolerance)


def test_students_t_keeps_its_digits_where_it_is_nearly_normal() -> None:
    # By mpmath 1.3 with 80 digits: loggamma((v + 1)/2) - loggamma(v/2) - log(v pi)/2 - (v + 1)/2 log1p(y^2/v), v = 1e6.
    expected = [-0.96393882617967084, -2.3639381401816076, -800.28041999240037]
    assert log_density(student(1e6), Y).tolist() == pytest.approx(expected, rel=1e-14)
    assert log_density(student(1e200), Y).tolist() == pytest.approx(list(stats.norm.logpdf(Y)), rel=1e-14)
