"""How the gamma function grows over half a step, against values of mpmath."""

import pytest
import torch

from paramfit.distributions.half_steps import bend_of_half_step, half_step, slope_of_half_step

# By mpmath 1.3 with 400 digits: 2 loggamma((x + 1)/2) - 2 loggamma(x/2) - log(x/2), its derivative, and its second
# derivative plus 1/x^3, each written with psi.
TRUTH = {
    3.0: (-0.16390063283767394, 0.052961027786557286, 0.0032140812999217117),
    19.9: (-0.025115085449330549, 0.0012610082005402837, 3.1803758308724463e-7),
    20.0: (-0.02498961434945764, 0.0012484452309652676, 3.1018872049354087e-7),
    1e6: (-4.9999999999991667e-7, 4.9999999999975e-13, 9.99999999997e-31),
    1e30: (-5.0e-31, 5.0e-61, 1.0e-150),
}


@pytest.mark.parametrize("x", TRUTH, ids=str)
def test_half_steps_are_those_of_the_gamma_function(x: float) -> None:
    at = torch.tensor(x, dtype=torch.float64)
    value, slope, bend = TRUTH[x]
    assert half_step(at).item() == pytest.approx(value, rel=1e-11)
    assert slope_of_half_step(at).item() == pytest.approx(slope, rel=1e-10)
    # Below the series by torch's trigammas, which have nine digits and cancel: what counts is what they add to 1/x^3.
    least = 1e-8 / x**3 if x < 20 else 0.0
    assert bend_of_half_step(at).item() == pytest.approx(bend, rel=1e-8, abs=least)
