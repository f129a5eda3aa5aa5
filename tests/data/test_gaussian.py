"""The data of the lessons."""

from typing import Any

import numpy as np
import pytest
import torch

from paramfit import FixedScale, GaussianDataModule, InputError, ThermometerDataModule


def sample(**options: object) -> torch.Tensor:
    data = GaussianDataModule(**options)  # type: ignore[arg-type]
    data.setup()
    return data.raw.target


def test_same_seed_gives_the_same_sample_whatever_the_global_state():
    first = sample(n_obs=100, seed=4)
    torch.manual_seed(77)
    assert torch.equal(sample(n_obs=100, seed=4), first)


def test_both_precisions_see_the_same_draws():
    double = sample(n_obs=1000, true_location=3.0)
    single = sample(n_obs=1000, true_location=3.0, dtype="float32")
    assert (double.dtype, single.dtype) == (torch.float64, torch.float32)
    assert np.array_equal(single.numpy(), double.numpy().astype(np.float32))


def test_sample_has_location_and_scale_asked_for():
    n = 20_000
    draws = sample(n_obs=n, true_location=-5.0, scale=3.0).numpy()
    # Five standard errors of the mean and of the standard deviation.
    assert draws.mean() == pytest.approx(-5.0, abs=5 * 3.0 / np.sqrt(n))
    assert draws.std() == pytest.approx(3.0, rel=5 / np.sqrt(2 * n))


@pytest.mark.parametrize(("options", "named"), [
    pytest.param({"n_obs": 0}, "n_obs", id="no-observation"),
    pytest.param({"scale": 0.0}, "scale", id="scale-0"),
    pytest.param({"scale": float("nan")}, "scale", id="scale-nan"),
    pytest.param({"dtype": "bfloat16"}, "dtype", id="half-precision"),
])  # fmt: skip
def test_wrong_options_are_refused(options, named):
    with pytest.raises(InputError, match=named):
        GaussianDataModule(**options)  # type: ignore[arg-type]


def ready(**options: Any) -> ThermometerDataModule:
    data = ThermometerDataModule(**options)
    data.setup()
    return data


def test_pairs_are_the_published_ones(golden_descent):
    raw = ready().raw
    assert torch.equal(raw.inputs[0], torch.tensor(golden_descent["data"]["t_u"]))
    assert torch.equal(raw.target, torch.tensor(golden_descent["data"]["t_c"]))


def test_fixed_scale_is_one_float32_multiplication(golden_descent):
    readings = np.array(golden_descent["data"]["t_u"], dtype=np.float32)
    scaled = ready(normalization=FixedScale(0.1)).train.inputs[0]
    assert scaled.dtype == torch.float32
    assert np.array_equal(scaled.numpy(), readings * np.float32(0.1))


def test_truth_turns_fahrenheit_into_celsius():
    truth = ThermometerDataModule().truth
    for fahrenheit, celsius in ((32.0, 0.0), (212.0, 100.0)):
        assert truth["weight"] * fahrenheit + truth["bias"] == pytest.approx(celsius, abs=1e-12)
