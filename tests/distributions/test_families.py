"""Every entry of every family, against SciPy, autograd and the sums or integrals that define it."""

import numpy as np
import pytest
import torch
from mpmath import mp
from torch import Tensor
from torch import distributions as dist
from torch.distributions import Kumaraswamy, NegativeBinomial, RelaxedBernoulli, VonMises

from paramfit import InputError
from paramfit.distributions import (
    Censoring,
    censored_log_prob,
    check_support,
    curvature,
    expected_information,
    log_density,
    moment_start,
    sample_sums,
    score,
)
from paramfit.distributions.arguments import argument_values, rebuilt
from paramfit.distributions.autograd import curvature_by_autograd, score_by_autograd
from paramfit.distributions.center import mean_of, median_of
from paramfit.distributions.families import FAMILIES
from paramfit.distributions.tails import log_cdf, log_interval, log_survival
from tests.distributions.families import ROWS, Row
from tests.distributions.only_density import OnlyDensity

INFORMED = [name for name, row in ROWS.items() if FAMILIES[row.kind].information]
TAILED = [name for name, row in ROWS.items() if FAMILIES[row.kind].tails]
STATUS = torch.tensor([3, 0, 1, 2, 2, 0, 1, 3])
SHARES = np.array([1e-12, 1e-3, 0.3, 0.5, 0.7, 0.999])


def parametrize_rows(names: object = ROWS) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", [pytest.param(ROWS[name], id=name) for name in names])  # type: ignore[attr-defined]


def test_every_entry_with_a_closed_form_has_a_row():
    derived = {
        kind
        for kind, family in FAMILIES.items()
        if family.score or family.curvature or family.information or family.sums or family.tails
    }
    assert derived - {Kumaraswamy} <= {row.kind for row in ROWS.values()}  # SciPy has none of Kumaraswamy's


@parametrize_rows()
def test_sample_is_inside_and_has_scipys_density(row):
    sample, distribution = row.sample(100), row.distribution()
    check_support(distribution, sample)
    density = log_density(distribution, sample).numpy()
    # torch's Bessel functions of the von Mises have seven digits
    rtol, atol = (1e-11, 1e-13) if FAMILIES[row.kind].log_density else (1e-9, 1e-7)
    np.testing.assert_allclose(density, row.log_density(sample), rtol=rtol, atol=atol)


@parametrize_rows()
def test_what_scipy_gives_no_density_is_refused(row):
    for value in torch.tensor([-1.0, -0.25, 0.3, 0.5, 1.5, 8.0], dtype=torch.float64):
        # a von Mises is meant modulo 2 pi
        if row.log_density(value) > -np.inf or row.kind is VonMises:
            check_support(row.distribution(), value[None])
        else:
            with pytest.raises(InputError, match="row 0 is"):
                check_support(row.distribution(), value[None])


@parametrize_rows()
def test_rebuilt_distribution_has_the_same_density(row):
    distribution, sample = row.distribution(), row.sample(10)
    again = rebuilt(distribution, argument_values(distribution))
    assert type(again) is type(distribution)
    torch.testing.assert_close(log_density(again, sample), log_density(distribution, sample), rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(), (50,)], ids=["scalar", "rows"])
@parametrize_rows()
def test_score_is_autograds(row, shape):
    target, distribution = row.sample(50), row.distribution(*shape)
    slopes = score(distribution, target, row.names)
    expected = score_by_autograd(distribution, target, row.names)
    assert list(slopes) == row.names
    for argument in row.names:
        assert slopes[argument].shape == (50,)
        torch.testing.assert_close(slopes[argument], expected[argument], rtol=1e-9, atol=1e-12)


@parametrize_rows()
def test_score_is_the_slope_of_scipys_log_density(row):
    target = row.sample(20)
    slopes = score(row.distribution(), target, row.names)
    for argument in row.names:
        value = row.arguments[argument]
        step = 1e-5 * abs(value)
        above, below = (row.log_density(target, **{argument: value + sign * step}) for sign in (1, -1))
        # torch's Bessel functions of the von Mises have seven digits
        np.testing.assert_allclose(slopes[argument], (above - below) / (2 * step), rtol=1e-6, atol=2e-6)


