"""Observations that vary by little more than their last digit: the maximum is reached, and rounding is told."""

import numpy as np
import pytest

from paramfit import DistributionModel, fit
from paramfit.facts import FactKind


@pytest.mark.parametrize("kind", ["Normal", "Gumbel", "Laplace"])
@pytest.mark.parametrize(("base", "unit"), [(1e8, 1e-6), (1e12, 1e-2), (1e6, 1e-8), (-1e8, 1e-6)])
def test_rounding_is_told_and_the_fit_converges(kind, base, unit):
    offsets = np.array([1.0, 3, 5, 6, 10]) * unit
    plain = {"loc": None, "scale": None}
    result = fit(DistributionModel(f"torch.distributions.{kind}", plain), (base + offsets,))
    assert result.status == "converged"
    assert [one.kind for one in result.cautions if one.kind is FactKind.OBSERVATIONS_ROUNDED]
    near = fit(DistributionModel(f"torch.distributions.{kind}", plain), (offsets / unit,))
    assert result.parameters["scale"].estimate / unit == pytest.approx(near.parameters["scale"].estimate, rel=0.1)
    assert not [one.kind for one in near.cautions if one.kind is FactKind.OBSERVATIONS_ROUNDED]
