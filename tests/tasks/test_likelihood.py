"""A user's own distribution under MaximumLikelihood."""

import math
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from scipy import stats
from torch import nn
from torch.distributions import Distribution, Gamma, Normal, Poisson
from torch.optim import LBFGS, SGD, Adam, Optimizer

from paramfit import DistributionModel, FitResult, GaussianDataModule, InputError, MaximumLikelihood, Observations, fit
from paramfit.callbacks import DivergenceDetection, Doctor, FitReport
from paramfit.data.base import EstimationDataModule
from paramfit.objectives import NegativeLogLikelihood
from paramfit.plotting.all_figures import Descent, fit_figures
from paramfit.tasks import try_model
from tests.tasks.conftest import MakeTrainer

converging = partial(LBFGS, line_search_fn="strong_wolfe", max_iter=50, tolerance_grad=1e-9)


class LocationAndScale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.location = nn.Parameter(torch.tensor(0.0))
        self.log_scale = nn.Parameter(torch.tensor(0.0))

    def forward(self) -> Normal:
        return Normal(self.location, self.log_scale.exp())


class Counts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.log_rate = nn.Parameter(torch.tensor(0.0))

    def forward(self) -> Poisson:
        return Poisson(self.log_rate.exp())


class Waiting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.log_shape = nn.Parameter(torch.tensor(0.0))
        self.log_rate = nn.Parameter(torch.tensor(0.0))

    def forward(self) -> Gamma:
        return Gamma(self.log_shape.exp(), self.log_rate.exp())


class Drawn(EstimationDataModule):
    def __init__(self, values: np.ndarray, *inputs: np.ndarray, **options: Any) -> None:
        super().__init__(**options)
        self.values, self.inputs = values, inputs

    def read(self) -> Observations:
        columns = tuple(torch.from_numpy(column).double() for column in self.inputs)
        return Observations(columns, torch.from_numpy(self.values).double())


def fitted(model: nn.Module, data: EstimationDataModule, make_trainer: MakeTrainer) -> Distribution:
    make_trainer(3).fit(MaximumLikelihood(model, optimizer=converging), datamodule=data)
    return model()


def test_location_and_scale_are_the_samples_own(make_trainer):
    data = GaussianDataModule(n_obs=200, true_location=3.0, scale=2.0)
    actual = fitted(LocationAndScale(), data, make_trainer)
    assert actual.mean.item() == pytest.approx(np.mean(data.raw.target.numpy()), rel=1e-7)
    assert actual.stddev.item() == pytest.approx(np.std(data.raw.target.numpy()), rel=1e-7)


def test_rate_of_counts_is_their_mean(make_trainer):
    counts = np.random.default_rng(0).poisson(4.2, size=100)
    assert fitted(Counts(), Drawn(counts), make_trainer).mean.item() == pytest.approx(counts.mean(), rel=1e-5)


def test_gamma_agrees_with_scipy(make_trainer):
    waiting = np.random.default_rng(0).gamma(2.5, 0.5, size=100)
    actual = fitted(Waiting(), Drawn(waiting), make_trainer)
    shape, _, scale = stats.gamma.fit(waiting, floc=0)
    assert isinstance(actual, Gamma)
    assert actual.concentration.item() == pytest.approx(shape, rel=1e-5)
    assert actual.rate.item() == pytest.approx(1 / scale, rel=1e-5)


# --- any optimizer ends where Newton does ---

WAITING = np.random.default_rng(0).gamma(2.5, 0.5, 200)
X = np.linspace(-1, 2, 200)
COUNTS = np.random.default_rng(1).poisson(np.exp(0.5 + 0.8 * X)).astype(float)


def gamma(concentration: float = 1.0, rate: float = 1.0) -> DistributionModel:
    return DistributionModel("torch.distributions.Gamma", {"concentration": concentration, "rate": rate})


def poisson(a: float = 0.0, b: float = 0.0) -> DistributionModel:
    return DistributionModel("torch.distributions.Poisson", {"rate": "exp(a + b*x)"}, coefficients={"a": a, "b": b})


def waiting(**options: Any) -> Drawn:
    return Drawn(WAITING, **options)


def counted(**options: Any) -> Drawn:
    return Drawn(COUNTS, X, **options)