@pytest.mark.parametrize("shape", [(), (50,)], ids=["scalar", "rows"])
@parametrize_rows()
def test_curvature_is_autograds(row, shape):
    target, distribution = row.sample(50), row.distribution(*shape)
    curved = curvature(distribution, target, row.names)
    expected = curvature_by_autograd(distribution, target, row.names)
    k = len(row.names)
    assert expected.shape == (50, k, k)
    assert curved.shape in {(50, k, k), (k, k)}
    # torch's trigamma has nine digits
    torch.testing.assert_close(curved.expand(50, k, k), expected, rtol=1e-8, atol=1e-10)


@parametrize_rows()
def test_order_of_the_names_is_that_of_rows_and_columns(row):
    target, distribution = row.sample(5), row.distribution()
    forward, backward = (curvature(distribution, target, names) for names in (row.names, row.names[::-1]))
    torch.testing.assert_close(forward, backward.flip(-1, -2))


@parametrize_rows()
def test_sums_are_those_of_the_observations(row):
    target, distribution = row.sample(500), row.distribution()
    sums = sample_sums(distribution, target, row.names)
    torch.testing.assert_close(sums.log_likelihood, log_density(distribution, target).sum(), rtol=1e-12, atol=1e-12)
    # torch's Bessel functions of the von Mises have seven digits
    assert sums.log_likelihood.item() == pytest.approx(float(row.log_density(target).sum()), rel=1e-7)
    scores = score(distribution, target, row.names)
    for argument in row.names:
        column = scores[argument].expand(len(target))
        assert sums.scores[argument].shape == ()
        assert abs(sums.scores[argument] - column.sum()) <= 1e-12 * column.abs().sum()


def informed(row: Row) -> list[str]:
    """The arguments by which the information has a closed form."""
    return [name for name in row.names if (row.kind, name) != (NegativeBinomial, "total_count")]


def products_of_scores(row: Row, y: np.ndarray) -> np.ndarray:
    slopes = score(row.distribution(), torch.from_numpy(np.atleast_1d(y)), informed(row))
    rows = np.stack([slope.numpy() for slope in slopes.values()], -1)
    return np.asarray(rows[:, :, None] * rows[:, None, :])


def information_by_definition(row: Row) -> np.ndarray:
    truth = row.scipy()
    if row.discrete:
        y = np.arange(0.0, 400.0)
        y = y[truth.pmf(y) > 0]
        return np.asarray((products_of_scores(row, y) * truth.pmf(y)[:, None, None]).sum(0))
    # Over the probability in each tail, by the tanh-sinh rule, whose points crowd towards both ends: Laplace's kink
    # lies at one end, the infinite slopes of a quantile at the other.
    t = np.linspace(-3.2, 3.2, 400)
    tail = 0.5 / (1 + np.exp(-np.pi * np.sinh(t)))
    weight = (t[1] - t[0]) * np.pi * np.cosh(t) * tail * (1 - 2 * tail)
    sides = [products_of_scores(row, y) * weight[:, None, None] for y in (truth.ppf(tail), truth.isf(tail))]
    return np.asarray(sides[0].sum(0) + sides[1].sum(0))


@parametrize_rows(INFORMED)
def test_information_is_the_expected_product_of_scores(row):
    information = expected_information(row.distribution(), informed(row))
    np.testing.assert_allclose(information.numpy(), information_by_definition(row), rtol=1e-6, atol=1e-6)


@parametrize_rows(INFORMED)
def test_rows_have_their_own_information(row):
    k = len(informed(row))
    rows = expected_information(row.distribution(3), informed(row))
    single = expected_information(row.distribution(), informed(row))
    assert single is not None
    assert rows.shape in {(3, k, k), (k, k)}
    torch.testing.assert_close(rows[1], single)  # the middle row has the family's own arguments


