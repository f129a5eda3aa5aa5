"""Criteria of a likelihood, worked out by hand."""

import math

import pytest
import torch

from paramfit.observations import Censored
from paramfit.results.likelihood_statistics import likelihood_statistics


def test_criteria() -> None:
    found = likelihood_statistics(-67.5, 12, 2)
    assert found.censored == {}
    assert found.aic == pytest.approx(139.0)
    assert found.aicc == pytest.approx(139.0 + 12 / 9)
    assert found.bic == pytest.approx(135.0 + 2 * math.log(12))


def test_too_few_observations_have_no_correction() -> None:
    assert likelihood_statistics(-1.0, 3, 2).aicc is None


def test_censored_rows_are_counted_by_their_kind() -> None:
    censoring = Censored(torch.tensor([0, 2, 2, 3, 0]), torch.full((5,), math.inf))
    assert likelihood_statistics(-1.0, 5, 1, censoring).censored == {"right": 2, "interval": 1}
