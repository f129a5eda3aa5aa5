"""Estimates by name, in natural space and in the data's own units."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from paramfit import FormulaModel, LinearModel, Observations, SquaredError
from paramfit.inference.least_squares_errors import uncertainty
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.uncertainty import Uncertainty
from paramfit.results.delta_method import NaturalEstimates, natural_estimates
from tests.thermometer import BIAS, CELSIUS, READINGS, STANDARD_ERRORS, WEIGHT

X = torch.tensor(READINGS, dtype=torch.float64)
Y = torch.tensor(CELSIUS, dtype=torch.float64)
SHIFT, SCALE = X.mean().item(), 0.05
NORMALISED = Observations(((X - SHIFT) * SCALE,), Y)
UNTOUCHED = [(0.0, 1.0)]


def told(
    model: torch.nn.Module,
    rows: Observations,
    errors: Uncertainty | None = None,
    normalization: list[tuple[float, float]] = UNTOUCHED,
    truth: dict[str, float] | None = None,
) -> NaturalEstimates:
    loss = LossFunction(model, SquaredError(), rows)
    return natural_estimates(loss, loss.theta, errors or uncertainty(loss, loss.theta), normalization, truth)


def made(covariance: Tensor, **options: object) -> Uncertainty:
    values, vectors = torch.linalg.eigh(covariance)
    root = vectors * values.clamp_min(0.0).sqrt()
    return Uncertainty(covariance, None, 2.0, "as given", root, **options)  # type: ignore[arg-type]


def test_interval_is_the_quantile_times_the_error_on_both_sides():
    estimates = told(
        LinearModel(3.0, -1.0), Observations((X,), Y), made(torch.diag(torch.tensor([0.25, 4.0]).double()))
    )
    weight, bias = estimates.parameters["weight"], estimates.parameters["bias"]
    assert (weight.estimate, weight.standard_error, weight.interval_95) == (3.0, 0.5, (2.0, 4.0))
    assert (bias.estimate, bias.standard_error, bias.interval_95) == (-1.0, 2.0, (-5.0, 3.0))


@pytest.mark.parametrize(("spec", "slope"), [
    ({"start": 3.0, "lower": 1.0}, 2.0),  # l + e^u: the slope is the distance from the bound
    ({"start": 3.0, "upper": 8.0}, -5.0),
    ({"start": 3.0, "lower": 1.0, "upper": 6.0}, 2.0 * 3.0 / 5.0),  # (t - l)(h - t) / (h - l)
], ids=["lower", "upper", "both"])  # fmt: skip
def test_error_of_a_bounded_parameter_is_that_of_its_number_times_the_slope(spec, slope):
    model = FormulaModel("a * x + b", ["x"], {"a": spec, "b": 1.0})
    covariance = torch.tensor([[0.04, 0.03], [0.03, 0.09]], dtype=torch.float64)
    estimates = told(model, Observations((X,), Y), made(covariance))
    assert estimates.parameters["a"].estimate == pytest.approx(3.0, rel=1e-12)
    assert estimates.parameters["a"].standard_error == pytest.approx(0.2 * abs(slope), rel=1e-12)
    assert estimates.parameters["b"].standard_error == pytest.approx(0.3, rel=1e-12)
    np.testing.assert_allclose(estimates.covariance.numpy()[0, 1], 0.03 * slope, rtol=1e-12)


def test_normalised_estimates_have_their_published_values_in_the_datas_own_units():
    model = LinearModel(WEIGHT / SCALE, BIAS + WEIGHT * SHIFT, dtype="float64")
    estimates = told(model, NORMALISED, normalization=[(SHIFT, SCALE)])
    weight, bias = estimates.original_units["weight"], estimates.original_units["bias"]
    assert [weight.estimate, bias.estimate] == pytest.approx([WEIGHT, BIAS], rel=1e-12)
    assert [weight.standard_error, bias.standard_error] == pytest.approx(list(STANDARD_ERRORS.values()), rel=1e-6)


def test_fixed_parameter_has_no_error_and_stands_in_its_place():
    model = LinearModel(weight={"start": 0.5, "fixed": True, "unit": "°C"}, bias=-16.0, dtype="float64")
    actual = told(model, Observations((X,), Y)).parameters
    assert list(actual) == ["weight", "bias"]
    assert (actual["weight"].estimate, actual["weight"].fixed, actual["weight"].unit) == (0.5, True, "°C")
    assert (actual["weight"].standard_error, actual["weight"].interval_95) == (None, None)
    rest = Y.numpy() - 0.5 * X.numpy() + 16.0
    assert actual["bias"].standard_error == pytest.approx(math.sqrt(np.square(rest).sum() / 10 / 11), rel=1e-10)


def test_fixed_slope_carries_over_to_the_datas_own_units():
    slope = {"start": 0.5 / SCALE, "fixed": True}
    actual = told(LinearModel(slope, 9.0, dtype="float64"), NORMALISED, normalization=[(SHIFT, SCALE)]).original_units
    assert (actual["weight"].estimate, actual["weight"].fixed) == (pytest.approx(0.5, rel=1e-12), True)
    assert actual["bias"].estimate == pytest.approx(9.0 - 0.5 * SHIFT, rel=1e-12)
    assert actual["bias"].standard_error is not None


def test_intercept_fixed_on_the_normalised_input_moves_with_the_slope_on_the_raw_one():
    # bias_x = bias_z - shift * scale * weight_z: its error is shift times that of the slope.
    model = LinearModel(11.0, {"start": 9.0, "fixed": True}, dtype="float64")
    estimates = told(model, NORMALISED, normalization=[(SHIFT, SCALE)])
    assert estimates.parameters["bias"].fixed
    weight, bias = estimates.original_units["weight"], estimates.original_units["bias"]
    assert not bias.fixed
    assert bias.standard_error == pytest.approx(SHIFT * weight.standard_error, rel=1e-10)


def test_parameter_that_is_undetermined_has_no_error_and_the_others_have():
    errors = made(torch.diag(torch.tensor([0.0, 4.0]).double()), undetermined={0: "it is idle"})
    actual = told(LinearModel(3.0, -1.0), Observations((X,), Y), errors).parameters
    assert (actual["weight"].standard_error, actual["weight"].interval_95) == (None, None)
    assert actual["bias"].standard_error == 2.0


def test_what_an_undetermined_parameter_is_mixed_with_has_no_error_in_the_datas_own_units():
    errors = made(torch.diag(torch.tensor([0.0, 4.0]).double()), undetermined={0: "it is idle"})
    actual = told(LinearModel(3.0, -1.0), NORMALISED, errors, [(SHIFT, SCALE)]).original_units
    assert actual["weight"].standard_error is None
    assert actual["bias"].standard_error is None  # bias_x has a part of weight_z


@pytest.mark.parametrize(("spec", "side"), [
    ({"start": 1.0 + 1e-9, "lower": 1.0}, "lower"),
    ({"start": 2.0 - 1e-9, "upper": 2.0}, "upper"),
    ({"start": 1.0 + 1e-9, "lower": 1.0, "upper": 2.0}, "lower"),
    ({"start": 2.0 - 1e-9, "lower": 1.0, "upper": 2.0}, "upper"),
], ids=["lower", "upper", "lower of two", "upper of two"])  # fmt: skip
def test_side_of_the_bound_is_said(spec, side):
    model = FormulaModel("a * x + b", ["x"], {"a": spec, "b": 1.0})
    errors = made(torch.diag(torch.tensor([0.0, 4.0]).double()), undetermined={0: "at its bound"}, at_bound=(0,))
    actual = told(model, Observations((X,), Y), errors).parameters
    assert (actual["a"].at_bound, actual["b"].at_bound) == (side, None)
    assert actual["a"].standard_error is None


def test_truth_is_that_of_the_raw_input():
    truth = {"weight": 0.55, "bias": -17.8}
    assert told(LinearModel(), Observations((X,), Y), truth=truth).parameters["weight"].truth == 0.55
    scaled = told(LinearModel(), NORMALISED, normalization=[(SHIFT, SCALE)], truth=truth)
    assert scaled.parameters["weight"].truth is None
    assert scaled.original_units["bias"].truth == -17.8


def test_formula_cannot_undo_a_normalisation():
    model = FormulaModel("a * exp(b * x)", ["x"], {"a": 1, "b": 0.1})
    assert told(model, NORMALISED, normalization=[(SHIFT, SCALE)]).original_units is None
    assert told(model, NORMALISED).original_units is not None


def test_without_covariance_there_are_estimates_alone():
    estimates = told(LinearModel(3.0, 1.0), Observations((X,), Y), Uncertainty(None, "none", math.nan, "none"))
    assert estimates.covariance is None
    assert [estimate.estimate for estimate in estimates.parameters.values()] == [3.0, 1.0]
    assert all(estimate.standard_error is None for estimate in estimates.parameters.values())