Case = tuple[Callable[[], DistributionModel], Callable[..., Drawn]]
CASES: dict[str, Case] = {"gamma": (gamma, waiting), "Poisson regression": (poisson, counted)}
OPTIMIZERS: dict[str, tuple[partial[Optimizer], int, int]] = {  # with epochs, and updates in each
    "LBFGS": (partial(LBFGS, line_search_fn="strong_wolfe"), 6, 1),
    "LBFGS in a block": (partial(LBFGS, line_search_fn="strong_wolfe"), 1, 6),
    "Adam": (partial(Adam, lr=0.05), 10, 80),
    "SGD": (partial(SGD, lr=1e-3), 10, 100),
}


def reported(task: MaximumLikelihood, data: EstimationDataModule, make: MakeTrainer, epochs: int) -> FitResult:
    report = FitReport(enabled=False)
    make(epochs, callbacks=[Doctor(), DivergenceDetection(), report]).fit(task, datamodule=data)
    assert report.result is not None
    return report.result


def assert_near(actual: FitResult, expected: FitResult, errors: float) -> None:
    """Estimates agree to a part of their standard errors, and so do the errors."""
    for name, estimate in expected.parameters.items():
        spread = estimate.standard_error
        assert actual.parameters[name].estimate == pytest.approx(estimate.estimate, abs=errors * spread), name
        assert actual.parameters[name].standard_error == pytest.approx(spread, rel=errors), name


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize(("model", "data"), CASES.values(), ids=CASES)
def test_any_torch_optimizer_ends_where_newton_does(kind, model, data, make_trainer):
    optimizer, epochs, block = OPTIMIZERS[kind]
    task = MaximumLikelihood(model(), optimizer=optimizer, updates_per_step=block)
    result = reported(task, data(), make_trainer, epochs)
    rows = data().read()
    assert result.status == "converged"
    assert result.distance_to_optimum_in_standard_errors == pytest.approx(0.0, abs=1e-5)
    assert_near(result, fit(model(), (*rows.inputs, rows.target)), 1e-5)


def test_a_closure_that_is_evaluated_often_sees_the_loss_at_each_trial(make_trainer):
    visited: list[tuple[float, float, float]] = []

    class Watched(LBFGS):
        """Keeps what its closure told it, and where."""

        def step(self, closure: Any) -> Any:
            def told() -> Any:
                loss = closure()
                (log_rate,) = self.param_groups[0]["params"]
                visited.append((log_rate.item(), loss.item(), log_rate.grad.item()))
                return loss

            return super().step(told)

    counts = np.array([1.0, 2.0, 6.0])
    task = MaximumLikelihood(Counts(), optimizer=partial(Watched, line_search_fn="strong_wolfe"), updates_per_step=2)
    make_trainer(2).fit(task, datamodule=Drawn(counts))
    assert len(visited) > 8
    assert len({place for place, _, _ in visited}) > 3
    for log_rate, loss, slope in visited:
        assert loss == pytest.approx(-stats.poisson.logpmf(counts, math.exp(log_rate)).sum(), rel=1e-12)
        assert slope == pytest.approx(3 * math.exp(log_rate) - 9, rel=1e-10, abs=1e-12)


def test_a_penalty_is_for_descent_and_not_for_newton(make_trainer):
    objective = NegativeLogLikelihood(l2=3.0)
    with pytest.raises(InputError, match="penalty"):
        MaximumLikelihood(poisson(), objective)
    task = MaximumLikelihood(poisson(), objective, converging)
    make_trainer(3).fit(task, datamodule=counted())
    a, b = (parameter.item() for parameter in task.model.parameters())
    residual = np.exp(a + b * X) - COUNTS
    assert residual.sum() + 6 * a == pytest.approx(0.0, abs=1e-3)  # of a curvature of 400
    assert (residual * X).sum() + 6 * b == pytest.approx(0.0, abs=1e-3)


