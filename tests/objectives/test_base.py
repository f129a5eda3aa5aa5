"""What all objectives share, and the absolute error and the negative log-likelihood, against torch."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
import torch
from scipy import stats
from torch import Tensor
from torch.distributions import Normal, Poisson

from paramfit import AbsoluteError, HuberError, InputError, NegativeLogLikelihood, Objective, SquaredError
from paramfit.observations import Censored

ALL: list[Callable[..., Objective]] = [SquaredError, AbsoluteError, NegativeLogLikelihood]
every_objective = pytest.mark.parametrize("make", ALL, ids=lambda make: make.__name__)
both_reductions = pytest.mark.parametrize("reduction", ["mean", "sum"])
TARGET = torch.randn(11, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def predicted(objective: Objective, target: Tensor) -> Tensor | Normal:
    if isinstance(objective, NegativeLogLikelihood):
        return Normal(torch.tensor(0.3, dtype=torch.float64), 1.5)
    return torch.full_like(target, 0.3)


@every_objective
@both_reductions
def test_unequal_batches_add_up_to_the_whole(make, reduction):
    objective = make(reduction=reduction)
    parts = TARGET.split([4, 4, 3])
    total = torch.stack([objective.total(predicted(objective, part), part) for part in parts]).sum()
    whole = objective(predicted(objective, TARGET), TARGET)
    assert objective.finish(total, 11).item() == pytest.approx(whole.item(), rel=1e-14)


@every_objective
def test_mean_is_the_sum_divided_by_the_count(make):
    mean, total = (
        objective(predicted(objective, TARGET), TARGET).item() for objective in (make(reduction="mean"), make("sum"))
    )
    assert mean == pytest.approx(total / 11, rel=1e-14)


@every_objective
def test_leading_dimensions_are_kept(make):
    objective = make()
    grid = torch.linspace(-1, 1, 6, dtype=torch.float64).view(2, 3, 1)
    prediction = Normal(grid, 1.0) if make is NegativeLogLikelihood else grid.expand(2, 3, 11)
    losses = objective(prediction, TARGET)
    assert losses.shape == (2, 3)
    alone = Normal(grid[1, 2], 1.0) if make is NegativeLogLikelihood else grid[1, 2].expand(11)
    assert losses[1, 2].item() == pytest.approx(objective(alone, TARGET).item(), rel=1e-14)


@every_objective
def test_penalty_is_l1_of_absolute_and_l2_of_squared_parameters(make):
    parameters = [torch.tensor(-2.0), torch.tensor([1.0, 3.0])]
    assert make(l1=0.5).penalty(parameters).item() == pytest.approx(0.5 * 6)
    assert make(l2=0.1).penalty(parameters).item() == pytest.approx(0.1 * 14)
    assert make(l1=0.5, l2=0.1).penalty(parameters).item() == pytest.approx(3 + 1.4)


@every_objective
def test_gradient_of_the_penalty_is_autograds(make):
    objective = make(l1=0.5, l2=0.1)
    parameter = torch.tensor([-2.0, 0.0, 3.0], requires_grad=True)
    objective.penalty([parameter]).backward()
    assert parameter.grad is not None
    assert torch.allclose(objective.penalty_gradient(parameter.detach()), parameter.grad)


@every_objective
@pytest.mark.parametrize("name", ["l1", "l2"])
@pytest.mark.parametrize("weight", [-0.1, math.nan, math.inf], ids=str)
def test_penalty_that_is_no_weight_is_refused(make, name, weight):
    with pytest.raises(InputError, match=f"{name}: a penalty's weight is 0 or more"):
        make(**{name: weight})


@pytest.mark.parametrize("make", [SquaredError, AbsoluteError], ids=lambda make: make.__name__)
@pytest.mark.parametrize("shape", [(5, 1), (1,), (3,)], ids=str)
def test_prediction_without_a_value_for_each_target_is_refused(make, shape):
    with pytest.raises(InputError) as refusal:
        make()(torch.zeros(shape), torch.zeros(5))
    assert str(shape) in str(refusal.value)
    assert "(5,)" in str(refusal.value)


@pytest.mark.parametrize("make", [SquaredError, AbsoluteError, HuberError], ids=lambda make: make.__name__)
def test_only_a_likelihood_takes_censored_observations(make):
    censoring = Censored(torch.full((11,), 2), torch.full((11,), math.inf))
    for call in (make().losses, make().total, make()):
        with pytest.raises(InputError, match=f"{make.__name__} has no use for censored observations"):
            call(TARGET, TARGET, None, censoring)


@both_reductions
def test_likelihood_of_bounds_is_that_of_what_they_leave(reduction):
    objective = NegativeLogLikelihood(reduction)
    normal = Normal(torch.tensor(0.0, dtype=torch.float64), 1.0)
    censoring = Censored(torch.tensor([0, 1, 2, 3]), torch.tensor([math.inf, math.inf, math.inf, 2.0]).double())
    target = torch.tensor([0.5, 0.5, 0.5, 0.5], dtype=torch.float64)
    truth = stats.norm()
    losses = [-truth.logpdf(0.5), -truth.logcdf(0.5), -truth.logsf(0.5), -math.log(truth.cdf(2) - truth.cdf(0.5))]
    assert objective.losses(normal, target, None, censoring).tolist() == pytest.approx(losses, rel=1e-12)
    expected = sum(losses) / (4 if reduction == "mean" else 1)
    assert objective(normal, target, None, censoring).item() == pytest.approx(expected, rel=1e-12)


def test_an_objective_that_defines_its_losses_alone_has_a_derivative_and_no_penalty():
    class FourthPower(Objective):
        def per_observation(self, prediction: Tensor, target: Tensor, sigma: Tensor | None = None) -> Tensor:
            return (prediction - target) ** 4

    objective = FourthPower()
    assert (objective.reduction, objective.penalised) == ("mean", False)
    with torch.no_grad():  # as the analytic rule asks for it
        derivative = objective.derivative(torch.full_like(TARGET, 0.3), TARGET)
    torch.testing.assert_close(derivative, 4 * (0.3 - TARGET) ** 3)


SAMPLE = torch.tensor([-1.0, 0.25, 3.0], dtype=torch.float64)
NORMAL = Normal(torch.tensor(0.5, dtype=torch.float64), torch.tensor(2.0, dtype=torch.float64))


def test_sum_over_the_sample_is_the_default():
    expected = -scipy.stats.norm(loc=0.5, scale=2.0).logpdf(SAMPLE.numpy()).sum()
    assert NegativeLogLikelihood()(NORMAL, SAMPLE).item() == pytest.approx(expected, rel=1e-14)


def test_any_distribution_will_do():
    counts = torch.tensor([0.0, 2.0, 5.0], dtype=torch.float64)
    expected = -scipy.stats.poisson(mu=3.0).logpmf(counts.numpy())
    actual = NegativeLogLikelihood().per_observation(Poisson(torch.tensor(3.0, dtype=torch.float64)), counts)
    assert np.allclose(actual.numpy(), expected, rtol=1e-13)


def test_derivative_by_the_location_is_the_negative_score():
    location = torch.full((3,), 0.5, dtype=torch.float64, requires_grad=True)
    (-Normal(location, 2.0).log_prob(SAMPLE)).sum().backward()
    assert location.grad is not None
    assert torch.allclose(NegativeLogLikelihood().derivative(NORMAL, SAMPLE), location.grad)


def test_prediction_that_is_no_distribution_is_refused_with_what_to_do():
    with pytest.raises(InputError, match=r"Distribution, but got Tensor; use SquaredError or AbsoluteError"):
        NegativeLogLikelihood()(SAMPLE, SAMPLE)


PREDICTION, THREE = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.0, 1.0, 0.5])


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_loss_is_torchs_l1_loss(reduction):
    expected = torch.nn.functional.l1_loss(PREDICTION, THREE, reduction=reduction)
    assert AbsoluteError(reduction)(PREDICTION, THREE).item() == pytest.approx(expected.item())


def test_derivative_is_the_sign_and_zero_at_the_kink_as_autograd_has_it():
    prediction = PREDICTION.clone().requires_grad_()
    (prediction - THREE).abs().sum().backward()
    assert AbsoluteError().derivative(PREDICTION, THREE).tolist() == prediction.grad.tolist() == [1.0, -1.0, 0.0]
