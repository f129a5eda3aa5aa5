"""A likelihood in any unit of its observations: all scale with it, or one line says that it is too far."""

import re

import numpy as np
import pytest

from paramfit import DistributionModel, InputError, fit

Y = np.array([1.0, 2.3, 0.7, 3.1, 1.9, 0.4])
# For each argument by which power of the unit it changes.
SCALING = {
    "Normal": {"loc": 1, "scale": 1},
    "Gamma": {"concentration": 0, "rate": -1},
    "InverseGamma": {"concentration": 0, "rate": 1},
    "Weibull": {"scale": 1, "concentration": 0},
    "Exponential": {"rate": -1},
    "Gumbel": {"loc": 1, "scale": 1},
    "Laplace": {"loc": 1, "scale": 1},
    "Cauchy": {"loc": 1, "scale": 1},
    "HalfNormal": {"scale": 1},
}


def fitted(family, unit):
    return fit(DistributionModel(f"torch.distributions.{family}", dict.fromkeys(SCALING[family])), (unit * Y,))


@pytest.mark.parametrize("unit", [1e-147, 1e-60, 1e60, 1e148])
@pytest.mark.parametrize("family", SCALING)
def test_estimates_and_errors_scale_with_the_unit(family, unit):
    here, there = fitted(family, 1.0), fitted(family, unit)
    assert there.status == "converged"
    for name, power in SCALING[family].items():
        ours, theirs = here.parameters[name], there.parameters[name]
        assert theirs.estimate == pytest.approx(ours.estimate * unit**power, rel=1e-5)
        assert (theirs.standard_error is None) == (ours.standard_error is None)
        if ours.standard_error is not None:
            assert theirs.standard_error == pytest.approx(ours.standard_error * unit**power, rel=1e-4)
    assert there.likelihood.log_likelihood == pytest.approx(here.likelihood.log_likelihood - 6 * np.log(unit), rel=1e-9)


@pytest.mark.parametrize("unit", [1e-250, 1e-160, 1e200])
@pytest.mark.parametrize("family", SCALING)
def test_a_unit_whose_squares_are_no_numbers_is_refused_by_its_name(family, unit):
    with pytest.raises(
        InputError, match=re.escape(f"the largest observation is {3.1 * unit:.3g}, ") + ".* in another unit"
    ):
        fitted(family, unit)


def test_the_unit_of_a_logarithm_does_not_matter():
    here, there = (
        fit(DistributionModel("torch.distributions.LogNormal", {"loc": None, "scale": None}), (unit * Y,))
        for unit in (1.0, 1e-200)
    )
    assert there.parameters["scale"].estimate == pytest.approx(here.parameters["scale"].estimate, rel=1e-9)
    assert there.parameters["scale"].standard_error == pytest.approx(here.parameters["scale"].standard_error, rel=1e-6)
