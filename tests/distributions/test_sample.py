"""Statistics of a sample, against NumPy's."""

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from paramfit import InputError
from paramfit.distributions.sample import Sample

VALUES = np.random.default_rng(0).normal(size=101)
SAMPLE = Sample(Normal, torch.from_numpy(VALUES))


def test_statistics_are_numpys():
    assert SAMPLE.mean() == pytest.approx(VALUES.mean())
    assert SAMPLE.variance() == pytest.approx(VALUES.var())
    for share in (0.0, 0.25, 0.5, 1.0):
        assert SAMPLE.quantile(share) == np.quantile(VALUES, share, method="inverted_cdf")
    assert SAMPLE.half_range() == (SAMPLE.quantile(0.75) - SAMPLE.quantile(0.25)) / 2


def test_quartiles_that_are_equal_leave_the_standard_deviation():
    assert Sample(Normal, torch.tensor([1.0, 1.0, 1.0, 1.0, 6.0])).half_range() == 2.0


def test_sample_without_spread_is_refused():
    same = SAMPLE.of(torch.ones(3))
    for statistic in (same.variance, same.half_range, same.must_vary):
        with pytest.raises(InputError, match=r"all 3 observations are equal: .* likelihood of Normal has no maximum"):
            statistic()


def test_sample_of_zeros_is_refused():
    with pytest.raises(InputError, match="all 2 observations are 0"):
        SAMPLE.of(torch.zeros(2)).must_not_be_zero()
    SAMPLE.of(torch.tensor([0.0, 1.0])).must_not_be_zero()
