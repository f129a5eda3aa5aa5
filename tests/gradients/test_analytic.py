"""The chain rule by hand."""

import pytest
import torch
from torch import Tensor, nn

from paramfit.errors import InputError
from paramfit.gradients import AnalyticGradient
from paramfit.models import LinearModel
from paramfit.objectives import NegativeLogLikelihood, SquaredError
from paramfit.observations import Observations

X, TARGET = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0.0, 1.0, -2.0])


def test_gradient_of_the_mean_squared_error_of_a_line() -> None:
    # Residuals of the line x itself are (1, 1, 6): dL/dw = 2/3 * (1 + 2 + 24), dL/db = 2/3 * 8.
    loss, gradients = AnalyticGradient()(LinearModel(), SquaredError(), Observations((X,), TARGET))
    assert loss.item() == pytest.approx(38 / 3)
    assert gradients["weight"].item() == pytest.approx(18.0)
    assert gradients["bias"].item() == pytest.approx(16 / 3)


def test_users_model_with_a_jacobian_needs_no_base_class() -> None:
    class Proportional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.k = nn.Parameter(torch.tensor(1.0))

        def forward(self, x: Tensor) -> Tensor:
            return self.k * x

        def jacobian(self, x: Tensor) -> dict[str, Tensor]:
            return {"k": x}

    _, gradients = AnalyticGradient()(Proportional(), SquaredError(), Observations((X,), TARGET))
    assert gradients["k"].item() == pytest.approx(18.0)


def test_model_without_jacobian_is_refused_with_what_to_do() -> None:
    with pytest.raises(InputError, match=r"Linear.jacobian\(\*inputs\).*AutogradGradient"):
        AnalyticGradient()(nn.Linear(1, 1), SquaredError(), Observations((X,), TARGET))


def test_missing_column_is_refused_by_its_name() -> None:
    class Forgetful(LinearModel):
        def jacobian(self, x: Tensor) -> dict[str, Tensor | float]:
            return {"weight": x}

    with pytest.raises(InputError, match=r"Forgetful.jacobian has no column for the parameter bias"):
        AnalyticGradient()(Forgetful(), SquaredError(), Observations((X,), TARGET))


def test_frozen_parameter_has_no_gradient() -> None:
    model = LinearModel()
    model.weight.requires_grad_(False)
    assert set(AnalyticGradient()(model, SquaredError(), Observations((X,), TARGET))[1]) == {"bias"}


def test_distribution_without_a_known_score_is_refused() -> None:
    class Laplacian(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.location = nn.Parameter(torch.tensor(0.0))

        def forward(self) -> torch.distributions.Laplace:
            return torch.distributions.Laplace(self.location, 1.0)

        def jacobian(self) -> dict[str, float]:
            return {"location": 1.0}

    with pytest.raises(InputError, match="not of Laplace; use AutogradGradient or NumericalGradient"):
        AnalyticGradient()(Laplacian(), NegativeLogLikelihood(), Observations((), TARGET))
