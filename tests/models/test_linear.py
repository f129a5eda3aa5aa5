"""The straight line."""

import torch

from paramfit.models import LinearModel

X = torch.tensor([0.0, 1.0, -2.0, 0.5])


def test_prediction_is_weight_times_x_plus_bias():
    assert LinearModel(weight=2.0, bias=-1.0)(X).tolist() == [-1.0, 1.0, -5.0, 0.0]


def test_original_units_give_the_same_line():
    shift, scale = 32.0, 0.1
    fitted = torch.tensor([5.3671, -17.3012], dtype=torch.float64)
    weight, bias = LinearModel().original_units(shift, scale) @ fitted
    x = torch.tensor([-40.0, 0.0, 98.6], dtype=torch.float64)
    assert torch.allclose(weight * x + bias, fitted[0] * ((x - shift) * scale) + fitted[1])
