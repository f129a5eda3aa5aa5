"""Observations outside a support, against SciPy's densities."""

import numpy as np
import pytest
import torch
from torch import distributions
from torch.distributions import Distribution

from paramfit import InputError
from paramfit.distributions import check_support
from tests.distributions.families import FAMILIES


@pytest.mark.parametrize("name", FAMILIES)
def test_sample_is_inside_and_has_scipys_density(name: str) -> None:
    family = FAMILIES[name]
    sample, distribution = family.sample(100), family.distribution()
    check_support(distribution, sample)
    truth = family.scipy()
    expected = truth.logpmf(sample) if hasattr(truth, "logpmf") else truth.logpdf(sample)
    # torch's Bessel functions of the von Mises have seven digits
    np.testing.assert_allclose(distribution.log_prob(sample).numpy(), expected, rtol=1e-9, atol=1e-7)


@pytest.mark.parametrize("name", FAMILIES)
def test_what_scipy_gives_no_density_is_refused(name: str) -> None:
    family = FAMILIES[name]
    truth = family.scipy()
    density = truth.pmf if hasattr(truth, "pmf") else truth.pdf
    for value in (-1.0, -0.25, 0.3, 0.5, 1.5, 8.0):
        # a von Mises is meant modulo 2 pi
        if density(value) > 0 or name == "von-mises":
            check_support(family.distribution(), torch.tensor([value], dtype=torch.float64))
        else:
            with pytest.raises(InputError, match="row 0 is"):
                check_support(family.distribution(), torch.tensor([value], dtype=torch.float64))


@pytest.mark.parametrize(
    ("distribution", "values", "words"),
    [
        (distributions.Gamma(1.0, 1.0), [1.0, -0.3, -2.0], "row 1 is -0.3, .* Gamma .above 0.; 2 of 3 rows are"),
        (distributions.Gamma(1.0, 1.0), [1.0, 0.0], "row 1 is 0, .*above 0.; 1 of 2 rows is"),
        (distributions.Exponential(1.0), [-1.0], "from 0 on"),
        (distributions.Beta(1.0, 1.0), [0.5, 1.0], "row 1 is 1, .*between 0 and 1, without these"),
        (distributions.Poisson(1.0), [1.5], "a whole number from 0 on"),
        (distributions.Bernoulli(0.5), [2.0], "0 or 1"),
        (distributions.Normal(0.0, 1.0), [float("nan")], "row 0 is nan, .*any finite number"),
        (distributions.Normal(0.0, 1.0), [float("inf")], "row 0 is inf"),
        (
            distributions.Binomial(torch.tensor([9.0, 3.0]), torch.tensor([0.5, 0.5])),
            [9.0, 4.0],
            "row 1 is 4, .*a whole number between 0 and 3, with these",
        ),
    ],
)
def test_message_names_row_value_and_support(distribution: Distribution, values: list[float], words: str) -> None:
    with pytest.raises(InputError, match=f"data.t: .*{words}"):
        check_support(distribution, torch.tensor(values), "data.t")


def test_distribution_that_names_no_support_takes_finite_numbers() -> None:
    class Mine(Distribution):
        arg_constraints = {}  # noqa: RUF012  # as torch writes it

    check_support(Mine(validate_args=False), torch.tensor([-1.0]))
    with pytest.raises(InputError, match="any finite number"):
        check_support(Mine(validate_args=False), torch.tensor([float("nan")]))
