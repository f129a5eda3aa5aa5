"""What a summary adds to a result."""

import dataclasses
import math

import pytest
import torch

from paramfit.inference.convergence import Distance
from paramfit.inference.uncertainty import Uncertainty
from paramfit.results.fields import fields_of, reasons
from paramfit.results.record import Estimate
from paramfit.results.statistics import least_squares_statistics
from paramfit.results.summary import Summary

ERRORS = Uncertainty(torch.tensor([[4.0, 1.0], [1.0, 9.0]]), None, 2.0, "s^2 (J^T J)^-1")
ESTIMATES = {"a": Estimate(1.0, 2.0), "b": Estimate(5.0, 3.0)}
SUMMARY = Summary(
    parameters=ESTIMATES,
    original_units=ESTIMATES,
    distance=Distance(0.5, (0.3, 0.4)),
    updates_left=7,
    updates_left_reason=None,
    errors=ERRORS,
    correlation=torch.tensor([[1.0, 0.25], [0.25, 1.0]]),
    covariance=ERRORS.covariance,
    statistics=least_squares_statistics(5.0, torch.arange(5.0), None, 2, absolute_sigma=True),
    warnings=("be careful",),
)


def test_matrices_stand_beside_their_names() -> None:
    written = fields_of(SUMMARY, ("a", "b"), None)
    assert written["covariance"] == {"parameters": ["a", "b"], "matrix": [[4.0, 1.0], [1.0, 9.0]]}
    assert written["correlation"] == {"parameters": ["a", "b"], "matrix": [[1.0, 0.25], [0.25, 1.0]]}


def test_parameters_without_error_are_left_out_of_the_matrices() -> None:
    lost = dataclasses.replace(ERRORS, undetermined={0: "a and c cannot be told apart"})
    written = fields_of(dataclasses.replace(SUMMARY, errors=lost), ("a", "b"), None)
    assert written["covariance"] == {"parameters": ["b"], "matrix": [[9.0]]}
    assert written["correlation"] == {"parameters": ["b"], "matrix": [[1.0]]}


def test_distances_stand_beside_their_names() -> None:
    written = fields_of(SUMMARY, ("a", "b"), None)
    assert written["distance_to_optimum_in_standard_errors"] == 0.5
    assert written["distances_per_parameter"] == {"a": 0.3, "b": 0.4}
    assert written["updates_to_converge"] == 7


@pytest.mark.parametrize("sigma_is", [None, "absolute", "relative"], ids=str)
def test_statistics_say_how_sigma_was_taken(sigma_is: str | None) -> None:
    written = fields_of(SUMMARY, ("a", "b"), sigma_is)["least_squares"]
    assert written["sigma_is"] == sigma_is
    assert written["degrees_of_freedom"] == 3
    assert written["residual_sum_of_squares"] == 5.0


def test_each_missing_number_has_its_reason() -> None:
    bare = dataclasses.replace(
        SUMMARY,
        errors=Uncertainty(None, "no errors", math.nan, "none"),
        distance=Distance(None, reason="no distance"),
        updates_left=None,
        updates_left_reason="no rate",
    )
    assert reasons(bare) == {
        "standard_error": "no errors",
        "distance_to_optimum_in_standard_errors": "no distance",
        "updates_to_converge": "no rate",
    }