class Gradients(Callback):
    """Keep the parameters and gradients as they are after each batch."""

    def __init__(self) -> None:
        self.seen: list[tuple[list[float], list[float]]] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        parameters = list(pl_module.parameters())
        gradients = [parameter.grad.item() for parameter in parameters if parameter.grad is not None]
        self.seen.append(([parameter.item() for parameter in parameters], gradients))


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_the_gradient_after_an_update_of_newton_is_that_of_the_loss(reduction, make_trainer):
    watcher = Gradients()
    task = MaximumLikelihood(poisson(), NegativeLogLikelihood(reduction))
    make_trainer(4, callbacks=[watcher]).fit(task, datamodule=counted())
    assert len(watcher.seen) == 4
    for (a, b), gradients in watcher.seen:
        residual = (np.exp(a + b * X) - COUNTS) / (len(X) if reduction == "mean" else 1)
        assert gradients == pytest.approx([residual.sum(), (residual * X).sum()], rel=1e-7, abs=1e-9)


def test_newton_makes_no_blocks(make_trainer):
    with pytest.raises(InputError, match="updates_per_step: Newton's method makes one"):
        make_trainer(1).fit(MaximumLikelihood(poisson(), updates_per_step=3), datamodule=counted())


# --- a rate that is too large ---


def line_with_a_free_scale() -> DistributionModel:
    arguments = {"loc": 0.0, "scale": "s"}  # nothing keeps s above 0
    return DistributionModel("torch.distributions.Normal", arguments, coefficients={"s": 5.0})


@pytest.mark.parametrize("watched", [True, False], ids=["watched", "unwatched"])
@pytest.mark.parametrize(
    "model", [line_with_a_free_scale, gamma, lambda: LocationAndScale()], ids=["out of its space", "gamma", "a module"]
)
def test_a_descent_that_is_too_fast_has_diverged(model, watched, make_trainer):
    report = FitReport(enabled=False)
    task = MaximumLikelihood(model(), optimizer=partial(SGD, lr=10.0))
    watchers = [Doctor(), DivergenceDetection(enabled=watched), report]
    make_trainer(60, callbacks=watchers).fit(task, datamodule=waiting())
    assert report.result.status == "diverged"
    assert all(estimate.standard_error is None for estimate in report.result.parameters.values())


def rate_along_a_line(intercept: float, slope: float) -> DistributionModel:
    starts = {"a": intercept, "b": slope}
    return DistributionModel("torch.distributions.Poisson", {"rate": "a + b*x"}, starts, ["x"])


LEAVING = {
    "SGD": (partial(SGD, lr=0.02), 1),
    "Adam": (partial(Adam, lr=0.5), 1),
    "LBFGS": (partial(LBFGS, lr=1.0), 1),
    "a line search": (partial(LBFGS, lr=1.0, line_search_fn="strong_wolfe"), 1),
    "accumulated": (partial(Adam, lr=0.5), 2),
    "LBFGS, accumulated": (partial(LBFGS, lr=1.0), 2),
}


@pytest.mark.parametrize(("optimizer", "batches"), LEAVING.values(), ids=LEAVING)
def test_a_descent_that_leaves_its_domain_says_by_which_argument_and_row(optimizer, batches, make_trainer):
    """The best line is 0 at x = 1 and would be less there."""
    rows = {"batch_size": 4} if batches > 1 else {}
    data = Drawn(np.array([0.0, 0, 0, 2, 3, 4, 7]), np.arange(1.0, 8.0), **rows)
    report = FitReport(enabled=False)
    task = MaximumLikelihood(rate_along_a_line(1.0, 1.0), optimizer=optimizer)
    watchers = [Doctor(), DivergenceDetection(), report]
    make_trainer(500, callbacks=watchers, accumulate_grad_batches=batches).fit(task, datamodule=data)
    assert report.result.status == "diverged"
    assert "rate is -" in report.result.reason
    assert re.search(r"in row 0 \(input 1\)( \(\d rows are\))?, outside what Poisson allows", report.result.reason)


