"""The chain rule by hand."""

import math

import pytest
import torch
from torch import Tensor, nn

from paramfit import AnalyticGradient, AutogradGradient, InputError, NegativeLogLikelihood, SquaredError
from paramfit.models import DistributionModel, GaussianModel, LinearModel
from paramfit.observations import Censored, Observations

X, TARGET = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0.0, 1.0, -2.0])


def test_gradient_of_the_mean_squared_error_of_a_line():
    # Residuals of the line x itself are (1, 1, 6): dL/dw = 2/3 * (1 + 2 + 24), dL/db = 2/3 * 8.
    loss, gradients = AnalyticGradient()(LinearModel(), SquaredError(), Observations((X,), TARGET))
    assert loss.item() == pytest.approx(38 / 3)
    assert gradients["weight"].item() == pytest.approx(18.0)
    assert gradients["bias"].item() == pytest.approx(16 / 3)


def test_model_without_jacobian_is_refused_with_what_to_do():
    with pytest.raises(InputError, match=r"Linear.jacobian\(\*inputs\).*AutogradGradient"):
        AnalyticGradient()(nn.Linear(1, 1), SquaredError(), Observations((X,), TARGET))


def test_missing_column_is_refused_by_its_name():
    class Forgetful(LinearModel):
        def jacobian(self, x: Tensor) -> dict[str, Tensor | float]:
            return {"weight": x}

    with pytest.raises(InputError, match=r"Forgetful.jacobian has no column for the parameter bias"):
        AnalyticGradient()(Forgetful(), SquaredError(), Observations((X,), TARGET))


def test_distribution_without_a_known_score_is_refused():
    class Laplacian(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.location = nn.Parameter(torch.tensor(0.0))

        def forward(self) -> torch.distributions.Laplace:
            return torch.distributions.Laplace(self.location, 1.0)

        def jacobian(self) -> dict[str, float]:
            return {"location": 1.0}

    with pytest.raises(
        InputError, match="not of Laplace; use AutogradGradient, NumericalGradient, or a DistributionModel"
    ):
        AnalyticGradient()(Laplacian(), NegativeLogLikelihood(), Observations((), TARGET))


def test_gradient_of_a_gamma_sample_is_the_closed_score_times_the_slope_of_the_transform():
    # With a = exp(u) and b = exp(v): dL/du = a sum(digamma(a) - log b - log t), dL/dv = b sum(t) - n a.
    sample = torch.tensor([0.5, 1.0, 4.0], dtype=torch.float64)
    model = DistributionModel("torch.distributions.Gamma", {"concentration": 2.0, "rate": 3.0})
    _, gradients = AnalyticGradient()(model, NegativeLogLikelihood(), Observations((), sample))
    digamma_of_2 = 1 - 0.5772156649015329
    by_concentration = 2 * (3 * digamma_of_2 - 3 * math.log(3) - math.log(0.5 * 1.0 * 4.0))
    assert gradients["concentration"].item() == pytest.approx(by_concentration, rel=1e-12)
    assert gradients["rate"].item() == pytest.approx(3 * 5.5 - 3 * 2, rel=1e-12)


def test_poisson_regression_has_the_gradient_of_its_textbook():
    x, y = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64), torch.tensor([1.0, 0.0, 5.0], dtype=torch.float64)
    model = DistributionModel(
        "torch.distributions.Poisson", {"rate": "exp(a + b*x)"}, coefficients={"a": 0.2, "b": 0.1}
    )
    _, gradients = AnalyticGradient()(model, NegativeLogLikelihood("mean"), Observations((x,), y))
    residual = torch.exp(0.2 + 0.1 * x) - y
    assert gradients["a"].item() == pytest.approx(residual.mean().item(), rel=1e-12)
    assert gradients["b"].item() == pytest.approx((residual * x).mean().item(), rel=1e-12)


def test_censored_score_is_autograds():
    status = torch.tensor([0, 1, 2, 3])
    lifetimes = torch.tensor([0.5, 1.0, 2.0, 3.0], dtype=torch.float64)
    censoring = Censored(status, torch.where(status == 3, lifetimes + 1, math.inf))
    observations = Observations((lifetimes / 3,), lifetimes, None, censoring)
    model = DistributionModel(
        "torch.distributions.Weibull",
        {"scale": "exp(a + b*x)", "concentration": 1.5},
        coefficients={"a": 0.1, "b": 0.2},
    )
    loss, actual = AnalyticGradient()(model, NegativeLogLikelihood("mean"), observations)
    expected_loss, expected = AutogradGradient()(model, NegativeLogLikelihood("mean"), observations)
    assert loss.item() == pytest.approx(expected_loss.item(), rel=1e-14)
    assert {name: value.item() for name, value in actual.items()} == pytest.approx(
        {name: value.item() for name, value in expected.items()}, rel=1e-11
    )


def test_censored_sample_of_a_plain_model_is_refused():
    censoring = Censored(torch.tensor([0, 2, 0]), torch.full((3,), math.inf))
    with pytest.raises(InputError, match="no score of GaussianModel for censored observations; use AutogradGradient"):
        AnalyticGradient()(GaussianModel(), NegativeLogLikelihood(), Observations((), TARGET, None, censoring))


def test_a_rule_that_has_seen_one_model_knows_the_next_one_anew():
    rule, rows = AnalyticGradient(), Observations((), torch.ones(2, dtype=torch.float64))
    for kind, name in (("Poisson", "rate"), ("Chi2", "df")):
        model = DistributionModel(f"torch.distributions.{kind}", {name: 1.0})
        assert set(rule(model, NegativeLogLikelihood(), rows)[1]) == {name}
    assert set(rule(GaussianModel(), NegativeLogLikelihood(), rows)[1]) == {"location"}
