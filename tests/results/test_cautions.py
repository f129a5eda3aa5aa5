"""Warnings: when they come, what they name, and what they tell to do."""

import dataclasses
from typing import Any

import pytest
import scipy.stats
import torch
from torch import Tensor

from paramfit import Estimate, Fact, FactKind, ParameterSpec
from paramfit.inference.uncertainty import Uncertainty, without_errors
from paramfit.results.cautions import cautions_about
from paramfit.results.statistics import LeastSquaresStatistics, least_squares_statistics
from paramfit.shown.words import sentence

NAMES = ("a", "b", "c", "d")
ESTIMATES = {name: Estimate(1.0, 0.1) for name in NAMES}
SOUND = Uncertainty(torch.eye(4), (), 2.0, Fact(FactKind.NO_METHOD), noise=0.1)


def correlated(*pairs: tuple[int, int, float]) -> Tensor:
    matrix = torch.eye(4, dtype=torch.float64)
    for i, j, value in pairs:
        matrix[i, j] = matrix[j, i] = value
    return matrix


def statistics(chi_square: float, n: int, p: int = 4) -> LeastSquaresStatistics:
    residual = torch.full((n,), (chi_square / n) ** 0.5, dtype=torch.float64)
    target = torch.arange(n, dtype=torch.float64)
    return least_squares_statistics(
        residual.square().sum().item(), target, torch.ones_like(target), p, absolute_sigma=True
    )


def cautions(*given: Any) -> list[str]:
    return [sentence(fact) for fact in cautions_about(*given)]


def test_sound_fit_has_no_warning():
    assert cautions(NAMES, ESTIMATES, SOUND, correlated((0, 1, 0.95)), statistics(20.0, 24)) == []


@pytest.mark.parametrize("side", ["lower", "upper"])
def test_estimate_at_its_bound_is_named_with_side_value_and_cure(side):
    estimates = {**ESTIMATES, "b": Estimate(0.25, at_bound=side)}
    (words,) = cautions(NAMES, estimates, SOUND, None, None)
    assert words.startswith(f"b sits at its {side} bound (estimate 0.25):")
    assert "fix it, or widen the bound if you gave it" in words


def test_direction_that_is_not_determined_is_passed_on_with_a_cure():
    errors = dataclasses.replace(SOUND, directions=(Fact(FactKind.INSEPARABLE, ("a", "c"), {"shares": (1.0, -1.0)}),))
    (words,) = cautions(NAMES, ESTIMATES, errors, None, None)
    assert words.startswith("a and c cannot be told apart: correlation −1.00000; ")
    assert "fixed: true" in words


@pytest.mark.parametrize(
    ("value", "words"), [(0.99991, "0.99991"), (-0.99998, "−0.99998"), (0.9999999, "0.9999999000")]
)
def test_strong_correlation_is_told_with_enough_digits(value, words):
    (caution,) = cautions(NAMES, ESTIMATES, SOUND, correlated((0, 2, value)), None)
    assert caution.startswith(f"a and c cannot be told apart: correlation {words};")


def test_residuals_too_large_for_sigma_are_told_with_probability_and_cure():
    (words,) = cautions(NAMES, ESTIMATES, SOUND, None, statistics(60.0, 24))
    assert "larger than sigma allows (chi-square 60 for 20 degrees of freedom" in words
    assert f"probability {scipy.stats.chi2.sf(60.0, 20):.2g}" in words
    assert "sigma_is: relative" in words


def test_curve_through_every_point_is_told():
    errors = without_errors(Fact(FactKind.TOO_FEW_OBSERVATIONS))
    (words,) = cautions(NAMES, ESTIMATES, errors, None, statistics(0.0, 4))
    assert "as many parameters as observations" in words
    assert "give more rows, or sigma" in words


@pytest.mark.parametrize(
    ("interval", "words"),
    [((-0.01, 0.08), "lower bound 0"), ((0.5, 1.2), "upper bound 1"), ((0.1, 0.9), None)],
    ids=["below", "above", "within"],
)
def test_interval_over_a_bound_is_told(interval, words):
    estimates = {"a": Estimate(0.5, 0.1, interval)}
    errors = Uncertainty(torch.ones(1, 1), (), 1.96, Fact(FactKind.NO_METHOD))
    cautioned = cautions(["a"], estimates, errors, None, None, {"a": ParameterSpec(0.5, lower=0.0, upper=1.0)})
    assert len(cautioned) == (words is not None)
    if words is not None:
        assert f"a: its interval reaches over its {words}" in cautioned[0]