@parametrize_rows(TAILED)
def test_tails_are_scipys(row):
    truth, distribution = row.scipy(), row.distribution()
    y = np.concatenate([truth.ppf(SHARES), truth.isf([1e-6, 1e-12])])
    at = torch.from_numpy(y)
    np.testing.assert_allclose(log_cdf(distribution, at).numpy(), truth.logcdf(y), rtol=1e-9, atol=0)
    np.testing.assert_allclose(log_survival(distribution, at).numpy(), truth.logsf(y), rtol=1e-9, atol=0)


@parametrize_rows(TAILED)
def test_interval_keeps_its_digits_in_both_tails(row):
    truth, distribution = row.scipy(), row.distribution()
    for lower, upper, expected in (
        (truth.ppf(1e-9), truth.ppf(3e-9), 2e-9),
        (truth.ppf(0.2), truth.ppf(0.7), 0.5),
        (truth.isf(3e-9), truth.isf(1e-9), 2e-9),
    ):
        ends = [torch.tensor([end], dtype=torch.float64) for end in (lower, upper)]
        np.testing.assert_allclose(log_interval(distribution, *ends).exp().numpy(), [expected], rtol=1e-6)


@parametrize_rows(TAILED)
def test_each_censored_row_is_scipys(row):
    truth, y = row.scipy(), row.sample(8)
    upper = torch.where(STATUS == Censoring.INTERVAL, y + 0.1, torch.nan)
    likelihood = censored_log_prob(row.distribution(), y, STATUS, upper)
    expected = np.select(
        [kind == STATUS for kind in Censoring],
        [truth.logpdf(y), truth.logcdf(y), truth.logsf(y), np.log(truth.cdf(upper) - truth.cdf(y))],
    )
    np.testing.assert_allclose(likelihood.numpy(), expected, rtol=1e-9)


@parametrize_rows()
def test_mean_and_median_are_scipys_where_the_class_tells_them(row):
    truth, (mean, median) = row.scipy(), (center(row.distribution()) for center in (mean_of, median_of))
    if row.kind is not VonMises:  # whose angles have no mean
        np.testing.assert_allclose(mean.item(), truth.mean(), rtol=1e-6)
    if median is not None:
        np.testing.assert_allclose(median.item(), truth.median(), rtol=1e-9)


def start(row: Row, sample: Tensor) -> dict[str, float]:
    given = {argument: row.arguments[argument] for argument in row.fixed}
    return {**given, **moment_start(row.kind, row.names, sample, given)}


@parametrize_rows()
def test_start_of_a_large_sample_is_near_the_truth(row):
    starts = start(row, row.sample(20_000))
    assert list(starts) == [*row.fixed, *row.names]
    for argument in row.names:
        tolerance = 0.5 if argument in ("df", "total_count") else 0.15  # which moments tell roughly
        assert starts[argument] == pytest.approx(row.arguments[argument], rel=tolerance)


# Laplace has no curvature; a t's log-density is not concave in df, so that it needs steps that are controlled.
@parametrize_rows(sorted({*ROWS} - {"laplace", "student-t"}))
def test_newton_goes_from_the_start_to_the_maximum_in_a_few_steps(row):
    sample = row.sample(500)
    arguments = start(row, sample)
    for _ in range(8):
        values = {argument: torch.tensor(value, dtype=torch.float64) for argument, value in arguments.items()}
        distribution = row.kind(**values, validate_args=False)  # type: ignore[arg-type]
        slopes = torch.stack([slope.sum() for slope in score(distribution, sample, row.names).values()])
        rows = curvature(distribution, sample, row.names)
        step = torch.linalg.solve(rows.expand(500, *rows.shape[-2:]).sum(0), slopes)
        arguments |= {argument: arguments[argument] + step[k].item() for k, argument in enumerate(row.names)}
    assert slopes @ step < 1e-16  # squared standard errors from the maximum


@pytest.mark.parametrize(
    "distribution", [OnlyDensity(0.0), RelaxedBernoulli(torch.ones(()), torch.ones(()) / 2)], ids=str
)
def test_class_that_tells_neither_mean_nor_median_has_neither(distribution):
    assert mean_of(distribution) is None
    assert median_of(distribution) is None


