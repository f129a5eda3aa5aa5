"""Statistics of a fit, beside SciPy's densities and lmfit."""

import math

import lmfit
import numpy as np
import pytest
import scipy.stats
import torch

from paramfit.results.statistics import LeastSquaresStatistics, least_squares_statistics

RANDOM = np.random.default_rng(12)
N = 18
X = np.linspace(0, 3, N)
SIGMA = 0.1 + 0.2 * RANDOM.random(N)
Y = 2 * X + 1 + SIGMA * RANDOM.normal(size=N)


def line(
    sigma: "np.ndarray[tuple[int], np.dtype[np.float64]] | None" = None,
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """The residuals of the (weighted) straight line by NumPy."""
    return Y - np.polyval(np.polyfit(X, Y, 1, w=None if sigma is None else 1 / sigma), X)


def statistics(*, weighted: bool = False, absolute: bool = True) -> LeastSquaresStatistics:
    sigma = SIGMA if weighted else None
    residual = line(sigma) if sigma is None else line(sigma) / sigma
    return least_squares_statistics(
        float(residual @ residual),
        torch.from_numpy(Y),
        None if sigma is None else torch.from_numpy(sigma),
        2,
        absolute_sigma=absolute,
    )


def test_unweighted_numbers_are_those_of_linear_regression():
    numbers = statistics()
    regression = scipy.stats.linregress(X, Y)
    assert numbers.degrees_of_freedom == N - 2
    assert numbers.residual_sum_of_squares == pytest.approx(np.square(line()).sum(), rel=1e-12)
    assert numbers.residual_standard_deviation == pytest.approx(math.sqrt(np.square(line()).sum() / (N - 2)), rel=1e-12)
    assert numbers.r_squared == pytest.approx(regression.rvalue**2, rel=1e-10)
    assert (numbers.chi_square, numbers.chi_square_probability) == (None, None)


def test_likelihood_without_sigma_is_that_of_the_likeliest_one():
    numbers = statistics()
    likeliest = math.sqrt(np.square(line()).mean())
    expected = scipy.stats.norm(scale=likeliest).logpdf(line()).sum()
    assert numbers.log_likelihood == pytest.approx(expected, rel=1e-12)
    assert numbers.aic == pytest.approx(2 * 3 - 2 * expected, rel=1e-12)
    assert numbers.aicc == pytest.approx(2 * 3 - 2 * expected + 2 * 3 * 4 / (N - 4), rel=1e-12)
    assert numbers.bic == pytest.approx(3 * math.log(N) - 2 * expected, rel=1e-12)


def test_likelihood_with_absolute_sigma_is_that_of_these_errors():
    numbers = statistics(weighted=True)
    expected = scipy.stats.norm(scale=SIGMA).logpdf(line(SIGMA)).sum()
    assert numbers.log_likelihood == pytest.approx(expected, rel=1e-12)
    assert numbers.aic == pytest.approx(2 * 2 - 2 * expected, rel=1e-12)
    assert numbers.aicc == pytest.approx(2 * 2 - 2 * expected + 2 * 2 * 3 / (N - 3), rel=1e-12)
    assert numbers.bic == pytest.approx(2 * math.log(N) - 2 * expected, rel=1e-12)


def test_likelihood_with_relative_sigma_is_that_of_the_likeliest_factor():
    numbers = statistics(weighted=True, absolute=False)
    factor = math.sqrt(np.square(line(SIGMA) / SIGMA).mean())
    expected = scipy.stats.norm(scale=factor * SIGMA).logpdf(line(SIGMA)).sum()
    assert numbers.log_likelihood == pytest.approx(expected, rel=1e-12)
    assert numbers.bic == pytest.approx(3 * math.log(N) - 2 * expected, rel=1e-12)
    assert numbers.chi_square is None


def test_chi_square_and_its_probability_are_scipys():
    numbers = statistics(weighted=True)
    chi_square = np.square(line(SIGMA) / SIGMA).sum()
    assert numbers.chi_square == pytest.approx(chi_square, rel=1e-12)
    assert numbers.chi_square_probability == pytest.approx(scipy.stats.chi2.sf(chi_square, N - 2), rel=1e-10)


@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
def test_sum_of_squares_and_r_squared_are_lmfits(weighted):
    theirs = lmfit.models.LinearModel().fit(Y, x=X, slope=1, intercept=0, weights=1 / SIGMA if weighted else None)
    numbers = statistics(weighted=weighted, absolute=False)
    assert numbers.residual_sum_of_squares == pytest.approx(theirs.chisqr, rel=1e-8)
    assert numbers.degrees_of_freedom == theirs.nfree
    assert numbers.residual_standard_deviation == pytest.approx(math.sqrt(theirs.redchi), rel=1e-8)
    if not weighted:  # lmfit's total is not taken about the weighted mean
        assert numbers.r_squared == pytest.approx(theirs.rsquared, rel=1e-8)


def test_differences_of_aic_and_bic_between_models_are_lmfits():
    # The two differ by what all models of the same data share: the constant of the density, and sigma as a parameter.
    ours, theirs = [], []
    for degree in (1, 2):
        model = lmfit.models.PolynomialModel(degree)
        theirs.append(model.fit(Y, x=X, **{f"c{k}": 1.0 for k in range(degree + 1)}))
        residual = Y - np.polyval(np.polyfit(X, Y, degree), X)
        ours.append(
            least_squares_statistics(
                float(residual @ residual), torch.from_numpy(Y), None, degree + 1, absolute_sigma=True
            )
        )
    assert ours[1].aic - ours[0].aic == pytest.approx(theirs[1].aic - theirs[0].aic, rel=1e-6)
    assert ours[1].bic - ours[0].bic == pytest.approx(theirs[1].bic - theirs[0].bic, rel=1e-6)


def test_weighted_r_squared_is_about_the_weighted_mean():
    weights = 1 / SIGMA**2
    center = np.average(Y, weights=weights)
    expected = 1 - (weights * line(SIGMA) ** 2).sum() / (weights * (Y - center) ** 2).sum()
    assert statistics(weighted=True).r_squared == pytest.approx(expected, rel=1e-12)


def small(residual: list[float], target: list[float], p: int, sigma: float | None = None) -> LeastSquaresStatistics:
    known_sigma = None if sigma is None else torch.full((len(target),), sigma, dtype=torch.float64)
    return least_squares_statistics(
        sum(value**2 for value in residual),
        torch.tensor(target, dtype=torch.float64),
        known_sigma,
        p,
        absolute_sigma=True,
    )


def test_target_that_does_not_vary_has_no_r_squared():
    assert small([0.1, -0.1, 0.0], [2.0, 2.0, 2.0], 1).r_squared is None


def test_as_many_parameters_as_observations_leave_no_deviation():
    actual = small([0.5, -0.5], [1.0, 2.0], 2, sigma=1.0)
    assert actual.residual_standard_deviation is None
    assert actual.chi_square == pytest.approx(0.5)
    assert actual.chi_square_probability is None


@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
def test_robust_fit_has_residuals_but_no_likelihood(weighted):
    theirs = torch.from_numpy(SIGMA) if weighted else None
    numbers = least_squares_statistics(3.0, torch.from_numpy(Y), theirs, 2, absolute_sigma=True, is_robust=True)
    assert (numbers.log_likelihood, numbers.aic, numbers.aicc, numbers.bic) == (None, None, None, None)
    assert numbers.residual_standard_deviation == pytest.approx(math.sqrt(3 / (N - 2)), rel=1e-12)


@pytest.mark.parametrize(
    ("residuals", "p"), [([0.0, 0.0, 0.0], 1), ([4e-16, -2e-16, 0.0], 1), ([1e-9, 0.0, 0.0], 3)], ids=str
)
def test_exact_fit_has_no_likelihood_without_sigma(residuals, p):
    actual = small(residuals, [1.0, 2.0, 4.0], p)
    assert (actual.log_likelihood, actual.aic, actual.aicc, actual.bic) == (None, None, None, None)
    assert actual.r_squared == pytest.approx(1.0)


@pytest.mark.parametrize(("n", "place"), [(3, False), (4, True)], ids=["n = k + 1", "n = k + 2"])
def test_correction_for_few_observations_needs_some(n, place):
    # k = 2: one parameter and sigma
    actual = small([0.1 * (-1) ** i for i in range(n)], [float(i) for i in range(n)], 1)
    assert actual.aic is not None
    assert (actual.aicc is not None) is place
