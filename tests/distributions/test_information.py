"""Every expected information by closed form, against the sum or the integral that defines it."""

import numpy as np
import pytest
import torch
from torch.distributions import Distribution, Kumaraswamy, NegativeBinomial, StudentT, VonMises

from paramfit.distributions import expected_information, score
from paramfit.distributions.information import closed_information
from tests.distributions.families import FAMILIES, Family

ZERO = torch.zeros((), dtype=torch.float64)
WITH_INFORMATION = [name for name, family in FAMILIES.items() if family.kind in closed_information.registry]


def names_of(family: Family) -> list[str]:
    """Those by which the information has a closed form."""
    return [name for name in family.names if (family.kind, name) != (NegativeBinomial, "total_count")]


def products_of_scores(family: Family, y: np.ndarray) -> np.ndarray:
    slopes = score(family.distribution(), torch.from_numpy(np.atleast_1d(y)), names_of(family))
    rows = np.stack([slope.numpy() for slope in slopes.values()], -1)
    return np.asarray(rows[:, :, None] * rows[:, None, :])


def by_definition(family: Family) -> np.ndarray:
    truth = family.scipy()
    if hasattr(truth, "logpmf"):
        y = np.arange(0.0, 400.0)
        y = y[truth.pmf(y) > 0]
        return np.asarray((products_of_scores(family, y) * truth.pmf(y)[:, None, None]).sum(0))
    # Over the probability in each tail, by the tanh-sinh rule, whose points crowd towards both ends: Laplace's kink
    # lies at one end, the infinite slopes of a quantile at the other.
    t = np.linspace(-3.2, 3.2, 400)
    tail = 0.5 / (1 + np.exp(-np.pi * np.sinh(t)))
    weight = (t[1] - t[0]) * np.pi * np.cosh(t) * tail * (1 - 2 * tail)
    sides = [products_of_scores(family, y) * weight[:, None, None] for y in (truth.ppf(tail), truth.isf(tail))]
    return np.asarray(sides[0].sum(0) + sides[1].sum(0))


def test_every_closed_form_is_tested_here() -> None:
    assert set(closed_information.registry) - {object} == {FAMILIES[name].kind for name in WITH_INFORMATION}


@pytest.mark.parametrize("name", WITH_INFORMATION)
def test_information_is_the_expected_product_of_scores(name: str) -> None:
    family = FAMILIES[name]
    found = expected_information(family.distribution(), names_of(family))
    assert found is not None
    np.testing.assert_allclose(found.numpy(), by_definition(family), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", WITH_INFORMATION)
def test_rows_have_their_own_information(name: str) -> None:
    family = FAMILIES[name]
    k = len(names_of(family))
    found = expected_information(family.distribution(3), names_of(family))
    single = expected_information(family.distribution(), names_of(family))
    assert found is not None
    assert single is not None
    assert found.shape in {(3, k, k), (k, k)}
    torch.testing.assert_close(found[1], single)  # the middle row has the family's own arguments


def test_there_is_none_without_closed_form() -> None:
    a = torch.tensor(2.0)
    assert expected_information(Kumaraswamy(a, a), ["concentration1"]) is None
    assert expected_information(NegativeBinomial(a, probs=a / 4), ["total_count", "probs"]) is None


@pytest.mark.parametrize(
    ("distribution", "name", "expected"),
    # By mpmath 1.3 with 60 digits: 1 - A/k - A^2 with A the quotient of both Bessel functions, and the difference of
    # trigammas that Lange, Little and Taylor (1989) give.
    [
        (VonMises(ZERO, ZERO + 50), "concentration", 0.00020206263867603742),
        (VonMises(ZERO, ZERO + 100), "concentration", 5.0253830221470357e-5),
        (VonMises(ZERO, ZERO + 1e6), "concentration", 5.00000250000375e-13),
        (VonMises(ZERO, ZERO + 1e9), "concentration", 5.0000000025e-19),
        (StudentT(ZERO + 20, ZERO, ZERO + 1), "df", 1.8349046426502712e-5),
        (StudentT(ZERO + 1e6, ZERO, ZERO + 1), "df", 3.4999870000394999e-24),
        (StudentT(ZERO + 1e9, ZERO, ZERO + 1), "df", 3.499999987e-36),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Distribution) else str(value),
)
def test_information_of_a_nearly_normal_distribution_keeps_its_digits(
    distribution: Distribution, name: str, expected: float
) -> None:
    found = expected_information(distribution, [name])
    assert found is not None
    assert found.item() == pytest.approx(expected, rel=1e-10)
