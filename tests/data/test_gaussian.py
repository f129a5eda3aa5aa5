"""The sample of a normal distribution."""

import numpy as np
import pytest
import torch

from paramfit.data.gaussian import GaussianDataModule
from paramfit.errors import InputError


def sample(**options: object) -> torch.Tensor:
    data = GaussianDataModule(**options)  # type: ignore[arg-type]
    data.setup()
    return data.raw.target


def test_same_seed_gives_the_same_sample_whatever_the_global_state() -> None:
    first = sample(n_obs=100, seed=4)
    torch.manual_seed(77)

    assert torch.equal(sample(n_obs=100, seed=4), first)


def test_both_precisions_see_the_same_draws() -> None:
    double = sample(n_obs=1000, true_location=3.0)
    single = sample(n_obs=1000, true_location=3.0, dtype="float32")

    assert (double.dtype, single.dtype) == (torch.float64, torch.float32)
    assert np.array_equal(single.numpy(), double.numpy().astype(np.float32))


def test_sample_has_location_and_scale_asked_for() -> None:
    n = 20_000
    draws = sample(n_obs=n, true_location=-5.0, scale=3.0).numpy()

    # Five standard errors of the mean and of the standard deviation.
    assert draws.mean() == pytest.approx(-5.0, abs=5 * 3.0 / np.sqrt(n))
    assert draws.std() == pytest.approx(3.0, rel=5 / np.sqrt(2 * n))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        pytest.param({"n_obs": 0}, "n_obs", id="no-observation"),
        pytest.param({"scale": 0.0}, "scale", id="scale-0"),
        pytest.param({"scale": -1.0}, "scale", id="scale-negative"),
        pytest.param({"scale": float("nan")}, "scale", id="scale-nan"),
        pytest.param({"dtype": "bfloat16"}, "dtype", id="half-precision"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], named: str) -> None:
    with pytest.raises(InputError, match=named):
        GaussianDataModule(**options)  # type: ignore[arg-type]