def test_held_out_rows_outside_the_domain_are_named_and_no_loss_is_told(make_trainer):
    """Before the first row of the fit, the line of the rates is below 0."""
    data = Drawn(np.array([2.0, 0, 3, 2, 4, 4, 5]), np.array([1.0, -40, 2, 3, 4, 5, 6]), validation_indices=[1, 4])
    task, report = MaximumLikelihood(rate_along_a_line(1.0, 0.5)), FitReport(enabled=False)
    trainer = make_trainer(60, callbacks=[report])
    trainer.fit(task, datamodule=data)
    (warning,) = report.result.warnings
    assert re.match(r"the loss of the held-out rows is infinite: rate is -\d+.* in row 1 \(input -40\)", warning)
    for evaluate in (trainer.validate, trainer.test):
        with pytest.raises(InputError, match=r"rate is -\d+.* in row 1 \(input -40\), outside what Poisson allows"):
            evaluate(task, datamodule=data)


def test_a_start_is_not_asked_where_a_checkpoint_replaces_it():
    data = Drawn(np.array([2.0, 0, 3]), np.array([1.0, -40, 2]))
    data.setup()
    task = MaximumLikelihood(rate_along_a_line(1.0, 0.5))
    with pytest.raises(InputError, match=r"rate is -19 in row 1 .* no fit starts there"):
        try_model(task, data.every)
    try_model(task, data.every, is_start=False)


class CheckedRate(nn.Module):
    """The same line by a distribution that checks its arguments itself."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = (nn.Parameter(torch.tensor(start)) for start in (1.0, 0.5))

    def forward(self, x: torch.Tensor) -> Poisson:
        return Poisson(self.a + self.b * x, validate_args=None)


LINES = {"built in": lambda: rate_along_a_line(1.0, 0.5), "of one's own": CheckedRate}


@pytest.mark.parametrize("make", LINES.values(), ids=LINES)
@pytest.mark.parametrize(("held_out", "refused"), [([1], 4), ([1, 4], None), ([4], 1), ([2], 1)])
def test_rows_outside_at_the_start_are_refused_only_where_they_train(make, held_out, refused):
    data = Drawn(np.array([2.0, 0, 3, 1, 5]), np.array([1.0, -40, 2, 3, -9]), validation_indices=held_out)
    data.setup()
    task = MaximumLikelihood(make())
    if refused is None:
        try_model(task, data.every, held_out=data.described.held_out)
        return
    with pytest.raises(InputError, match=rf"rate is -\S+ in row {refused} .* no fit starts there"):
        try_model(task, data.every, held_out=data.described.held_out)


@pytest.mark.parametrize("make", LINES.values(), ids=LINES)
def test_figures_of_held_out_rows_outside_the_domain_are_left_out_in_words(make, make_trainer):
    data = Drawn(np.array([2.0, 0, 3, 2, 4, 4, 5]), np.array([1.0, -40, 2, 3, 4, 5, 6]), validation_indices=[1, 4])
    task, report = MaximumLikelihood(make()), FitReport(enabled=False)
    make_trainer(60, callbacks=[report]).fit(task, datamodule=data)
    (warning,) = report.result.warnings
    assert "in row 1 (input -40)" in warning
    figures = fit_figures(task.model, task.objective, data.described, Descent(task.updates), report.result.record)
    assert "Error" not in "".join(figures.left_out.values())
    assert re.fullmatch(
        r"rate is -\S+ in row 1 \(input -40\), outside what Poisson allows, .*: such a row has no quantile",
        figures.left_out["residual_quantiles"],
    )
    (curve,) = [line for line in figures.figures["fit"].axes[0].lines if line.get_label() == "fit"]
    drawn = curve.get_ydata()[np.isfinite(curve.get_ydata())]
    assert 0 < len(drawn) < 300  # none where the rate would be below 0
    assert drawn.min() >= 0


def test_newton_does_not_leave_the_parameter_space(make_trainer):
    result = reported(MaximumLikelihood(line_with_a_free_scale()), waiting(), make_trainer, 60)
    assert result.status == "converged"
    assert abs(result.parameters["s"].estimate) == pytest.approx(WAITING.std(), rel=1e-8)


def test_what_newton_cannot_hold_has_not_converged(make_trainer):
    model = DistributionModel("torch.distributions.Bernoulli", {"logits": "a + b*x"}, coefficients={"a": 0.0, "b": 0.0})
    result = reported(MaximumLikelihood(model), Drawn((X > 0.7).astype(float), X), make_trainer, 100)
    assert result.status == "stalled"
    assert "a and b have no finite estimate: x separates the outcomes (0 up to" in result.reason
