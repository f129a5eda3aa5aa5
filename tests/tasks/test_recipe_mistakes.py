"""What is forgotten in an objective, a gradient rule or an optimizer of one's own is one line, not a traceback."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ExponentialLR
from torchmetrics import R2Score

from paramfit import (
    AutogradGradient,
    GradientRule,
    HandWrittenDescent,
    InputError,
    LeastSquares,
    LinearModel,
    MaximumLikelihood,
    Objective,
    Regression,
    SquaredError,
    Standardize,
)
from paramfit.data.thermometer import ThermometerDataModule
from paramfit.tasks import EstimationTask, try_model


class WithoutReturn(Objective):
    def per_observation(self, prediction: Any, target: Tensor, sigma: Tensor | None = None) -> Tensor:
        (prediction - target).abs()  # type: ignore[return]


class InNumpy(Objective):
    def per_observation(self, prediction: Any, target: Tensor, sigma: Tensor | None = None) -> Any:
        return (prediction - target).square().detach().numpy()


class WithoutSuper(Objective):
    def __init__(self) -> None:
        self.weight = 2.0

    def per_observation(self, prediction: Any, target: Tensor, sigma: Tensor | None = None) -> Tensor:
        return self.weight * (prediction - target).square()


class Mean(Objective):
    def per_observation(self, prediction: Any, target: Tensor, sigma: Tensor | None = None) -> Tensor:
        return (prediction - target).abs().mean()


class Detached(Objective):
    def per_observation(self, prediction: Any, target: Tensor, sigma: Tensor | None = None) -> Tensor:
        return (prediction - target).abs().detach()


class WithoutSigma(Objective):
    def per_observation(self, prediction: Any, target: Tensor) -> Tensor:  # type: ignore[override]
        return (prediction - target).abs()


class SlopeWithoutSigma(SquaredError):
    def derivative(self, prediction: Any, target: Tensor) -> Tensor:  # type: ignore[override]
        return 2 * (prediction - target)


class Failing(Objective):
    def per_observation(self, prediction: Any, target: Tensor, sigma: Tensor | None = None) -> Tensor:
        return (prediction - target).reshape(2, 2)


class RuleOfModel(GradientRule):
    def __call__(self, model: Any) -> Any:  # type: ignore[override]
        return ONE, {}


class WithoutForward(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(1.0))


class OfTwo(WithoutForward):
    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        return self.a * x + z


class OfNothing(WithoutForward):
    def forward(self) -> Tensor:
        return self.a


class CutOff(WithoutForward):
    def forward(self, x: Tensor) -> Tensor:
        return self.a.detach() * x


class Rule(GradientRule):
    """Gives whatever it was made with."""

    def __init__(self, given: Any) -> None:
        self.given = given

    def __call__(self, *_: Any) -> Any:
        return self.given


class Plain(torch.optim.Optimizer):
    def __init__(self, params: Any) -> None:
        super().__init__(params, {"lr": 1e-5})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # as many tutorials have it
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter -= group["lr"] * parameter.grad


class WithoutLoss(Plain):
    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        with torch.enable_grad():
            closure()
        super().step()


ONE, SLOPE = torch.tensor(1.0), torch.tensor(1.0)
HERE = rf"\({__file__}:\d+\)"
MISTAKES = {
    "no return": (Regression, {"objective": WithoutReturn()}, "WithoutReturn.per_observation returned NoneType"),
    "numpy": (Regression, {"objective": InNumpy()}, "InNumpy.per_observation returned ndarray, not a tensor"),
    "no super": (Regression, {"objective": WithoutSuper()}, r"WithoutSuper.__init__ .* begin it with super"),
    "loss only": (HandWrittenDescent, {"gradient": Rule(ONE)}, "Rule returned no pair of a loss and gradients"),
    "list": (HandWrittenDescent, {"gradient": Rule((ONE, [SLOPE, SLOPE]))}, "returned no pair of a loss"),
    "float": (HandWrittenDescent, {"gradient": Rule((1.0, {}))}, "returned a loss that is no tensor of one number"),
    "missing": (HandWrittenDescent, {"gradient": Rule((ONE, {"weight": SLOPE}))}, "gave no tensor for bias"),
    "shape": (
        HandWrittenDescent,
        {"gradient": Rule((ONE, {"weight": torch.ones(3), "bias": SLOPE}))},
        r"gave \(3,\) for weight, which has \(\)",
    ),
    "mean": (Regression, {"objective": Mean()}, rf"model.objective: Mean.per_observation returned \(\) .*{HERE}"),
    "detached": (Regression, {"objective": Detached()}, rf"objective: autograd cannot follow Detached.per_obs.*{HERE}"),
    "no sigma": (
        Regression,
        {"objective": WithoutSigma()},
        rf"WithoutSigma.per_observation takes prediction, target {HERE}; write def .*, target, sigma=None\)",
    ),
    "slope": (Regression, {"objective": SlopeWithoutSigma()}, rf"SlopeWithoutSigma.derivative takes .*{HERE}"),
    "failing": (Regression, {"objective": Failing()}, rf"objective: Failing.per_observation failed: Runtime.*{HERE}"),
    "rule": (HandWrittenDescent, {"gradient": RuleOfModel()}, rf"RuleOfModel.__call__ takes model {HERE}; write def"),
    "no forward": (Regression, {"model": WithoutForward()}, rf"model: WithoutForward has no forward {HERE}; write def"),
    "two": (Regression, {"model": OfTwo()}, rf"model: OfTwo.forward takes x, z, but the data have 1 input {HERE}"),
    "nothing": (Regression, {"model": OfNothing()}, rf"model: OfNothing.forward takes nothing, but .* 1 input {HERE}"),
    "cut off": (Regression, {"model": CutOff()}, "model: autograd cannot follow CutOff.forward"),
    "no closure": (Regression, {"optimizer": Plain}, r"Plain.step takes no closure; write step\(self, closure\)"),
    "no loss": (Regression, {"optimizer": WithoutLoss}, "WithoutLoss.step returned no loss; end it with return loss"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "options", "words"), MISTAKES.values(), ids=MISTAKES)
def test_mistake_is_refused_in_one_line(kind, options, words, make_trainer):
    given = {"optimizer": partial(torch.optim.SGD, lr=1e-5), **options}
    task: EstimationTask = kind(given.pop("model", LinearModel()), **given)
    data = ThermometerDataModule()
    data.prepare_data()
    data.setup("fit")

    def tried_and_fitted() -> None:
        try_model(task, data.every)
        make_trainer(2).fit(task, datamodule=data)

    with pytest.raises(InputError, match=words) as refusal:
        tried_and_fitted()
    assert "\n" not in str(refusal.value)


def scheduler() -> ExponentialLR:
    return ExponentialLR(torch.optim.SGD(LinearModel().parameters(), lr=0.1), 0.9)


NOT_MADE = {
    **{
        f"model of {task.__name__}": (
            partial(task, LinearModel),
            r"model: LinearModel is a class; .* LinearModel\(\)$",
        )
        for task in (Regression, LeastSquares, MaximumLikelihood)
    },
    "no module": (lambda: Regression(len), r"model: expected an instance of Module, .* but got one of builtin"),
    "objective": (
        lambda: Regression(LinearModel(), SquaredError),
        r"objective: SquaredError is a class; give one that is made of it, SquaredError\(\)$",
    ),
    "torch's loss": (
        lambda: Regression(LinearModel(), torch.nn.MSELoss()),
        r"objective: expected an instance of Objective, such as SquaredError\(\), but got one of MSELoss$",
    ),
    "gradient": (
        lambda: HandWrittenDescent(LinearModel(), AutogradGradient),
        r"gradient: AutogradGradient is a class; .* AutogradGradient\(\)$",
    ),
    "gradient with options": (
        lambda: HandWrittenDescent(LinearModel(), Rule),
        r"gradient: Rule is a class; .* Rule\(\.\.\.\)$",
    ),
    "normalization": (
        lambda: ThermometerDataModule(normalization=Standardize),
        r"normalization: Standardize is a class; .* Standardize\(\)$",
    ),
    "normalization's name": (
        lambda: ThermometerDataModule(normalization="standardize"),
        r"normalization: expected an instance of Normalization, such as Standardize\(\), but got one of str$",
    ),
    "scheduler": (
        lambda: Regression(LinearModel(), scheduler=scheduler()),
        r"scheduler: this ExponentialLR .* lambda optimizer: ExponentialLR\(optimizer, \.\.\.\)$",
    ),
    "scheduler's name": (
        lambda: Regression(LinearModel(), scheduler="StepLR"),
        "scheduler: expected what makes a scheduler, .* but got one of str$",
    ),
    "metric": (
        lambda: Regression(LinearModel(), metrics=R2Score()),
        r"metrics: .* \{'own': R2Score\(\)\}, but got R2Score$",
    ),
    "class of metrics": (lambda: Regression(LinearModel(), metrics=R2Score), r"metrics: .* \{'own': R2Score\(\)\}"),
    "list of metrics": (lambda: Regression(LinearModel(), metrics=[R2Score()]), r"metrics: .* but got list$"),
}  # fmt: skip


@pytest.mark.parametrize(("made", "words"), NOT_MADE.values(), ids=NOT_MADE)
def test_what_is_not_made_is_refused_with_what_to_write(made, words):
    with pytest.raises(InputError, match=words) as refusal:
        made()
    assert "\n" not in str(refusal.value)


class SetsModel(Regression):
    def __init__(self) -> None:
        self.model = LinearModel()


class SetsNumber(HandWrittenDescent):
    def __init__(self) -> None:
        self.rate = 0.1


class SetsFirst(Regression):
    def __init__(self) -> None:
        self.extra = LinearModel()
        super().__init__(LinearModel())


@pytest.mark.parametrize("kind", [SetsModel, SetsNumber, SetsFirst])
def test_task_that_does_not_call_the_constructor_of_ours_is_refused(kind):
    words = rf"{kind.__name__}.__init__ does not call that of {kind.__mro__[1].__name__} first; begin it with super"
    with pytest.raises(InputError, match=words):
        kind().check_made()