LOGISTIC = {"success": lambda u: -mp.log1p(mp.exp(-u)), "failure": lambda u: -mp.log1p(mp.exp(u))}
# Where an observation has the probability 1, or the density an end: each with its exact log-density by each argument.
EDGES = {
    "no event at rate 0": (dist.Poisson, {"rate": 0.0}, 0.0, {"rate": lambda rate: -rate}),
    "failure, probs 0": (dist.Bernoulli, {"probs": 0.0}, 0.0, {"probs": lambda p: mp.log1p(-p)}),
    "success, probs 1": (dist.Bernoulli, {"probs": 1.0}, 1.0, {"probs": mp.log}),
    "failure, far logits": (dist.Bernoulli, {"logits": 800.0}, 0.0, {"logits": LOGISTIC["failure"]}),
    "success, far logits": (dist.Bernoulli, {"logits": 800.0}, 1.0, {"logits": LOGISTIC["success"]}),
    "no success, probs 0": (dist.Binomial, {"total_count": 5.0, "probs": 0.0}, 0.0,
        {"probs": lambda p: 5 * mp.log1p(-p)}),
    "all successes, probs 1": (dist.Binomial, {"total_count": 5.0, "probs": 1.0}, 5.0,
        {"probs": lambda p: 5 * mp.log(p)}),
    "no trial": (dist.Binomial, {"total_count": 0.0, "probs": 0.3}, 0.0, {"probs": lambda p: mp.mpf(0)}),
    "success at once, probs 1": (dist.Geometric, {"probs": 1.0}, 0.0, {"probs": mp.log}),
    "late success, far logits": (dist.Geometric, {"logits": -800.0}, 3.0,
        {"logits": lambda u: LOGISTIC["success"](u) + 3 * LOGISTIC["failure"](u)}),
    "no count, probs 0": (dist.NegativeBinomial, {"total_count": 3.0, "probs": 0.0}, 0.0,
        {"probs": lambda p: 3 * mp.log1p(-p), "total_count": lambda r: mp.mpf(0)}),
    "no count of none": (dist.NegativeBinomial, {"total_count": 0.0, "probs": 0.3}, 0.0,
        {"probs": lambda p: mp.mpf(0), "total_count": lambda r: r * mp.log(mp.mpf("0.7"))}),
    "exponential at 0": (dist.Exponential, {"rate": 2.0}, 0.0, {"rate": mp.log}),
    "half-normal at 0": (dist.HalfNormal, {"scale": 2.0}, 0.0,
        {"scale": lambda s: mp.log(2) - mp.log(2 * mp.pi) / 2 - mp.log(s)}),
    "half-cauchy at 0": (dist.HalfCauchy, {"scale": 2.0}, 0.0, {"scale": lambda s: mp.log(2 / mp.pi / s)}),
    "generalized pareto at its threshold": (dist.GeneralizedPareto, {"loc": 0.0, "scale": 2.0, "concentration": 0.0},
        0.0, {"scale": lambda s: -mp.log(s), "concentration": lambda k: -mp.log(2)}),
}  # fmt: skip


@pytest.mark.parametrize("edge", EDGES)
def test_value_score_and_curvature_are_right_at_edges(edge):
    kind, arguments, y, exact = EDGES[edge]
    made = kind(
        **{name: torch.tensor([value], dtype=torch.float64) for name, value in arguments.items()}, validate_args=False
    )
    target = torch.tensor([y], dtype=torch.float64)
    mp.dps = 40
    for name, function in exact.items():
        place = mp.mpf(arguments[name])
        side = -1 if place == 1 else 1
        slope, bend = (mp.diff(function, place, order, direction=side) for order in (1, 2))
        assert log_density(made, target).item() == pytest.approx(float(function(place)), abs=1e-14)
        assert score(made, target, [name])[name].item() == pytest.approx(float(slope), rel=1e-9, abs=1e-12)
        assert curvature(made, target, [name]).sum().item() == pytest.approx(-float(bend), rel=1e-9, abs=1e-9)
