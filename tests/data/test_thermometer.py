"""The eleven pairs."""

from typing import Any

import numpy as np
import pytest
import torch

from paramfit.data.normalization import FixedScale
from paramfit.data.thermometer import ThermometerDataModule
from paramfit.errors import InputError


def ready(**options: Any) -> ThermometerDataModule:
    data = ThermometerDataModule(**options)
    data.setup()
    return data


def test_pairs_are_the_published_ones(golden_descent: dict[str, Any]) -> None:
    raw = ready().raw

    assert torch.equal(raw.inputs[0], torch.tensor(golden_descent["data"]["t_u"]))
    assert torch.equal(raw.target, torch.tensor(golden_descent["data"]["t_c"]))


def test_fixed_scale_is_one_float32_multiplication(golden_descent: dict[str, Any]) -> None:
    readings = np.array(golden_descent["data"]["t_u"], dtype=np.float32)

    scaled = ready(normalization=FixedScale(0.1)).train.inputs[0]

    assert scaled.dtype == torch.float32
    assert np.array_equal(scaled.numpy(), readings * np.float32(0.1))


def test_truth_turns_fahrenheit_into_celsius() -> None:
    truth = ThermometerDataModule().truth

    for fahrenheit, celsius in ((32.0, 0.0), (212.0, 100.0)):
        assert truth["weight"] * fahrenheit + truth["bias"] == pytest.approx(celsius, abs=1e-12)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        pytest.param({"validation_fraction": 1.0}, "validation_fraction", id="fraction-1"),
        pytest.param({"validation_fraction": -0.2}, "validation_fraction", id="fraction-negative"),
        pytest.param({"jitter": -1.0}, "jitter", id="jitter-negative"),
        pytest.param({"jitter": float("nan")}, "jitter", id="jitter-nan"),
        pytest.param({"batch_size": 0}, "batch_size", id="batch-empty"),
        pytest.param({"dtype": "float16"}, "dtype", id="half-precision"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_read(options: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        ThermometerDataModule(**options)
