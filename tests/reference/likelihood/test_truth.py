"""The reference itself, where the answer is known in closed form."""

import numpy as np
import pytest
from scipy import stats

from tests.reference.likelihood.truth import maximum


def test_a_normal_sample_has_its_mean_and_standard_deviation():
    sample = np.random.default_rng(0).normal(3, 2, 200)
    actual = maximum(lambda loc, scale: stats.norm.logpdf(sample, loc, scale).sum(), [0.0, 1.0])
    scale = sample.std()
    assert actual.values == pytest.approx([sample.mean(), scale], rel=1e-9)
    assert actual.errors == pytest.approx([scale / np.sqrt(200), scale / np.sqrt(400)], rel=1e-8)
    assert actual.log_likelihood == pytest.approx(-100 * (np.log(2 * np.pi * scale**2) + 1), rel=1e-12)


def test_correlated_parameters_have_errors_of_the_whole_inverse():
    x = np.random.default_rng(1).normal(5, 1, 50)
    y = 1 + 2 * x
    actual = maximum(lambda a, b: -0.5 * np.square(y - a - b * x).sum(), [0.0, 0.0])
    design = np.column_stack([np.ones(50), x])
    assert actual.values == pytest.approx([1, 2], rel=1e-8)
    assert actual.errors == pytest.approx(np.sqrt(np.diagonal(np.linalg.inv(design.T @ design))), rel=1e-8)
